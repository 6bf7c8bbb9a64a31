"""An installation in a process of its own, which kills itself where it is told to.

Reads a line per run and forks: `serve FOLDER PORT POINT [LOST]` serves until it is killed;
`kill FOLDER PORT AGENT BY` and `answer FOLDER PORT APPROVAL BY` do that one thing. POINT is `never`, or
`before:send` (spent, and not a byte sent), or `before` or `after`, a colon, and the name of the unit of work
at whose commit the process ends as if by kill -9. LOST names a unit of work that is not committed although
its caller hears that it was: the planted bug. Says `ready`, then what was done.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

from remit.app.ground import Ground
from remit.app.services import Services, build
from remit.kernel.ids import ApprovalId, PrincipalId
from remit.kernel.jose.keys import KeyClass
from remit.kernel.uow import Lane
from remit.oversight.approvals.answers import issue_link, read_link
from remit.oversight.approvals.approval import Answer
from remit.oversight.containment.kill import Target, TargetKind
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.composed import composed


def say(line: str) -> None:
    os.write(1, line.encode() + b"\n")


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Mortal(SqlUnitOfWork):
    """Commits until the named unit of work comes along."""

    def __init__(self, inner: SqlUnitOfWork, point: str, lost: str) -> None:
        self._inner = inner
        self._lost = lost
        self._when, _, self._name = point.partition(":")

    async def commit(self, work: Any, *, lane: Lane = Lane.NORMAL) -> Any:
        if self._lost and work.__qualname__.startswith(self._lost):
            return await self._pretend(work, lane)
        meant = bool(self._name) and work.__qualname__.startswith(self._name)
        if meant and self._when == "before":
            die()
        done = await self._inner.commit(work, lane=lane)
        if meant and self._when == "after":
            die()
        return done

    async def _pretend(self, work: Any, lane: Lane) -> Any:
        def undone(tx: Any) -> None:
            raise _UndoneError(work(tx))

        try:
            await self._inner.commit(undone, lane=lane)
        except _UndoneError as done:
            return done.result

    async def read(self, work: Any) -> Any:
        return await self._inner.read(work)


class _UndoneError(Exception):
    def __init__(self, result: Any) -> None:
        super().__init__()
        self.result = result


class Unsent:
    """A server that is never reached: whoever would send a call to it dies."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def exchange(self, request: Any, **how: Any) -> Any:
        if request.method == "tools/call":
            die()
        return await self._inner.exchange(request, **how)


def mortal(point: str, lost: str) -> Any:
    def make(ground: Ground) -> Services:
        work = Mortal(ground.work, point, lost)
        services = build(replace(ground, work=work))
        if point == "before:send":
            pool: Any = services.upstreams
            of = pool.of
            pool.of = lambda server: Unsent(of(server))
        return services

    return make


async def serve(folder: str, port: str, point: str, lost: str = "") -> None:
    async with composed(Path(folder), port=int(port), make=mortal(point, lost)):
        say("ready")
        await asyncio.Event().wait()


async def kill(folder: str, port: str, agent: str, by: str) -> None:
    async with composed(Path(folder), port=int(port)) as house:
        tenant = house.services.ground.tenant
        pause()
        done = await house.services.containment.kill(
            Target(kind=TargetKind.AGENT, ident=agent, name=""),
            tenant=tenant,
            by=PrincipalId(by),
            reason="test",
        )
        say(f"done {done.id}")


async def answer(folder: str, port: str, approval: str, by: str) -> None:
    async with composed(Path(folder), port=int(port)) as house:
        ground = house.services.ground
        found = await house.services.approvals.get(ApprovalId(approval))
        signer = ground.keys.signer(KeyClass.APPROVAL_LINK)
        link = issue_link(
            found,
            to=PrincipalId(by),
            signer=signer,
            issuer=ground.issuer,
            at=house.now(),
            entropy=ground.entropy,
        )
        proof = read_link(link, keys=ground.keys, issuer=ground.issuer, at=house.now())
        pause()
        settled = await house.services.approvals.answer(found.id, answer=Answer.APPROVE, proof=proof)
        say(f"done {settled.state}")


def pause() -> None:
    """Stop here, so that a tracer can be put on what follows and on nothing before."""
    say("ready")
    os.kill(os.getpid(), signal.SIGSTOP)


MODES: dict[str, Callable[..., Coroutine[Any, Any, None]]] = {"serve": serve, "kill": kill, "answer": answer}


def fork_for_each_line() -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            say(f"pid {os.getpid()}")
            mode, *arguments = line.split()
            asyncio.run(MODES[mode](*arguments))
            os._exit(0)
        os.waitpid(child, 0)
        say("ended")


if __name__ == "__main__":
    fork_for_each_line()
