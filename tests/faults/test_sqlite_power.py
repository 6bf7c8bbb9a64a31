"""Power cuts and torn writes: a recorded run, replayed without what was not synced."""

import random
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.power import Disk, Said, Syscall, read_trace, require_strace, writer
from support.survivors import assert_whole, inspect

CUTS = 60
TRACED = "trace=pwrite64,fdatasync,fsync,ftruncate,unlink,write"


@dataclass(frozen=True)
class Recording:
    path: Path
    start: bytes
    calls: list[Syscall]


def record(folder: Path, template: Path, *options: str) -> Recording:
    require_strace()
    path, log = folder / "remit.db", folder / "strace.log"
    shutil.copyfile(template, path)
    rule = ["--seccomp-bpf", "-o", str(log), "-y", "-xx", "-s", "1000000", "-e", TRACED]
    process = writer(f"sqlite:///{path}", 120, "--checkpoint", "25", *options, strace=rule)
    output, errors = process.communicate(timeout=60)
    assert Said.read(output).acknowledged, errors.decode()
    return Recording(path, template.read_bytes(), read_trace(log))


@pytest.fixture(scope="module")
def recording(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Recording:
    return record(tmp_path_factory.mktemp("power"), sqlite_template)


def cut(
    recording: Recording, after: int, *, keep: random.Random | None = None
) -> tuple[dict[str, bytes], Said]:
    disk = Disk({str(recording.path): recording.start})
    for call in recording.calls[:after]:
        disk.run(call)
    return disk.after_cut(keep), Said.read(disk.output)


def put_back(left: dict[str, bytes], recording: Recording, folder: Path) -> Path:
    """The database and its log as the machine finds them when the power is back."""
    folder.mkdir()
    for suffix in ("", "-wal"):
        if content := left.get(f"{recording.path}{suffix}"):
            (folder / f"remit.db{suffix}").write_bytes(content)
    return folder / "remit.db"


def moments(recording: Recording) -> list[int]:
    rng = random.Random(20260515)  # noqa: S311  # which moments are cut, the same in each run
    last = len(recording.calls)
    return sorted({last, *(rng.randrange(10, last) for _ in range(CUTS))})


@pytest.mark.fault("F02")
@pytest.mark.promise("P3")
def test_a_power_cut_loses_nothing_that_was_acknowledged(recording: Recording, tmp_path: Path) -> None:
    told = 0
    for moment in moments(recording):
        left, said = cut(recording, moment)
        assert_whole(put_back(left, recording, tmp_path / str(moment)), said.acknowledged)
        told = max(told, len(said.acknowledged))
    assert told == 120


@pytest.mark.fault("F03")
@pytest.mark.promise("P3")
@pytest.mark.parametrize("seed", [1, 2])
def test_torn_and_reordered_writes_leave_the_old_or_the_new_state(
    recording: Recording, tmp_path: Path, seed: int
) -> None:
    for moment in moments(recording):
        keep = random.Random(seed * 100_000 + moment)  # noqa: S311  # which sectors survive, the same in each run
        left, said = cut(recording, moment, keep=keep)
        assert_whole(put_back(left, recording, tmp_path / str(moment)), said.acknowledged)


@pytest.mark.twin("F02")
def test_with_synchronous_normal_a_power_cut_loses_what_was_acknowledged(
    sqlite_template: Path, tmp_path: Path
) -> None:
    recording = record(tmp_path, sqlite_template, "--unsafe-normal")
    lost = 0
    for moment in moments(recording):
        left, said = cut(recording, moment)
        found = inspect(put_back(left, recording, tmp_path / str(moment)))
        lost += len(set(said.acknowledged) - found.whole)
    assert lost > 0


@pytest.mark.promise("P3")
def test_one_sync_carries_many_commits(sqlite_template: Path, tmp_path: Path) -> None:
    """The recording counts them: far fewer syncs than acknowledged works."""
    path, log = tmp_path / "remit.db", tmp_path / "strace.log"
    require_strace()
    shutil.copyfile(sqlite_template, path)
    rule = ["--seccomp-bpf", "-o", str(log), "-y", "-xx", "-s", "100", "-e", "trace=fdatasync,write"]
    process = writer(f"sqlite:///{path}", 600, "--callers", "64", strace=rule)
    output, _ = process.communicate(timeout=60)
    calls = read_trace(log)
    syncs = [call for call in calls if call.name == "fdatasync" and call.path.endswith("-wal")]
    assert len(Said.read(output).acknowledged) == 600
    assert len(syncs) <= 600 / 4
