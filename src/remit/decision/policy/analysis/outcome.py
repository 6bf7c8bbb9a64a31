"""What a set of policies amounts to, as terms: who refuses, who asks, what is owed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import z3

from remit.decision.policy.analysis.symbols import FALSE, Term
from remit.decision.policy.analysis.translate import Held
from remit.decision.policy.rules import Rule

PERMIT, STEP_UP, ASK, DENY = range(4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The answer of a set to one kind of request."""

    effect: Term
    """0 permit, 1 step up, 2 ask, 3 deny: the greater the stricter."""
    marks: Mapping[str, Term]
    """Everything else that two answers could differ in, by what it is; false where the answer is no."""

    def differs(self, other: "Outcome") -> Term:
        """Whether the two answers are not the same."""
        return z3.Or(
            self.effect != other.effect,
            *(self.mark(name) != other.mark(name) for name in {**self.marks, **other.marks}),
        )

    def mark(self, name: str) -> Term:
        """One of the marks; false for one that this set does not know."""
        return self.marks.get(name, FALSE)

    def looser(self, than: "Outcome") -> Term:
        """Whether it lets through what the other does not, or owes less for it."""
        owed = [name for name in than.marks if name.startswith(_OWED)]
        lost = [z3.And(than.mark(name), z3.Not(self.mark(name))) for name in owed]
        return z3.Or(
            self.effect < than.effect, z3.And(self.effect != DENY, self.effect == than.effect, z3.Or(lost))
        )


_OWED: Final = "owed "
Judged = Sequence[tuple[Rule, Held]]


def outcome_of(rules: Judged) -> Outcome:
    """What the policies say together, in the order of their text."""
    permits = [(rule, held) for rule, held in rules if rule.effect == "permit"]
    denied = z3.Or(
        *(held.fails for _, held in rules),
        *(held.holds for rule, held in rules if rule.effect == "forbid"),
        z3.Not(z3.Or([held.holds for _, held in permits])),
    )
    asked = z3.Or([held.holds for rule, held in permits if rule.approval])
    stepped = z3.Or([held.holds for rule, held in permits if rule.step_up])
    effect = z3.If(denied, DENY, z3.If(asked, ASK, z3.If(stepped, STEP_UP, PERMIT)))
    marks = {name: z3.And(z3.Not(denied), term) for name, term in _marks(permits).items()}
    return Outcome(effect=effect, marks=marks)


def _marks(permits: Judged) -> dict[str, Term]:
    """Who is asked (the first that asks names them), what sign-in is wanted, what is owed."""
    found: dict[str, list[Term]] = {}
    earlier = FALSE
    for rule, held in permits:
        if rule.approval:
            found.setdefault(f"asks {rule.approval}", []).append(z3.And(held.holds, z3.Not(earlier)))
            earlier = z3.Or(earlier, held.holds)
        if rule.step_up:
            found.setdefault(f"{_OWED}{rule.step_up.acr} {rule.step_up.max_age}", []).append(held.holds)
        for duty in rule.obligations:
            found.setdefault(f"{_OWED}{duty.type} {duty.properties}", []).append(held.holds)
    return {name: z3.Or(terms) for name, terms in found.items()}
