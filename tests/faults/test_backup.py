"""F34: a backup under traffic is one moment of the store; a restore brings back nothing that was stopped."""

import asyncio
import json
import secrets
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest

from remit.app.backup import BackupOlder, DataExists, NotEmbedded, Restored, back_up, restore
from remit.app.ground import open_ground
from remit.app.services import Services, build
from remit.identity.lifecycle import State
from remit.identity.principals import Kind
from remit.kernel.canonical import b64u
from remit.kernel.ids import PrincipalId
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.ledger.encoding import decode_record
from remit.ledger.export import export_files, export_log
from remit.ledger.verify import verify_files
from remit.platform.settings.model import Settings
from remit.platform.settings.options import StoreOptions
from remit.platform.storage.backup import MANIFEST, BackupBroken, BackupForked, read_manifest
from remit.platform.storage.kek import KekMissing, make_kek
from support.clients import Refused
from support.composed import composed, populated
from support.house import BOOKING, House
from support.installation import installation
from support.stores import TEST_KEK
from support.upstreams import eventually


def settings_of(house: House, folder: Path | None = None) -> Settings:
    found = house.services.ground.settings
    return found if folder is None else replace(found, data=folder)


def empty(house: House, folder: Path) -> Settings:
    """A data directory with nothing in it but the key that sealed the store."""
    folder.mkdir(mode=0o700)
    (folder / "kek").write_bytes(bytes(range(32)).hex().encode())
    (folder / "kek").chmod(0o600)
    return settings_of(house, folder)


def now() -> datetime:
    return datetime.now(UTC)


def enough(ran: list[int], many: int) -> bool:
    return sum(ran) >= many


async def copied(house: House, folder: Path) -> Path:
    await asyncio.to_thread(back_up, settings_of(house), folder, at=now())
    return folder


async def put_back(settings: Settings, folder: Path, *held: bytes, accept_older: bool = False) -> Restored:
    return await restore(settings, folder, held=held, accept_older=accept_older, at=now())


async def note(house: House) -> bytes:
    return (await house.services.heads.sign(house.now())).note


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Services]:
    services = build(await open_ground(settings, kek=TEST_KEK))
    try:
        await services.ground.work.commit(lambda tx: tx.ledger.open())
        yield services
    finally:
        await services.close()


@pytest.mark.fault("F34")
@pytest.mark.promise("P12")
async def test_a_copy_under_traffic_is_one_whole_moment(tmp_path: Path) -> None:
    """Each copy verifies, holds a decision with every capability, and every record up to its head."""
    async with populated(tmp_path / "data") as house:
        bot = house["calendar-bot"]
        token = await house.exchange(bot, (await house.task("calendar-bot")).envelope)
        stop, ran = asyncio.Event(), [0, 0, 0]

        async def traffic(lane: int) -> None:
            while not stop.is_set():
                start = f"20{27 + lane}-01-{1 + ran[lane] // 24:02}T{ran[lane] % 24:02}"
                booked = {**BOOKING, "start": f"{start}:00Z", "end": f"{start}:30Z"}
                ran[lane] += (await house.call(bot, token, "rooms_book", booked)).status == 200

        lanes = [asyncio.create_task(traffic(number)) for number in range(3)]
        folders = []
        for number in range(3):
            some_more = sum(ran) + 3
            await eventually(partial(enough, ran, some_more))
            folders.append(await copied(house, tmp_path / f"backup-{number}"))
        stop.set()
        await asyncio.gather(*lanes)
        whole = [record.id for record in await house.log()]
        sizes = [read_manifest(folder).logs[0].size for folder in folders]
        assert sizes == sorted(sizes)
        assert sizes[0] < sizes[-1] <= len(whole)
        for number, folder in enumerate(folders):
            settings = empty(house, tmp_path / f"restored-{number}")
            await put_back(settings, folder)
            async with opened(settings) as services:
                log = await services.ground.work.read(
                    lambda tx: [decode_record(each) for each in tx.ledger.entries(0, tx.ledger.head().size)]
                )
                assert [each.id for each in log[: sizes[number]]] == whole[: sizes[number]]
                await services.heads.sign(now())
                files = await services.ground.work.read(
                    lambda tx: export_files(export_log(tx.ledger, tenant=DEFAULT_TENANT))
                )
                report = verify_files(files, trusted=services.log.known_keys())
                assert report.sound, report.findings


@pytest.mark.fault("F34")
@pytest.mark.attack("AU-07", "KS-11")
@pytest.mark.promise("P12")
async def test_what_was_killed_after_the_backup_does_not_live_again(tmp_path: Path) -> None:
    async with populated(tmp_path / "data") as house:
        await house.task("calendar-bot")
        folder = await copied(house, tmp_path / "backup")
        await house.services.identity.suspend(
            PrincipalId(house["calendar-bot"].agent),
            by=house["admin"].principal.id,
            because="stolen",
            at=house.now(),
        )
        later = await note(house)
        settings = empty(house, tmp_path / "restored")
        with pytest.raises(BackupOlder, match="would live again"):
            await put_back(settings, folder, later)
        assert not (settings.directory / "remit.db").exists()
        done = await put_back(settings, folder, later, accept_older=True)
        assert (done.proven, done.suspended, done.ended) == (False, 3, 1)
        assert done.missing[0].seen > done.missing[0].has
        parties, port = house.parties, house.port
    async with composed(tmp_path / "restored", port=port) as again:
        again.parties.update({name: replace(party, now=again.now) for name, party in parties.items()})
        for name in ("calendar-bot", "mail-bot"):
            with pytest.raises(Refused):
                await again.own_token(again[name])
        (said,) = await again.records("platform.store.restored")
        assert dict(said.detail)["suspended"] == "3"
        agents = await again.services.identity.page(kind=Kind.AGENT)
        assert {each.state for each in agents} == {State.SUSPENDED}
        assert await again.own_token(again["admin"])


