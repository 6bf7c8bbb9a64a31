"""A fact is said twice in one transaction: for ever in the log, and to whoever acts on it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from remit.kernel.events import Event
from remit.kernel.ids import Entropy, EventId, RecordId, mint_id
from remit.kernel.uow import Transaction
from remit.ledger.record import Content, Record
from remit.ledger.repository import Recorder


class FactTransaction(Transaction, Protocol):
    """What stating a fact takes of an open transaction."""

    @property
    def ledger(self) -> Recorder:
        """Where it stays."""


def record_id(at: datetime, entropy: Entropy) -> RecordId:
    """A new record's id."""
    return RecordId(mint_id("rec", at=at, entropy=entropy))


def state(
    tx: FactTransaction,
    record: Record,
    *,
    entropy: Entropy,
    subject: str = "",
    detail: Sequence[tuple[str, str]] | None = None,
    contents: Sequence[Content] = (),
) -> None:
    """Append the record, and put the event of the same name, time and actor into the outbox.

    INVARIANT: what is stated here is in the log exactly if its subscribers hear it. They get the record's
    subject and detail, or the narrower `subject` and `detail` that are given here.
    """
    tx.ledger.append(record, contents)
    tx.publish(
        Event(
            id=EventId(mint_id("evt", at=record.at, entropy=entropy)),
            at=record.at,
            tenant=record.tenant,
            name=record.kind,
            actor=record.actor,
            subject=subject or record.subject,
            detail=record.detail if detail is None else tuple(detail),
        )
    )
