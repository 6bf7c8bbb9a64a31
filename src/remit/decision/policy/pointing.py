"""Where in a policy text a fault is, and the word that was probably meant.

What Cedar says of a fault names the word that it is about: that word is looked for in the policy. Where it
names none, the policy's own beginning is the place.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import Final

from remit.decision.policy.errors import Fault
from remit.decision.policy.lexis import Word, line_and_column, pieces
from remit.kernel.canonical import Json, JsonObject

_NAMED: Final = re.compile(r"`((?:[^`\\]|\\.)+)`")
_ENDS: Final = "unexpected end of input"
_VARIABLES: Final = ("principal", "action", "resource", "context")
_WORDS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("invalid policy condition: ", ("when", "unless")),
    ("invalid policy effect: ", ("permit", "forbid")),
    ("invalid variable: ", _VARIABLES),
)
_METHODS: Final = (
    "contains", "containsAll", "containsAny", "isEmpty", "hasTag", "getTag", "lessThan", "lessThanOrEqual",
    "greaterThan", "greaterThanOrEqual", "isIpv4", "isIpv6", "isLoopback", "isMulticast", "isInRange",
    "offset", "durationSince", "toDate", "toTime", "toMilliseconds", "toSeconds", "toMinutes", "toHours",
    "toDays",
)  # fmt: skip
_FUNCTIONS: Final = ("decimal", "ip", "datetime", "duration")
_PAIRS: Final = {")": "(", "]": "[", "}": "{"}


def syntax_fault(text: str, said: str, complaint: Callable[[str], str]) -> Fault:
    """The fault that keeps a text from being Cedar at all.

    `complaint` is what Cedar says against a text, empty if nothing: it is asked about each policy alone.
    """
    for number, piece in enumerate(pieces(text)):
        own = complaint(text[piece[0].start : piece[-1].end])
        if own:
            return _broken(text, number, piece, own, complaint)
    return Fault(policy="", sentence=f"not Cedar: {said}")


def _broken(
    text: str, number: int, piece: Sequence[Word], said: str, complaint: Callable[[str], str]
) -> Fault:
    word, hint = _at_fault(text, piece, said, complaint)
    line, column = line_and_column(text, word.start)
    return Fault(
        policy=_own_id(piece) or f"policy{number}",
        sentence=f"not Cedar: {said}",
        line=line,
        column=column,
        hint=hint,
    )


def _own_id(piece: Sequence[Word]) -> str:
    """What the author calls a policy that can't be read, if that much of it can."""
    for at in range(len(piece) - 3):
        if [word.text for word in piece[at : at + 3]] == ["@", "id", "("] and piece[at + 3].text.startswith(
            '"'
        ):
            return piece[at + 3].text.strip('"')[:64]
    return ""


def _at_fault(
    text: str, piece: Sequence[Word], said: str, complaint: Callable[[str], str]
) -> tuple[Word, str]:
    open_quote = next((word for word in piece if word.text == '"'), None)
    if open_quote is not None:
        return open_quote, "the text that begins here has no closing quote"
    if said == _ENDS:
        return _unfinished(piece)
    for opening, known in _WORDS:
        if said.startswith(opening):
            return _first(piece, said.removeprefix(opening)), _meant(said.removeprefix(opening), known)
    if "is not a valid method" in said or "is not a valid function" in said:
        name = _names(said)[0]
        return _first(piece, name), _meant(name, (*_METHODS, *_FUNCTIONS))
    if said.startswith("unexpected token"):
        return _unexpected(text, piece, said, complaint)
    named = [word for name in _names(said) for word in piece if word.text == name]
    return (named[0], _meant(named[0].text, _VARIABLES)) if named else (piece[0], "")


