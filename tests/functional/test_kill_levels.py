"""R96, R33: at every level a kill stops exactly what hangs on its target, and nothing else."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from remit.authority.envelope import text_digest
from remit.authority.task_service import StartedTask
from remit.kernel.ids import PrincipalId
from remit.oversight.containment.kill import KillState, TargetKind
from support.clients import Party, Refused
from support.house import BOOKING, House

READING = {"start": "2026-05-15T14:00Z", "end": "2026-05-15T15:00Z"}
TOOLS = {"rooms_book": BOOKING, "rooms_free": READING}


@dataclass(frozen=True)
class Thread:
    """Somebody doing one thing on somebody's behalf: the finest thing that a kill can stop or spare."""

    name: str
    user: str
    task: str
    chain: tuple[str, ...]
    """Parties, as the house knows them; the last one acts."""
    tool: str


THREADS = (
    Thread("book", "user", "one", ("calendar-bot",), "rooms_book"),
    Thread("book-via", "user", "one", ("calendar-bot", "mail-bot"), "rooms_book"),
    Thread("read-via", "user", "one", ("calendar-bot", "mail-bot", "support-bot"), "rooms_free"),
    Thread("read", "user", "two", ("mail-bot",), "rooms_free"),
    Thread("other", "other", "three", ("calendar-2",), "rooms_book"),
    Thread("other-via", "other", "three", ("calendar-2", "support-bot"), "rooms_book"),
    Thread("annex", "other", "four", ("annex-bot",), "rooms_free"),
)
AGENTS = {"calendar-2": "calendar-bot"}
"""Instances that go by another name than their agent."""
BLUEPRINTS = {"annex-bot": "annex"}


def agent_of(party: str) -> str:
    return AGENTS.get(party, party)


def blueprint_of(party: str) -> str:
    return BLUEPRINTS.get(agent_of(party), "office")


def tasks_with(met: Callable[[str], bool]) -> set[str]:
    """Tasks in whose chains somebody acts of whom that is true: they are frozen upwards too (R33)."""
    return {thread.task for thread in THREADS if any(met(party) for party in thread.chain)}


def stopped(kind: TargetKind, target: str) -> set[str]:
    """What must stop, computed from the table above alone."""
    match kind:
        case TargetKind.AGENT:
            tasks = tasks_with(lambda party: agent_of(party) == target)
        case TargetKind.INSTANCE:
            tasks = tasks_with(lambda party: party == target)
        case TargetKind.BLUEPRINT:
            tasks = tasks_with(lambda party: blueprint_of(party) == target)
        case TargetKind.TASK:
            tasks = {target}
        case TargetKind.USER:
            tasks = {thread.task for thread in THREADS if thread.user == target}
        case TargetKind.CHAIN:
            task, _, hops = target.partition(":")
            along = tuple(hops.split(">"))
            return {
                thread.name
                for thread in THREADS
                if thread.task == task and thread.chain[: len(along)] == along
            }
        case _:
            return {thread.name for thread in THREADS if f"business/{thread.tool}" == target}
    return {thread.name for thread in THREADS if thread.task in tasks}


