"""Decisions on record with what was sealed beside them, for whoever judges them again or learns from them."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from remit.decision.replaying.recorded import OutlinedDecision
from remit.decision.trail.trace import StoredDecision
from remit.kernel.canonical import sha256
from remit.kernel.ids import RecordId
from remit.ledger.query import DECIDED
from remit.platform.storage.unit_of_work import SqlTransaction

_EMPTY: Final = sha256(b"")
_NAME: Final = "arguments"
Decided: TypeAlias = StoredDecision | OutlinedDecision


class Said(NamedTuple):
    """What the record of a decision says: the arguments as they were sealed, None if they were erased."""

    arguments: str | None
    tool: str
    definition: str


def said_of(tx: SqlTransaction, page: Sequence[Decided]) -> Mapping[str, Said]:
    """Open what belongs to each decision of a page, by its id; the page is in the order of ids."""
    noted = [each for each in page if each.record]
    ids = sorted(RecordId(each.record) for each in noted)
    texts = tx.ledger.texts(_NAME, ids[0], ids[-1]) if ids else {}
    found: dict[str, Said] = {each.id: Said(_text(each, texts), each.tool, each.definition) for each in noted}
    # Decisions from before they noted their record: it is looked for by what it mentions.
    return found | {each.id: _searched(tx, each) for each in page if not each.record}


def _text(stored: Decided, texts: Mapping[str, str | None]) -> str | None:
    if stored.record in texts:
        return texts[stored.record]
    return "" if stored.explanation.arguments == _EMPTY else None


def _searched(tx: SqlTransaction, stored: Decided) -> Said:
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
    sealed = [each for each in tx.ledger.contents(record.id) if each.name == _NAME]
    text = sealed[0].text if sealed else ("" if stored.explanation.arguments == _EMPTY else None)
    return Said(text, record.tool, dict(record.digests).get("tool", ""))
