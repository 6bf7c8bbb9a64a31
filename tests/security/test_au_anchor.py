"""AU-07: the whole database of yesterday, put back."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from remit.kernel.tenancy import DEFAULT_TENANT
from remit.ledger.repository import LedgerFenced
from remit.platform.storage.anchors import AnchorFiles
from remit.platform.storage.engine import open_store
from remit.platform.storage.repositories.ledger_appender import Anchors, LedgerAppender, never_anchored
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork
from support.ledger import KEK, START, TestSigner, counting_entropy, many, record

T = TypeVar("T")


async def use(path: Path, node: str, work: Callable[[SqlTransaction], T], anchors: Anchors) -> T:
    entropy = counting_entropy(node)
    store = await open_store(
        f"sqlite:///{path}",
        journals=lambda _lane: LedgerAppender(node=node, kek=KEK, entropy=entropy, anchors=anchors),
    )
    try:
        return await SqlUnitOfWork(store, tenant=DEFAULT_TENANT).commit(work)
    finally:
        await store.close()


def append_some(tx: SqlTransaction) -> None:
    for each in many(7):
        tx.ledger.append(each)


async def yesterday_put_back(template: Path, folder: Path, files: AnchorFiles) -> Path:
    path, backup = folder / "remit.db", folder / "yesterday.db"
    shutil.copyfile(template, path)
    await use(path, "nod_1", append_some, files.last)
    shutil.copyfile(path, backup)
    await use(path, "nod_2", lambda tx: tx.ledger.append(record(50)), files.last)
    signed = await use(path, "nod_3", lambda tx: tx.ledger.checkpoint(TestSigner(), at=START), files.last)
    files.keep(DEFAULT_TENANT, "main", signed.note)
    await use(path, "nod_4", lambda tx: tx.ledger.open(), files.last)
    shutil.copyfile(backup, path)
    return path


@pytest.mark.attack("AU-07")
async def test_a_database_of_yesterday_is_fenced_at_start(sqlite_template: Path, tmp_path: Path) -> None:
    files = AnchorFiles(tmp_path / "anchors")
    path = await yesterday_put_back(sqlite_template, tmp_path, files)
    with pytest.raises(LedgerFenced, match="7 records, a signed checkpoint has 8"):
        await use(path, "nod_5", lambda tx: tx.ledger.open(), files.last)


@pytest.mark.twin("AU-07")
async def test_without_the_anchor_it_is_taken_for_todays(sqlite_template: Path, tmp_path: Path) -> None:
    path = await yesterday_put_back(sqlite_template, tmp_path, AnchorFiles(tmp_path / "anchors"))
    await use(path, "nod_5", lambda tx: tx.ledger.open(), never_anchored)


def test_an_anchor_only_grows_and_is_never_ignored(tmp_path: Path) -> None:
    from remit.ledger.encoding import encode_record
    from support.ledger import note_of

    files, signer = AnchorFiles(tmp_path / "anchors"), TestSigner()
    entries = [encode_record(each) for each in many(5)]
    assert files.last(DEFAULT_TENANT, "main") is None
    files.keep(DEFAULT_TENANT, "main", note_of(entries, signer).note)
    files.keep(DEFAULT_TENANT, "main", note_of(entries[:3], signer).note)
    kept = files.last(DEFAULT_TENANT, "main")
    assert kept is not None
    assert kept.size == 5
    (path,) = (tmp_path / "anchors").iterdir()
    path.write_bytes(b"garbage")
    with pytest.raises(LedgerFenced, match="holds no checkpoint"):
        files.last(DEFAULT_TENANT, "main")
