"""A process that commits numbered pairs of rows and says each number once it was told that they are durable.

python writer_process.py URL COUNT [--callers N] [--checkpoint PAGES] [--unsafe-normal] [--stop-inside N]
python writer_process.py --fork    then such arguments, a line each
Prints `n` for each acknowledged pair, `refused n code` for each that was not, `fenced` when the node stops.
"""

import argparse
import asyncio
import os
import signal
import sqlite3
import sys
import threading

from sqlalchemy import insert

from remit.kernel.errors import RemitError
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.kernel.uow import Lane
from remit.platform.storage.engine import open_store
from remit.platform.storage.errors import StorageFenced
from remit.platform.storage.tables import core
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork

ADD = insert(core.setting)


def say(line: str) -> None:
    """One write for a line: it is out before anything else happens."""
    os.write(1, line.encode() + b"\n")


def write_pair(tx: SqlTransaction, number: int, *, stop: bool) -> None:
    """Two rows and a change, which must survive together."""
    for half in ("left", "right"):
        tx.sql.run(ADD, {"tenant": tx.tenant, "name": f"{half}{number}", "body": "x" * 200})
    tx.touch("pair", str(number))
    if stop:
        say("inside")
        # To this thread, which takes it before it goes on; sent to the process, another thread might first.
        signal.pthread_kill(threading.get_ident(), signal.SIGSTOP)


class Fence:
    """Says once that the node has stopped; whoever was refused for it waits until that was said."""

    def __init__(self) -> None:
        self._said = threading.Event()

    def fell(self, error: RemitError) -> None:
        say("fenced")
        self._said.set()

    def wait_to_be_said(self) -> None:
        self._said.wait(10)


async def commit_all(uow: SqlUnitOfWork, numbers: list[int], stop_inside: int) -> bool:
    """Whether the node stopped meanwhile."""
    stopped = False
    while numbers:
        number = numbers.pop(0)
        lane = Lane.KILL if number % 10 == 9 else Lane.NORMAL
        try:
            await uow.commit(lambda tx, n=number: write_pair(tx, n, stop=n == stop_inside), lane=lane)  # type: ignore[misc]  # bound now
            say(str(number))
        except RemitError as refused:
            say(f"refused {number} {refused.code}")
            stopped = stopped or isinstance(refused, StorageFenced)
    return stopped


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser()
    found.add_argument("url")
    found.add_argument("count", type=int)
    found.add_argument("--callers", type=int, default=4)
    found.add_argument("--checkpoint", type=int, default=0)
    found.add_argument("--unsafe-normal", action="store_true")
    found.add_argument("--stop-inside", type=int, default=-1)
    return found


async def run(options: argparse.Namespace) -> None:
    fence = Fence()
    store = await open_store(options.url, on_fence=fence.fell)
    connection = getattr(store, "_connection", None)
    if isinstance(connection, sqlite3.Connection):
        if options.checkpoint:
            connection.execute(f"PRAGMA wal_autocheckpoint={options.checkpoint}")
        if options.unsafe_normal:  # the planted bug: acknowledged commits that were not synced
            connection.execute("PRAGMA synchronous=NORMAL")
    say("ready")
    uow = SqlUnitOfWork(store, tenant=DEFAULT_TENANT)
    numbers = list(range(options.count))
    callers = (commit_all(uow, numbers, options.stop_inside) for _ in range(options.callers))
    if any(await asyncio.gather(*callers)):
        fence.wait_to_be_said()
    say("done")
    os._exit(0)  # no tidy end: what was said must not need one


def fork_for_each_line() -> None:
    """Import once, then be a stopped child per line of input, so that a tracer can be attached to it."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            say(f"pid {os.getpid()}")
            os.kill(os.getpid(), signal.SIGSTOP)
            asyncio.run(run(parser().parse_args(line.split())))
        os.waitpid(child, 0)
        say("ended")


if __name__ == "__main__":
    if sys.argv[1:] == ["--fork"]:
        fork_for_each_line()
    else:
        asyncio.run(run(parser().parse_args()))
