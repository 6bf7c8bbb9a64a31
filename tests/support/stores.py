"""Stores for tests: real databases, one fresh per test."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.engine import OpenStore, open_store
from remit.platform.storage.migrate import migrate_sqlite
from remit.platform.storage.unit_of_work import SqlUnitOfWork


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty database file, to copy."""
    path = tmp_path_factory.mktemp("template") / "template.db"
    migrate_sqlite(path)
    return path


@pytest_asyncio.fixture
async def sqlite_store(sqlite_template: Path, tmp_path: Path) -> AsyncIterator[OpenStore]:
    path = tmp_path / "remit.db"
    shutil.copyfile(sqlite_template, path)
    store = await open_store(f"sqlite:///{path}")
    yield store
    await store.close()


@pytest_asyncio.fixture
async def store(sqlite_store: OpenStore) -> OpenStore:
    """Becomes every engine in turn."""
    return sqlite_store


@pytest.fixture
def uow(store: OpenStore) -> SqlUnitOfWork:
    """The unit of work of the default tenant."""
    return SqlUnitOfWork(store, tenant=DEFAULT_TENANT)