@dataclass
class Office:
    """The threads at work."""

    house: House
    tasks: dict[str, StartedTask] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)

    @classmethod
    async def open(cls, house: House) -> "Office":
        office = cls(house)
        await house.person("other@company.com")
        await house.instance("calendar-2", PrincipalId(house["calendar-bot"].agent))
        await house.agent("annex-bot", blueprint=await house.blueprint("annex"))
        for thread in THREADS:
            if thread.task not in office.tasks:
                office.tasks[thread.task] = await house.task(agent_of(thread.chain[0]), user=thread.user)
            office.tokens[thread.name] = await house.exchange(office.actor(thread), office.envelope(thread))
        return office

    def actor(self, thread: Thread) -> Party:
        return self.house[thread.chain[-1]]

    def envelope(self, thread: Thread, *, hops: int | None = None) -> str:
        """The same text for the same chain of the same task, so that it is one delegation."""
        chain = thread.chain if hops is None else thread.chain[: hops + 1]
        started = self.tasks[thread.task]
        if len(chain) == 1:
            return started.envelope
        if (thread.task, chain) not in self._handed:
            shorter = self.envelope(thread, hops=len(chain) - 2)
            self._handed[thread.task, chain] = self.house.hop_on(
                shorter, started, giver=chain[-2], taker=chain[-1], hops=len(chain) - 1
            )
        return self._handed[thread.task, chain]

    _handed: dict[tuple[str, tuple[str, ...]], str] = field(default_factory=dict)

    async def works(self, thread: Thread) -> bool:
        """Whether its call goes through."""
        called = await self.house.call(
            self.actor(thread),
            self.tokens[thread.name],
            thread.tool,
            TOOLS[thread.tool],
            envelope=self.envelope(thread),
        )
        return called.ran

    async def is_served(self, thread: Thread) -> bool:
        """Whether its ticket is still taken for a token."""
        try:
            await self.house.exchange(self.actor(thread), self.envelope(thread))
        except Refused:
            return False
        return True

    def ident(self, kind: TargetKind, target: str) -> str:
        """What the API calls it."""
        match kind:
            case TargetKind.INSTANCE | TargetKind.USER:
                return self.house[target].id
            case TargetKind.TASK:
                return self.tasks[target].task.id
            case TargetKind.CHAIN:
                task, _, hops = target.partition(":")
                along = tuple(hops.split(">"))
                thread = next(
                    each for each in THREADS if each.task == task and each.chain[: len(along)] == along
                )
                return text_digest(self.envelope(thread, hops=len(along) - 1))
            case _:
                return target


ORDERS = {
    "outward": (
        (TargetKind.CHAIN, "one:calendar-bot>mail-bot>support-bot"),
        (TargetKind.CHAIN, "one:calendar-bot>mail-bot"),
        (TargetKind.TASK, "two"),
        (TargetKind.INSTANCE, "calendar-2"),
        (TargetKind.BLUEPRINT, "annex"),
    ),
    "middle of a chain": ((TargetKind.AGENT, "mail-bot"), (TargetKind.USER, "other")),
    "end of two chains": ((TargetKind.INSTANCE, "support-bot"), (TargetKind.AGENT, "annex-bot")),
    "tool": ((TargetKind.TOOL, "business/rooms_free"), (TargetKind.USER, "user")),
    "blueprint": ((TargetKind.BLUEPRINT, "office"),),
    "agent of two instances": ((TargetKind.AGENT, "calendar-bot"), (TargetKind.TASK, "four")),
}


@pytest.mark.req("R96", "R33")
@pytest.mark.promise("P1")
@pytest.mark.parametrize("order", ORDERS)
async def test_a_kill_stops_exactly_what_hangs_on_its_target(house: House, order: str) -> None:
    office = await Office.open(house)
    living = {thread.name for thread in THREADS}
    served = set(living)
    assert {thread.name for thread in THREADS if await office.works(thread)} == living
    for kind, target in ORDERS[order]:
        done = await house.kill(kind, office.ident(kind, target))
        assert done.state is KillState.DONE, done.planes
        living -= stopped(kind, target)
        if kind is not TargetKind.TOOL:
            served -= stopped(kind, target)
        assert {thread.name for thread in THREADS if await office.works(thread)} == living, (kind, target)
    assert {thread.name for thread in THREADS if await office.is_served(thread)} == served
    assert living < {thread.name for thread in THREADS}


@pytest.mark.req("R33")
async def test_marking_the_middle_stops_below_and_freezes_above(house: House) -> None:
    office = await Office.open(house)
    await house.kill(TargetKind.AGENT, "mail-bot")
    first, below = THREADS[0], THREADS[2]
    assert not await office.works(below)
    assert not await office.works(first)
    assert (await house.services.tasks.get(office.tasks["one"].task.id)).state.value == "killed"
    # The first and the last agent themselves go on, for others.
    fresh = await house.task("calendar-bot", user="other")
    token = await house.exchange(house["calendar-bot"], fresh.envelope)
    called = await house.call(house["calendar-bot"], token, "rooms_book", BOOKING, envelope=fresh.envelope)
    assert called.ran
    other = next(thread for thread in THREADS if thread.name == "other-via")
    assert await office.works(other)
