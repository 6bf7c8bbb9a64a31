"""Decisions on record with what was sealed beside them, for whoever judges them again or learns from them."""

from typing import Final, NamedTuple

from remit.decision.recorded import RecordedDecision
from remit.decision.trace import StoredDecision
from remit.kernel.canonical import sha256
from remit.ledger.query import DECIDED
from remit.platform.storage.unit_of_work import SqlTransaction

_EMPTY: Final = sha256(b"")


class Said(NamedTuple):
    """What the record of a decision says: the arguments as they were sealed, None if they were erased."""

    arguments: str | None
    tool: str
    digest: str


def said(tx: SqlTransaction, stored: StoredDecision | RecordedDecision) -> Said:
    """Open what belongs to one decision."""
    placed = next(
        (
            each
            for each in tx.ledger.mentioning(stored.id)
            if each.record.kind == DECIDED and each.record.decision == stored.id
        ),
        None,
    )
    if placed is None:
        return Said(None, "", "")
    record = placed.record
    sealed = [each for each in tx.ledger.contents(record.id) if each.name == "arguments"]
    text = sealed[0].text if sealed else ("" if stored.explanation.arguments == _EMPTY else None)
    return Said(text, record.tool, dict(record.digests).get("tool", ""))
