"""F32, P13: ten million marks of what was done before; a look at one costs what it costs among a thousand.

In CI it is counted in steps of the database's machine, among a hundred thousand; `REMIT_LONG=1` takes all ten
million and times them too.
"""

import os
import sqlite3
import time
from collections.abc import Iterable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from remit.decision.history.past import Footprint, Question
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.engine import open_store
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork
from support.clock import NOON
from support.stores import journals

LONG = os.environ.get("REMIT_LONG") == "1"
FEW, MANY = 1_000, 10_000_000 if LONG else 100_000
LOOKS = 500
OURS = "agent:agt_ours/1"
QUESTION = Question(mark="outside", holder=OURS, since=NOON - timedelta(days=1))
INSERT = "INSERT INTO history VALUES ('default', ?, ?, '', ?, 1, ?, ?)"


def generate(path: Path, first: int, count: int) -> None:
    """Marks of other agents: many holders, few names."""
    until = 4_102_444_800_000_000

    def rows() -> Iterable[tuple[str, str, int, int, int]]:
        for number in range(first, first + count):
            at = 1_750_000_000_000_000 + number
            yield (
                ("outside" if number % 3 else "classified"),
                f"agent:agt_{number}/{number % 97}",
                0,
                at,
                until,
            )

    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("PRAGMA synchronous=OFF")
        raw.execute("BEGIN")
        raw.executemany(INSERT, rows())
        raw.execute("COMMIT")


def steps(tx: SqlTransaction, statement: str = "") -> int:
    """Steps of one look: ours, or one that searches."""
    taken = 0

    def step() -> int:
        nonlocal taken
        taken += 1
        return 0

    connection = tx.sql._connection  # type: ignore[attr-defined]  # SQLite's
    connection.set_progress_handler(step, 1)
    try:
        if statement:
            tx.sql.rows(text(statement))
        else:
            assert tx.history.look(QUESTION).times == 1
    finally:
        connection.set_progress_handler(None, 1)
    return taken


SEARCH = "SELECT count(*) FROM history WHERE tenant = 'default' AND holder = 'agent:agt_ours/1'"
"""What a look would be without the mark's name first: every holder of every mark."""


def slowest(tx: SqlTransaction) -> float:
    took = []
    for _ in range(LOOKS):
        began = time.perf_counter()
        tx.history.look(QUESTION)
        took.append(time.perf_counter() - began)
    return sorted(took)[int(LOOKS * 0.99)]


@pytest.mark.fault("F32")
@pytest.mark.promise("P13")
@pytest.mark.timeout(1800)
async def test_a_look_at_the_past_costs_the_same_however_long_it_is(sqlite_url: str) -> None:
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    mark = Footprint(mark="outside", holder=OURS, value="", bucket=0, at=NOON, until=None)
    figures = {}
    for first, count in ((0, FEW), (FEW, MANY - FEW)):
        generate(path, first, count)
        store = await open_store(sqlite_url, journals=journals)
        work = SqlUnitOfWork(store, tenant=DEFAULT_TENANT)
        if not first:
            await work.commit(lambda tx: tx.history.leave(mark))
        ours, search = await work.read(steps), await work.read(lambda tx: steps(tx, SEARCH))
        figures[count + first] = (ours, search, await work.read(slowest))
        await store.close()
    few, many = figures.values()
    print(f"steps of a look, steps of a search, p99 of a look in seconds: {figures}")
    assert many[0] <= few[0] + 4
    assert many[1] > 20 * few[1]
    if LONG:
        assert many[2] < 2 * few[2] + 0.001