@pytest.mark.fault("F34")
@pytest.mark.attack("AU-07")
async def test_the_anchor_of_the_lost_store_says_so_without_being_asked(tmp_path: Path) -> None:
    async with populated(tmp_path / "data") as house:
        folder = await copied(house, tmp_path / "backup")
        await house.task("calendar-bot")
        await note(house)
        settings = empty(house, tmp_path / "restored")
        shutil.copytree(house.services.ground.settings.directory / "anchors", settings.directory / "anchors")
        with pytest.raises(BackupOlder):
            await put_back(settings, folder)
        done = await put_back(settings, folder, accept_older=True)
        assert done.missing
        assert [each.name for each in settings.directory.glob("anchors*")] != ["anchors"]
    async with opened(settings) as services:
        assert services.ground.keys.records()


@pytest.mark.twin("AU-07")
async def test_a_plain_copy_put_back_by_hand_brings_the_stopped_back(tmp_path: Path) -> None:
    """Why a restore stops everything: the file alone knows nothing of what came after it."""
    async with populated(tmp_path / "data") as house:
        folder = await copied(house, tmp_path / "backup")
        await house.services.identity.suspend(
            PrincipalId(house["calendar-bot"].agent),
            by=house["admin"].principal.id,
            because="stolen",
            at=house.now(),
        )
        settings = empty(house, tmp_path / "restored")
        shutil.copyfile(folder / "remit.db", settings.directory / "remit.db")
        parties, port = house.parties, house.port
    async with composed(tmp_path / "restored", port=port) as again:
        again.parties.update({name: replace(party, now=again.now) for name, party in parties.items()})
        assert await again.own_token(again["calendar-bot"])


@pytest.mark.fault("F34")
async def test_with_a_head_that_shows_nothing_is_missing_everything_goes_on(tmp_path: Path) -> None:
    async with populated(tmp_path / "data") as house:
        held = await note(house)
        folder = await copied(house, tmp_path / "backup")
        settings = empty(house, tmp_path / "restored")
        done = await put_back(settings, folder, held)
        assert (done.proven, done.suspended, done.ended) == (True, 0, 0)
        parties, port = house.parties, house.port
    async with composed(tmp_path / "restored", port=port) as again:
        again.parties.update({name: replace(party, now=again.now) for name, party in parties.items()})
        assert await again.own_token(again["calendar-bot"])


@pytest.mark.fault("F34")
@pytest.mark.attack("AU-03")
async def test_what_is_not_the_backup_that_was_made_is_refused(tmp_path: Path) -> None:
    async with populated(tmp_path / "data") as house:
        folder = await copied(house, tmp_path / "backup")
        settings = empty(house, tmp_path / "restored")
        with pytest.raises(DataExists):
            await copied(house, tmp_path / "backup")
        with pytest.raises(DataExists):
            await put_back(settings_of(house), folder)
        with pytest.raises(NotEmbedded):
            await put_back(replace(settings, store=StoreOptions(url="postgresql://x/y")), folder)
        with pytest.raises(BackupBroken, match="manifest"):
            await put_back(settings, tmp_path)
        manifest = json.loads((folder / MANIFEST).read_bytes())
        told = json.dumps({**manifest, "logs": [{**manifest["logs"][0], "size": 1}]})
        other = shutil.copytree(folder, tmp_path / "other")
        (other / MANIFEST).write_text(told)
        with pytest.raises(BackupBroken, match="log"):
            await put_back(settings, other)
        spoilt = shutil.copytree(folder, tmp_path / "spoilt")
        data = (spoilt / "remit.db").read_bytes()
        (spoilt / "remit.db").write_bytes(data.replace(b"calendar-bot", b"calendar-cat"))
        with pytest.raises(BackupBroken, match="not the file"):
            await put_back(settings, spoilt)
        head, _size, _root, *signature = (await note(house)).split(b"\n")
        fork = b"\n".join([head, b"3", b64u(bytes(32)).encode() + b"=", *signature])
        with pytest.raises(BackupForked):
            await put_back(settings, folder, fork)
        (settings.directory / "kek").unlink()
        with pytest.raises(KekMissing):
            await put_back(settings, folder)
        make_kek(settings.directory / "kek", entropy=secrets.token_bytes)
        with pytest.raises(BackupBroken, match="sealed under key"):
            await put_back(settings, folder)
        assert not (settings.directory / "remit.db").exists()


def test_the_command_line_copies_a_running_server_and_writes_over_nothing(tmp_path: Path) -> None:
    with installation(tmp_path) as here:
        made = here.remit("backup", "copy", "-o", "json")
        assert made.code == 0, made.err
        assert made.json()["logs"]["main"] > 0
        assert sorted(each.name for each in (here.folder / "copy").iterdir()) == ["manifest.json", "remit.db"]
        key = (here.data / "kek").read_text().strip()
        assert all(key.encode() not in each.read_bytes() for each in (here.folder / "copy").iterdir())
        assert here.remit("backup", "copy").code == 1
        refused = here.remit("restore", "copy", "--yes")
        assert refused.code == 1
        assert "is there already" in refused.err
    (tmp_path / "fresh").mkdir(mode=0o700)
    shutil.copy(here.data / "kek", tmp_path / "fresh" / "kek")
    done = here.remit("restore", "copy", "--data", str(tmp_path / "fresh"), "--yes")
    assert done.code == 0, done.err
    assert "no held head says" in done.out
    assert here.url in done.out.splitlines()[-1]
