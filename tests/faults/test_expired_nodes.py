"""Several writers on one PostgreSQL: what a dead one had begun is unknown at once, and no log is left out."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType

import pytest
import pytest_asyncio

from remit.app.bootstrap import SYSTEM, open_kek, prepare_directory
from remit.app.ground import open_ground
from remit.app.jobs import jobs
from remit.app.services import Services, build
from remit.authority.capability import CapabilityState
from remit.identity.principals import Kind
from remit.identity.registration import Registration
from remit.kernel.ids import CallId, PrincipalId
from remit.kernel.uow import Lane
from remit.ledger.encoding import decode_record
from remit.ledger.export import pack_archive, split_logs, unpack_archive
from remit.ledger.verify import Report, verify_files
from remit.platform.settings.load import load
from remit.platform.storage.jobs import JobRunner
from remit.platform.storage.unit_of_work import SqlTransaction
from remit.surface.web.nouns_assembly import nouns
from remit.surface.web.operation import Blob, Inbound, Nothing
from support.capabilities import minted
from support.ports import free_port
from support.surface import caller


@asynccontextmanager
async def opened(folder: Path, url: str) -> AsyncIterator[Services]:
    flags = {"data": str(folder / "data"), "http.port": free_port(), "store.url": url}
    settings = load(file=None, environ={}, flags=flags)
    prepare_directory(settings)
    (settings.directory / "kek").write_bytes(secrets.token_bytes(32).hex().encode())
    (settings.directory / "kek").chmod(0o600)
    ground = await open_ground(settings, kek=open_kek(settings, entropy=secrets.token_bytes))
    services = build(ground)
    try:
        for lane in Lane:
            await ground.work.commit(lambda tx: tx.ledger.open(), lane=lane)
        yield services
    finally:
        await services.close()


@pytest_asyncio.fixture
async def services(tmp_path: Path, postgres_url: str) -> AsyncIterator[Services]:
    async with opened(tmp_path, postgres_url) as found:
        yield found


@pytest.mark.fault("F21", "F25")
async def test_calls_of_a_node_that_died_are_unknown_as_soon_as_it_is_declared_dead(
    services: Services,
) -> None:
    ground = services.ground
    at = ground.clock.now()
    dead, living = minted(at=at).capability, minted(at=at - timedelta(seconds=1)).capability

    def begin(tx: SqlTransaction) -> None:
        tx.nodes.register("nod_gone", at=at - timedelta(hours=1))
        for capability, node in ((dead, "nod_gone"), (living, ground.store.node)):
            call = CallId(f"cal_{node}")
            tx.capabilities.insert_consumed(capability, call=call, at=at - timedelta(hours=1), node=node)

    def failed(name: str, error: Exception) -> None:
        raise error

    await ground.work.commit(begin)
    every = jobs(services)
    runner = JobRunner(ground.work, every, holder=ground.store.node, clock=ground.clock, on_failure=failed)
    assert await runner.run_once(next(job for job in every if job.name == "nodes.expire"))
    state = await ground.work.read(lambda tx: [tx.capabilities.state_of(each.id) for each in (dead, living)])
    assert state == [CapabilityState.UNKNOWN, CapabilityState.CONSUMED]
    log = await ground.work.read(
        lambda tx: [decode_record(e) for e in tx.ledger.entries(0, tx.ledger.head("main").size, "main")]
    )
    assert [each.capability for each in log if each.capability] == [dead.id]


async def exported(services: Services) -> dict[str, bytes]:
    routes = nouns(services).ledger
    inbound = Inbound(
        caller=caller(),
        body=Nothing(),
        query=Nothing(),
        path=MappingProxyType({}),
        at=services.ground.clock.now(),
    )
    blob = await routes._export(inbound)
    assert isinstance(blob, Blob)
    return unpack_archive(blob.body)


async def suspend_somebody(services: Services, name: str) -> None:
    """Shrinks authority: on PostgreSQL the kill lane's own writer puts it on record."""
    at = services.ground.clock.now()
    stated = Registration(kind=Kind.HUMAN, name=name, email=name)
    entry = await services.identity.register(stated, by=SYSTEM, at=at)
    await services.identity.activate(entry.id, by=SYSTEM, at=at)
    await services.identity.suspend(PrincipalId(entry.id), by=SYSTEM, because="left", at=at)


def judged(services: Services, files: dict[str, bytes], *held: bytes) -> Report:
    return verify_files(files, trusted=services.log.known_keys(), held=held)


@pytest.mark.attack("AU-01")
@pytest.mark.req("N41")
async def test_an_export_holds_every_log_and_a_missing_one_is_missed(services: Services) -> None:
    await suspend_somebody(services, "user@company.com")
    files = await exported(services)
    assert set(split_logs(files)) == {"", "kill"}
    assert split_logs(unpack_archive(pack_archive(files))) == split_logs(files)
    report = judged(services, files)
    assert report.sound, report.findings
    sizes = await services.ground.work.read(
        lambda tx: {shard: tx.ledger.head(shard).size for shard in tx.ledger.shards()}
    )
    assert report.records == sum(sizes.values())
    assert sizes["kill"] > 0
    note = files["kill/checkpoint"]
    assert judged(services, files, note).sound
    without = {name: data for name, data in files.items() if not name.startswith("kill/")}
    assert [each.code for each in judged(services, without, note).findings] == ["other_log"]
    moved = {name.replace("kill/", "main/"): data for name, data in files.items()}
    assert "manifest_contradicts" in {each.code for each in judged(services, moved).findings}


@pytest.mark.attack("AU-02", "AU-03")
async def test_damage_in_any_log_is_found_and_the_log_is_named(services: Services) -> None:
    await suspend_somebody(services, "user@company.com")
    files = await exported(services)
    entries = files["kill/entries.jsonl"].splitlines(keepends=True)
    changed = {**files, "kill/entries.jsonl": b"".join(entries).replace(b"suspended", b"activated", 1)}
    cut = {**files, "kill/entries.jsonl": b"".join(entries[:-1])}
    for broken, code in ((changed, "changed"), (cut, "truncated")):
        report = judged(services, broken)
        assert not report.sound
        found = [each for each in report.findings if each.code == code]
        assert found
        assert {each.log for each in report.findings} == {"kill"}
