"""Goal 7: durable, provable appends beside an in-memory tree; time to a proof; records verified offline.

`python bench/goal7_ledger.py [--tiny]` prints a table and writes `bench/out/goal7_ledger.json`.
What differs: pymerkle keeps hashes in memory and is not durable; ours encodes a record, hashes it, and has it
fsynced in SQLite (WAL, synchronous=FULL) before it counts.
"""

import argparse
import asyncio
import json
import platform
import secrets
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pymerkle import InmemoryTree

from remit.kernel.ids import RecordId
from remit.kernel.sealing import Kek
from remit.kernel.secret import Secret
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.kernel.uow import Lane
from remit.ledger.checkpoint import LogKey
from remit.ledger.encoding import encode_record
from remit.ledger.export import export_files, export_log
from remit.ledger.receipt import verify_receipt
from remit.ledger.record import Record
from remit.ledger.verify import verify_files
from remit.platform.storage.engine import OpenStore, open_store
from remit.platform.storage.repositories.ledger_appender import LedgerAppender
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork

OUT: Final = Path(__file__).parent / "out" / "goal7_ledger.json"
ROUNDS: Final = 5
PER_UNIT: Final = 256


class BenchSigner:
    """A log key made for this run."""

    def __init__(self) -> None:
        self._private = Ed25519PrivateKey.generate()
        self.key = LogKey(name="bench.example", public=self._private.public_key().public_bytes_raw())

    def sign(self, message: bytes) -> bytes:
        """Ed25519."""
        return self._private.sign(message)


def make_records(count: int, *, start: int = 0) -> list[Record]:
    """Tasks of twenty records, most of them decisions, some 800 bytes each; every id differs."""
    at = datetime.now(UTC)
    return [
        Record(
            id=RecordId(f"rec_{number:036d}"),
            at=at,
            tenant=DEFAULT_TENANT,
            kind="decision.action.decided" if number % 20 else "authority.task.started",
            actor=f"ins_{number % 50:036d}",
            user=f"usr_{number % 20:036d}",
            owner=f"usr_{number % 5:036d}",
            agent=f"agt_{number % 10:036d}",
            task=f"tsk_{number // 20:036d}",
            purpose="travel",
            mode="interactive",
            initiative="user",
            chain=(f"ins_{number % 50:036d}",),
            envelope=f"env_{number // 20:036d}",
            decision=f"dec_{number:036d}",
            action="business/rooms.book",
            resource=f"Room:{number % 400}",
            effect="deny",
            codes=("scope_insufficient",),
            digests=(("arguments" if number % 20 else "goal", f"{number:064x}"),),
            revision=number,
            epoch=1,
        )
        for number in range(start, start + count)
    ]


async def fresh_store(folder: Path) -> OpenStore:
    """An empty database with a ledger."""
    kek = Kek.of(Secret(secrets.token_bytes(32)))
    path = folder / f"{secrets.token_hex(4)}.db"
    node = secrets.token_hex(8)
    return await open_store(
        f"sqlite:///{path}",
        journals=lambda lane: LedgerAppender(
            node=node, kek=kek, entropy=secrets.token_bytes, shard="main" if lane is Lane.NORMAL else "kill"
        ),
    )


def append_all(records: Sequence[Record]) -> Callable[[SqlTransaction], None]:
    """One unit of work that appends these."""

    def work(tx: SqlTransaction) -> None:
        append = tx.ledger.append
        for each in records:
            append(each)

    return work


async def ours(folder: Path, records: list[Record], *, per_unit: int) -> tuple[float, float]:
    """Microseconds of wall and of CPU per record, until the last commit is durable."""
    store = await fresh_store(folder)
    uow = SqlUnitOfWork(store, tenant=DEFAULT_TENANT)
    await uow.commit(lambda tx: tx.ledger.open())
    units = [append_all(records[low : low + per_unit]) for low in range(0, len(records), per_unit)]
    wall, cpu = time.perf_counter(), time.process_time()
    for low in range(0, len(units), 1024):
        await asyncio.gather(*(uow.commit(unit) for unit in units[low : low + 1024]))
    spent = (time.perf_counter() - wall, time.process_time() - cpu)
    head = await uow.read(lambda tx: tx.ledger.head())
    assert head.size == len(records)
    await store.close()
    return spent[0] / len(records) * 1e6, spent[1] / len(records) * 1e6


