"""`remit dev`: a local server, and its approvals answered in this terminal."""

import os
import select
import subprocess  # the server runs as a child, so that this terminal is free for its questions
import sys
import time
from typing import TYPE_CHECKING, Annotated, Final

import typer

from remit.kernel.errors import RemitError
from remit.surface.cli.failures import CommandFailed, Refused, Unreachable
from remit.surface.cli.options import word
from remit.surface.cli.render import say

if TYPE_CHECKING:
    from remit.surface.cli.client import Client

app = word("Start the server and answer approvals in this terminal.")
_START_SECONDS: Final = 30.0
_POLL_SECONDS: Final = 1.0
_LOOKS: Final = 120
"""Looks with one token, which lives longer than they take together."""


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
            sys.stdout.flush()
            _desk(server)
        except (KeyboardInterrupt, typer.Abort):
            return  # stopped as the line above says; the server heard it too, or is told below
        finally:
            server.terminate()
            server.wait(timeout=_START_SECONDS)
    raise CommandFailed(f"the server has ended by itself ({server.returncode})", next_step="remit doctor")


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
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    seen: set[str] = set()
    while server.poll() is None:
        try:
            with Client.open() as client:
                for _ in range(_LOOKS):
                    _answer_new(client, seen, server)
                    time.sleep(_POLL_SECONDS)
        except Unreachable:
            time.sleep(_POLL_SECONDS)  # it is ending, or busy: the loop's condition tells which


def _answer_new(client: "Client", seen: set[str], server: "subprocess.Popen[bytes]") -> None:
    waiting = client.get("/approvals", state="pending", mine="true")["items"]
    for ident in [each["id"] for each in waiting if each["id"] not in seen]:
        seen.add(ident)
        try:
            _ask(client, ident, server)
        except (
            Refused
        ) as refused:  # answered elsewhere, or expired while it stood here: the next one may not be
            say(f"error: {refused.hint}")


def _ask(client: "Client", ident: str, server: "subprocess.Popen[bytes]") -> None:
    """Show one ask, take one letter, and sign exactly what was shown."""
    from remit.surface.cli.approval import card  # noqa: PLC0415 — as above

    found = client.get(f"/approvals/{ident}")
    for line in card(found):
        say(line)
    letter = _letter(server)
    answer = {"a": "approve", "d": "deny"}.get(letter.strip().lower())
    if answer is None:
        say(f"left open; later: remit approval show {ident}")
        return
    signed = client.sign_answer(approval=found["id"], digest=found["digest"], answer=answer)
    settled = client.post(f"/approvals/{found['id']}/answer", {"signature": signed})
    say(f"{settled['id']} is {settled['state']}")


def _letter(server: "subprocess.Popen[bytes]") -> str:
    """A line from the terminal; none if the server ends meanwhile.

    Waits in steps: a Ctrl-C that comes just before a plain read begins would wait with it until Enter.
    """
    sys.stdout.write("a / d: ")
    sys.stdout.flush()
    while server.poll() is None:
        if select.select([sys.stdin], [], [], _POLL_SECONDS / 4)[0]:
            if line := sys.stdin.readline():
                return line
            raise typer.Abort
    return ""
