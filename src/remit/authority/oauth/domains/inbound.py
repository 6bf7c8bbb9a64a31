"""Grants of other domains, redeemed for an agent's client (RFC 7523 §2.1, identity chaining, ID-JAG).

1 the client has proven itself, and is an agent's   2 `iss` is a domain whose grants are taken, never our own
3 key, type, signature, our issuer as the sole audience, five minutes at most   4 it was made out to this
client, and is bound to the key of this request's proof, or to none   5 the subject, as that domain and its
tenant call it, is linked to a person here; never by e-mail   6 a rule names that person and the client
7 resource, scopes and rights: grant ∩ domain ∩ rule ∩ agent ∩ request

What comes of it is a task of that agent for that person (ADR 0030), and a token for that task: the same that
a person's yes gives. The grant may be shown again until it ends, which takes the place of refresh tokens; it
goes on with the same task. All refusals of steps 2 to 6 look alike.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Protocol

from remit.authority.attenuation import meet, meet_all
from remit.authority.domains.trust import SESSION, Direction, DomainIssuer, DomainRule, TrustedDomain
from remit.authority.oauth.consenting.offering import PURPOSE
from remit.authority.oauth.domains import grant, policy
from remit.authority.oauth.domains.beginning import Beginning
from remit.authority.oauth.domains.grant import DomainGrant, UnreadableGrant
from remit.authority.oauth.issuing.minting import Delegated, Mint
from remit.authority.oauth.proving.requests import Asking, Draft, TokenRequest
from remit.authority.oauth.repository import OAuthTransaction
from remit.authority.oauth.wire import rar
from remit.authority.oauth.wire.actors import CHAIN_LIMIT, depth_of
from remit.authority.oauth.wire.errors import (
    UNVERIFIED,
    InvalidGrant,
    InvalidScope,
    InvalidTarget,
    UnauthorizedClient,
)
from remit.authority.oauth.wire.options import OAuthOptions
from remit.authority.oauth.wire.resources import Target, parse_resource, target_of
from remit.authority.oauth.wire.scopes import Scope, narrow, parse_scope
from remit.authority.rights import ANY_PURPOSE, Ceiling, Window
from remit.authority.shares import NOTHING, Member
from remit.authority.task_service import member_of
from remit.identity.federation.assertion import peek, verify_assertion
from remit.identity.federation.errors import AssertionRejected
from remit.identity.federation.trust import TrustedIssuer
from remit.identity.principals import Kind
from remit.identity.upstream.linked import LinkState
from remit.identity.upstream.provider import Language
from remit.kernel.ids import PrincipalId, TaskId, TokenId, UserId
from remit.kernel.jose import jws
from remit.kernel.jose.claims import unverified_members
from remit.kernel.uow import UnitOfWork

_NOT_BEGUN: Final = TaskId("")
"""A task has no id before it begins: `Draft.begin` does that, and names it, where the token is issued."""


class KeysBrought(Protocol):
    """Has the keys of a domain brought up to date; `identity.federation.refresh` does it."""

    async def bring(self, text: str, issuer: TrustedIssuer, *, at: datetime) -> None:
        """Fetch them if they are old or the `kid` is new; whatever fails shows when the grant is judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Arrival:
    """A grant that holds, and what it comes to here."""

    domain: TrustedDomain
    rule: DomainRule
    said: DomainGrant
    user: UserId
    ends_at: datetime


