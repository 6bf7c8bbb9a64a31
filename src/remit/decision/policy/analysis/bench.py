"""One kind of request with the rules that are about it, and questions about what such a request can be."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import z3

from remit.decision.policy.analysis.report import Patience
from remit.decision.policy.analysis.stages import (
    MOST_PLACES,
    Scene,
    kinds_of,
    members_of,
    places_for,
    scene_of,
)
from remit.decision.policy.analysis.symbols import Term, Unanalyzable
from remit.decision.policy.analysis.texts import Text
from remit.decision.policy.analysis.translate import Held, translate_policy
from remit.decision.policy.analysis.witness import Witness, witness_of
from remit.kernel.canonical import JsonObject


@dataclass(slots=True)
class Bench:
    """One kind of request, with the rules that are about it as terms."""

    scene: Scene
    held: dict[str, Held]
    patience: Patience
    deadline: float
    undecided: list[str] = field(default_factory=list)

    def ask(self, what: str, *wanted: Term) -> Witness | None:
        """A request of this kind that is so; None if there is none. Undecided questions are noted."""
        solver = self._solved(what, wanted)
        try:
            return None if solver is None else witness_of(self.scene, solver)
        except Unanalyzable as lost:
            self.undecided.append(f"{what} on {self.scene.kind.action}: {lost} has no form here")
            return None

    def excludes(self, what: str, *wanted: Term) -> bool:
        """Whether no request of this kind is so; false also where that is not decided."""
        before = len(self.undecided)
        return self._solved(what, wanted) is None and len(self.undecided) == before

    def _solved(self, what: str, wanted: tuple[Term, ...]) -> z3.Solver | None:
        goal = z3.simplify(z3.And(*wanted))
        if z3.is_false(goal):
            return None
        if time.monotonic() > self.deadline:
            self.undecided.append(f"{what}: no time was left")
            return None
        solver = z3.Solver()
        solver.set("rlimit", self.patience.steps)
        solver.add(*self.scene.limits, goal)
        said = solver.check()
        if said == z3.unknown:
            self.undecided.append(f"{what} on {self.scene.kind.action}: {solver.reason_unknown()}")
        return solver if said == z3.sat else None


def benches_of(
    texts: Sequence[Text], schema: JsonObject, patience: Patience, begun: float
) -> tuple[list[tuple[Bench, ...]], list[str]]:
    """For each kind of request the rules of each text; what has no form on it is noted, and left out."""
    every = [node for text in texts for node in text.nodes.values()]
    places, undecided = places_for(every), list[str]()
    if any(members_of(node) >= MOST_PLACES for node in every):
        undecided.append(f"sets are looked at with {MOST_PLACES} members at most, and a rule speaks of more")
    found: list[tuple[Bench, ...]] = []
    for kind in kinds_of(schema, every):
        try:
            scene = scene_of(kind, places)
        except Unanalyzable as unknown:
            undecided.append(f"{kind.action}: {unknown} has no form here")
            continue
        deadline = begun + patience.total_s
        found.append(tuple(Bench(scene, _held(text, scene, undecided), patience, deadline) for text in texts))
    return found, undecided


def _held(text: Text, scene: Scene, undecided: list[str]) -> dict[str, Held]:
    held: dict[str, Held] = {}
    for place, node in text.nodes.items():
        try:
            held[place] = translate_policy(node, scene.stage)
        except Unanalyzable as unknown:
            undecided.append(f"{text.rules[place].id}: {unknown} has no form here")
    return held
