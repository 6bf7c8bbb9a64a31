"""What a person's request asks for: which effects, and on what. No model, no guess about malice.

Only what is *asked* counts: "send", "please also pay", "make sure to update", "needs to be cancelled". What
is told ("they sent me", "how much did I pay") or named ("my last payment", "the link to reset it") asks for
nothing.
"""

import re
from dataclasses import dataclass
from typing import Final

from remit.decision.provenance import languages
from remit.decision.provenance.lexicon import (
    ANSWERS,
    DOINGS,
    ELSEWHERE,
    INHERENT,
    OPEN,
    SENDING,
    STOP,
    Doing,
    Thing,
    participle_of,
    stem,
    things_in,
    vocabulary,
)
from remit.decision.provenance.normal import words_of

_NAMING: Final = vocabulary(
    f"""{languages.NAMES}
    a an the my your his her their our its this that these those any some each every of from in about last
    next no other same previous upcoming whose which by via per with for on at through over"""
)
"""After one of these a word names something; it asks for nothing."""
_ASKING_TO: Final = vocabulary("""need want like you sure forget have try remember love ask hope wish able""")
_NEGATED: Final = vocabulary("not don't dont never without")
_DESPITE: Final = vocabulary("forget hesitate fail miss")
_TOLD: Final = vocabulary(f"did does do should would i we they he she who {languages.TELLS}")
_NEVER: Final = vocabulary(languages.NEGATES)
_BEING: Final = vocabulary("be been get gets being have")
_SENTENCE: Final = re.compile(r"(?<=[.!?;:])\s+|\n+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """What a request asks for. `loose` when it hands the choice of what to do over to something it names."""

    doings: frozenset[Doing]
    things: frozenset[Thing]
    answers: bool
    loose: bool
    answering: frozenset[Doing] = frozenset()
    """What is asked for by words of answering alone: a refund, a reply. It goes back to who is answered."""

    def asks(self, doing: Doing, things: frozenset[Thing]) -> bool:
        """Whether an effect of this kind on such a thing was asked for."""
        if doing is Doing.PAY:
            return Doing.PAY in self.doings or (
                Thing.MONEY in self.things and bool(self.doings & {Doing.SEND, Doing.CREATE})
            )
        near = _NEAR.get(doing, frozenset({doing}))
        if not self.doings & near:
            return False
        return not things or bool(things & self.things)


_NEAR: Final[dict[Doing, frozenset[Doing]]] = {
    Doing.SHARE: frozenset({Doing.SHARE, Doing.CREATE}),
    Doing.CREATE: frozenset({Doing.CREATE, Doing.RESERVE}),
    Doing.RESERVE: frozenset({Doing.RESERVE, Doing.CREATE}),
    Doing.UPDATE: frozenset({Doing.UPDATE}),
}
"""Which requests may mean a tool of some kind: people "make" reservations and "add" participants."""


def read_intent(text: str) -> Intent:
    """Read what a request asks for."""
    doings: set[Doing] = set()
    plainly: set[Doing] = set()
    things: set[Thing] = set()
    spoken: set[str] = set()
    for sentence in _SENTENCE.split(text):
        words = words_of(sentence)
        spoken.update(words)
        things |= things_in(words)
        for place in range(len(words)):
            if verb := _asked(words, place):
                doings |= DOINGS[verb]
                plainly |= DOINGS[verb] if verb not in ANSWERS else set()
                things |= {INHERENT[verb]} if verb in INHERENT else set()
                # Who asks to send "it" asks for a message, unless the sentence is about money.
                things |= (
                    {Thing.MESSAGE} if verb in SENDING and Thing.MONEY not in things_in(words) else set()
                )
    return Intent(
        doings=frozenset(doings),
        things=frozenset(things),
        answers=bool(spoken & ANSWERS),
        loose=bool(spoken & OPEN),
        answering=frozenset(doings - plainly),
    )


def answering_sentences(text: str) -> tuple[str, ...]:
    """The sentences that ask to answer somebody: who is named there is who is answered."""
    return tuple(sentence for sentence in _SENTENCE.split(text) if ANSWERS & set(words_of(sentence)))


def content_words(text: str) -> frozenset[str]:
    """The words of a text that name something, without their endings."""
    return frozenset(stem(word) for word in words_of(text) if word not in STOP and len(word) > 1)


def _asked(words: tuple[str, ...], place: int) -> str:
    """The verb that is asked for at a place; empty if none is."""
    before = words[max(0, place - 4) : place]
    if _NEGATED & set(before[-2:]) and not _DESPITE & set(before):
        return ""
    word = words[place]
    if word in ELSEWHERE and _NEVER & set(words):
        return ""
    if word in DOINGS:
        return word if _is_request(before) else ""
    verb = participle_of(word)
    return verb if verb and before and (before[-1] in _BEING or "want" in before) else ""


def _is_request(before: tuple[str, ...]) -> bool:
    if not before:
        return True
    last = before[-1]
    if last in _NAMING:
        return False
    if last == "to":
        return len(before) > 1 and before[-2] in _ASKING_TO and not {"they", "she", "he"} & set(before)
    return not (
        last in _TOLD or (len(before) > 1 and before[-2] in {"did", "does", "do"} and last != "please")
    )
