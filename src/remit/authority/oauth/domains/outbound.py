"""Grants for other domains, by token exchange (identity chaining §2.3; ID-JAG, standards 16).

1 one `audience`, a domain that grants may go to   2 the subject is ours, verified, alive
3 what came from one domain goes to no other   4 a rule names the person and the client
5 scopes and rights only narrow: subject ∩ domain ∩ rule ∩ request   6 five minutes, and no longer than
anything that it stands on   7 who acted so far goes with it, as we know it and not as the client says

What is signed is for one audience, opens nothing here, and is never redeemed here.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, NoReturn

from remit.authority.domains.trust import LONGEST, Direction, DomainRule, TrustedDomain
from remit.authority.oauth.domains import grant, policy
from remit.authority.oauth.domains.records import GRANT_SENT
from remit.authority.oauth.issuing.minting import Delegated, Mint, Subjects
from remit.authority.oauth.proving.lineage import id_token_dead
from remit.authority.oauth.proving.requests import Asking, Draft, Outgoing
from remit.authority.oauth.wire import rar
from remit.authority.oauth.wire.actors import nest, told
from remit.authority.oauth.wire.errors import (
    UNVERIFIED,
    AccessDenied,
    InvalidRequest,
    InvalidScope,
    InvalidTarget,
    UnauthorizedClient,
)
from remit.authority.oauth.wire.options import OAuthOptions
from remit.authority.oauth.wire.resources import Target, parse_resource
from remit.authority.oauth.wire.scopes import render
from remit.authority.oidc import id_token
from remit.authority.rights import Ceiling
from remit.identity.principals import Kind
from remit.kernel.canonical import JsonObject, parse_object
from remit.kernel.ids import Entropy, TokenId, UserId, mint_id
from remit.kernel.jose.errors import TokenRejected
from remit.kernel.jose.keys import KeyClass, KeyLookup

_TYPE: Final = "urn:ietf:params:oauth:token-type:"
JWT_TYPE: Final = f"{_TYPE}jwt"
ID_JAG_TYPE: Final = f"{_TYPE}id-jag"
ID_TOKEN_TYPE: Final = f"{_TYPE}id_token"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """Where a grant goes, and by which rule."""

    domain: TrustedDomain
    rule: DomainRule


class _Departure:
    """What both kinds of grants share."""

    def __init__(self, *, mint: Mint, options: OAuthOptions, keys: KeyLookup, entropy: Entropy) -> None:
        self._mint = mint
        self._options = options
        self._keys = keys
        self._entropy = entropy

    def _domain(self, asking: Asking) -> TrustedDomain:
        """(1) One audience, exactly; who is trusted is told to nobody whom no rule lets go there."""
        audience = asking.request.parameters.only("audience")
        if not audience:
            raise InvalidRequest("parameter `audience` is missing", reason="parameter_missing")
        domain = asking.tx.domains.trusted(audience, Direction.OUTBOUND)
        return domain or _closed("domain_unknown")

    def _way(self, asking: Asking, domain: TrustedDomain, user: UserId) -> _Way:
        rule = policy.rule_for(asking.tx, domain, user, asking.who.client)
        return _Way(domain=domain, rule=rule or _closed("domain_rule"))

    def _scopes(self, asking: Asking, way: _Way) -> frozenset[str]:
        """The other domain's words: all that the rule says, or exactly what was asked of it."""
        allowed = way.rule.scopes if not way.domain.scopes else way.rule.scopes & way.domain.scopes
        asked = frozenset(asking.request.parameters.get("scope").split())
        if not asked <= allowed:
            raise InvalidScope("a scope is more than what was allowed there", reason="scope_widened")
        return asked or allowed

    def _sent(self, asking: Asking, way: _Way, claims: JsonObject, *, typ: str, life: timedelta) -> Outgoing:
        at = asking.request.at
        resource = asking.request.parameters.only("resource")
        said: JsonObject = {
            "iss": self._options.issuer,
            "aud": way.domain.issuer,
            "client_id": way.rule.there,
            "jti": mint_id("jag", at=at, entropy=self._entropy),
            "iat": grant.seconds(at),
            "exp": grant.seconds(at.replace(microsecond=0) + life),
            **({"resource": parse_resource(resource)} if resource else {}),
            **claims,
        }
        if way.domain.bound:
            said["cnf"] = {"jkt": _key(asking)}
        return Outgoing(
            kind=GRANT_SENT,
            typ=typ,
            key_class=KeyClass.DOMAIN_GRANT,
            claims=said,
            life=life,
            detail=(
                ("domain", way.domain.id),
                ("rule", way.rule.id),
                ("audience", way.domain.issuer),
                ("client_there", way.rule.there),
                ("scope", str(said.get("scope", ""))),
                ("resource", str(said.get("resource", ""))),
                ("jti", str(said["jti"])),
            ),
        )


