"""A policy text under analysis, and what the real evaluator says of a request: the judge of every finding."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from cedarpy import pst

from remit.decision.answer.response import Mode
from remit.decision.policy.admission import read
from remit.decision.policy.analysis.outcome import ASK, DENY, PERMIT, STEP_UP
from remit.decision.policy.bundle import policy_set
from remit.decision.policy.compile import Env
from remit.decision.policy.program import Program, compile_policy
from remit.decision.policy.rules import Rule


@dataclass(slots=True, kw_only=True)
class Text:
    """A policy text under analysis: what is in force of it, rules about the past among it.

    What the past is, is not known: any number of marks may stand. Rules that only leave marks decide nothing.
    """

    rules: Mapping[str, Rule]
    nodes: Mapping[str, pst.Template]
    marking: Mapping[str, str] = field(default_factory=dict)
    """Rules that leave marks, by id, as Cedar prints them."""

    @classmethod
    def of(cls, text: str) -> "Text":
        """Read it; raises `PolicyRefused`."""
        parsed = read(text)
        places = [
            place
            for place, rule in parsed.rules.items()
            if rule.mode is Mode.ENFORCE and rule.remember is None
        ]
        return cls(
            rules={place: parsed.rules[place] for place in places},
            nodes={place: parsed.nodes[place] for place in places},
            marking={
                rule.id: str(policy_set({place: parsed.nodes[place]}))
                for place, rule in parsed.rules.items()
                if rule.remember is not None
            },
        )

    def answer(self, env: Env, *, without: str = "") -> "Answer":
        """What the real evaluator says, if need be as though one rule were not there."""
        program = Program(
            (compile_policy(order, self.rules[place], node), node)
            for order, (place, node) in enumerate(self.nodes.items())
            if place != without
        )
        return answer_of(program.run(env))

    def holds(self, place: str, env: Env) -> bool:
        """Whether one rule holds of a request."""
        policy = compile_policy(0, self.rules[place], self.nodes[place])
        permits, forbids, _ = Program([(policy, self.nodes[place])]).run(env)
        return bool(permits or forbids)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the evaluator says to a request."""

    effect: int
    rules: tuple[str, ...]
    asks: str = ""
    owed: frozenset[object] = frozenset()

    def same(self, other: "Answer") -> bool:
        """Whether both let the same through, after the same question, for the same duties."""
        return (self.effect, self.asks, self.owed) == (other.effect, other.asks, other.owed)

    def told(self) -> str:
        """In a few words."""
        by = f" by {', '.join(self.rules)}" if self.rules else " because nothing permits it"
        return f"{_EFFECTS[self.effect]}{by}"


_EFFECTS: Final = {PERMIT: "permit", STEP_UP: "step_up", ASK: "ask", DENY: "deny"}


def answer_of(outcome: tuple[list[Rule], list[Rule], list[tuple[Rule, str]]]) -> Answer:
    """An answer from what holds."""
    permits, forbids, failed = outcome
    if failed or forbids or not permits:
        return Answer(effect=DENY, rules=tuple(rule.id for rule in forbids or [rule for rule, _ in failed]))
    asking = next((rule.approval for rule in permits if rule.approval), "")
    stepping = frozenset(rule.step_up for rule in permits if rule.step_up)
    duties = frozenset(duty for rule in permits for duty in rule.obligations)
    effect = ASK if asking else STEP_UP if stepping else PERMIT
    return Answer(
        effect=effect, rules=tuple(rule.id for rule in permits), asks=asking, owed=stepping | duties
    )
