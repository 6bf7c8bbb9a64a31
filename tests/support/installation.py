"""A real installation as a child process: its own data directory, a free port, the command line beside it."""

import contextlib
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from remit.surface.cli.main import run
from support.ports import free_port

START_SECONDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """How a command ended and what it wrote."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """A running server and the operator's shell."""

    data: Path
    url: str
    folder: Path

    def remit(self, *arguments: str, key: Path | None = None) -> Ran:
        """Run one command line as the operator, or as whoever has the key; nobody sits at a terminal."""
        out, err = io.StringIO(), io.StringIO()
        with self._as(key), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = run(arguments)
        return Ran(code=code, out=out.getvalue(), err=err.getvalue())

    @contextmanager
    def _as(self, key: Path | None) -> Iterator[None]:
        """In this process, since starting Python seventy times is most of a minute."""
        before, stdin = dict(os.environ), sys.stdin
        os.environ.clear()
        os.environ.update(self.environment(key))
        sys.stdin = io.StringIO()
        try:
            with contextlib.chdir(self.folder):
                yield
        finally:
            sys.stdin = stdin
            os.environ.clear()
            os.environ.update(before)

    def environment(self, key: Path | None = None) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("REMIT_")}
        chosen = {"REMIT_KEY": str(key)} if key else {}
        return {**clean, "REMIT_DATA": str(self.data), "COLUMNS": "100", **chosen}


@contextmanager
def installation(folder: Path) -> Iterator[Installation]:
    """Start `remit up` and wait until it says where it is."""
    port = free_port()
    found = Installation(data=folder / "data", url=f"http://127.0.0.1:{port}", folder=folder)
    command = [sys.executable, "-m", "remit", "up", "--port", str(port), "--no-demo"]
    with (
        (folder / "server.log").open("wb") as log,
        subprocess.Popen(command, env=found.environment(), stdout=log, stderr=log, cwd=folder) as server,
    ):
        try:
            deadline = time.monotonic() + START_SECONDS
            while not (found.data / "server.json").exists():
                assert server.poll() is None, (folder / "server.log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.05)
            yield found
        finally:
            server.terminate()
            server.wait(timeout=START_SECONDS)