def _unfinished(piece: Sequence[Word]) -> tuple[Word, str]:
    opened: list[Word] = []
    for word in piece:
        if word.text in "([{":
            opened.append(word)
        elif opened and word.text in _PAIRS and opened[-1].text == _PAIRS[word.text]:
            opened.pop()
    if opened:
        return opened[-1], f"`{opened[-1].text}` is never closed"
    return piece[-1], "a policy ends with `;`" if piece[-1].text != ";" else ""


def _unexpected(
    text: str, piece: Sequence[Word], said: str, complaint: Callable[[str], str]
) -> tuple[Word, str]:
    """The last such word in the shortest beginning of the policy of which Cedar says the same."""
    name, last = _names(said)[0] if _names(said) else "", 0
    for at, word in enumerate(piece):
        last = at if word.text == name else last
        if complaint(text[piece[0].start : word.end]) == said:
            break
    before = piece[last - 1] if last else piece[0]
    if before.text in {"permit", "forbid"}:
        return before, f"a `;` is missing before `{before.text}`"
    return piece[last], ""


class Pointer:
    """Points at faults of one text that Cedar could read.

    SAFETY: a text may have a thousand faults; it is read once for all of them, and of so many words only the
    first are compared with every known name (PD-14).
    """

    def __init__(self, text: str, known: Sequence[str] = ()) -> None:
        self._text = text
        self._known = known
        self._pieces: list[list[Word]] | None = None
        self._hints: dict[str, str] = {}

    def pointed(self, number: int | None, fault: Fault) -> Fault:
        """The fault with its place, and what may have been meant."""
        if self._pieces is None:
            self._pieces = pieces(self._text)
        if number is None or number >= len(self._pieces):
            return fault
        piece = self._pieces[number]
        word = _subject(piece, fault.sentence)
        hint = fault.hint or ("" if word is piece[0] else self._hint(_bare(word.text)))
        line, column = line_and_column(self._text, word.start)
        return replace(fault, line=line, column=column, hint=hint)

    def _hint(self, word: str) -> str:
        if word not in self._hints and len(self._hints) < HINTS:
            self._hints[word] = _meant(word, self._known)
        return self._hints.get(word, "")


HINTS: Final = 32
"""Different words of one text for which a suggestion is looked for."""


def _subject(piece: Sequence[Word], sentence: str) -> Word:
    """The word that a sentence is about: the last part of the first name in it that the policy has."""
    for name in _names(sentence):
        if name.startswith("@"):
            found = [
                piece[at]
                for at in range(1, len(piece))
                if piece[at].text == name[1:] and piece[at - 1].text == "@"
            ]
            if found:
                return found[0]
        for part in reversed(re.findall(r'"(?:[^"\\]|\\.)*"|[A-Za-z_0-9]+', name)):
            found = [word for word in piece if word.text == part]
            if found:
                return found[0]
    return piece[0]


def names_in(schema: JsonObject) -> tuple[str, ...]:
    """Every name that a policy could have meant: types, actions, attributes."""
    found: set[str] = set()
    _gather(schema, found)
    return tuple(sorted(found))


_GATHERED: Final = frozenset({"entityTypes", "actions", "attributes"})


def _gather(node: Json, found: set[str]) -> None:
    if isinstance(node, dict):
        for name, inner in node.items():
            if name in _GATHERED and isinstance(inner, dict):
                found.update(inner)
            _gather(inner, found)


def meant(word: str, known: Iterable[str]) -> str:
    """The known word that is nearest, empty if none is near."""
    near = get_close_matches(word, sorted(set(known)), n=1, cutoff=0.7)
    return near[0] if near else ""


def _meant(word: str, known: Iterable[str]) -> str:
    near = meant(word, known)
    return f"did you mean `{near}`?" if near and near != word else ""


def _names(said: str) -> list[str]:
    return _NAMED.findall(said)


def _first(piece: Sequence[Word], name: str) -> Word:
    return next((word for word in piece if word.text == name), piece[0])


def _bare(word: str) -> str:
    return word[1:-1] if word.startswith('"') else word
