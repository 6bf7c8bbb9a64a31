"""How far an action lies from what the person asked for: a contribution to risk, never a gate.

A language model that runs here turns the goal and the action into directions; what is told is the cosine of
the angle between them. It knows nothing of right or wrong, and a goal may well need a step that sounds like
nothing in it: so it weighs little, and policies may look at it as one number among others.

SAFETY: the action's sentence is the one that was pinned and approved; arguments are the agent's words, with
which it could bring any action as near to the goal as it likes. The directions of goals tell what was asked:
they live in this process's memory while the task runs, and are neither stored nor logged.
"""

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import mul
from typing import Final, Protocol, TypeAlias, TypeVar

import msgspec

from remit.authority.tasks import Task
from remit.decision.call.request import ProposedCall
from remit.decision.facts.snapshot import Snapshot
from remit.decision.provenance.watch import SeenStore
from remit.identity.tools import Tool
from remit.kernel.canonical import Digest
from remit.kernel.ids import TaskId, ToolId

INTENT: Final = 10
"""For an action that has nothing of the goal; what can't be compared weighs as much (PD-21)."""
NEAR: Final = 0.25
"""From this likeness on an action contributes nothing: measured, see `docs/guides/risk.md`."""
FAR: Final = 0.0
"""At this likeness and below it contributes all of `INTENT`."""
KEPT: Final = 4_096
"""Directions of goals, and of actions, that are kept at a time."""

T = TypeVar("T")
Direction: TypeAlias = "array[float]"


class NotCompared(Exception):
    """Why goal and action could not be compared; for people."""


class Encoder(Protocol):
    """Turns sentences into directions of length 1, away from the loop and within a time."""

    async def directions(self, texts: Sequence[str]) -> Sequence[Direction]:
        """One for each; raises `NotCompared`."""


class GoalTransaction(Protocol):
    """Where goals are read."""

    @property
    def seen(self) -> SeenStore:
        """What tasks have seen, and what they were for."""


class GoalReading(Protocol):
    """Where they are looked up."""

    async def read(self, work: Callable[[GoalTransaction], T]) -> T:
        """Run `work` on one consistent view; it must not write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """How alike goal and action are, from -1 to 1; None: it could not be told, and `because` says why."""

    value: float | None
    because: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentDesk:
    """Compares the calls of one tenant with their goals. OWNED BY: the event loop."""

    encoder: Encoder
    _goals: dict[TaskId, tuple[datetime, Direction]] = field(default_factory=dict)
    _actions: dict[tuple[ToolId, Digest], Direction] = field(default_factory=dict)

    async def likeness(self, reading: GoalReading, call: ProposedCall, snapshot: Snapshot) -> Likeness | None:
        """Of a call of a tool within a task; None where there is no goal or no action to compare."""
        task = snapshot.tasks.get(call.subject.task or TaskId(""))
        if task is None or call.tool is None:
            return None
        try:
            goal, action = await self._goal(reading, task, call.at), await self._action(call.tool)
        except NotCompared as why:
            return Likeness(value=None, because=str(why))
        return Likeness(value=sum(map(mul, goal, action)))

    async def _goal(self, reading: GoalReading, task: Task, at: datetime) -> Direction:
        if (kept := self._goals.get(task.id)) is not None:
            return kept[1]
        text = await reading.read(lambda tx: tx.seen.goal(task.id))
        if not text.strip():
            raise NotCompared("the goal was erased, or says nothing")
        (found,) = await self.encoder.directions([text])
        if len(self._goals) >= KEPT:
            self._forget(at)
        self._goals[task.id] = (task.deadline, found)
        return found

    def _forget(self, at: datetime) -> None:
        """Those of tasks that are over; all, if that is not enough."""
        running = {ident: kept for ident, kept in self._goals.items() if at < kept[0]}
        self._goals.clear()
        if len(running) < KEPT:
            self._goals.update(running)

    async def _action(self, tool: Tool) -> Direction:
        key = (tool.id, tool.digest)
        if (kept := self._actions.get(key)) is None:
            (kept,) = await self.encoder.directions([sentence_of(tool)])
            if len(self._actions) >= KEPT:
                self._actions.clear()
            self._actions[key] = kept
        return kept


def sentence_of(tool: Tool) -> str:
    """What an action does, in the words under which it was pinned: its name, and how it is described."""
    name = tool.mapping.action if tool.mapping is not None else tool.name
    told = msgspec.json.decode(tool.definition)
    described = told.get("description") if isinstance(told, dict) else None
    spoken = "".join(each if each.isalnum() else " " for each in name)
    return f"{spoken}: {described}" if isinstance(described, str) else spoken


def unlikeness(found: Likeness) -> int:
    """As points, rounded up: never more for what is more alike; all for what is not known (PD-21)."""
    value = found.value
    # A comparison with NaN is false, so that it is never near.
    if value is None or not value > FAR:
        return INTENT
    if value >= NEAR:
        return 0
    return -int(-INTENT * (NEAR - value) / (NEAR - FAR) // 1)
