"""Any action on record as one sentence (R39): the log's own words, with what the directory calls its ids."""

from typing import Final, Protocol

from remit.kernel.canonical import Digest, JsonObject, JsonTooLarge, MalformedJson, parse_object
from remit.ledger.query import APPROVED, DECIDED, FINISHED, PERMIT, Answer, answer_of
from remit.ledger.record import Record
from remit.ledger.repository import LedgerReader
from remit.ledger.sentence import Names, action_sentence

_ARGUMENTS: Final = "arguments"
_TOOL: Final = "tool"


class Directory(Protocol):
    """What ids are called, and how a tool's calls are told. Knows no secret."""

    def name_of(self, ident: str) -> str:
        """What people call a principal: an address, a name; the id itself where nobody knows it."""

    def phrase_of(self, tool: str, digest: Digest) -> str:
        """The past-tense phrase of a tool, if it is still pinned with this very definition; else empty."""


def tell_decision(reader: LedgerReader, decision: str, directory: Directory) -> str:
    """The sentence of a permitted action by the id of its decision; empty where nothing was permitted.

    It opens the sealed arguments: only for those who may see them.
    """
    found = [
        each
        for each in reader.mentioning(decision)
        if each.record.decision == decision and each.record.kind in {DECIDED, FINISHED}
    ]
    decided = next((each for each in found if each.record.kind == DECIDED), None)
    if decided is None:
        return ""
    asked = decided.record.approval
    said = [each for each in reader.mentioning(asked) if each.record.kind == APPROVED] if asked else []
    return tell_answer(reader, answer_of(decided, (*found, *said)), directory)


_WITH: Final = "with"
"""Detail of a decision: ids of whom else its run is for."""


def tell_answer(reader: LedgerReader, answer: Answer, directory: Directory) -> str:
    """The sentence of an answer that the log gave; the same rules."""
    if answer.effect != PERMIT:
        return ""  # Nothing was done, so there is nothing to tell in the past tense.
    record = answer.evidence[0].record
    arguments = _arguments(reader, record)
    named = dict(record.digests).get(_TOOL, "")
    # Without its arguments (erased) a phrase would say `(absent)` for what was there.
    phrase = directory.phrase_of(record.tool, named) if arguments is not None else ""
    names = Names(
        agent=directory.name_of(record.agent or record.actor),
        user=directory.name_of(record.user) if record.user else "",
        approver=directory.name_of(answer.approver) if answer.approver else "",
        company=tuple(directory.name_of(each) for each in dict(record.detail).get(_WITH, "").split()),
    )
    return action_sentence(
        record, names=names, template=phrase, arguments=arguments or {}, outcome=answer.outcome
    )


def _arguments(reader: LedgerReader, record: Record) -> JsonObject | None:
    """The call's arguments as they were sealed; None where they were erased or are no JSON object."""
    text = next((each.text for each in reader.contents(record.id) if each.name == _ARGUMENTS), None)
    if text is None:
        return None
    try:
        return parse_object(text.encode())
    except (MalformedJson, JsonTooLarge):
        return None
