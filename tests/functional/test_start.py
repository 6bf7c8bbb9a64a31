"""A start loads what it needs to be ready, and no more (performance goal 11); figures are made by `bench`."""

import gc
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from remit.surface.cli.up import _absent
from support.ports import free_port

NOT_NEEDED = frozenset(
    {"alembic", "mako", "rich.console", "pygments", "jinja2", "asyncpg", "mcp", "remit_demo"}
)
DEADLINE = 60.0


def ready(port: int, process: "subprocess.Popen[bytes]") -> bool:
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.05)
    return False


def test_a_first_start_is_ready_without_what_only_later_requests_need(tmp_path: Path) -> None:
    port, told = free_port(), tmp_path / "imports"
    words = ["up", "--no-demo", "--port", str(port), "--data", str(tmp_path / "data")]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REMIT_")}
    with told.open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-X", "importtime", "-m", "remit", *words],
            stdout=subprocess.DEVNULL, stderr=errors, env=environment,
        )  # fmt: skip
    try:
        assert ready(port, process), told.read_text(encoding="utf-8")[-2000:]
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)
    lines = [
        line for line in told.read_text(encoding="utf-8").splitlines() if line.startswith("import time:")
    ]
    loaded = {line.rpartition("|")[2].strip() for line in lines}
    assert {"remit", "sqlalchemy", "structlog"} <= loaded, "nothing was measured"
    assert sorted(loaded & NOT_NEEDED) == []


def test_a_package_is_absent_for_as_long_as_it_is_asked_to_be() -> None:
    import email

    with _absent("email"), pytest.raises(ModuleNotFoundError):
        import email.mime
    assert sys.modules["email"] is email
    with _absent("no_such_package"):
        pass
    assert "no_such_package" not in sys.modules


def test_a_start_that_is_refused_leaves_the_collector_on(tmp_path: Path) -> None:
    from remit.surface.cli.main import run

    assert run(["up", "--data", str(tmp_path), "--host", "0.0.0.0"]) == 1
    assert gc.isenabled()