def peer(records: list[Record]) -> tuple[float, float]:
    """The same records into pymerkle, in memory; it too is given the record and must encode it."""
    tree = InmemoryTree(algorithm="sha256")
    wall, cpu = time.perf_counter(), time.process_time()
    for each in records:
        tree.append_entry(encode_record(each))
    tree.get_root(len(records))
    spent = (time.perf_counter() - wall, time.process_time() - cpu)
    return spent[0] / len(records) * 1e6, spent[1] / len(records) * 1e6


async def provable(folder: Path, count: int) -> list[float]:
    """Milliseconds from handing a record over to holding a receipt that was verified, one at a time."""
    store, signer = await fresh_store(folder), BenchSigner()
    uow = SqlUnitOfWork(store, tenant=DEFAULT_TENANT)
    await uow.commit(append_all(make_records(5_000)))
    took = []
    for each in make_records(count, start=10_000):
        begun = time.perf_counter()
        await uow.commit(append_all([each]))
        await uow.commit(lambda tx: tx.ledger.checkpoint(signer, at=datetime.now(UTC)))
        receipt = await uow.read(lambda tx, ident=each.id: tx.ledger.receipt(ident))  # type: ignore[misc]  # bound now
        assert receipt is not None
        verify_receipt(receipt, keys=[signer.key])
        took.append((time.perf_counter() - begun) * 1e3)
    await store.close()
    return took


async def offline(folder: Path, count: int) -> list[float]:
    """Records per second of the whole offline procedure, from files to report."""
    store, signer = await fresh_store(folder), BenchSigner()
    uow = SqlUnitOfWork(store, tenant=DEFAULT_TENANT)
    await uow.commit(append_all(make_records(count)))
    await uow.commit(lambda tx: tx.ledger.checkpoint(signer, at=datetime.now(UTC)))
    files = export_files(await uow.read(lambda tx: export_log(tx.ledger, tenant=DEFAULT_TENANT)))
    await store.close()
    speeds = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        report = verify_files(files, trusted=[signer.key])
        speeds.append(count / (time.perf_counter() - begun))
        assert report.sound
        assert report.records == count
    return speeds


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median with minimum and maximum."""
    return {
        "median": round(statistics.median(values), 2),
        "min": round(min(values), 2),
        "max": round(max(values), 2),
    }


async def measure(*, tiny: bool) -> dict[str, object]:
    """Everything, both sides in turn in each round."""
    count, singles, proofs, export = (512, 128, 10, 500) if tiny else (25_600, 5_120, 300, 50_000)
    bulk: list[tuple[float, float]] = []
    single: list[tuple[float, float]] = []
    other: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for _ in range(1 if tiny else ROUNDS):
            other.append(peer(make_records(count)))
            bulk.append(await ours(folder, make_records(count), per_unit=PER_UNIT))
            single.append(await ours(folder, make_records(singles), per_unit=1))
        latencies = sorted(await provable(folder, proofs))
        speeds = await offline(folder, export)
    return {
        "goal": 7,
        "command": "python bench/goal7_ledger.py" + (" --tiny" if tiny else ""),
        "machine": f"{platform.machine()}, Python {platform.python_version()}",
        "records": {"bulk": count, "single": singles, "export": export},
        "pymerkle_in_memory_us": {
            "wall": spread([each[0] for each in other]),
            "cpu": spread([each[1] for each in other]),
        },
        "remit_durable_us": {
            "wall": spread([each[0] for each in bulk]),
            "cpu": spread([each[1] for each in bulk]),
        },
        "remit_durable_one_record_per_unit_us": {
            "wall": spread([each[0] for each in single]),
            "cpu": spread([each[1] for each in single]),
        },
        "ratio_wall": spread([theirs[0] / mine[0] for theirs, mine in zip(other, bulk, strict=True)]),
        "ratio_cpu": spread([theirs[1] / mine[1] for theirs, mine in zip(other, bulk, strict=True)]),
        "provable_ms": {
            "p50": round(statistics.median(latencies), 2),
            "p99": round(latencies[min(len(latencies) - 1, int(len(latencies) * 0.99))], 2),
        },
        "offline_records_per_second": spread(speeds),
    }


def main() -> None:
    """Measure, print, write."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument(
        "--tiny", action="store_true", help="sizes for CI: checks that it runs, not how fast"
    )
    found = asyncio.run(measure(tiny=arguments.parse_args().tiny))
    print(json.dumps(found, indent=2))
    OUT.parent.mkdir(exist_ok=True)
    OUT.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
