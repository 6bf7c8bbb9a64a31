"""AU-07, F11 in the running product: yesterday's database is not served, whoever put it there."""

import asyncio
import os
import secrets
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from remit.app.bootstrap import SYSTEM, open_kek, prepare_directory
from remit.app.ground import open_ground
from remit.app.jobs import jobs
from remit.app.services import Services, build
from remit.identity.principals import Kind
from remit.identity.registration import Registration
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.kernel.uow import Lane
from remit.ledger.repository import LedgerFenced
from remit.platform.settings.load import load
from remit.platform.settings.model import Settings
from remit.platform.storage.jobs import JobRunner
from support.ports import free_port


def settings_for(folder: Path, url: str = "") -> Settings:
    flags = {"data": str(folder / "data"), "http.port": free_port(), "store.url": url or None}
    return load(file=None, environ={}, flags=flags)


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Services]:
    """The services of one start, as `running` opens them, without its doors and jobs."""
    prepare_directory(settings)
    ground = await open_ground(settings, kek=open_kek(settings, entropy=secrets.token_bytes))
    services = build(ground)
    try:
        for lane in Lane:
            await ground.work.commit(lambda tx: tx.ledger.open(), lane=lane)
        yield services
    finally:
        await services.close()


async def register(services: Services, name: str) -> None:
    stated = Registration(kind=Kind.HUMAN, name=name, email=name)
    await services.identity.register(stated, by=SYSTEM, at=services.ground.clock.now())


async def sign(services: Services) -> None:
    """Run the job that signs, as the runner does."""

    def failed(name: str, error: Exception) -> None:
        raise error

    ground = services.ground
    runner = JobRunner(
        ground.work, jobs(services), holder=ground.store.node, clock=ground.clock, on_failure=failed
    )
    (job,) = [each for each in jobs(services) if each.name == "ledger.checkpoint"]
    async with asyncio.timeout(60):
        while not await runner.run_once(job):  # noqa: ASYNC110 — due again by the time, which rings no bell
            await asyncio.sleep(0.1)
    assert not await ground.work.read(job.wanted)


async def yesterday_put_back(settings: Settings) -> None:
    """A day of work, signed; then the database file of the day before."""
    database, backup = settings.directory / "remit.db", settings.directory.parent / "yesterday.db"
    async with opened(settings) as services:
        await register(services, "user@company.com")
        await sign(services)
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(backup)) as copy:
        source.backup(copy)
    async with opened(settings) as services:
        await register(services, "lead@company.com")
        await sign(services)
    for suffix in ("", "-wal", "-shm"):
        database.with_name(f"{database.name}{suffix}").unlink(missing_ok=True)
    shutil.copyfile(backup, database)


@pytest.mark.attack("AU-07")
@pytest.mark.fault("F11")
async def test_a_restored_database_is_not_served(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    await yesterday_put_back(settings)
    with pytest.raises(LedgerFenced, match="a signed checkpoint has"):
        async with opened(settings):
            pass
    command = [sys.executable, "-m", "remit", "up", "--no-demo", "--port", str(free_port())]
    command += ["--issuer", settings.issuer_url]
    environment = {**os.environ, "REMIT_DATA": str(settings.directory)}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)  # noqa: ASYNC221 — the loop has nothing else to do
    assert ran.returncode != 0
    assert "a signed checkpoint has" in ran.stderr
    assert not (settings.directory / "server.json").exists()


@pytest.mark.twin("AU-07")
async def test_without_its_anchors_it_would_be_served(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    await yesterday_put_back(settings)
    shutil.rmtree(settings.directory / "anchors")
    async with opened(settings) as services:
        people = await services.identity.page(kind=Kind.HUMAN, limit=10)
        assert [each.name for each in people] == ["user@company.com"]


async def test_each_writers_log_is_signed_and_kept(tmp_path: Path, postgres_url: str) -> None:
    settings = settings_for(tmp_path, postgres_url)
    prepare_directory(settings)
    (settings.directory / "kek").write_bytes(secrets.token_bytes(32).hex().encode())
    (settings.directory / "kek").chmod(0o600)
    async with opened(settings) as services:
        await register(services, "user@company.com")
        (person,) = await services.identity.page(kind=Kind.HUMAN, limit=2)
        await services.identity.activate(person.id, by=SYSTEM, at=services.ground.clock.now())
        await services.identity.suspend(
            person.id, by=SYSTEM, because="left", at=services.ground.clock.now()
        )  # shrinks authority: written by the kill lane's own writer
        await sign(services)
        shards = await services.ground.work.read(lambda tx: tx.ledger.shards())
        assert set(shards) == {"kill", "main"}
        for shard in shards:
            kept = services.ground.anchors.last(DEFAULT_TENANT, shard)
            assert kept is not None
            assert kept.size > 0
