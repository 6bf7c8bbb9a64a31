"""Power cuts on one machine: a recorded run's system calls, replayed without what was not synced.

`strace` writes down every byte that a process wrote and every sync that returned. `Disk.at` gives what a disk
must hold if the power fails after so many of these calls: what was synced, plus any part of the rest.
"""

import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from support.absent import absent
from support.mortal import go_on

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / "tests" / "support" / "writer_process.py"
SECTOR = 512
_LINE = re.compile(r"^(?P<pid>\d+) +(?P<rest>.*)$")
_UNFINISHED = " <unfinished ...>"
_RESUMED = re.compile(r"^<\.\.\. (?P<call>\w+) resumed>(?P<rest>.*)$")
_CALL = re.compile(r"^(?P<call>\w+)\((?P<arguments>.*)\) += (?P<result>-?\d+)")
_TARGET = re.compile(r"^\d+<(?P<path>[^>]*)>")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


def require_strace() -> str:
    """The tracer; where it is absent a gate fails, another machine says so and skips."""
    found = shutil.which("strace")
    if found is None:
        absent("strace is not installed (apt-get install strace)")
    return found


def writer(url: str, count: int, *options: str, strace: list[str] | None = None) -> "subprocess.Popen[bytes]":
    """Start the writing process, perhaps under strace."""
    tracer = [require_strace(), "-f", "-qq", *strace] if strace is not None else []
    return subprocess.Popen(
        [*tracer, sys.executable, str(PROGRAM), url, str(count), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'tests'}"},
    )


class Zygote:
    """A process that has imported everything and becomes one writer after another, each under a tracer."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(PROGRAM), "--fork"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT / 'tests'}"},
        )

    def run(self, arguments: str, strace: list[str]) -> "Said":
        """Run one writer under these rules of strace, to its end; returns what it said."""
        source, sink = self._process.stdout, self._process.stdin
        assert source is not None
        assert sink is not None
        sink.write(arguments.encode() + b"\n")
        sink.flush()
        pid = int(source.readline().split()[1])
        tracer = subprocess.Popen([require_strace(), "-f", "-qq", "-o", "/dev/null", *strace, "-p", str(pid)])
        while "TracerPid:\t0\n" in Path(f"/proc/{pid}/status").read_text():
            time.sleep(0.002)
        go_on(pid)
        output = b"".join(iter(source.readline, b"ended\n"))
        tracer.wait(10)
        return Said.read(output)

    def close(self) -> None:
        self._process.communicate(timeout=10)


@dataclass
class Said:
    """What a writer told its callers."""

    acknowledged: list[int] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)
    words: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, output: bytes) -> "Said":
        said = cls()
        for line in output.decode().splitlines():
            match line.split():
                case [number] if number.isdigit():
                    said.acknowledged.append(int(number))
                case ["refused", number, code]:
                    said.refused[int(number)] = code
                case _:
                    said.words.append(line)
        return said


@dataclass(frozen=True)
class Syscall:
    name: str
    path: str
    data: bytes = b""
    offset: int = 0


def read_trace(log: Path) -> list[Syscall]:
    """System calls in the order in which they returned; failed ones are left out."""
    calls: list[Syscall] = []
    begun: dict[str, str] = {}
    for line in log.read_text().splitlines():
        if (found := _LINE.match(line)) is None:
            continue
        pid, rest = found["pid"], found["rest"]
        if rest.endswith(_UNFINISHED):
            begun[pid] = rest.removesuffix(_UNFINISHED)
            continue
        if (resumed := _RESUMED.match(rest)) is not None:
            rest = begun.pop(pid) + resumed["rest"]
        if (call := _CALL.match(rest)) is not None and int(call["result"]) >= 0:
            calls += _syscall(call["call"], call["arguments"])
    return calls


def _syscall(name: str, arguments: str) -> Iterator[Syscall]:
    target = _TARGET.match(arguments)
    texts = [bytes.fromhex(each.replace("\\x", "")) for each in _TEXT.findall(arguments)]
    numbers = [int(each) for each in re.findall(r", (\d+)", arguments)]
    if name == "unlink":
        yield Syscall(name, texts[0].decode())
    elif target is not None:
        path = bytes.fromhex(target["path"].replace("\\x", "")).decode(errors="replace")
        data = texts[0] if texts else b""
        yield Syscall(name, path, data, numbers[-1] if numbers else 0)


class Disk:
    """A disk below a file system that keeps nothing until it is told to sync."""

    def __init__(self, start: dict[str, bytes]) -> None:
        self.synced = {path: bytearray(content) for path, content in start.items()}
        self.waiting: dict[str, list[Syscall]] = {}
        self.output = b""

    def run(self, call: Syscall) -> None:
        match call.name:
            case "pwrite64" | "ftruncate":
                self.waiting.setdefault(call.path, []).append(call)
            case "fdatasync" | "fsync":
                for each in self.waiting.pop(call.path, []):
                    apply(self.synced.setdefault(call.path, bytearray()), each)
            case "unlink":
                self.synced.pop(call.path, None)
                self.waiting.pop(call.path, None)
            case "write" if call.path.startswith("pipe:"):
                self.output += call.data

    def after_cut(self, keep: random.Random | None = None) -> dict[str, bytes]:
        """What is left; with `keep`, a random part of the unsynced sectors has reached the platter too."""
        left = {path: bytearray(content) for path, content in self.synced.items()}
        if keep is not None:
            for path, calls in self.waiting.items():
                for sector in [part for call in calls for part in sectors(call)]:
                    if keep.random() < 0.5:
                        apply(left.setdefault(path, bytearray()), sector)
        return {path: bytes(content) for path, content in left.items()}


def sectors(call: Syscall) -> Iterator[Syscall]:
    """A write in the pieces that a disk writes whole."""
    if call.name != "pwrite64":
        yield call
        return
    start = 0
    while start < len(call.data):
        end = min(len(call.data), start + SECTOR - (call.offset + start) % SECTOR)
        yield Syscall("pwrite64", call.path, call.data[start:end], call.offset + start)
        start = end


def apply(content: bytearray, call: Syscall) -> None:
    if call.name == "ftruncate":
        size = call.offset
        content[:] = content[:size].ljust(size, b"\0")
        return
    end = call.offset + len(call.data)
    if len(content) < end:
        content.extend(b"\0" * (end - len(content)))
    content[call.offset : end] = call.data
