"""What an agent gets to see, entered into its index: the request, results of tools, what it wrote itself.

A typed field of a record (an address, an id, an account) is `TOOL`; prose is `TEXT`, whatever it says. A
record is *anchored* when the user's own words select it: the query that found it, its title, its parties.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise
from typing import Final

from remit.decision.provenance.effects import name_words
from remit.decision.provenance.extremes import described
from remit.decision.provenance.intent import Intent, answering_sentences, content_words
from remit.decision.provenance.labels import Label
from remit.decision.provenance.lexicon import TOUCHED, stem, vocabulary
from remit.decision.provenance.normal import (
    Shape,
    Value,
    clean,
    number,
    phrase,
    quoted_in,
    tokens_of,
    values_in,
    words_of,
)
from remit.decision.provenance.seen import Seen, Sighting
from remit.kernel.canonical import Json, JsonObject

PROSE: Final = 160
"""Characters past which a string is prose, whatever its field is called."""
_DEPTH: Final = 24
_NAME: Final = 3
"""Letters of the shortest name."""
_PROSE: Final = vocabulary(
    """body content description text message comment note notes review reviews summary detail
    details instructions bio html markdown snippet excerpt transcript reason remark"""
)
_NAMING: Final = vocabulary("title subject name filename label topic headline path file")
_ORIGIN: Final = vocabulary("""sender from author creator organizer originator reporter poster submitter""")
_MONEY: Final = vocabulary("amount price total cost sum fee value balance rent")
_PARTY: Final = vocabulary("recipient sender payee payer iban account id counterparty beneficiary")
_TYPED: Final = frozenset({Shape.MAIL, Shape.IBAN, Shape.URL, Shape.PHONE, Shape.PATH})
_SUM: Final = re.compile(
    r"(?<![\w.])(\d{1,3}(?:\.\d{3})+,\d{2})(?![\w])|(?<![\w.])(\d+[.,]\d{2})(?![\w])|[$€£¥]\s?(\d+(?:[.,]\d+)?)|(\d+(?:[.,]\d+)?)\s?(?:[$€£¥]|(?:eur|usd|gbp|chf|euros?|dollars?)\b)",
    re.IGNORECASE,
)
_HANDLES: Final = "handles"
_HANDLE: Final = 64
_ORDINALS: Final = vocabulary("id ids number no nr num")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Who answers: its name as people know it, and the label of its typed fields."""

    name: str
    label: Label = Label.TOOL


def hear(seen: Seen, goal: str) -> None:
    """Enter the person's own request: its values, words, quotes and codes are theirs."""
    own = Sighting(label=Label.USER, source="goal")
    for value in values_in(goal):
        seen.remember(value, own)
    for word in content_words(goal):
        seen.remember(Value(Shape.WORD, word), own)
    for said in quoted_in(goal):
        seen.remember(Value(Shape.PHRASE, said), own)
    for token in _identifiers(goal):
        seen.remember(Value(Shape.TOKEN, token), own)
    for amount in _sums(goal):
        seen.remember(stated(amount), own)
    for sentence in answering_sentences(goal):
        for value in values_in(sentence):
            seen.remember(answered(value.text), own)


def answered(text: str) -> Value:
    """The entry that says: the user named this where they asked to answer."""
    return Value(Shape.TOKEN, f"answer {phrase(text)}")


def stated(amount: str) -> Value:
    """The entry that says: the user wrote this as a sum of money."""
    return Value(Shape.TOKEN, f"sum {amount}")


def look(
    seen: Seen, result: Json, *, source: Source, query: JsonObject, intent: Intent, own_work: bool = False
) -> None:
    """Enter what a tool answered to `query`; `own_work` when the call was an effect that was permitted."""
    anchored = own_work or _selected(seen, query)
    echoed = " ".join(phrase(text) for text in _texts(query, 0)) if own_work else ""
    for leaf in _leaves(seen, result, intent, anchored=anchored):
        # SAFETY: what an effect answers of its own arguments is the agent's word, and no record's.
        lifted = leaf.anchored and not (own_work and not leaf.party and phrase(leaf.text) in echoed)
        _enter(seen, replace(leaf, anchored=lifted), source)
    if anchored or not any(_texts(query, 0)):
        # SAFETY: the extreme of what the agent itself filtered would be the agent's choice.
        for name in described(result, seen.has_word):
            _enter(seen, _Leaf(name, prose=False, anchored=True), source)


