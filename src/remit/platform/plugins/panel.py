"""Ask plugins about a call, each in a thread of its own and within its budget.

A thread can't be stopped: one that hangs keeps its place, and a plugin whose places are taken is not asked.
"""

import asyncio
import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Thread
from typing import Final, TypeAlias

import structlog

from remit.decision.call.request import Facts, ProposedCall
from remit.decision.plugin.contract import Asked, FactMisfit, Offer, fact_of
from remit.decision.plugin.known import About
from remit.decision.policy.outside import EVERY
from remit.kernel.canonical import Json, JsonObject

_log = structlog.stdlib.get_logger("remit.plugins")
PLACES: Final = 8
"""Calls that one plugin may be asked about at one time."""
_Job: TypeAlias = tuple[Callable[[], Json], "asyncio.Future[Json]", asyncio.AbstractEventLoop]


class NotKnown(Exception):
    """Why a fact is not known."""


@dataclass(slots=True)
class _Seat:
    """The threads of one plugin. OWNED BY: the event loop, but for the queue."""

    offer: Offer
    jobs: "SimpleQueue[_Job]" = field(default_factory=SimpleQueue)
    threads: int = 0
    busy: int = 0

    async def answer(self, asked: Asked) -> Json:
        """What the plugin says in time; raises `NotKnown`."""
        if self.busy >= PLACES:
            raise NotKnown(f"it is busy with {PLACES} other calls")
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[Json] = loop.create_future()
        self.busy += 1
        self._staff()
        self.jobs.put((lambda: fact_of(self.offer.plugin.know(asked), self.offer.schema), waiting, loop))
        try:
            async with asyncio.timeout(self.offer.budget.total_seconds()):
                return await asyncio.shield(waiting)
        except TimeoutError:
            raise NotKnown(f"it took longer than {self.offer.budget.total_seconds() * 1000:g} ms") from None
        except FactMisfit as misfit:
            raise NotKnown(str(misfit)) from misfit
        except NotKnown:
            raise
        # SAFETY: code of others; whatever it raises, the fact is not known, and rules that use it deny.
        except Exception as broken:
            raise NotKnown(f"it failed with {type(broken).__name__}") from broken

    def _staff(self) -> None:
        if self.threads < self.busy:
            self.threads += 1
            name = f"plugin-{self.offer.name}-{self.threads}"
            Thread(target=_work, args=(self.jobs, self._free), name=name, daemon=True).start()

    def _free(self) -> None:
        self.busy -= 1


@dataclass(slots=True, init=False)
class Panel:
    """Every plugin that is installed. OWNED BY: the event loop."""

    _seats: dict[str, _Seat]
    _absent: Mapping[str, str]

    def __init__(self, offers: Iterable[Offer], *, absent: Mapping[str, str] | None = None) -> None:
        self._seats = {each.name: _Seat(each) for each in offers}
        self._absent = absent or {}

    def types(self) -> Mapping[str, JsonObject]:
        """The Cedar type of each fact, by name."""
        return {name: seat.offer.cedar for name, seat in self._seats.items()}

    async def ask(self, call: ProposedCall, names: Iterable[str], about: About) -> Facts:
        """Ask those whose facts are looked at, all at once."""
        wanted = set(names)
        if EVERY in wanted:
            wanted = (wanted | set(self._seats)) - {EVERY}
        if not wanted:
            return Facts()
        said = await asyncio.gather(*(self._one(name, call, about) for name in sorted(wanted)))
        return Facts(
            known={name: fact for name, fact, why in said if not why},
            unknown={name: why for name, _, why in said if why},
        )

    async def _one(self, name: str, call: ProposedCall, about: About) -> tuple[str, Json, str]:
        seat = self._seats.get(name)
        if seat is None:
            return name, None, self._absent.get(name, "no such plugin is installed")
        try:
            return name, await seat.answer(_asked(call, about)), ""
        except NotKnown as why:
            _log.warning("plugin.not_known", plugin=name, why=str(why), cause=repr(why.__cause__)[:300])
            return name, None, f"plugin `{name}`: {why}"


def _asked(call: ProposedCall, about: About) -> Asked:
    return Asked(
        tenant=call.subject.tenant,
        agent=about.agent,
        user=about.user,
        action=call.action,
        resource_type=call.resource.type,
        resource=call.resource.id,
        purpose=about.purpose,
        arguments=copy.deepcopy(call.arguments),
        at=call.at,
    )


def _work(jobs: "SimpleQueue[_Job]", free: Callable[[], None]) -> None:
    """One thread: a job after the other, for as long as the process lives."""
    while True:
        job, waiting, loop = jobs.get()
        said: Json = None
        fault: Exception | None = None
        try:
            said = job()
        except Exception as broken:  # noqa: BLE001 — told to whoever waits
            fault = broken
        except BaseException as ended:  # noqa: BLE001 — `sys.exit` in a plugin ends its answer, not the thread
            fault = NotKnown(f"it failed with {type(ended).__name__}")
        if loop.is_closed():
            return
        loop.call_soon_threadsafe(_told, waiting, said, fault, free)


def _told(
    waiting: "asyncio.Future[Json]", said: Json, fault: Exception | None, free: Callable[[], None]
) -> None:
    free()
    if waiting.done():
        return
    if fault is None:
        waiting.set_result(said)
    else:
        waiting.set_exception(fault)
        waiting.exception()  # it may be that nobody waits any more
