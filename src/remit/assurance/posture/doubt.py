"""What the record alone can't settle: a person takes it in or leaves it out."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from remit.assurance.posture.evidence import Evidence, evidence_of
from remit.assurance.posture.use import Standing, Use
from remit.kernel.canonical import sha256


class Why(StrEnum):
    """Why a person is asked."""

    RARE = "too rare to be a habit"
    RARE_RESOURCE = "a resource that is no habit"
    RARE_VALUE = "a value that is no habit"
    UNTRUSTED = Standing.UNTRUSTED.value
    FORESEEN = Standing.FORESEEN.value
    STOPPED = Standing.STOPPED.value
    IRREVERSIBLE = "it can't be undone"
    MONEY = "it moves money"
    OPEN = "a sensitive argument stays without a bound"


OF_RULES: Final = frozenset({Why.IRREVERSIBLE, Why.MONEY, Why.OPEN})
"""Asked about what is needed as such; the others are about whether it was needed."""
_OF: Final = {
    Standing.UNTRUSTED: Why.UNTRUSTED,
    Standing.FORESEEN: Why.FORESEEN,
    Standing.STOPPED: Why.STOPPED,
}
FOLDED: Final = 5
"""So many odd values of one action are asked about one by one; more are one question."""
_TAIL: Final = "many that are each no habit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """One question; `id` stays the same as long as the question does, whatever else was learned."""

    id: str
    action: str
    about: str
    why: Why
    evidence: Evidence
    uses: tuple[Use, ...]
    taken: bool = False
    settled: bool = False
    """Whether a person has said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What a person said: ids of doubts to take in and to leave out; `all` is every other one."""

    take: frozenset[str] = frozenset()
    leave: frozenset[str] = frozenset()

    def of(self, ident: str) -> bool | None:
        """What was said of one doubt; None where nothing was."""
        if ident in self.take:
            return True
        if ident in self.leave:
            return False
        if "all" in self.take:
            return True
        return False if "all" in self.leave else None


def doubt(subject: str, action: str, why: Why, about: str, uses: Sequence[Use], answers: Answers) -> Doubt:
    """Make a question, with what was said to it. What is needed as such is taken in unless left out."""
    ident = "j-" + sha256(f"{subject}\n{action}\n{why.name}\n{about}".encode())[:8]
    said = answers.of(ident)
    return Doubt(
        id=ident,
        action=action,
        about=about,
        why=why,
        evidence=evidence_of(uses),
        uses=tuple(uses),
        taken=why in OF_RULES if said is None else said,
        settled=said is not None,
    )


def of_standing(standing: Standing) -> Why:
    """The question about uses that are suspect."""
    return _OF[standing]


def folded(subject: str, action: str, why: Why, odd: dict[str, list[Use]], answers: Answers) -> list[Doubt]:
    """Questions about odd values, one for each, or one for all where they are many."""
    if len(odd) <= FOLDED:
        return [doubt(subject, action, why, name, uses, answers) for name, uses in sorted(odd.items())]
    every = [use for _, uses in sorted(odd.items()) for use in uses]
    return [doubt(subject, action, why, _TAIL, every, answers)]