def wrote(seen: Seen, arguments: Json) -> None:
    """Note what the agent itself put somewhere it could read it back: a copy keeps its label."""
    for text in _texts(arguments, 0):
        for value in _written(text):
            known = seen.sighting(value)
            if known.label in {Label.UNKNOWN, Label.TEXT, Label.AGENT}:
                seen.wrote(value, known)


def _written(text: str) -> frozenset[Value]:
    """What may come back of a text that was written: as a whole, or what a server picks out of it."""
    shaped = values_in(text)
    coded = [token for token in tokens_of(text[:PROSE]) if any(map(str.isdigit, token))]
    picked = [phrase(text), *(phrase(value.text) for value in shaped), *map(phrase, coded)]
    return shaped | {Value(Shape.PHRASE, each) for each in picked}


def rung(amount: Decimal) -> int:
    """Which quarter step an amount stands on: one rung is a factor of 1.25; 0 up to one unit."""
    step, height = Decimal(1), 0
    while step < amount and height < RUNGS:
        step, height = step * Decimal("1.25"), height + 1
    return height


RUNGS: Final = 120
"""Highest rung: amounts of about 4e11."""


def paid(party: str, height: int) -> Value:
    """The entry that says: this party's record once held an amount on this rung."""
    return Value(Shape.NUMBER, f"{party}|{height}")


@dataclass(frozen=True, slots=True)
class _Leaf:
    text: str
    prose: bool
    anchored: bool
    party: str = ""


def _identifiers(goal: str) -> Iterator[str]:
    """Codes as typed. A bare number is one only behind a noun or `#`: in `June 13`, 13 names no record."""
    yield from (token for token in tokens_of(goal) if not token.isdigit())
    for before, token in pairwise(clean(goal).split()):
        bare = token.strip(".,;:!?()[]\"'`")
        word = stem(before.strip(".,;:!?()\"'`").casefold())
        if bare.removeprefix("#").isdigit() and (bare[0] == "#" or word in _ORDINALS or word in TOUCHED):
            yield bare.removeprefix("#")


def _sums(goal: str) -> Iterator[str]:
    """Numbers that are written as money: with cents, or beside a currency."""
    for found in _SUM.findall(clean(goal)):
        yield number(next(part for part in found if part))


def _selected(seen: Seen, query: JsonObject) -> bool:
    """Whether the user's words chose what was asked for."""
    texts = [text for text in _texts(query, 0) if text.strip()]
    return any(_theirs(seen, text) for text in texts)


def _theirs(seen: Seen, text: str) -> bool:
    words = content_words(text)
    if words and all(seen.has_word(word) for word in words):
        return True
    for value in (Value(Shape.PHRASE, phrase(text)), *values_in(text)):
        found = seen.sighting(value)
        if value.shape is not Shape.NUMBER and (found.label is Label.USER or found.anchored):
            return True
    return False


def _leaves(
    seen: Seen, node: Json, intent: Intent, *, anchored: bool, depth: int = 0, key: str = ""
) -> Iterator[_Leaf]:
    if depth > _DEPTH:
        return
    match node:
        case dict():
            mine = anchored or _named(seen, node)
            yield from _rungs(node, anchored=mine)
            for name, member in node.items():
                yield from _leaves(seen, member, intent, anchored=mine, depth=depth + 1, key=name)
        case list():
            named = key or (_HANDLES if _handles(node) else "")
            for member in node:
                yield from _leaves(seen, member, intent, anchored=anchored, depth=depth + 1, key=named)
        case str():
            yield _leaf(seen, node, key, intent, anchored=anchored)
        case bool() | None:
            return
        case _:
            yield _Leaf(str(node), prose=False, anchored=anchored)


def _leaf(seen: Seen, text: str, key: str, intent: Intent, *, anchored: bool) -> _Leaf:
    words = set(name_words(key))
    prose = len(text) > PROSE or "\n" in text.strip() or bool(words & _PROSE) or not key
    if words & _ORIGIN:
        # Whoever writes to somebody chooses that field: it is believed only if the user's words name the
        # writer, or ask to answer whoever wrote.
        anchored = anchored and (intent.answers or _mentions(seen, text))
    return _Leaf(text, prose=prose, anchored=anchored and not prose)


