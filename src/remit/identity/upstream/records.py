"""What goes on record of providers, of links, and of those who were not let in."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from remit.identity import events
from remit.identity.principals import Principal
from remit.identity.upstream.linked import LinkedIdentity
from remit.identity.upstream.provider import IdentityProvider
from remit.identity.upstream.repository import UpstreamTransaction
from remit.kernel.canonical import Digest, framed_digest
from remit.kernel.ids import Entropy, PrincipalId
from remit.ledger import facts
from remit.ledger.record import Record

CONNECTED: Final = "identity.provider.connected"
CHANGED: Final = "identity.provider.changed"
SUSPENDED: Final = "identity.provider.suspended"
RESUMED: Final = "identity.provider.resumed"
RETIRED: Final = "identity.provider.retired"
LOGGED_OUT: Final = "identity.provider.logged_out"
LINKED: Final = "identity.link.made"
UNLINKED: Final = "identity.link.ended"
REFUSED: Final = "identity.arrival.refused"

Detail = tuple[tuple[str, str], ...]


def about_provider(
    tx: UpstreamTransaction,
    fact: str,
    provider: IdentityProvider,
    *,
    by: PrincipalId,
    at: datetime,
    entropy: Entropy,
    codes: Sequence[str] = (),
    detail: Detail = (),
    digests: Sequence[tuple[str, Digest]] = (),
) -> None:
    """Record a fact about a provider and put it into the outbox, both in the open transaction."""
    told = (("name", provider.name), ("issuer", provider.issuer), *detail)
    facts.state(
        tx,
        Record(
            id=facts.record_id(at, entropy),
            at=at,
            tenant=provider.tenant,
            kind=fact,
            actor=by,
            subject=provider.id,
            epoch=tx.epoch(),
            codes=tuple(codes),
            digests=tuple(digests),
            detail=told,
        ),
        entropy=entropy,
    )


def about_link(
    tx: UpstreamTransaction,
    fact: str,
    link: LinkedIdentity,
    human: Principal,
    *,
    by: PrincipalId,
    at: datetime,
    entropy: Entropy,
    detail: Detail = (),
) -> None:
    """Record that somebody at a provider is, or no longer is, a person here, whose own record it is."""
    told = (("link", link.id), ("provider", link.provider), ("issuer", link.issuer), ("by", link.by), *detail)
    digests = (("subject", subject_digest(link.issuer, link.subject)),)
    events.state(tx, fact, human, by=by, at=at, entropy=entropy, detail=told, digests=digests)


def subject_digest(issuer: str, subject: str) -> Digest:
    """What the log holds of somebody at a provider: enough to recognize them, not to name them."""
    return framed_digest("remit/upstream-subject/v1", [issuer.encode(), subject.encode()])