class Arrivals:
    """Takes grants of other domains."""

    def __init__(
        self,
        *,
        uow: UnitOfWork[OAuthTransaction],
        mint: Mint,
        options: OAuthOptions,
        keys: KeysBrought,
        beginning: Beginning,
    ) -> None:
        self._uow = uow
        self._mint = mint
        self._options = options
        self._keys = keys
        self._beginning = beginning

    async def prepare(self, request: TokenRequest) -> None:
        """Before anything is judged: have the domain's keys. Does nothing without such a grant."""
        if not grant.is_one(request.parameters):
            return
        text = request.parameters.get("assertion")
        issuer = await self._uow.read(lambda tx: self._signing(tx, text))
        if issuer is not None:
            await self._keys.bring(text, issuer, at=request.at)

    def draft(self, asking: Asking) -> Draft:
        """Judge the grant; who and what lives is judged once more where the task begins."""
        client = asking.who.client
        # (1) A public client says its name and proves nothing.
        if asking.who.public or client.kind is not Kind.INSTANCE:
            raise UnauthorizedClient("this client redeems no grants of other domains", reason="client_kind")
        try:
            arrival = self._arrival(asking)
        except (AssertionRejected, UnreadableGrant) as rejected:
            debug = rejected.debug if isinstance(rejected, AssertionRejected) else ""
            raise InvalidGrant(UNVERIFIED, reason=rejected.reason, debug=debug) from rejected
        # (7) Only narrows.
        target = self._target(asking, arrival)
        scopes = self._scopes(asking, arrival, target)
        standing, ceiling = self._rights(asking, arrival, target)
        begun = self._beginning.of(
            arrival.domain, arrival.rule, arrival.said, user=arrival.user, client=client
        )
        ends = min(arrival.ends_at + self._options.access_token_life, ceiling.window.end)
        delegated = Delegated(
            subject=arrival.user,
            user=arrival.user,
            task=_NOT_BEGUN,
            chain=(client.subject,),
            ceiling=ceiling,
            envelope="",
            envelopes=(),
            ancestors=(TokenId(arrival.domain.id), TokenId(arrival.rule.id)),
            ends=(ends,),
            before=arrival.said.before,
        )
        token = self._mint.token(asking, target, scopes, delegated=delegated)
        return Draft(token=token, begin=replace(begun, standing=standing))

    def _signing(self, tx: OAuthTransaction, text: str) -> DomainIssuer | None:
        try:
            domain = tx.domains.trusted(peek(text).issuer, Direction.INBOUND)
        except AssertionRejected:
            return None  # no grant at all: nothing is fetched for it, and the judge says why
        return None if domain is None else domain.signing(self._options.issuer)

    def _arrival(self, asking: Asking) -> _Arrival:
        text, at, tx = asking.request.parameters.need("assertion"), asking.request.at, asking.tx
        # (2) SAFETY: what it says only chooses among what an administrator named.
        domain = self._domain(tx, peek(text).issuer)
        keys = tx.issuer_keys.get(domain.signing(self._options.issuer).id)
        if keys is None:
            raise AssertionRejected(3, "keys_missing", debug=domain.name)
        # (3) The whole procedure of foreign assertions, with this domain in the place of an issuer.
        verified = verify_assertion(text, issuer=domain.signing(self._options.issuer), keys=keys, at=at)
        said = _read(text, domain)
        # (4) It is this client's, by name and by key.
        self._check_holder(asking, domain, said)
        # (5) and (6): whom, and by whose rule.
        user = self._person(tx, domain, said)
        rule = policy.rule_for(tx, domain, user, asking.who.client)
        if rule is None:
            raise UnreadableGrant("domain_rule")
        return _Arrival(domain=domain, rule=rule, said=said, user=user, ends_at=verified.expires_at)

    def _domain(self, tx: OAuthTransaction, issuer: str) -> TrustedDomain:
        if issuer == self._options.issuer:
            # Whoever issues such grants never redeems its own (§16).
            raise UnreadableGrant("issuer_self")
        domain = tx.domains.trusted(issuer, Direction.INBOUND)
        if domain is None:
            raise UnreadableGrant("issuer_unknown")
        return domain

    def _check_holder(self, asking: Asking, domain: TrustedDomain, said: DomainGrant) -> None:
        # SAFETY: of both kinds. A JWT of the same issuer that is none of ours to redeem, as an ID token or a
        # token of access without a type of its own, names other clients than ours, or none.
        if said.client != asking.who.client.client_id:
            raise UnreadableGrant("client_id_differs")
        if domain.bound and not said.key:
            raise UnreadableGrant("grant_unbound")
        if said.key and (asking.proof is None or asking.proof.key != said.key):
            raise UnreadableGrant("other_key")
        if depth_of(said.before) >= CHAIN_LIMIT:
            raise UnreadableGrant("chain_too_deep")

    def _person(self, tx: OAuthTransaction, domain: TrustedDomain, said: DomainGrant) -> UserId:
        user = _linked(tx, domain, said)
        if user is None:
            raise UnreadableGrant("subject_unknown")
        if said.here not in {"", user} or said.tenant_here not in {"", domain.tenant}:
            raise UnreadableGrant("subject_differs")
        return user

    def _target(self, asking: Asking, arrival: _Arrival) -> Target:
        """One server of ours: what was asked, among what the grant names, or the one that it names."""
        asked = asking.request.parameters.only("resource")
        named = tuple(parse_resource(each) for each in arrival.said.resources)
        if asked and named and parse_resource(asked) not in named:
            raise InvalidTarget("that resource was not granted", reason="target_widened")
        if not asked and len(named) != 1:
            raise InvalidTarget("name the one resource that the token is for", reason="target_missing")
        target = target_of(parse_resource(asked) if asked else named[0], self._options)
        if not target.server:
            raise InvalidTarget("grants of other domains are for servers", reason="target_kind")
        return self._mint.held(asking, target.resource)

    def _scopes(self, asking: Asking, arrival: _Arrival, target: Target) -> frozenset[Scope]:
        """Ours among what the grant names; a name that means nothing here gives nothing."""
        allowed = asking.who.client.scopes_at(target.server)
        if arrival.said.scopes is not None:
            allowed = frozenset(scope for scope in allowed if str(scope) in arrival.said.scopes)
            if not allowed:
                raise InvalidScope("the grant names no scope of this resource", reason="scope_none")
        return narrow(parse_scope(asking.request.parameters.get("scope")), allowed)

    def _rights(self, asking: Asking, arrival: _Arrival, target: Target) -> tuple[Ceiling, Ceiling]:
        """What the rule gives this agent at that server, and what this grant and this request leave of it."""
        tx, at = asking.tx, asking.request.at
        agent = tx.principals.get(PrincipalId(asking.who.client.agent or ""))
        most = policy.bounded(arrival.domain, arrival.rule)
        if agent is None or most is None:
            raise _nothing()
        standing = _at(target, meet_all(most, *_bounds(member_of(tx, agent))), at)
        granted = _granted(arrival.said, standing)
        details = asking.request.parameters.get("authorization_details")
        return standing, rar.narrow(details, granted, at=target.resource)