def _handles(node: list[Json]) -> bool:
    """Whether a list without a name holds names alone: single words that reach nobody by their form."""
    return len(node) > 0 and all(
        isinstance(each, str) and 0 < len(each) <= _HANDLE and not set(each) & set(" \t\n.@/:")
        for each in node
    )


def _mentions(seen: Seen, text: str) -> bool:
    words = words_of(text.split("@", 1)[0])
    return any(len(word) >= _NAME and seen.has_word(stem(word)) for word in words)


def _named(seen: Seen, record: dict[str, Json]) -> bool:
    """Whether a record's title or a party of it is what the user's words name."""
    for name, member in record.items():
        words = set(name_words(name))
        if words & _MONEY and _is_number(member):
            if seen.sighting(stated(number(str(member)))).label is Label.USER:
                return True
            continue
        if not isinstance(member, str) or len(member) > PROSE or words & _PROSE:
            continue
        if words & _NAMING and _titled(seen, member):
            return True
        if any(v.shape in _TYPED and seen.sighting(v).label is Label.USER for v in values_in(member)):
            return True
    return False


def _titled(seen: Seen, title: str) -> bool:
    words = content_words(title)
    if not words:
        return False
    shared = [word for word in words if seen.has_word(word)]
    telling = any(len(word) > _NAME or not word.isascii() or word.isdigit() for word in shared)
    # SAFETY: two texts of a language whose joining words are not known share those, and are not kin for it.
    half = telling and len(shared) * 2 >= len(words)
    return half or seen.sighting(Value(Shape.PHRASE, phrase(title))).label is Label.USER


def _rungs(record: dict[str, Json], *, anchored: bool) -> Iterator[_Leaf]:
    amounts = [
        member for name, member in record.items() if set(name_words(name)) & _MONEY and _is_number(member)
    ]
    parties: list[Json] = [member for name, member in record.items() if set(name_words(name)) & _PARTY]
    if amounts:
        titles = [member for name, member in record.items() if set(name_words(name)) & _NAMING]
        parties += [
            word
            for title in titles
            if isinstance(title, str)
            for word in sorted(content_words(title[:PROSE]))
        ]
    for amount in amounts:
        height = rung(abs(Decimal(str(amount))))
        for party in parties:
            if isinstance(party, str | int) and not isinstance(party, bool):
                yield _Leaf(str(height), prose=False, anchored=anchored, party=phrase(str(party)))


def _is_number(member: Json) -> bool:
    return isinstance(member, int | float) and not isinstance(member, bool)


def _enter(seen: Seen, leaf: _Leaf, source: Source) -> None:
    typed = Sighting(label=source.label, source=source.name, anchored=leaf.anchored)
    told = Sighting(label=Label.TEXT if source.label is Label.TOOL else source.label, source=source.name)
    if leaf.party:
        seen.remember(paid(leaf.party, int(leaf.text)), typed)
        return
    if leaf.prose:
        for value in values_in(leaf.text):
            seen.remember(value, told)
        for said in quoted_in(leaf.text):
            seen.remember(Value(Shape.PHRASE, said), told)
        return
    whole = phrase(leaf.text)
    seen.remember(Value(Shape.PHRASE, whole), typed)
    for value in values_in(leaf.text):
        # A field that holds one value is that value; a value inside other words is prose.
        seen.remember(value, typed if _is_whole(value, leaf.text) else told)


def _is_whole(value: Value, text: str) -> bool:
    if value.shape is Shape.NUMBER:
        try:
            return number(text) == value.text
        except ValueError:
            return False
    if value.shape is Shape.DATE:
        return len(text) <= 32  # noqa: PLR2004 — an instant with its zone
    return " " not in text.strip() or value.shape in {Shape.IBAN, Shape.PHONE}


def _texts(node: Json, depth: int) -> Iterator[str]:
    if depth > _DEPTH:
        return
    match node:
        case str():
            yield node
        case dict():
            for member in node.values():
                yield from _texts(member, depth + 1)
        case list():
            for member in node:
                yield from _texts(member, depth + 1)
        case bool() | None:
            return
        case _:
            yield str(node)
