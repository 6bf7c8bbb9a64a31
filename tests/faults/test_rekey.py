"""Another key-encryption key: everything opens after it, whatever it was interrupted by, and only then."""

import asyncio
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from remit.app.bootstrap import SYSTEM, prepare_directory
from remit.app.ground import open_ground
from remit.app.rekey import NotTheAdministrator, OtherNodesRun, Rekeyed, adopt, next_file, rotate_kek
from remit.app.run import running
from remit.app.services import Services
from remit.identity.principals import Kind
from remit.identity.registration import Registration
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.keys import KeyClass, PrivateKey
from remit.kernel.sealing import KekWrong
from remit.kernel.secret import Secret
from remit.ledger.encoding import decode_record
from remit.ledger.record import Content, Record
from remit.platform.settings.model import Settings
from remit.platform.settings.operator import KEY_FILE, OperatorKey, read_operator
from remit.platform.settings.options import HttpOptions, StoreOptions
from remit.platform.storage.errors import UnfitDatabase
from remit.platform.storage.kek import make_kek, read_kek
from support.ledger import identity, record
from support.ports import free_port

TESTS = Path(__file__).parents[1]
TEXT = "refund the customer of order 8812"


def settings_for(folder: Path, url: str = "") -> Settings:
    found = Settings(data=folder / "data", http=HttpOptions(port=free_port()), store=StoreOptions(url=url))
    prepare_directory(found)
    if url:
        make_kek(found.kek_file, entropy=secrets.token_bytes)
    return found


async def fill(settings: Settings) -> str:
    """Something sealed in each place; gives the kid of a signing key."""
    async with running(settings) as services:
        work = services.ground.work
        said = Content(name="goal", subject=identity("usr", 9), text=TEXT)
        await work.commit(lambda tx: tx.ledger.append(record(1), (said,)))
        await work.commit(
            lambda tx: tx.idempotency.take("usr_1", "key-1", request="0" * 64, at=services.ground.clock.now())
        )
        await work.commit(lambda tx: tx.idempotency.settle("usr_1", "key-1", status=201, body=b"made"))
        return services.ground.keys.signer(KeyClass.ACCESS_TOKEN).kid


async def everything_opens(settings: Settings, kid: str) -> list[Record]:
    """Start as a server does, and read what was sealed; gives the records of the log."""
    async with running(settings) as services:
        assert services.ground.keys.signer(KeyClass.ACCESS_TOKEN).kid == kid
        (text,) = await services.ground.work.read(lambda tx: tx.ledger.contents(record(1).id))
        assert text.text == TEXT
        kept = await services.ground.work.read(lambda tx: tx.idempotency.find("usr_1", "key-1"))
        assert kept is not None
        assert (kept.status, kept.body) == (201, b"made")
        assert not next_file(settings.kek_file).exists()
        return await log(services)


async def log(services: Services) -> list[Record]:
    return await services.ground.work.read(
        lambda tx: [
            decode_record(entry)
            for name in tx.ledger.shards()
            for entry in tx.ledger.entries(0, tx.ledger.head(name).size, name)
        ]
    )


async def change(settings: Settings, *, rested: bool = True) -> Rekeyed:
    if settings.store.url and rested:  # as if 10 s had passed since the server stopped
        connection = await asyncpg.connect(settings.store.url)
        await connection.execute("UPDATE node SET lease_until = 0")
        await connection.close()
    operator = read_operator(settings.directory / KEY_FILE)
    return await rotate_kek(settings, by=operator, entropy=secrets.token_bytes)


@pytest.fixture(params=["sqlite", "postgres"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    url = "" if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))
    return settings_for(tmp_path, url)


@pytest.mark.attack("KM-04")
async def test_everything_opens_with_the_new_key_and_nothing_with_the_old(settings: Settings) -> None:
    kid = await fill(settings)
    before = read_kek(settings.kek_file)
    done = await change(settings)
    assert read_kek(done.old) == before != read_kek(settings.kek_file)
    assert done.old.stat().st_mode & 0o777 == settings.kek_file.stat().st_mode & 0o777 == 0o600
    assert done.resealed.keys >= 5
    assert done.resealed.subjects >= 1
    assert done.resealed.answers == 1
    (said,) = [each for each in await everything_opens(settings, kid) if each.kind == "platform.kek.rotated"]
    assert said.actor == read_operator(settings.directory / KEY_FILE).user
    assert before.id.hex() in dict(said.detail)["old"]
    with pytest.raises(KekWrong):
        await open_ground(settings, kek=before)
    again = await change(settings)
    assert again.old != done.old
    await everything_opens(settings, kid)


