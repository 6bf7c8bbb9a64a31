"""Initial access tokens (RFC 7591 §1.2, §3): who may register a client, as an instance of which agent.

The token itself is kept nowhere; its digest finds it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from remit.kernel.canonical import Digest, b64u, sha256
from remit.kernel.errors import Invalid
from remit.kernel.ids import Entropy, PrincipalId, TenantId

LONGEST: Final = timedelta(days=30)
USES_LIMIT: Final = 100
_BYTES: Final = 32


class UnfitInvitation(Invalid):
    """An initial access token would live too long, or be good for too many clients."""

    code = "invitation_unfit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """What somebody may register with an initial access token, how often, until when."""

    digest: Digest
    tenant: TenantId
    agent: PrincipalId
    by: PrincipalId
    uses: int
    expires_at: datetime
    created_at: datetime


class Invitations(Protocol):
    """Initial access tokens, by digest."""

    def add(self, invitation: Invitation) -> None:
        """Store a new one."""

    def use(self, digest: Digest, at: datetime) -> Invitation | None:
        """Use it once more; None if it is unknown, used up or over. One conditional update."""

    def forget(self, before: datetime, limit: int) -> int:
        """Drop those that ended before that moment; how many."""


def invite(
    agent: PrincipalId,
    *,
    tenant: TenantId,
    by: PrincipalId,
    uses: int,
    lifetime: timedelta,
    at: datetime,
    entropy: Entropy,
) -> tuple[Invitation, str]:
    """Make an initial access token: what is stored, and the text, which is shown once.

    Raises `UnfitInvitation` over 30 days or 100 uses.
    """
    if not 1 <= uses <= USES_LIMIT or not timedelta(0) < lifetime <= LONGEST:
        raise UnfitInvitation(
            f"an initial access token is for 1 to {USES_LIMIT} clients and at most {LONGEST.days} days"
        )
    text = opaque(entropy)
    invitation = Invitation(
        digest=digest_of_text(text),
        tenant=tenant,
        agent=agent,
        by=by,
        uses=uses,
        expires_at=at + lifetime,
        created_at=at,
    )
    return invitation, text


def opaque(entropy: Entropy) -> str:
    """256 random bits as text."""
    return b64u(entropy(_BYTES))


def digest_of_text(text: str) -> Digest:
    """What is kept of a secret that only its holder knows: it has no structure to guess."""
    return sha256(text.encode("utf-8", "surrogatepass"))
