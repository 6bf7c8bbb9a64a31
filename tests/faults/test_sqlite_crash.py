"""Kill -9 at any system call of a commit; nothing acknowledged is lost, nothing is half there."""

import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.engine import open_store
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.power import Said, Zygote, require_strace
from support.survivors import assert_whole

POINTS = [
    ("pwrite64", n) for n in (1, 2, 3, 5, 8, 9, 13, 17, 20, 26, 33, 40, 47, 55, 60, 71, 77, 83, 90, 97, 120)
] + [("fdatasync", n) for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 14, 15, 17, 20)]
"""The N-th call of the writing thread; at 20 pages per checkpoint they fall on log, database and restart."""


Crash = tuple[Path, Said]


def crash_at(zygote: Zygote, folder: Path, template: Path, call: str, nth: int) -> Crash:
    path = folder / f"{call}{nth}.db"
    shutil.copyfile(template, path)
    rule = ["-e", f"trace={call}", "-e", f"inject={call}:signal=KILL:when={nth}"]
    return path, zygote.run(f"sqlite:///{path} 60 --checkpoint 20", rule)


def crash_at_each(folder: Path, template: Path, points: Sequence[tuple[str, int]]) -> list[Crash]:
    zygote = Zygote()
    try:
        return [crash_at(zygote, folder, template, *point) for point in points]
    finally:
        zygote.close()


@pytest.mark.fault("F01")
@pytest.mark.promise("P3", "P15")
def test_nothing_acknowledged_is_lost_wherever_the_process_is_killed(
    sqlite_template: Path, tmp_path: Path
) -> None:
    require_strace()
    with ThreadPoolExecutor(2) as pool:
        halves = pool.map(
            lambda points: crash_at_each(tmp_path, sqlite_template, points), [POINTS[::2], POINTS[1::2]]
        )
        crashes = [crash for half in halves for crash in half]
    killed = [said for _, said in crashes if "done" not in said.words]
    assert len(killed) >= len(POINTS) * 3 // 4
    assert any(said.acknowledged for said in killed)
    for path, said in crashes:
        assert_whole(path, said.acknowledged)


@pytest.mark.fault("F01", "F22")
@pytest.mark.promise("P15")
async def test_a_killed_process_is_succeeded_without_a_manual_step(
    sqlite_template: Path, tmp_path: Path
) -> None:
    require_strace()
    ((path, said),) = crash_at_each(tmp_path, sqlite_template, [("fdatasync", 9)])
    store = await open_store(f"sqlite:///{path}")
    uow = SqlUnitOfWork(store, tenant=DEFAULT_TENANT)
    await uow.commit(lambda tx: tx.settings_store.put("after", "{}"))
    dead = await uow.read(lambda tx: tx.nodes.dead())
    await store.close()
    assert len(dead) == 1
    assert store.node not in dead
    assert_whole(path, said.acknowledged)
