"""A disk that fails, fills up, or may not be written."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from remit.app.ground import Ground
from remit.app.services import Services, build
from remit.kernel.errors import RemitError
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.kernel.uow import Lane
from remit.oversight.containment.kill import TargetKind
from remit.platform.storage.engine import open_store
from remit.platform.storage.errors import StorageFenced, StorageFull, UnfitDatabase
from remit.platform.storage.file_lock import FileLock
from remit.platform.storage.group_commit import Unit
from remit.platform.storage.reserve import RESERVE_BYTES
from remit.platform.storage.sqlite import SqliteStore
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork
from support.absent import absent
from support.clients import Called, Refused
from support.composed import populated
from support.house import BOOKING
from support.power import Zygote, require_strace, writer
from support.survivors import assert_whole

MIB = 1 << 20


@pytest.mark.fault("F04")
@pytest.mark.promise("P3", "P5")
@pytest.mark.parametrize(
    ("call", "nth"), [("fdatasync", 6), ("fdatasync", 9), ("pwrite64", 40), ("pwrite64", 61)]
)
def test_after_one_failed_sync_nothing_is_acknowledged_any_more(
    sqlite_template: Path, tmp_path: Path, call: str, nth: int
) -> None:
    require_strace()
    path = tmp_path / "remit.db"
    shutil.copyfile(sqlite_template, path)
    zygote = Zygote()
    said = zygote.run(
        f"sqlite:///{path} 40 --checkpoint 1000",
        ["-e", f"trace={call}", "-e", f"inject={call}:error=EIO:when={nth}"],
    )
    zygote.close()
    assert said.words[:3] == ["ready", "fenced", "done"]
    assert set(said.refused.values()) == {StorageFenced.code}
    assert set(said.acknowledged).isdisjoint(said.refused)
    assert len(said.acknowledged) + len(said.refused) == 40
    assert_whole(path, said.acknowledged)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, a little larger than the reserve."""
    mount = tmp_path / "disk"
    mount.mkdir()
    size = RESERVE_BYTES + 6 * MIB
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(mount)], capture_output=True, check=False
    )
    if mounted.returncode:
        absent(f"may not mount a file system ({mounted.stderr.decode().strip()})")
    yield mount
    subprocess.run(["umount", "-l", str(mount)], check=True)


