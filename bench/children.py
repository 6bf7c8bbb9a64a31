"""Peers and ourselves as child processes on loopback."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
START_SECONDS: Final = 60
_STOP_SECONDS: Final = 15


class DidNotStart(Exception):
    """A child ended, or did not listen in time; its log says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A running server."""

    pid: int
    port: int
    started: float
    """Seconds from the start of the process until it listened."""


def free_port() -> int:
    """A port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def child(
    words: Sequence[str],
    *,
    port: int,
    log: Path,
    environ: dict[str, str] | None = None,
    ready: str = "",
    seconds: float = START_SECONDS,
) -> Iterator[Child]:
    """Start a command and wait until its port takes connections, or until `ready` is answered with 200."""
    begun = time.perf_counter()
    with (
        log.open("ab") as out,
        subprocess.Popen(
            list(words), stdout=out, stderr=out, cwd=ROOT, env={**_clean(), **(environ or {})},
            start_new_session=True,
        ) as process,
    ):  # fmt: skip
        try:
            _await(process, port, log, ready, seconds)
            yield Child(pid=process.pid, port=port, started=time.perf_counter() - begun)
        finally:
            # The group: some commands are wrappers, which do not pass a signal on.
            _tell(process, signal.SIGTERM)
            try:
                process.wait(timeout=_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                _tell(process, signal.SIGKILL)
                process.wait()


def _tell(process: subprocess.Popen[bytes], what: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, what)


def python(*words: str) -> list[str]:
    """A command of this interpreter."""
    return [sys.executable, *words]


def _clean() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("REMIT_")}
    return {**kept, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")])}


def _await(process: subprocess.Popen[bytes], port: int, log: Path, ready: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not _answers(port, ready):
        if process.poll() is not None or time.monotonic() > deadline:
            text = log.read_text(encoding="utf-8", errors="replace")[-2000:]
            raise DidNotStart(f"{log.name}:\n{text}")
        time.sleep(0.02)


def _answers(port: int, ready: str) -> bool:
    try:
        if not ready:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return True
        asked = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        asked.request("GET", ready)
        found = asked.getresponse().status
        asked.close()
    except OSError:
        return False
    return found == http.HTTPStatus.OK