def _linked(tx: OAuthTransaction, domain: TrustedDomain, said: DomainGrant) -> UserId | None:
    """Who a subject is: by an administrator's word, or by having come from that very provider themselves.

    The second holds for an issuer that people sign in with here, and that has no tenants of its own.
    """
    known = tx.domains.person(domain.id, said.theirs, said.subject)
    if known is not None:
        return known.user
    link = None if said.theirs else tx.linked_identities.of_subject(domain.issuer, said.subject)
    counts = link is not None and link.state is LinkState.ACTIVE and link.language is Language.OIDC
    return UserId(link.human) if link is not None and counts else None


def _read(text: str, domain: TrustedDomain) -> DomainGrant:
    """The claims of a grant that was verified just now."""
    return grant.read(unverified_members(jws.take_apart(text).payload), issuer=domain.issuer)


def _bounds(member: Member) -> tuple[Ceiling, ...]:
    """The agent's own standing ceiling, and that of what it is made from; none stated is nothing."""
    own = (member.ceiling or NOTHING,)
    return (*own, member.blueprint_ceiling or NOTHING) if member.blueprint else own


def _at(target: Target, ceiling: Ceiling, at: datetime) -> Ceiling:
    """What of a ceiling lies at one server, from now for one session at most."""
    start = at.replace(microsecond=0)
    mark = f"{target.server}/"
    there = Ceiling(
        rights=frozenset(right for right in ceiling.rights if right.action.startswith(mark)),
        window=Window(start=max(start, ceiling.window.start), end=min(start + SESSION, ceiling.window.end)),
        caps=ceiling.caps,
        depth=ceiling.depth,
        purpose=ceiling.purpose,
    )
    return _something(there)


def _granted(said: DomainGrant, standing: Ceiling) -> Ceiling:
    """What the grant's own details leave; without any, the rule alone says how far it goes."""
    if said.details is None:
        left = standing
    elif not said.details:
        raise _nothing()
    else:
        left = meet(standing, rar.ceiling_of(said.details))
    return _something(replace(left, purpose=PURPOSE) if left.purpose == ANY_PURPOSE else left)


def _something(ceiling: Ceiling) -> Ceiling:
    if not ceiling.rights or not ceiling.purpose or ceiling.window.start >= ceiling.window.end:
        raise _nothing()
    return ceiling


def _nothing() -> InvalidTarget:
    return InvalidTarget("nothing can be had there by that grant", reason="target_no_right")
