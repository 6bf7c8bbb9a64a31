"""The parent's side of `house_process`: start a run, wait for its words, trace it, kill it."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from support.absent import absent

TESTS: Final = Path(__file__).parent.parent
PATIENCE_S: Final = 30.0


class Run:
    """One forked installation."""

    def __init__(self, zygote: "Mortals", line: str) -> None:
        self._zygote = zygote
        zygote.tell(line)
        self.pid = int(zygote.hear("pid").split()[1])

    def ready(self) -> None:
        self._zygote.hear("ready")

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        self._zygote.hear("ended")

    def end(self) -> list[str]:
        """What it said until it ended."""
        return self._zygote.until("ended")

    def trace(self, *rule: str) -> list[str]:
        """Go on from the pause under strace; what it said until it ended."""
        if shutil.which("strace") is None:
            absent("strace is not installed (apt-get install strace)")
        command = ["strace", "-f", "-qq", "-o", "/dev/null", *rule, "-p", str(self.pid)]
        with subprocess.Popen(command, stderr=subprocess.PIPE) as tracer:
            _until_traced(self.pid, tracer)
            last = threading.Timer(PATIENCE_S, os.kill, (self.pid, signal.SIGKILL))
            last.start()  # a process that nothing wakes ends all the same, and its test says what is missing
            go_on(self.pid)
            said = self.end()
            last.cancel()
            tracer.wait(timeout=10)
        return said


class Mortals:
    """A process that has everything imported and forks installations."""

    def __init__(self) -> None:
        environment = {**os.environ, "PYTHONPATH": f"{TESTS.parent / 'src'}:{TESTS}"}
        self._process = subprocess.Popen(
            [sys.executable, str(TESTS / "support" / "house_process.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
            start_new_session=True,
        )

    def run(self, line: str) -> Run:
        return Run(self, line)

    def tell(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def hear(self, word: str) -> str:
        """The next line that begins so."""
        assert self._process.stdout is not None
        while line := self._process.stdout.readline():
            if line.split(maxsplit=1)[:1] == [word]:
                return line.strip()
            if line.strip() == "ended":
                break
        raise AssertionError(f"the process ended before it said `{word}`")

    def until(self, word: str) -> list[str]:
        assert self._process.stdout is not None
        said: list[str] = []
        while line := self._process.stdout.readline():
            if line.strip() == word:
                return said
            said.append(line.strip())
        raise AssertionError(f"the process ended before it said `{word}`")

    def close(self) -> None:
        """With whatever it has forked: a test that failed may have left one serving."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.communicate()


def _until_traced(pid: int, tracer: "subprocess.Popen[bytes]") -> None:
    """Wait until the tracer has the process and all its threads."""
    while tracer.poll() is None:
        status = [Path(f"/proc/{pid}/task/{thread}/status").read_text() for thread in threads(pid)]
        if all("TracerPid:\t0\n" not in text for text in status):
            return
    raise AssertionError("strace could not attach")


def go_on(pid: int) -> None:
    """Wake a paused process; again, where the signal came before its tracer had seen the pause."""
    for _ in range(200):
        try:
            os.kill(pid, signal.SIGCONT)
            time.sleep(0.02)
            stopped = "State:\tt" in Path(f"/proc/{pid}/status").read_text().replace("T (", "t (")
        except (ProcessLookupError, FileNotFoundError):
            return
        if not stopped:
            return


def threads(pid: int) -> Sequence[str]:
    return os.listdir(f"/proc/{pid}/task")  # noqa: PTH208 — names of threads, no paths
