"""Fixtures: an authorization server with people, agents and a task, on SQLite or on each engine."""

import pytest
import pytest_asyncio

from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.engine import OpenStore
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.oauth import World


@pytest.fixture
def sqlite_uow(sqlite_store: OpenStore) -> SqlUnitOfWork:
    return SqlUnitOfWork(sqlite_store, tenant=DEFAULT_TENANT)


@pytest_asyncio.fixture
async def world(sqlite_uow: SqlUnitOfWork) -> World:
    """On SQLite: for what no engine could change."""
    return await World(sqlite_uow).populate()


@pytest_asyncio.fixture
async def each_world(uow: SqlUnitOfWork) -> World:
    """On each engine in turn: for what a transaction promises."""
    return await World(uow).populate()
