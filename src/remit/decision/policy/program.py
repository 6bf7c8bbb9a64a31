"""The policies of one version as they are run: compiled, indexed by scope, judged one by one.

Cedar's rules: every policy whose scope fits is evaluated; one that fails is in error and counts for neither
side; some permit and no forbid is a yes. That an error denies is not decided here (`evaluate.py`).
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeAlias

from cedarpy import pst

from remit.decision.policy.compile import Env, Evaluated, compile_condition
from remit.decision.policy.operators import truth
from remit.decision.policy.rules import Rule
from remit.decision.policy.scopes import Shelf, check_scope
from remit.decision.policy.values import Entity, EvaluationFailed


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Compiled:
    """One policy: its rule, and the conditions that must all be true, in the order of the text."""

    order: int
    rule: Rule
    permits: bool
    conditions: tuple[Evaluated, ...]


Outcome: TypeAlias = tuple[list[Rule], list[Rule], list[tuple[Rule, str]]]
"""Permits and forbids that hold, and policies that could not be evaluated, with why; in the text's order."""


def compile_policy(order: int, rule: Rule, node: pst.Template) -> Compiled:
    """One policy from its syntax tree; raises `Uncompilable`."""
    for limit in (node.principal, node.action, node.resource):
        check_scope(limit)
    conditions: list[Evaluated] = []
    for clause in node.clauses:
        conditions += compile_condition(clause.expr, wanted=isinstance(clause, pst.When))
    return Compiled(order=order, rule=rule, permits=node.effect == "permit", conditions=tuple(conditions))


_KNOWN_LIMIT: Final = 4096
_Things = Shelf[list[Compiled]]
_People = Shelf[_Things]


class Program:
    """A set of compiled policies; immutable once made, so that it lives as long as its version."""

    __slots__ = ("_index", "_known")

    def __init__(self, policies: Iterable[tuple[Compiled, pst.Template]]) -> None:
        self._index: Shelf[_People] = Shelf(_people)
        self._known: dict[tuple[Entity, Entity], list[_Things]] = {}
        for policy, node in policies:
            for people in self._index.places(node.action):
                for things in people.places(node.principal):
                    for place in things.places(node.resource):
                        place.append(policy)

    def applying(self, env: Env) -> list[Compiled]:
        """The policies whose scope the request is in, in the order of the text."""
        entities, found = env.entities, list[Compiled]()
        for things in self._things(env):
            for place in things.find(env.resource, entities):
                found += place
        # One policy is found twice if its scope names the action and a group of it.
        return sorted(set(found), key=_order) if len(found) > 1 else found

    def _things(self, env: Env) -> list[_Things]:
        """What is filed for the action and the principal; found once for the two entities as they are.

        INVARIANT: an entity is compared by identity and never written to, and the key holds both (PD-05).
        """
        entities = env.entities
        action, principal = entities.get(env.action), entities.get(env.principal)
        if action is None or principal is None:
            return self._search(env)
        found = self._known.get((action, principal))
        if found is None:
            if len(self._known) >= _KNOWN_LIMIT:
                self._known.clear()
            found = self._known[action, principal] = self._search(env)
        return found

    def _search(self, env: Env) -> list[_Things]:
        entities = env.entities
        return [
            things
            for people in self._index.find(env.action, entities)
            for things in people.find(env.principal, entities)
        ]

    def run(self, env: Env) -> Outcome:
        """Evaluate every policy that applies."""
        permits: list[Rule] = []
        forbids: list[Rule] = []
        failed: list[tuple[Rule, str]] = []
        for policy in self.applying(env):
            try:
                if _holds(policy.conditions, env):
                    (permits if policy.permits else forbids).append(policy.rule)
            except EvaluationFailed as error:
                failed.append((policy.rule, str(error)))
        return permits, forbids, failed

    def held(self, env: Env) -> Iterator[int]:
        """Numbers of the policies that apply and hold; those that can't be evaluated do not."""
        for policy in self.applying(env):
            with suppress(EvaluationFailed):
                if _holds(policy.conditions, env):
                    yield policy.order


def _holds(conditions: tuple[Evaluated, ...], env: Env) -> bool:
    for condition in conditions:
        value = condition(env)
        if value is not True:
            return truth(value)
    return True


def _people() -> _People:
    return Shelf(_things)


def _things() -> _Things:
    return Shelf(list)


def _order(policy: Compiled) -> int:
    return policy.order
