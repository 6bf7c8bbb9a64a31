"""`remit dev` at a real terminal: it serves, shows an ask, takes a letter, and Ctrl-C ends everything."""

import asyncio
import json
import os
import pty
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp.types import CallToolResult

from remit.app.bootstrap import ADMINISTRATOR
from remit_demo.agent import Agent
from remit_demo.keys import OwnKey
from support.governed import USER, policies, support, wanted
from support.installation import Installation, Ran
from support.ports import free_port
from support.processes import group_members
from support.upstreams import business

DEADLINE = 60.0
CTRL_C = b"\x03"
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(slots=True)
class Terminal:
    """A pseudo-terminal with a program at its other end, as a person sees it."""

    side: int
    process: "subprocess.Popen[bytes]"
    text: str = ""
    _raw: bytearray = field(default_factory=bytearray)

    def type(self, keys: bytes) -> None:
        os.write(self.side, keys)

    def read_until(self, phrase: str) -> str:
        """Read on until the phrase was shown; fails with what was shown instead."""
        deadline = time.monotonic() + DEADLINE
        while phrase not in self.text and time.monotonic() < deadline:
            self._more()
        assert phrase in self.text, self.text
        return self.text

    def rest(self) -> str:
        """Everything until the program lets go of the terminal."""
        while self._more():
            pass
        return self.text

    def _more(self) -> bool:
        try:
            piece = os.read(self.side, 4096)
        except BlockingIOError:
            time.sleep(0.05)
            return True
        except OSError:  # Linux says EIO once the last program has closed its side
            return False
        self._raw += piece
        self.text = _COLOURS.sub("", self._raw.decode(errors="replace"))
        return bool(piece)


@contextmanager
def terminal(words: list[str], *, folder: Path) -> Iterator[Terminal]:
    """Run a program whose terminal this is, so that Ctrl-C reaches it and all its children."""
    ours, theirs = pty.openpty()
    os.set_blocking(ours, False)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REMIT_")}
    run = (
        "import fcntl, runpy, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
        "runpy.run_module(sys.argv.pop(1), run_name='__main__', alter_sys=True)"
    )
    with os.fdopen(ours, "rb", buffering=0) as side:
        process = subprocess.Popen(
            [sys.executable, "-c", run, *words],
            stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder, env=environment, start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        try:
            yield Terminal(side.fileno(), process)
        finally:
            process.kill()
            process.wait()


@pytest.mark.timeout(150)
@pytest.mark.req("R70")
async def test_asks_are_answered_at_the_terminal_that_serves(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with terminal(["remit", "dev", "--data", "data", "--port", str(port)], folder=tmp_path) as desk:
        await asyncio.to_thread(desk.read_until, "approvals are answered here with a / d")
        assert f"Remit on {url}   data in {tmp_path}/data" in desk.text
        here = Installation(data=tmp_path / "data", url=url, folder=tmp_path)
        async with scene(here) as refund:
            first = asyncio.create_task(refund("480.00"))
            await asyncio.to_thread(desk.read_until, "Digest")
            assert "480.00" in desk.text
            assert not first.done()
            desk.type(b"a\n")
            assert not (await first).is_error
            await asyncio.to_thread(desk.read_until, " is approved")
            second = asyncio.create_task(refund("490.00"))
            await asyncio.to_thread(desk.read_until, "490.00")
            desk.type(CTRL_C)  # at the question: the ask stays open, and everything ends
            await asyncio.to_thread(desk.rest)
            assert await asyncio.to_thread(desk.process.wait, 20) == 0
            await asyncio.gather(second, return_exceptions=True)
    assert "Traceback" not in desk.text, desk.text
    assert not group_members(desk.process.pid), "a child outlived the terminal"


Refund = Callable[[str], Coroutine[None, None, CallToolResult]]


@asynccontextmanager
async def scene(here: Installation) -> AsyncIterator[Refund]:
    """Set up what one refund needs, with the operator asked; gives the call as the agent makes it."""

    async def run(*words: str, who: str = "") -> Ran:
        key = here.folder / f"{who}.key" if who else None
        ran = await asyncio.to_thread(here.remit, *words, key=key)
        assert ran.code == 0, (words, ran.out, ran.err)
        return ran

    def jwks() -> dict[str, Any]:
        found: dict[str, Any] = httpx2.get(f"{here.url}/jwks", trust_env=False).json()
        return found

    mine = policies().replace("team:support-leads", f"user:{ADMINISTRATOR}")
    (here.folder / "policies.cedar").write_text(mine, encoding="utf-8")
    (here.folder / "support.json").write_text(json.dumps(support()), encoding="utf-8")
    audience = f"{here.url}/mcp/business"
    async with (
        business(jwks=jwks, issuer=here.url, audience=audience) as there,
        httpx2.AsyncClient(trust_env=False, timeout=30) as http,
    ):
        (here.folder / "remit.json").write_text(json.dumps(await wanted(there)), encoding="utf-8")
        await run("apply", "-f", "remit.json")
        await run("delegation", "give", "support-bot", "support.json", "--yes", who=USER)
        words = ("task", "start", "support-bot", "answer the ticket", "--purpose", "support", "--for", "1h")
        task = (await run(*words, "-o", "json", who=USER)).json()
        key = OwnKey.read(here.folder / "support-bot.key")
        agent = Agent(name="support-bot", key=key, issuer=here.url, http=http)

        async def refund(amount: str) -> CallToolResult:
            order = {"order_id": "8812", "amount": amount, "currency": "EUR"}
            async with agent.tools("business", envelope=task["envelope"]) as client:
                found: CallToolResult = await client.call_tool("refunds_create", order)
                return found

        yield refund
