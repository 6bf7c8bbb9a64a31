"""F06: bits that flip in the database, anywhere: refused or named, never believed in the log."""

import random
import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

from remit.app.run import running
from remit.kernel.errors import RemitError
from remit.ledger.checkpoint import LogKey
from remit.ledger.export import export_files, export_log
from remit.ledger.verify import verify_files
from remit.platform.settings.load import load
from remit.platform.storage.damage import naming_damage
from support.composed import composed, populated
from support.house import BOOKING

TRIALS = 60


class Verdict(StrEnum):
    """What becomes of a database whose bits have flipped."""

    REFUSED = "refused"
    """It is not served."""
    NAMED = "named"
    """It opens; who reads the log, or verifies it, is told."""
    WHOLE = "whole"
    """The log is as it was: the flip fell on something else, or on nothing."""
    BELIEVED = "believed"
    """Another log, and nobody is told: this must never be."""


@dataclass(frozen=True)
class Original:
    """A day's work, signed; and what a verifier holds of it."""

    folder: Path
    port: int
    files: dict[str, bytes]
    keys: tuple[LogKey, ...]


async def exported(folder: Path, port: int) -> tuple[dict[str, bytes], tuple[LogKey, ...]]:
    """The log as the next start would show it."""
    flags = {"http.port": port, "data": str(folder), "demo": False}
    ended: list[RemitError] = []
    async with running(load(file=None, environ={}, flags=flags), on_fence=ended.append) as services:
        ground, keys = services.ground, tuple(services.log.known_keys())

        def work(tx: Any) -> dict[str, bytes]:
            return export_files(export_log(tx.ledger, tenant=ground.tenant, disclose=True, keys=keys))

        with naming_damage():
            files = await ground.work.read(work)
    for error in ended:  # a record could not be written: the process would be gone
        raise error
    return files, keys


async def a_day(folder: Path) -> Original:
    async with populated(folder) as house:
        started = await house.task("calendar-bot")
        bot = house["calendar-bot"]
        token = await house.exchange(bot, started.envelope)
        for hour in range(10, 16):
            times = {"start": f"2026-05-15T{hour}:00Z", "end": f"2026-05-15T{hour}:30Z"}
            await house.call(bot, token, "rooms_book", {**BOOKING, **times}, envelope=started.envelope)
        await house.services.heads.sign(house.now())
        port = house.port
    at_rest(folder)
    files, keys = await exported(folder, port)
    assert verify_files(files, trusted=keys).sound
    assert len(files["entries.jsonl"]) > 5000
    return Original(folder=folder, port=port, files=files, keys=keys)


