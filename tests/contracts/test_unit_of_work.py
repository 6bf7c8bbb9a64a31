"""Atomicity, isolation of works in one batch, order: the same on every engine."""

import asyncio
import os
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import insert, select

from remit.kernel.errors import Conflict
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.engine import open_store
from remit.platform.storage.errors import AlreadyExists
from remit.platform.storage.tables import core
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork

ADD = insert(core.setting)
NAMES = select(core.setting.c.name).order_by(core.setting.c.name)
CHANGES = select(core.change.c.revision, core.change.c.kind, core.change.c.ident).order_by(
    core.change.c.revision
)


def add(tx: SqlTransaction, name: str) -> int:
    return tx.sql.run(ADD, {"tenant": tx.tenant, "name": name, "body": "{}"})


async def names(uow: SqlUnitOfWork) -> list[str]:
    return await uow.read(lambda tx: [row[0] for row in tx.sql.rows(NAMES)])


async def test_a_commit_is_visible_and_returns_its_value(uow: SqlUnitOfWork) -> None:
    assert await uow.commit(lambda tx: add(tx, "a")) == 1
    assert await names(uow) == ["a"]


async def test_a_work_that_raises_leaves_nothing(uow: SqlUnitOfWork) -> None:
    def work(tx: SqlTransaction) -> None:
        add(tx, "a")
        tx.touch("thing", "a")
        raise Conflict("no")

    with pytest.raises(Conflict):
        await uow.commit(work)
    assert await names(uow) == []
    assert await uow.read(lambda tx: tx.sql.rows(CHANGES)) == []


async def test_one_failing_work_does_not_touch_its_neighbours(uow: SqlUnitOfWork) -> None:
    def failing(tx: SqlTransaction) -> int:
        return add(tx, "bad") + add(tx, "bad")

    works = [uow.commit(partial(add, name=f"n{n}")) for n in range(5)]
    works.insert(2, uow.commit(failing))
    results = await asyncio.gather(*works, return_exceptions=True)
    assert [type(r) for r in results].count(AlreadyExists) == 1
    assert await names(uow) == [f"n{n}" for n in range(5)]


async def test_an_epoch_grows_and_is_seen(uow: SqlUnitOfWork) -> None:
    assert await uow.commit(lambda tx: (tx.epoch(), tx.advance_epoch("kill"), tx.epoch())) == (0, 1, 1)
    assert await uow.read(lambda tx: tx.epoch()) == 1


async def test_a_closed_file_stands_alone(sqlite_url: str, tmp_path: Path) -> None:
    """What was committed is in the one file: nothing beside it is needed to copy it."""
    store = await open_store(sqlite_url)
    uow = SqlUnitOfWork(store, tenant=DEFAULT_TENANT)
    await uow.commit(lambda tx: tx.settings_store.put("name", "body"))
    assert await uow.read(lambda tx: tx.settings_store.get("name")) == "body"
    await store.close()
    assert not [name for name in os.listdir(tmp_path) if name.endswith(("-wal", "-shm"))]  # noqa: PTH208  # a folder in memory
