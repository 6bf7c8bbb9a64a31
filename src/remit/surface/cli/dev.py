"""`remit dev`: a local server, and its approvals answered in this terminal."""

import os
import subprocess  # the server runs as a child, so that this terminal is free for its questions
import sys
import time
from typing import Annotated, Final

import typer

from remit.kernel.errors import RemitError
from remit.surface.cli.failures import CommandFailed
from remit.surface.cli.options import word
from remit.surface.cli.render import say

app = word("Start the server and answer approvals in this terminal.")
_START_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 1.0


@app.command()
def dev(
    *,
    data: Annotated[str | None, typer.Option("--data", help="Data directory.")] = None,
    port: Annotated[int | None, typer.Option("--port", help="Port to listen on.")] = None,
) -> None:
    """Start the server and answer approvals in this terminal: `a` approves, `d` denies, Enter leaves it open.

    Each answer is signed with the operator's own key, over the digest of what was shown.
    """
    if data is not None:
        os.environ["REMIT_DATA"] = data
    command = [sys.executable, "-m", "remit", "up", *(["--port", str(port)] if port is not None else [])]
    with subprocess.Popen(command) as server:
        try:
            _wait(server)
            say("local server; approvals are answered here with a / d; stop: Ctrl-C")
            _desk(server)
        finally:
            server.terminate()
            server.wait(timeout=_START_SECONDS)


def _wait(server: "subprocess.Popen[bytes]") -> None:
    """Until this very server says where it is, and answers."""
    from remit.platform.settings.operator import read_server  # noqa: PLC0415 — `--help` need not pay for it
    from remit.surface.cli.client import Client, data_directory  # noqa: PLC0415 — as above

    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if read_server(data_directory(os.environ)).pid == server.pid:
                with Client.open() as client:
                    client.get("/approvals", state="pending")
                return
        except RemitError:
            pass  # not listening yet: asked again below, until the deadline
        time.sleep(_POLL_SECONDS / 4)
    raise CommandFailed("the server did not start", next_step="remit up")


def _desk(server: "subprocess.Popen[bytes]") -> None:
    """Show each ask once; what is left open stays open until it expires."""
    from remit.surface.cli.approval import card  # noqa: PLC0415 — as above
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    seen: set[str] = set()
    while server.poll() is None:
        with Client.open() as client:
            waiting = client.get("/approvals", state="pending", mine="true")["items"]
            for ask in [each for each in waiting if each["id"] not in seen]:
                seen.add(ask["id"])
                found = client.get(f"/approvals/{ask['id']}")
                for line in card(found):
                    say(line)
                answer = {"a": "approve", "d": "deny"}.get(
                    typer.prompt("a / d", default="", show_default=False)
                )
                if answer is not None:
                    signed = client.sign_answer(approval=found["id"], digest=found["digest"], answer=answer)
                    settled = client.post(f"/approvals/{found['id']}/answer", {"signature": signed})
                    say(f"{settled['id']} is {settled['state']}")
        time.sleep(_POLL_SECONDS)