def at_rest(folder: Path) -> None:
    """As an operator would find it: one file, and the key beside it."""
    folder.chmod(0o700)
    (folder / "kek").write_bytes(bytes(range(32)))
    (folder / "kek").chmod(0o600)
    with closing(sqlite3.connect(folder / "remit.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for suffix in ("-wal", "-shm"):
        (folder / f"remit.db{suffix}").unlink(missing_ok=True)


def flip(path: Path, places: list[int]) -> None:
    """Flip one bit at each place, counted in bits."""
    data = bytearray(path.read_bytes())
    for place in places:
        data[place // 8] ^= 1 << place % 8
    path.write_bytes(data)


async def judge(original: Original, copy: Path, *, lenient: bool = False) -> Verdict:
    """Start on the copy, and verify what it says against what is held; `lenient` does not verify."""
    held = [original.files["checkpoint"]]
    try:
        files, _ = await exported(copy, original.port)
    except RemitError:
        return Verdict.REFUSED
    if not lenient and not verify_files(files, trusted=original.keys, held=held).sound:
        return Verdict.NAMED
    # A text whose key is gone counts as erased, which is lawful and told; no text may be another one.
    texts = set(files["contents.jsonl"].splitlines()) <= set(original.files["contents.jsonl"].splitlines())
    same = all(files[name].startswith(original.files[name]) for name in ("entries.jsonl", "leaves"))
    return Verdict.WHOLE if same and texts else Verdict.BELIEVED


def copied(original: Original, name: str) -> Path:
    copy = original.folder.parent / name
    shutil.copytree(original.folder, copy)
    return copy


@pytest.mark.fault("F06")
@pytest.mark.promise("P10", "P5")
async def test_a_log_with_flipped_bits_is_refused_or_named(tmp_path: Path) -> None:
    original = await a_day(tmp_path / "data")
    size = (original.folder / "remit.db").stat().st_size * 8
    chance, verdicts, flipped = random.Random(6), Counter[Verdict](), 0  # noqa: S311 — the same flips on each run
    for trial in range(TRIALS):
        copy = copied(original, f"trial{trial}")
        places = [chance.randrange(size) for _ in range(1 + trial * trial // 10)]
        flipped += len(places)
        flip(copy / "remit.db", places)
        verdicts[await judge(original, copy)] += 1
        shutil.rmtree(copy)
    assert verdicts[Verdict.BELIEVED] == 0
    assert verdicts[Verdict.REFUSED]
    assert flipped > 5000


def places_of(original: Original, needle: bytes) -> list[int]:
    data = (original.folder / "remit.db").read_bytes()
    found, at = [], data.find(needle)
    while at >= 0:
        found.append(8 * at)
        at = data.find(needle, at + 1)
    return found


@pytest.mark.fault("F06")
@pytest.mark.attack("AU-03")
async def test_a_flipped_letter_within_a_record_is_named(tmp_path: Path) -> None:
    original = await a_day(tmp_path / "data")
    places = places_of(original, b"decision.action.decided")
    assert places
    for number, place in enumerate(places[:8]):
        copy = copied(original, f"letter{number}")
        flip(copy / "remit.db", [place])
        assert await judge(original, copy) in {Verdict.NAMED, Verdict.REFUSED}


def pages_of(database: Path, table: str) -> list[int]:
    """Where the roots of a table and of its indexes lie, in bytes."""
    with closing(sqlite3.connect(database)) as connection:
        (size,) = connection.execute("PRAGMA page_size").fetchone()
        roots = connection.execute("SELECT rootpage FROM sqlite_master WHERE tbl_name = ?", (table,))
        return [(root - 1) * size for (root,) in roots]


@pytest.mark.fault("F06")
@pytest.mark.promise("P5")
@pytest.mark.parametrize("table", ["approval", "kill"])
async def test_a_page_that_rots_under_a_running_server_is_told_in_a_problem_document(
    tmp_path: Path, table: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with populated(tmp_path / "data") as house:
        parties, port = house.parties, house.port
    at_rest(tmp_path / "data")
    async with composed(tmp_path / "data", port=port) as house:
        house.parties.update({name: replace(party, now=house.now) for name, party in parties.items()})
        token = await house.own_token(house["admin"])
        path = tmp_path / "data" / "remit.db"
        with path.open("r+b") as file:
            for place in pages_of(path, table):
                file.seek(place)
                file.write(b"\xff" * 64)
        for _ in range(4):  # whichever reader
            reply = await house.api(house["admin"], "GET", f"/{table}s", token=token)
            assert reply.status_code == 503, reply.text
            assert reply.headers["content-type"] == "application/problem+json"
            assert reply.json()["code"] == "storage_damaged"
            assert "restore a backup" in reply.json()["next"]
        assert (await house.api(house["admin"], "GET", "/agents", token=token)).status_code == 200
        assert token not in caplog.text


@pytest.mark.twin("F06")
async def test_who_does_not_verify_would_believe_it(tmp_path: Path) -> None:
    original = await a_day(tmp_path / "data")
    copy = copied(original, "letter")
    flip(copy / "remit.db", places_of(original, b"decision.action.decided")[:1])
    assert await judge(original, copy, lenient=True) is Verdict.BELIEVED
