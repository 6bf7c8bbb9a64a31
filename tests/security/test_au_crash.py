"""AU-18: a process that is killed while it appends."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from remit.kernel.tenancy import DEFAULT_TENANT
from remit.ledger.encoding import decode_record
from remit.ledger.export import export_files, export_log
from remit.ledger.verify import verify_files
from remit.platform.storage.engine import open_store
from remit.platform.storage.repositories.ledger_appender import LedgerAppender
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork
from support.ledger import KEK, START, TestSigner, counting_entropy

CHILD = """
import asyncio, json, sys
from support.ledger import KEK, counting_entropy, record
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.engine import open_store
from remit.platform.storage.repositories.ledger_appender import LedgerAppender
from remit.platform.storage.unit_of_work import SqlUnitOfWork

async def main(path, first):
    entropy = counting_entropy(str(first))
    store = await open_store(f"sqlite:///{path}", journals=lambda lane: LedgerAppender(
        node=f"nod_{first}", kek=KEK, entropy=entropy))
    uow = SqlUnitOfWork(store, tenant=DEFAULT_TENANT)
    async def one(number):
        made = record(number)
        await uow.commit(lambda tx: tx.ledger.append(made))
        sys.stdout.write(json.dumps(made.id) + "\\n")
        sys.stdout.flush()
    number = first
    while True:
        await asyncio.gather(*(one(number + step) for step in range(8)))
        number += 8

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


def killed_while_appending(path: Path, first: int, *, after: int) -> list[str]:
    """Start a writer, kill it without warning after so many acknowledgements; returns all of them."""
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": f"{root / 'src'}{os.pathsep}{root / 'tests'}"}
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(path), str(first)],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    assert child.stdout is not None
    acknowledged = [json.loads(child.stdout.readline()) for _ in range(after)]
    child.send_signal(signal.SIGKILL)
    rest, _ = child.communicate()
    return acknowledged + [json.loads(line) for line in rest.splitlines() if line.endswith('"')]


@pytest.mark.attack("AU-18")
async def test_no_acknowledged_record_is_lost_and_the_log_stays_gapless(
    sqlite_template: Path, tmp_path: Path
) -> None:
    path = tmp_path / "killed.db"
    shutil.copyfile(sqlite_template, path)
    acknowledged: list[str] = []
    for turn, after in enumerate((3, 50, 121)):
        acknowledged += killed_while_appending(path, turn * 100_000, after=after)
    entropy = counting_entropy()
    store = await open_store(
        f"sqlite:///{path}",
        journals=lambda _lane: LedgerAppender(node="nod_last", kek=KEK, entropy=entropy),
    )
    uow = SqlUnitOfWork(store, tenant=DEFAULT_TENANT)
    signer = TestSigner()
    try:
        await uow.commit(lambda tx: tx.ledger.checkpoint(signer, at=START))

        def read(tx: SqlTransaction) -> list[str]:
            return [decode_record(entry).id for entry in tx.ledger.entries(0, tx.ledger.head().size)]

        survived = await uow.read(read)
        assert set(acknowledged) <= set(survived)
        assert len(survived) == len(set(survived))
        files = export_files(await uow.read(lambda tx: export_log(tx.ledger, tenant=DEFAULT_TENANT)))
        report = verify_files(files, trusted=[signer.key])
        assert report.sound
        assert report.records == len(survived)
    finally:
        await store.close()
