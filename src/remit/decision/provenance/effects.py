"""What a tool does and touches, read from its specification: name, description, input schema.

Never from its server's hints: `readOnlyHint` of an unknown server is no promise (MCP 2025-11-25, tools:
annotations are untrusted).
"""

import re
from dataclasses import dataclass
from typing import Final

from remit.decision.provenance.lexicon import DOINGS, VERBS, Doing, Thing, things_in
from remit.decision.provenance.normal import words_of

HARD: Final = frozenset(
    {Doing.SEND, Doing.PAY, Doing.SHARE, Doing.DELETE, Doing.RESERVE, Doing.EXECUTE, Doing.OTHER}
)
"""Effects that leave the house or can't be taken back."""
_ORDER: Final = tuple(Doing)
_READS: Final = frozenset(VERBS[Doing.READ].split())
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """What a call of a tool does, and to which kinds of thing."""

    doing: Doing
    things: frozenset[Thing]


def name_words(name: str) -> tuple[str, ...]:
    """Words of an identifier: `sendMail`, `send_mail`, `mail.send` are the same two."""
    return words_of(re.sub(r"[_./:\-]+", " ", _CAMEL.sub(" ", name)))


def deed_of(name: str, description: str, arguments: frozenset[str]) -> Deed:
    """Read what a tool does; `arguments` are the names of its arguments. What can't be read is `OTHER`."""
    named = name_words(name)
    things = things_in(named)
    doing = _doing(named) or _doing(words_of(description)[:6]) or Doing.OTHER
    if doing in {Doing.SEND, Doing.CREATE, Doing.OTHER} and _moves_money(things, arguments):
        return Deed(doing=Doing.PAY, things=frozenset({Thing.MONEY}))
    if doing is Doing.SHARE and "add" in named and Thing.PEOPLE not in things:
        doing = Doing.CREATE
    return Deed(doing=doing, things=things or things_in(words_of(description)[:12]))


def _doing(words: tuple[str, ...]) -> Doing | None:
    for word in words:
        if word in _READS:
            return Doing.READ
        if found := DOINGS.get(word):
            return min(found, key=_ORDER.index)
    return None


def _moves_money(things: frozenset[Thing], arguments: frozenset[str]) -> bool:
    parts = {part for argument in arguments for part in name_words(argument)}
    return "amount" in parts and (
        Thing.MONEY in things or bool(parts & {"recipient", "iban", "payee", "account"})
    )
