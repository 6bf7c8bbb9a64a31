"""Facts that the directory states, and their records in the ledger: always both."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from remit.identity.errors import OwnerLoop, OwnerMissing, OwnerUnfit
from remit.identity.ownership import accountable
from remit.identity.principals import Kind, Principal
from remit.identity.repository import IdentityTransaction
from remit.kernel.canonical import Digest
from remit.kernel.ids import Entropy, PrincipalId
from remit.ledger import facts
from remit.ledger.record import Record

REGISTERED: Final = "identity.principal.registered"
CHANGED: Final = "identity.principal.changed"
ACTIVATED: Final = "identity.principal.activated"
SUSPENDED: Final = "identity.principal.suspended"
RESUMED: Final = "identity.principal.resumed"
RETIRED: Final = "identity.principal.retired"
KEY_REGISTERED: Final = "identity.credential.registered"
KEY_REFUSED: Final = "identity.credential.refused"
KEY_REVOKED: Final = "identity.credential.revoked"
SESSION_BEGUN: Final = "identity.session.begun"
SESSION_CONFIRMED: Final = "identity.session.confirmed"
SESSION_ENDED: Final = "identity.session.ended"
PASSKEY_REGISTERED: Final = "identity.passkey.registered"
PASSKEY_REFUSED: Final = "identity.passkey.refused"
PASSKEY_REVOKED: Final = "identity.passkey.revoked"
ENROLMENT_ISSUED: Final = "identity.enrolment.issued"
ENROLMENT_USED: Final = "identity.enrolment.used"
ENROLMENT_WITHDRAWN: Final = "identity.enrolment.withdrawn"
SERVER_REGISTERED: Final = "identity.server.registered"
SERVER_BELIEVED: Final = "identity.server.believed"
TOOL_PINNED: Final = "identity.tool.pinned"
TOOL_QUARANTINED: Final = "identity.tool.quarantined"
TOOL_APPROVED: Final = "identity.tool.approved"


def state(
    tx: IdentityTransaction,
    fact: str,
    about: Principal,
    *,
    by: PrincipalId,
    at: datetime,
    entropy: Entropy,
    codes: Sequence[str] = (),
    detail: Sequence[tuple[str, str]] = (),
    digests: Sequence[tuple[str, Digest]] = (),
) -> None:
    """Record a fact about an entry and put it into the outbox, both in the open transaction."""
    record = Record(
        id=facts.record_id(at, entropy),
        at=at,
        tenant=about.tenant,
        kind=fact,
        actor=by,
        owner=_answering(tx, about),
        agent=_agent(about),
        subject=about.id,
        task=about.task or "",
        codes=tuple(codes),
        digests=tuple(digests),
        detail=(("kind", about.kind), ("state", about.state), *detail),
    )
    facts.state(tx, record, entropy=entropy)


def _agent(about: Principal) -> str:
    if about.kind is Kind.INSTANCE:
        return about.parent or ""
    return about.id if about.kind is Kind.AGENT else ""


def _answering(tx: IdentityTransaction, about: Principal) -> str:
    """Who answers as of this moment (R138); empty while an unfinished draft has nobody."""
    try:
        return accountable(about, tx.principals.get).human.id
    except (OwnerMissing, OwnerLoop, OwnerUnfit):
        return ""