def killed(settings: Settings, point: str) -> None:
    words = [
        sys.executable,
        "-m",
        "support.rekey_process",
        str(settings.data),
        str(settings.http.port),
        point,
    ]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(TESTS), str(TESTS.parent / "src")])}
    ran = subprocess.run(words, env=environment, capture_output=True, check=False, timeout=60)
    assert ran.returncode == -signal.SIGKILL, ran.stderr.decode()


def nothing_more(_: Settings) -> None:
    """The process ends, and that is all."""


def old_key_kept(settings: Settings) -> None:
    """The process ends after step 3, before step 4."""
    old = read_kek(settings.kek_file)
    os.link(settings.kek_file, settings.kek_file.with_name(f"kek.old-{old.id.hex()}"))


@pytest.mark.fault("F01")
@pytest.mark.promise("P15")
@pytest.mark.parametrize(
    ("point", "then", "changed"),
    [
        ("before", nothing_more, False),
        ("inside", nothing_more, False),
        ("after", nothing_more, True),
        ("after", old_key_kept, True),
    ],
)
async def test_a_kill_in_the_middle_leaves_a_store_that_opens(
    tmp_path: Path, point: str, then: Callable[[Settings], None], changed: bool
) -> None:
    settings = settings_for(tmp_path)
    kid = await fill(settings)
    before = read_kek(settings.kek_file)
    await asyncio.to_thread(killed, settings, point)
    then(settings)
    assert next_file(settings.kek_file).exists()
    records = await everything_opens(settings, kid)
    assert [each.kind for each in records].count("platform.kek.rotated") == changed
    assert (read_kek(settings.kek_file) != before) == changed
    await change(settings)  # and it can be asked for again
    await everything_opens(settings, kid)


@pytest.mark.twin("KM-04")
async def test_a_start_that_knows_no_second_key_could_not_open_it(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    await fill(settings)
    await asyncio.to_thread(killed, settings, "after")
    with pytest.raises(KekWrong):
        await open_ground(settings, kek=read_kek(settings.kek_file))
    adopt(settings.kek_file)
    ground = await open_ground(settings, kek=read_kek(settings.kek_file))
    await ground.store.close()


async def test_a_running_server_is_in_the_way(settings: Settings) -> None:
    async with running(settings):
        before = settings.kek_file.read_bytes()
        with pytest.raises(OtherNodesRun if settings.store.url else UnfitDatabase):
            await change(settings, rested=False)
        assert settings.kek_file.read_bytes() == before
        assert not next_file(settings.kek_file).exists()


async def test_only_the_key_of_an_active_administrator_will_do(tmp_path: Path) -> None:
    settings = settings_for(tmp_path)
    stated = Registration(
        kind=Kind.HUMAN, name="r@company.com", email="r@company.com", attributes=(("roles", "reader"),)
    )
    key = PrivateKey.generate(Algorithm.ED25519, secrets.token_bytes)
    async with running(settings) as services:
        at = services.ground.clock.now()
        entry = await services.identity.register(stated, by=SYSTEM, at=at)
        credential = await services.credentials.register(entry.id, key.public.jwk(), by=SYSTEM, at=at)
        await services.identity.activate(entry.id, by=SYSTEM, at=at)
    admin = read_operator(settings.directory / KEY_FILE)
    reader = OperatorKey(
        user=admin.user.__class__(entry.id), kid=credential.id, algorithm="Ed25519", private=key.export()
    )
    other = PrivateKey.generate(Algorithm.ED25519, secrets.token_bytes).export()
    for wrong in (reader, replace(reader, user=admin.user), replace(admin, private=Secret(other.reveal()))):
        with pytest.raises(NotTheAdministrator):
            await rotate_kek(settings, by=wrong, entropy=secrets.token_bytes)
        assert not next_file(settings.kek_file).exists()
    await change(settings)
