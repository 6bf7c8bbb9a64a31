"""Keys at rest: sealed, opened only by their KEK, rotated without a gap."""

import os
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from remit.kernel.canonical import b64u
from remit.kernel.errors import RemitError
from remit.kernel.ids import system_entropy
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.keyring import Keyring
from remit.kernel.jose.keys import KeyClass, KeyRecord, KeyState
from remit.kernel.jose.rotation import RotationRule, compromise
from remit.kernel.sealing import Kek, KekWrong, SealBroken
from remit.kernel.secret import Secret
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.engine import OpenStore
from remit.platform.storage.kek import KekExposed, KekMissing, make_kek, parse_kek, read_kek
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork
from support.clock import NOON

KEK = Kek.of(Secret(bytes(range(32))))
OTHER = Kek.of(Secret(bytes(range(1, 33))))
RULE = RotationRule(
    use_for=timedelta(days=30), publish_ahead=timedelta(hours=1), longest_life=timedelta(hours=1)
)


def rotate(tx: SqlTransaction, kek: Kek = KEK, after: timedelta = timedelta(0)) -> list[KeyRecord]:
    return tx.keys.rotate(
        KeyClass.ACCESS_TOKEN, issuer="https://remit.example", algorithm=Algorithm.ED25519, rule=RULE,
        kek=kek, entropy=system_entropy, at=NOON + after,
    )  # fmt: skip


async def ring(uow: SqlUnitOfWork, kek: Kek = KEK) -> Keyring:
    return await uow.read(lambda tx: tx.keys.keyring(kek))


async def test_a_key_survives_and_signs(uow: SqlUnitOfWork) -> None:
    await uow.commit(rotate)
    signer = (await ring(uow)).signer(KeyClass.ACCESS_TOKEN)
    again = (await ring(uow)).signer(KeyClass.ACCESS_TOKEN)
    assert again.kid == signer.kid
    assert signer.private.public.verify(b"message", again.private.sign(b"message"))
    assert await uow.commit(rotate) == []


@pytest.mark.attack("KM-04")
async def test_a_wrong_kek_opens_nothing_and_makes_nothing(uow: SqlUnitOfWork) -> None:
    await uow.commit(rotate)
    with pytest.raises(KekWrong):
        await ring(uow, OTHER)
    with pytest.raises(KekWrong):
        await uow.commit(lambda tx: rotate(tx, OTHER, timedelta(days=60)))
    assert len(await uow.read(lambda tx: tx.keys.records())) == 1


@pytest.mark.attack("KM-03")
@pytest.mark.promise("P14")
async def test_no_private_half_is_in_the_file(sqlite_store: OpenStore, sqlite_url: str) -> None:
    uow = SqlUnitOfWork(sqlite_store, tenant=DEFAULT_TENANT)
    await uow.commit(rotate)
    secret = (await ring(uow)).signer(KeyClass.ACCESS_TOKEN).private.export().reveal()
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    at_rest = b"".join(each.read_bytes() for each in path.parent.iterdir() if each.name.startswith(path.name))
    assert b"https://remit.example" in at_rest
    for form in (secret, secret.hex().encode(), b64u(secret).encode(), bytes(range(32))):
        assert form not in at_rest


@pytest.mark.attack("KM-03")
async def test_a_sealed_key_does_not_open_in_another_row(sqlite_store: OpenStore, sqlite_url: str) -> None:
    uow = SqlUnitOfWork(sqlite_store, tenant=DEFAULT_TENANT)
    await uow.commit(rotate)
    connection = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))
    connection.execute("UPDATE signing_key SET key_class = 'capability'")
    connection.commit()
    connection.close()
    with pytest.raises(SealBroken):
        await ring(uow)


async def test_rotation_publishes_ahead_and_believes_behind(uow: SqlUnitOfWork) -> None:
    await uow.commit(rotate)
    first = (await ring(uow)).signer(KeyClass.ACCESS_TOKEN).kid
    await uow.commit(lambda tx: rotate(tx, after=timedelta(days=30, minutes=-30)))
    records = {each.kid: each.state for each in await uow.read(lambda tx: tx.keys.records())}
    assert sorted(records.values()) == [KeyState.ACTIVE, KeyState.PENDING]
    await uow.commit(lambda tx: rotate(tx, after=timedelta(days=30, hours=1)))
    second = (await ring(uow)).signer(KeyClass.ACCESS_TOKEN).kid
    assert second != first
    after = {each.kid: each for each in await uow.read(lambda tx: tx.keys.records())}
    assert after[first].state is KeyState.VERIFY_ONLY
    assert after[first].not_after is not None


async def test_a_compromised_key_stays_on_record_and_verifies_nothing(uow: SqlUnitOfWork) -> None:
    await uow.commit(rotate)
    (record,) = await uow.read(lambda tx: tx.keys.records())
    await uow.commit(lambda tx: tx.keys.change(compromise(record, at=NOON)))
    (after,) = await uow.read(lambda tx: tx.keys.records())
    assert after.state is KeyState.COMPROMISED
    assert not after.verifies(NOON)
    await uow.commit(rotate)
    assert (await ring(uow)).signer(KeyClass.ACCESS_TOKEN).kid != record.kid


async def test_a_new_kek_takes_over_every_key(uow: SqlUnitOfWork) -> None:
    await uow.commit(rotate)
    assert await uow.commit(lambda tx: tx.keys.reseal(old=KEK, new=OTHER, entropy=system_entropy)) == 1
    assert (await ring(uow, OTHER)).signer(KeyClass.ACCESS_TOKEN).key_class is KeyClass.ACCESS_TOKEN
    with pytest.raises(KekWrong):
        await ring(uow)


@pytest.mark.attack("KM-04")
def test_a_kek_is_never_made_in_place_of_a_missing_one(tmp_path: Path) -> None:
    path = tmp_path / "kek"
    with pytest.raises(KekMissing) as missing:
        read_kek(path)
    assert str(path) in missing.value.next_step
    assert not path.exists()
    made = make_kek(path, entropy=system_entropy)
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_kek(path) == made
    with pytest.raises(FileExistsError):
        make_kek(path, entropy=system_entropy)


@pytest.mark.attack("KM-03")
@pytest.mark.fault("F35")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_kek_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "kek"
    make_kek(path, entropy=system_entropy)
    path.chmod(mode)
    with pytest.raises(KekExposed, match=f"{mode:04o}"):
        read_kek(path)


def test_a_kek_of_another_user_or_behind_a_link_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "kek"
    make_kek(path, entropy=system_entropy)
    link = tmp_path / "link"
    link.symlink_to(path)
    with pytest.raises(KekMissing):
        read_kek(link)
    if os.getuid() == 0:
        os.chown(path, 12345, -1)
        with pytest.raises(KekExposed, match="another user"):
            read_kek(path)


def test_a_kek_is_read_in_each_of_its_forms() -> None:
    raw = bytes(range(32))
    assert parse_kek(raw) == parse_kek(raw.hex().encode() + b"\n") == KEK
    assert parse_kek(b"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n") == KEK


@pytest.mark.fault("F35")
@pytest.mark.parametrize("raw", [b"", b"short", b"\0" * 32, b"z" * 64, b"\xff" * 40, b"A" * 4096])
def test_a_kek_that_is_none_is_refused(raw: bytes) -> None:
    with pytest.raises(RemitError):
        parse_kek(raw)
