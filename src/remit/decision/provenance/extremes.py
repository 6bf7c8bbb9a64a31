"""The one record of a listing that a person's words describe by an extreme: "the largest file".

INVARIANT: what is found this way says *which* thing is meant, by its identifier or name. It never vouches for
a field of that record that reaches somebody: who can add a record could make it the newest.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from remit.decision.provenance.effects import name_words
from remit.decision.provenance.languages import LEAST, MOST
from remit.decision.provenance.lexicon import stem, vocabulary
from remit.kernel.canonical import Json

_IDENTIFYING: Final = vocabulary("id uid uuid key filename path")
_PARTIES: Final = vocabulary(
    """recipient sender payee payer iban account counterparty beneficiary user owner member author contact
    customer channel host url"""
)
"""An identifier of one of these reaches somebody."""
_DEPTH: Final = 4
_NAME: Final = 160


def described(result: Json, has_word: Callable[[str], bool]) -> Iterator[str]:
    """Identifiers of the records that stand out as the user's words say; `has_word` takes a stem."""
    for table, pick in ((MOST, max), (LEAST, min)):
        for fields, words in table.items():
            if any(has_word(stem(word)) for word in words.split()):
                yield from _standing_out(result, fields, pick, 0)


def _standing_out(node: Json, fields: tuple[str, ...], pick: Callable[..., Any], depth: int) -> Iterator[str]:
    if depth > _DEPTH:
        return
    if isinstance(node, dict):
        for member in node.values():
            yield from _standing_out(member, fields, pick, depth + 1)
    elif isinstance(node, list):
        records = [each for each in node if isinstance(each, dict)]
        if len(records) == len(node) > 1:
            yield from _extreme(records, fields, pick)


def _extreme(
    records: list[dict[str, Json]], fields: tuple[str, ...], pick: Callable[..., Any]
) -> Iterator[str]:
    """Only if every record has the field, under one name, and one alone stands out."""
    for field in fields:
        measured = [_measure(each, field) for each in records]
        known = [value for value in measured if value is not None]
        if len(known) != len(records) or len({_scale(value) for value in known}) != 1:
            continue
        end = pick(known)
        if measured.count(end) == 1:
            yield from _identifiers(records[measured.index(end)])
        return


def _measure(record: Mapping[str, Json], field: str) -> Decimal | datetime | None:
    found = [member for name, member in record.items() if field in name_words(name)]
    if len(found) != 1:
        return None
    (member,) = found
    if isinstance(member, bool) or not isinstance(member, int | float | str):
        return None
    if isinstance(member, str):
        return _instant(member)
    try:
        value = Decimal(str(member))
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def _scale(value: Decimal | datetime) -> tuple[bool, bool]:
    """Numbers, instants with a zone and instants without are compared among themselves alone."""
    return isinstance(value, datetime), isinstance(value, datetime) and value.tzinfo is not None


def _instant(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _identifiers(record: Mapping[str, Json]) -> Iterator[str]:
    for name, member in record.items():
        words = set(name_words(name))
        if words & _IDENTIFYING and not words & _PARTIES and isinstance(member, int | str):
            text = str(member)
            if len(text) <= _NAME and "@" not in text and "://" not in text:
                yield text
