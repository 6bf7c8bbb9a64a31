"""Which person of ours somebody at a provider is: by issuer and subject, and by nothing else (AS-12)."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

from remit.identity.upstream.provider import IdpId, Language
from remit.kernel.ids import PrincipalId, SessionId, TenantId

LinkId = NewType("LinkId", str)


class LinkState(StrEnum):
    """Whether the link counts; one that was ended is remembered, so that nobody is made anew of it."""

    ACTIVE = "active"
    ENDED = "ended"


class LinkedBy(StrEnum):
    """Who said that both are one person."""

    CREATED = "created"
    """Nobody had to: the person was made of the first arrival."""
    PASSKEY = "passkey"
    """The person, by a fresh passkey of theirs."""
    ADMINISTRATOR = "administrator"


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkedIdentity:
    """One identity at one provider. INVARIANT: (tenant, issuer, subject) is one person's, or nobody's.

    `groups` are those of the last arrival: for applications to be told, never rights here.
    """

    id: LinkId
    tenant: TenantId
    provider: IdpId
    language: Language
    issuer: str
    subject: str
    human: PrincipalId
    state: LinkState
    by: LinkedBy
    linked_by: PrincipalId
    linked_at: datetime
    seen_at: datetime | None = None
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamSession:
    """That a session of ours stands on one of a provider, which may end it from there."""

    tenant: TenantId
    session: SessionId
    provider: IdpId
    sid: str
    expires_at: datetime