class ChainedGrants(_Departure):
    """A task goes on in another domain, for the same person, within what its agent may do there."""

    token_type: Final = JWT_TYPE

    def draft(self, asking: Asking, subjects: Subjects) -> Draft:
        """Judge the request."""
        if asking.who.client.kind is not Kind.INSTANCE:
            raise UnauthorizedClient("only an agent's instance may exchange", reason="exchange_kind")
        domain = self._domain(asking)
        # (2) As for any exchange: the subject is the asking instance's own, or names its agent.
        subject = subjects.subject(asking)
        held = subject.delegated
        # (3) Trust is a row of our matrix; it does not follow from somebody else's (TX-06).
        if held.before or asking.tx.domains.came_with(held.task) is not None:
            raise InvalidTarget("a task of another domain goes no further", reason="domain_transitive")
        if held.user is None:
            raise AccessDenied("only a task for a person goes to another domain", reason="domain_no_person")
        # Over there nobody would know of the others, nor hear that one of them has taken their word back.
        if held.companions:
            raise AccessDenied("a task for several people goes to no other domain", reason="domain_several")
        way = self._way(asking, domain, held.user)
        # (5) Nothing is clipped in silence that was asked for.
        ceiling, scopes = self._rights(asking, way, held), self._scopes(asking, way)
        if ceiling is None and not scopes:
            raise InvalidTarget("the task allows nothing at that domain", reason="target_no_right")
        ground = self._ground(asking, held)
        token = self._mint.token(asking, Target(resource=self._options.api), frozenset(), delegated=ground)
        life = min(LONGEST, token.expires_at - token.issued_at)
        claims: JsonObject = {"sub": held.user, "txn": held.task, **_said(scopes, ceiling)}
        claims["act"] = parse_object(told(nest(held.chain), issuer=self._options.issuer).encode())
        outgoing = self._sent(asking, way, claims, typ=grant.CHAINED, life=life)
        return Draft(
            token=replace(token, ancestors=(*token.ancestors, *_stones(way))),
            envelope=subject.envelope,
            issued_token_type=JWT_TYPE,
            outgoing=outgoing,
        )

    def _rights(self, asking: Asking, way: _Way, held: Delegated) -> Ceiling | None:
        theirs = policy.abroad(held.ceiling, way.domain, way.rule)
        details = asking.request.parameters.get("authorization_details")
        if theirs is None:
            if details:
                raise InvalidTarget("the task allows nothing at that domain", reason="target_no_right")
            return None
        return rar.narrow(details, theirs)

    def _ground(self, asking: Asking, held: Delegated) -> Delegated:
        """(6) The grant stands on all that a token of this task would stand on."""
        return replace(held, ends=(*held.ends, held.ceiling.window.end, asking.request.at + LONGEST))


class IdentityAssertions(_Departure):
    """An enterprise's word that a person may use a client at another domain; a rule stands for the page."""

    token_type: Final = ID_JAG_TYPE

    def draft(self, asking: Asking, subjects: Subjects) -> Draft:  # noqa: ARG002 — the subject is no token of access
        """Judge the request."""
        parameters, client = asking.request.parameters, asking.who.client
        if asking.who.public:
            raise UnauthorizedClient("this client proves nothing", reason="client_public")
        if parameters.need("subject_token_type") != ID_TOKEN_TYPE:
            raise InvalidRequest("the subject token must be an ID token", reason="subject_type")
        if parameters.get("actor_token"):
            raise InvalidRequest("an ID token has no actor beside it", reason="actor_type")
        domain = self._domain(asking)
        # (2) Its audience is the client that asks, and nobody else (§16).
        person = self._person(asking, parameters.need("subject_token"))
        way = self._way(asking, domain, person.subject)
        scopes, ceiling = self._scopes(asking, way), self._rights(asking, way)
        token = self._mint.token(asking, Target(resource=self._options.api), frozenset(), delegated=None)
        token = replace(
            token,
            subject=person.subject,
            user=person.subject,
            ancestors=(*person.ancestors, *_stones(way)),
            expires_at=min(token.expires_at, person.expires_at),
        )
        life = min(LONGEST, token.expires_at - token.issued_at)
        claims: JsonObject = {
            "sub": person.subject,
            "auth_time": grant.seconds(person.signed_in_at),
            "acr": person.acr,
            "amr": [*person.amr],
            **_said(scopes, ceiling),
        }
        if client.agent is not None:
            claims["act"] = {"sub": client.subject, "iss": self._options.issuer}
        outgoing = self._sent(asking, way, claims, typ=grant.ID_JAG, life=life)
        return Draft(token=token, issued_token_type=ID_JAG_TYPE, outgoing=outgoing)

    def _person(self, asking: Asking, text: str) -> id_token.IdToken:
        at = asking.request.at
        try:
            token = id_token.read(text, keys=self._keys, audience=asking.who.client.client_id, at=at)
        except TokenRejected as rejected:
            raise InvalidRequest(UNVERIFIED, reason=rejected.reason, debug=rejected.debug) from rejected
        dead = id_token_dead(asking.view, token, at=at)
        if dead:
            raise InvalidRequest(UNVERIFIED, reason=dead)
        return token

    def _rights(self, asking: Asking, way: _Way) -> Ceiling | None:
        most = policy.bounded(way.domain, way.rule)
        details = asking.request.parameters.get("authorization_details")
        if most is None:
            if details:
                raise InvalidTarget("no rights can be had at that domain", reason="target_no_right")
            return None
        return rar.narrow(details, most)


def _said(scopes: frozenset[str], ceiling: Ceiling | None) -> JsonObject:
    said: JsonObject = {"scope": render(scopes)} if scopes else {}
    return said if ceiling is None else {**said, "authorization_details": rar.details_of(ceiling)}


def _key(asking: Asking) -> str:
    if asking.proof is None:
        raise InvalidRequest("that domain takes grants that are bound to a key: send a `DPoP` proof")
    return asking.proof.key


def _stones(way: _Way) -> tuple[TokenId, ...]:
    """What a tombstone ends it by, until it is sent: the domain, and the rule."""
    return (TokenId(way.domain.id), TokenId(way.rule.id))


def _closed(reason: str) -> NoReturn:
    raise InvalidTarget("no grant can be had for that audience", reason=reason)
