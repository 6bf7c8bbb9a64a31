"""The first administrator's way to a passkey: a link on the terminal of whoever starts it, and in no log."""

import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from support.authenticator import Authenticator
from support.ports import free_port
from support.visitors import field, options_of

_LINK = re.compile(r"(http://localhost:\d+)/enrol#([A-Za-z0-9_-]+)")
_LAST = "stop: Ctrl-C"


@contextmanager
def started(data: Path, port: int, *, out: int) -> Iterator[None]:
    words = ["up", "--no-demo", "--port", str(port), "--data", str(data)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REMIT_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "remit", *words], stdout=out, stderr=subprocess.DEVNULL, env=environment
    )
    os.close(out)
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def told(reader: int) -> str:
    """What the person sees up to the last line of a start; a dead process ends it."""
    text = ""
    while _LAST not in text:
        try:
            part = os.read(reader, 4096)
        except OSError:  # a terminal that nobody writes to any more
            break
        if not part:
            break
        text += part.decode()
    return text


@pytest.mark.req("R17")
def test_whoever_starts_it_on_a_terminal_makes_the_first_passkey(tmp_path: Path) -> None:
    port = free_port()
    reader, out = pty.openpty()
    with started(tmp_path / "data", port, out=out):
        found = _LINK.search(told(reader))
        assert found is not None
        home, secret = found.groups()
        device = Authenticator(origin=home)
        with httpx2.Client(base_url=home, trust_env=False, timeout=30, headers={"Origin": home}) as http:
            page = http.post("/enrol", data={"secret": secret}).text
            assert "admin@localhost" in page
            answer = {
                "secret": secret,
                "ticket": field(page, "ticket"),
                "response": device.create(options_of(page)),
            }
            made = http.post("/enrol", data={**answer, "name": "phone"})
            assert "Your passkey is made" in made.text
            assert "phone" in http.get("/me/passkeys").text
    os.close(reader)
    again, out = pty.openpty()
    with started(tmp_path / "data", port, out=out):
        assert "passkey" not in told(again)
    os.close(again)


@pytest.mark.req("R17")
def test_a_log_gets_the_command_and_never_the_link(tmp_path: Path) -> None:
    reader, out = os.pipe()
    with started(tmp_path / "data", free_port(), out=out):
        text = told(reader)
    os.close(reader)
    assert "remit user enrol admin@localhost" in text
    assert _LINK.search(text) is None
