"""An access token of ours (RFC 9068): what its claims say, written and read back."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from remit.authority.oauth.wire.actors import divided, instance_part, nest
from remit.authority.oauth.wire.places import Place
from remit.authority.oauth.wire.rar import ceiling_of, details_of
from remit.authority.oauth.wire.scopes import render
from remit.authority.rights import Ceiling
from remit.authority.tokens import IssuedToken, TokenState
from remit.kernel.building import builder
from remit.kernel.canonical import Digest, Json, JsonObject
from remit.kernel.ids import (
    AgentId,
    EnvelopeId,
    InstanceId,
    KeyId,
    PrincipalId,
    TaskId,
    TenantId,
    TokenId,
    UserId,
)

NAMESPACE: Final = "dev.remit"
"""The one member that is ours alone; all others are registered names."""
ANCESTOR_LIMIT: Final = 20
"""Tokens that one token may stand on: bounds repeated exchange."""


class UnreadableToken(ValueError):
    """A token that our key signed lacks what we always write: it is treated as any bad token."""


_remembered = builder(IssuedToken)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """One access token: for whom, through whom, for what, bound to which key, standing on what.

    `subject` is `sub`; `chain` holds SPIFFE IDs, first agent first, empty for a client's own token.
    `credential` is the registered key that earned it, `key` the thumbprint it is bound to (empty: Bearer).
    `ancestors` are the tokens it was exchanged from, `envelopes` the ids and digests of its envelope (its
    id last) and of those that it extends: a tombstone on any of them ends it. `generation` is that of the
    clock (P16).
    """

    id: TokenId
    tenant: TenantId
    issuer: str
    subject: str
    client: PrincipalId
    audience: str
    scopes: frozenset[str]
    key: str
    credential: KeyId
    agent: AgentId | None
    user: UserId | None
    task: TaskId | None
    chain: tuple[str, ...]
    ceiling: Ceiling | None
    envelope: Digest | None
    envelopes: tuple[EnvelopeId, ...]
    ancestors: tuple[TokenId, ...]
    generation: int
    issued_at: datetime
    expires_at: datetime
    status: Place | None = None
    """Where its status is published, if lists are."""
    certificate: str = ""
    """SHA-256 of the certificate that it is bound to, base64url (RFC 8705 §3.1); empty: to none."""
    signed_in_at: datetime | None = None
    """When the person whose yes it comes of had last proven who they are (`auth_time`)."""
    acr: str = ""
    amr: tuple[str, ...] = ()
    before: str = ""
    """Who acted in another domain before the chain came here, as canonical JSON of `act`; history alone."""
    companions: tuple[UserId, ...] = ()
    """Who else the task is for: what comes of it is theirs too."""

    @property
    def token_type(self) -> str:
        """`DPoP` or `Bearer` (RFC 9449 §5, RFC 6750 §4)."""
        return "DPoP" if self.key else "Bearer"

    @property
    def instances(self) -> tuple[InstanceId, ...]:
        """The chain as ids of instances, first agent first."""
        return tuple(InstanceId(instance_part(member)) for member in self.chain) if self.chain else ()

    def row(self) -> IssuedToken:
        """What is remembered of it; never the token itself."""
        return _remembered(
            id=self.id,
            tenant=self.tenant,
            principal=self.client,
            agent=self.agent,
            user=self.user,
            task=self.task,
            envelope=self.envelope,
            chain=self.instances,
            audience=self.audience,
            scopes=self.scopes,
            key=self.key,
            generation=self.generation,
            state=TokenState.ACTIVE,
            issued_at=self.issued_at,
            expires_at=self.expires_at,
        )

    @property
    def delegated(self) -> bool:
        """Whether it carries a task, so that somebody acts for somebody."""
        return self.task is not None


def claims_of(token: AccessToken) -> JsonObject:
    """Write the claims (RFC 9068 §2.2, §2.2.1, RFC 8693 §4.1, RFC 9396 §9.1, RFC 9449 §6.1)."""
    claims: JsonObject = {
        "iss": token.issuer,
        "sub": token.subject,
        "aud": token.audience,
        "client_id": token.client,
        "iat": _seconds(token.issued_at),
        "exp": _seconds(token.expires_at),
        "jti": token.id,
        "scope": render(token.scopes),
        NAMESPACE: _own(token),
    }
    if confirmation := _confirmation(token):
        claims["cnf"] = confirmation
    if token.status is not None:
        claims["status"] = token.status.claim(token.issuer)
    if token.chain:
        claims["act"] = nest(token.chain, token.before)
    if token.task is not None:
        claims["txn"] = token.task
    if token.ceiling is not None:
        claims["authorization_details"] = details_of(token.ceiling)
    if token.signed_in_at is not None:
        claims["auth_time"] = _seconds(token.signed_in_at)
        claims["acr"] = token.acr
        claims["amr"] = [*token.amr]
    return claims


def token_of(claims: JsonObject, *, tenant: TenantId) -> AccessToken:
    """Read claims that our own key signed. Raises `UnreadableToken`; the tenant is the key's, no claim's."""
    try:
        own = _object(claims[NAMESPACE])
        user, task = own.get("user"), claims.get("txn")
        details = claims.get("authorization_details")
        agent, envelope, signed_in = own.get("agent"), own.get("env"), claims.get("auth_time")
        chain, before = divided(claims.get("act"))
        return AccessToken(
            id=TokenId(_text(claims["jti"])),
            tenant=tenant,
            issuer=_text(claims["iss"]),
            subject=_text(claims["sub"]),
            client=PrincipalId(_text(claims["client_id"])),
            audience=_text(claims["aud"]),
            scopes=frozenset(_text(claims["scope"]).split()),
            key=_confirmed(claims.get("cnf"), "jkt"),
            certificate=_confirmed(claims.get("cnf"), "x5t#S256"),
            credential=KeyId(_text(own["kid"])),
            agent=None if agent is None else AgentId(_text(agent)),
            user=None if user is None else UserId(_text(user)),
            task=None if task is None else TaskId(_text(task)),
            chain=chain,
            before=before,
            ceiling=None if details is None else ceiling_of(details),
            envelope=None if envelope is None else _text(envelope),
            envelopes=tuple(EnvelopeId(item) for item in _texts(own["envs"])),
            ancestors=tuple(TokenId(item) for item in _texts(own["from"])),
            generation=_integer(own["gen"]),
            issued_at=_moment(claims["iat"]),
            expires_at=_moment(claims["exp"]),
            signed_in_at=None if signed_in is None else _moment(signed_in),
            acr="" if signed_in is None else _text(claims["acr"]),
            amr=() if signed_in is None else _texts(claims["amr"]),
            companions=tuple(UserId(each) for each in _texts(own.get("with", []))),
        )
    except (KeyError, TypeError, ValueError) as odd:
        raise UnreadableToken("claims are not as we write them") from odd


def _own(token: AccessToken) -> JsonObject:
    own: JsonObject = {
        "gen": token.generation,
        "kid": token.credential,
        "from": [*token.ancestors],
        "envs": [*token.envelopes],
    }
    if token.agent is not None:
        own["agent"] = token.agent
    if token.user is not None:
        own["user"] = token.user
    if token.envelope is not None:
        own["env"] = token.envelope
    if token.companions:
        own["with"] = [*token.companions]
    return own


def _confirmation(token: AccessToken) -> JsonObject:
    bound: JsonObject = {"jkt": token.key} if token.key else {}
    if token.certificate:
        bound["x5t#S256"] = token.certificate
    return bound


def _confirmed(confirmation: Json, name: str) -> str:
    """One bound key; a `cnf` without any thumbprint that we know is never read as "not bound"."""
    if confirmation is None:
        return ""
    members = _object(confirmation)
    if members.keys().isdisjoint({"jkt", "x5t#S256"}):
        raise KeyError("cnf")
    return _text(members[name]) if name in members else ""


def _object(value: Json) -> JsonObject:
    if not isinstance(value, dict):
        raise TypeError("object")
    return value


def _text(value: Json) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError("text")
    return value


def _texts(value: Json) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError("list")
    return tuple(_text(item) for item in value)


def _integer(value: Json) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("integer")
    return value


def _moment(value: Json) -> datetime:
    return datetime.fromtimestamp(_integer(value), UTC)


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