def remount(mount: Path, mode: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{mode}", str(mount)], check=True)


def put(tx: SqlTransaction, name: str, size: int = 1) -> str:
    tx.settings_store.put(name, "x" * size)
    return name


async def fill(uow: SqlUnitOfWork, *, size: int = 200_000) -> int:
    """Write until the disk refuses; returns how many writes it took."""
    for count in range(1000):
        try:
            await uow.commit(partial(put, name=f"fill{size}-{count}", size=size))
        except StorageFull:
            return count
    raise AssertionError("the disk never filled up")


@pytest.mark.fault("F05")
@pytest.mark.promise("P1", "P5")
async def test_on_a_full_disk_work_is_refused_and_a_kill_still_commits(
    sqlite_template: Path, small_disk: Path
) -> None:
    path = small_disk / "remit.db"
    shutil.copyfile(sqlite_template, path)
    store = await open_store(f"sqlite:///{path}")
    uow = SqlUnitOfWork(store, tenant=DEFAULT_TENANT)
    (small_disk / "ballast").write_bytes(b"x" * MIB)
    assert await fill(uow) > 0
    (small_disk / "other").write_bytes(b"x" * max(0, free(small_disk)))
    with pytest.raises(StorageFull):
        await uow.commit(partial(put, name="work", size=300_000))
    assert await uow.commit(partial(put, name="kill", size=300_000), lane=Lane.KILL) == "kill"
    with pytest.raises(StorageFull, match="reserve"):
        await uow.commit(partial(put, name="after"))
    assert await uow.read(lambda tx: tx.settings_store.get("kill")) == "x" * 300_000
    (small_disk / "ballast").unlink()
    store_path = small_disk / "remit.db.reserve"
    assert await eventually(uow) == "again"
    assert store_path.stat().st_size == RESERVE_BYTES
    await store.close()


@pytest.mark.fault("F05")
@pytest.mark.attack("AU-10")
@pytest.mark.promise("P1", "P4", "P5")
async def test_on_a_full_disk_no_call_leaves_the_gateway_and_a_kill_still_commits(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * MIB)
    async with populated(small_disk / "data") as house:
        started = await house.task("calendar-bot")
        bot = house["calendar-bot"]
        token = await house.exchange(bot, started.envelope)

        async def book(hour: int) -> Called:
            times = {"start": f"2026-05-15T{hour}:00Z", "end": f"2026-05-15T{hour}:30Z"}
            return await house.call(bot, token, "rooms_book", {**BOOKING, **times}, envelope=started.envelope)

        assert (await book(10)).ran
        await fill(house.work)
        (small_disk / "other").write_bytes(b"x" * max(0, free(small_disk)))
        await fill(house.work, size=1_000)  # the log's own file may hold room that a small commit fits into
        refused = [await book(hour) for hour in range(11, 14)]
        assert not any(each.ran for each in refused)
        assert all(each.code for each in refused)
        assert len(house.hits) == 1
        await house.kill(TargetKind.AGENT, "mail-bot")
        ballast.unlink()
        async with asyncio.timeout(60):
            while not (await book(15)).ran:  # noqa: ASYNC110 — the disk knows no event of ours
                await asyncio.sleep(0.2)
        with pytest.raises(Refused):
            await house.own_token(house["mail-bot"])
        permits = [each for each in await house.records("decision.action.decided") if each.capability]
        assert len(permits) == len(house.hits) == 2
        assert await house.records("oversight.kill.committed")


class Obliging(SqlUnitOfWork):
    """The planted bug: what finds no room on the disk is told to have been done."""

    def __init__(self, inner: SqlUnitOfWork) -> None:
        self._inner = inner

    async def commit(self, work: Any, *, lane: Lane = Lane.NORMAL) -> Any:
        done: list[Any] = []

        def undone(tx: SqlTransaction) -> None:
            done.append(work(tx))
            raise ZeroDivisionError

        try:
            return await self._inner.commit(work, lane=lane)
        except StorageFull:
            with contextlib.suppress(ZeroDivisionError):
                await self._inner.commit(undone, lane=Lane.KILL)
            return done[0]

    async def read(self, work: Any) -> Any:
        return await self._inner.read(work)


@pytest.mark.twin("AU-10", "F05")
async def test_a_store_that_says_done_on_a_full_disk_would_let_calls_run_unrecorded(small_disk: Path) -> None:
    def make(ground: Ground) -> Services:
        return build(replace(ground, work=Obliging(ground.work)))

    async with populated(small_disk / "data", make=make) as house:
        started = await house.task("calendar-bot")
        bot = house["calendar-bot"]
        token = await house.exchange(bot, started.envelope)
        full = house.services.ground.work
        assert isinstance(full, Obliging)
        await fill(full._inner)
        (small_disk / "other").write_bytes(b"x" * max(0, free(small_disk)))
        await fill(full._inner, size=1_000)
        assert (await house.call(bot, token, "rooms_book", BOOKING, envelope=started.envelope)).ran
        permits = [each for each in await house.records("decision.action.decided") if each.capability]
        assert len(house.hits) == 1
        assert not permits, "a call ran, and nothing says so"


def free(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


async def eventually(uow: SqlUnitOfWork) -> str:
    """Normal service returns by itself once there is space for the reserve again."""
    for _ in range(400):
        try:
            return await uow.commit(partial(put, name="again"))
        except StorageFull:
            await asyncio.sleep(0.1)
    raise AssertionError("service did not return")


class HeedlessStore(SqliteStore):
    """The planted bug: the reserve is spent on whatever comes."""

    def _run_batch(self, units: Iterable[Unit], lane: Lane) -> None:
        self._reserve.free()
        super()._run_batch(units, lane)


@pytest.mark.twin("F05")
async def test_without_the_reserve_a_kill_finds_no_space(sqlite_template: Path, small_disk: Path) -> None:
    path = small_disk / "remit.db"
    shutil.copyfile(sqlite_template, path)
    store = HeedlessStore(path, lock=FileLock.take(path))
    store.start()
    uow = SqlUnitOfWork(store, tenant=DEFAULT_TENANT)
    for count in range(200):
        try:
            await uow.commit(partial(put, name=f"fill{count}", size=200_000), lane=Lane.KILL)
        except StorageFull:
            break
    (small_disk / "other").write_bytes(b"x" * max(0, free(small_disk)))
    with pytest.raises(StorageFull):
        await uow.commit(partial(put, name="kill", size=300_000), lane=Lane.KILL)
    await store.close()


@pytest.mark.fault("F07")
async def test_a_read_only_disk_is_refused_at_start_and_taken_when_it_recovers(
    sqlite_template: Path, small_disk: Path
) -> None:
    path = small_disk / "remit.db"
    shutil.copyfile(sqlite_template, path)
    remount(small_disk, "ro")
    with pytest.raises(RemitError) as refused:
        await open_store(f"sqlite:///{path}")
    assert refused.value.code in {"storage_unfit", "storage_unreachable", "storage_read_only"}
    remount(small_disk, "rw")
    store = await open_store(f"sqlite:///{path}")
    assert await SqlUnitOfWork(store, tenant=DEFAULT_TENANT).commit(partial(put, name="a")) == "a"
    await store.close()


@pytest.mark.fault("F25", "F26")
async def test_a_second_process_is_kept_out_even_by_a_stopped_one(sqlite_url: str) -> None:
    process = writer(sqlite_url, 5, "--stop-inside", "2")
    try:
        output = process.stdout
        assert output is not None
        while (line := output.readline()) != b"inside\n":
            assert line
        with pytest.raises(UnfitDatabase, match="another process"):
            await open_store(sqlite_url)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    store = await open_store(sqlite_url)
    uow = SqlUnitOfWork(store, tenant=DEFAULT_TENANT)
    assert await uow.read(lambda tx: tx.settings_store.get("left2")) is None
    await store.close()


@pytest.mark.fault("F35")
@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///", "sqlite:///:memory:", "mysql://x/y", "", "remit.db"]
)
async def test_an_address_that_names_no_database_is_refused(url: str) -> None:
    with pytest.raises(UnfitDatabase) as refused:
        await open_store(url)
    assert refused.value.next_step


@pytest.mark.fault("F06", "F35")
async def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_bytes(b"a letter to the board, not a database" * 100)
    before = path.read_bytes()
    with pytest.raises(UnfitDatabase):
        await open_store(f"sqlite:///{path}")
    assert path.read_bytes() == before


async def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnfitDatabase, match="nowhere"):
        await open_store(f"sqlite:///{tmp_path}/nowhere/remit.db")
