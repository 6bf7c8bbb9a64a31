"""What we issue, and what a verified token proves."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from remit.authority.rights import Ceiling
from remit.kernel.canonical import Digest
from remit.kernel.ids import AgentId, InstanceId, PrincipalId, TaskId, TenantId, TokenId, UserId

_NOBODY: Final = PrincipalId("")


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedSubject:
    """What an access token (`at+jwt`, RFC 9068) and its proof of possession established together.

    `instance` acts; `user` is on whose behalf, or None. `chain` holds instance ids, first agent first
    (the reverse of nested `act`, RFC 8693 §4.1). `ceiling` is the token's own `authorization_details`.
    `proof` is the DPoP proof's (`jkt`, `jti`), to be burnt in the transaction that acts on it.
    """

    tenant: TenantId
    token: TokenId
    instance: InstanceId
    agent: AgentId
    user: UserId | None
    task: TaskId | None
    chain: tuple[InstanceId, ...]
    envelope: Digest | None
    ceiling: Ceiling | None
    audience: str
    scopes: frozenset[str]
    key: str
    """Thumbprint (RFC 7638) that the token is bound to; empty for a plain Bearer token."""
    proof: "Proof | None"
    acr: str = ""
    """How the user signed in (`acr`, RFC 9470 §6), where the token says so."""
    signed_in_at: datetime | None = None
    """When they did (`auth_time`); None where no sign-in stands behind the token."""
    issued_at: datetime
    expires_at: datetime
    client: PrincipalId = _NOBODY
    """Who authenticated for it: the instance, or the human or workload whose own token it is."""
    ancestors: tuple[TokenId, ...] = ()
    """What it came of: tokens, or the family and the session of the person whose yes it stands on."""
    credential: str = ""
    """Id of the registered key that the client authenticated with: its revocation ends what is open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A DPoP proof that verified and may be used once: unique on (`key`, `jti`) until `keep_until`."""

    key: str
    jti: str
    keep_until: datetime


class TokenState(StrEnum):
    """Whether an access token still counts; its expiry is judged beside this."""

    ACTIVE = "active"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedToken:
    """What we remember of an access token: never the token, only what it said.

    `principal` authenticates with it: an instance or a human. `chain` holds instance ids, first agent first.
    """

    id: TokenId
    tenant: TenantId
    principal: PrincipalId
    agent: AgentId | None
    user: UserId | None
    task: TaskId | None
    envelope: Digest | None
    chain: tuple[InstanceId, ...]
    audience: str
    scopes: frozenset[str]
    key: str
    generation: int
    state: TokenState
    issued_at: datetime
    expires_at: datetime
