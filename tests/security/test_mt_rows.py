"""PostgreSQL itself keeps tenants apart: a statement that forgets the tenant finds no foreign row."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from sqlalchemy import bindparam, delete, func, select, update

from remit.app.bootstrap import SYSTEM, open_kek, prepare_directory
from remit.app.ground import open_ground
from remit.app.services import build
from remit.identity.tenants import TenantState
from remit.kernel.errors import Unavailable
from remit.kernel.ids import TenantId, system_entropy
from remit.kernel.sealing import Kek
from remit.kernel.secret import Secret
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.kernel.uow import Lane
from remit.platform.settings.load import load
from remit.platform.storage.engine import OpenStore, open_store
from remit.platform.storage.errors import UnfitDatabase
from remit.platform.storage.postgres import PostgresStore
from remit.platform.storage.postgres_connection import show_tenant
from remit.platform.storage.rekey import reseal_all
from remit.platform.storage.tables import core
from remit.platform.storage.tables.schema import metadata
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork
from support.ports import free_port
from support.stores import at_database, journals

ACME, GLOBEX = TenantId("acme"), TenantId("globex")
BOTH = (ACME, GLOBEX)
TENANTED = [table for table in metadata.sorted_tables if "tenant" in table.c]
# What a bug would write: whose rows they are was forgotten.
FORGETFUL_READ = select(core.setting.c.tenant, core.setting.c.body).order_by(core.setting.c.body)
FORGETFUL_WRITE = update(core.setting).values(body=bindparam("new_body"))
FORGETFUL_DELETE = delete(core.setting)
FORGETFUL_COUNT = select(func.count()).select_from(core.change)


def fill(tx: SqlTransaction, body: str) -> None:
    tx.settings_store.put("name", body)
    tx.touch("thing", body)


def forgetful(tx: SqlTransaction) -> list[tuple[str, str]]:
    return [(row[0], row[1]) for row in tx.sql.rows(FORGETFUL_READ)]


@pytest_asyncio.fixture
async def raw(postgres_url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(postgres_url)
    yield connection
    await connection.close()


@pytest_asyncio.fixture
async def works(postgres_store: OpenStore) -> dict[TenantId, SqlUnitOfWork]:
    """Two tenants that have a row each, and a change."""
    works = {name: SqlUnitOfWork(postgres_store, tenant=name) for name in BOTH}
    for name, work in works.items():
        await work.commit(partial(fill, body=f"{name}'s"))
    return works


async def seen(raw: "asyncpg.Connection[asyncpg.Record]") -> set[str]:
    """Whose settings and changes a connection sees."""
    rows = await raw.fetch("SELECT tenant FROM setting UNION SELECT tenant FROM change")
    return {row[0] for row in rows}


@pytest.mark.attack("MT-05")
@pytest.mark.usefixtures("works")
async def test_who_names_no_tenant_sees_no_row_of_any(raw: "asyncpg.Connection[asyncpg.Record]") -> None:
    assert await seen(raw) == set()
    await raw.execute("SET row_security = off")  # as `pg_dump` says
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await raw.fetch("SELECT * FROM setting")
    await raw.execute("RESET row_security")
    for table in TENANTED:
        count, remove = (select(func.count()).select_from(table), delete(table))
        assert await raw.fetchval(str(count)) == 0, table.name
        assert await raw.execute(str(remove)) == "DELETE 0", table.name
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await raw.execute("INSERT INTO setting (tenant, name, body) VALUES ('acme', 'x', 'y')")


@pytest.mark.attack("MT-05")
@pytest.mark.usefixtures("works")
async def test_what_a_transaction_named_is_gone_with_it(raw: "asyncpg.Connection[asyncpg.Record]") -> None:
    """As on a connection that goes back to others, after a commit and after a failure."""
    for ending in ("COMMIT", "ROLLBACK"):
        await raw.execute(f"BEGIN; {show_tenant(ACME)}")
        assert await seen(raw) == {ACME}
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await raw.execute("INSERT INTO setting (tenant, name, body) VALUES ('globex', 'x', 'y')")
        await raw.execute(ending)
        assert await seen(raw) == set()


@pytest.mark.attack("MT-05")
@pytest.mark.parametrize("lane", [*Lane])
async def test_a_statement_that_forgets_the_tenant_finds_its_own(
    works: dict[TenantId, SqlUnitOfWork], lane: Lane
) -> None:
    for name, work in works.items():
        assert await work.read(forgetful) == [(name, f"{name}'s")]
        assert await work.commit(forgetful, lane=lane) == [(name, f"{name}'s")]
        assert await work.read(lambda tx: tx.sql.row(FORGETFUL_COUNT)) == (1,)
    await works[ACME].commit(lambda tx: tx.sql.run(FORGETFUL_WRITE, {"new_body": "written"}), lane=lane)
    assert await works[GLOBEX].read(forgetful) == [(GLOBEX, "globex's")]
    assert await works[ACME].commit(lambda tx: tx.sql.run(FORGETFUL_DELETE), lane=lane) == 1
    assert await works[GLOBEX].read(forgetful) == [(GLOBEX, "globex's")]


@pytest.mark.attack("MT-05")
async def test_works_of_two_tenants_in_one_commit_see_their_own_and_write_their_own(
    works: dict[TenantId, SqlUnitOfWork], postgres_store: OpenStore
) -> None:
    """Also beside works that fail, and rows that wait for the end of their batch."""

    def both_ways(tx: SqlTransaction, number: int) -> list[tuple[str, str]]:
        tx.sql.later(core.setting.insert(), {"tenant": tx.tenant, "name": f"n{number}", "body": "later"})
        found = forgetful(tx)
        if number % 5 == 0:
            raise Unavailable("no")
        return found

    before = postgres_store.commits
    asked = [(BOTH[number % 2], number) for number in range(40)]
    found = await asyncio.gather(
        *(works[name].commit(partial(both_ways, number=number)) for name, number in asked),
        *(works[name].read(forgetful) for name, _ in asked),
        return_exceptions=True,
    )
    assert sum(isinstance(rows, Unavailable) for rows in found) == 8
    for (name, _), rows in zip(asked * 2, found, strict=True):
        assert isinstance(rows, BaseException) or {row[0] for row in rows} == {name}
    assert postgres_store.commits - before < len(asked), "they did share commits"
    for name in BOTH:
        assert len(await works[name].read(forgetful)) == 1 + 16


@pytest.mark.attack("MT-05")
async def test_a_connection_that_was_read_on_shows_nothing_to_the_next(
    works: dict[TenantId, SqlUnitOfWork], postgres_store: OpenStore
) -> None:
    def broken(tx: SqlTransaction) -> None:
        forgetful(tx)
        raise ZeroDivisionError

    assert isinstance(postgres_store, PostgresStore)
    with pytest.raises(ZeroDivisionError):
        await works[ACME].read(broken)
    await works[ACME].read(forgetful)
    await works[ACME].read(lambda _: None)  # asks for nothing
    connections = [postgres_store._free.get_nowait() for _ in range(postgres_store._free.qsize())]
    for connection in connections:
        assert connection is None or await seen(connection) == set()
        postgres_store._free.put_nowait(connection)


@pytest.mark.twin("MT-05")
async def test_without_the_policies_a_forgotten_tenant_is_everybody(
    works: dict[TenantId, SqlUnitOfWork], raw: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    await raw.execute("ALTER TABLE setting DISABLE ROW LEVEL SECURITY")
    rows = await works[ACME].read(forgetful)
    assert rows == [(ACME, "acme's"), (GLOBEX, "globex's")]


@pytest.mark.attack("MT-05")
async def test_a_database_that_keeps_nobody_apart_is_refused(
    postgres_url: str, postgres_server: str, raw: "asyncpg.Connection[asyncpg.Record]"
) -> None:
    name = postgres_url.split("?", maxsplit=1)[0].rsplit("/", 1)[-1]
    superuser = postgres_server.replace("/postgres?", f"/{name}?", 1)
    with pytest.raises(UnfitDatabase, match="superuser or has BYPASSRLS"):
        await open_store(superuser)
    await raw.execute("ALTER TABLE setting NO FORCE ROW LEVEL SECURITY")
    with pytest.raises(UnfitDatabase, match="`setting`"):
        await open_store(postgres_url)


async def test_a_superuser_leaves_nothing_in_a_database_that_it_may_not_serve(postgres_server: str) -> None:
    name = f"bare_{secrets.token_hex(8)}"
    connection = await asyncpg.connect(postgres_server)
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    url = postgres_server.replace("/postgres?", f"/{name}?", 1)
    with pytest.raises(UnfitDatabase):
        await open_store(url)
    connection = await asyncpg.connect(at_database(postgres_server, name))
    assert await connection.fetchval("SELECT to_regclass('setting')") is None
    await connection.close()


async def test_what_one_tenant_forgets_nobody_takes_for_nothing(works: dict[TenantId, SqlUnitOfWork]) -> None:
    """Numbers are everybody's, rows each tenant's own: none goes by the rows that it happens to see."""
    for number in range(4):
        await works[ACME].commit(partial(fill, body=str(number)))
    assert await works[ACME].commit(lambda tx: tx.changes.forget(keep=1)) == 4
    assert await works[GLOBEX].read(lambda tx: tx.sql.row(FORGETFUL_COUNT)) == (1,)
    with pytest.raises(Unavailable):
        await works[GLOBEX].read(lambda tx: tx.changes.since(2))
    assert (await works[GLOBEX].read(lambda tx: tx.changes.since(5))).things == ()


async def test_a_tenant_lives_and_ends_with_its_rows_apart(tmp_path: Path, postgres_url: str) -> None:
    """The register, both logs of what operators do, the change of the key over all seals, retirement."""
    flags = {"data": str(tmp_path / "data"), "http.port": free_port(), "store.url": postgres_url}
    settings = load(file=None, environ={}, flags=flags)
    prepare_directory(settings)
    (settings.directory / "kek").write_bytes(secrets.token_bytes(32).hex().encode())
    (settings.directory / "kek").chmod(0o600)
    services = build(await open_ground(settings, kek=open_kek(settings, entropy=secrets.token_bytes)))
    tenancy, ground = services.tenancy, services.ground
    assert tenancy is not None
    try:
        for name in BOTH:
            await tenancy.service.create(name, by=SYSTEM, at=ground.clock.now())
        await tenancy.open.settle()
        assert [each.name for each in await tenancy.service.all()] == [*BOTH]
        acme = tenancy.open.get(ACME)
        assert acme is not None
        work = SqlUnitOfWork(ground.store, tenant=ACME)
        known = await work.read(lambda tx: [each.name for each in tx.tenants.all()])
        assert known == [ACME], "the register is the installation's"
        keys = 0
        for tenant in (DEFAULT_TENANT, *BOTH):
            own = SqlUnitOfWork(ground.store, tenant=tenant)
            keys += len(await own.read(lambda tx: tx.sql.rows(select(core.signing_key.c.kid))))
        new = Kek.of(Secret(secrets.token_bytes(32)))
        done = await ground.work.commit(
            lambda tx: reseal_all(tx.sql, old=ground.kek, new=new, entropy=system_entropy), lane=Lane.KILL
        )
        assert done.keys == keys
        assert keys >= 3 * 3
        ended = await tenancy.service.retire(ACME, by=SYSTEM, because="ended", at=ground.clock.now())
        assert ended.state is TenantState.RETIRED
        left = await work.read(lambda tx: tx.sql.rows(select(core.signing_key.c.sealed).distinct()))
        assert left == [(b"",)]
        home = await ground.work.read(
            lambda tx: sum(tx.ledger.head(each).size for each in tx.ledger.shards())
        )
        theirs = await work.read(lambda tx: sum(tx.ledger.head(each).size for each in tx.ledger.shards()))
        assert home >= 3
        assert theirs >= 2
    finally:
        await services.close()


async def test_a_work_that_fails_beside_another_tenants_log_takes_its_view_back(
    postgres_url: str,
) -> None:
    """The operator's record went to the installation's log in the savepoint that is undone."""
    store = await open_store(postgres_url, journals=journals)
    work = SqlUnitOfWork(store, tenant=ACME)
    await work.commit(partial(fill, body="acme's"))

    def failing(tx: SqlTransaction) -> None:
        tx.home_ledger.open()
        forgetful(tx)
        raise Unavailable("no")

    for lane in Lane:
        answers = await asyncio.gather(
            work.commit(failing, lane=lane),
            work.commit(forgetful, lane=lane),
            work.commit(failing, lane=lane),
            SqlUnitOfWork(store, tenant=GLOBEX).commit(forgetful, lane=lane),
            return_exceptions=True,
        )
        assert [*map(repr, answers[1::2])] == ["[('acme', \"acme's\")]", "[]"]
    await store.close()
