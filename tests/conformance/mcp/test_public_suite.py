"""The public MCP conformance suite finds the same through an allow-all gateway as it finds directly."""

import asyncio
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from remit.enforcement.mcp.app import McpApp, Receive, Scope
from remit.enforcement.mcp.reply import Send
from support.absent import absent
from support.everything import everything
from support.gateway import house, subject
from support.upstreams import serving

SUITE = "@modelcontextprotocol/conformance@0.1.16"
NPX = Path(__file__).parents[3] / ".venv" / "bin" / "npx"


class Keyed(McpApp):
    """The suite knows no tokens: each of its requests is given one."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await super().__call__(
            {**scope, "headers": [*scope["headers"], (b"authorization", b"Bearer suite")]}, receive, send
        )


async def run(url: str, folder: Path) -> dict[str, list[tuple[str, str]]]:
    """Every scenario's checks and their outcome."""
    process = await asyncio.create_subprocess_exec(
        *(str(NPX), "--yes", SUITE, "server", "--url", url, "--output-dir", str(folder)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, "PATH": f"{NPX.parent}:{os.environ['PATH']}"},
    )
    await process.wait()
    return outcomes(folder)


def outcomes(folder: Path) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for path in sorted(folder.rglob("checks.json")):
        checks: list[dict[str, Any]] = json.loads(path.read_text())
        name = re.split(r"-20\d\d-\d\d-\d\dT", path.parent.name)[0]
        # INFO is no failure: the suite remarks that an answer came alone instead of as a stream of one event.
        found[name] = sorted((check["id"], check["status"].replace("INFO", "SUCCESS")) for check in checks)
    return found


@pytest.mark.needs("npm")
@pytest.mark.req("N33")
@pytest.mark.timeout(300)
async def test_the_public_suite_finds_the_same_directly_and_through_the_gateway(tmp_path: Path) -> None:
    if not NPX.exists():
        absent("npx is not here")
    async with serving(everything().streamable_http_app()) as port:
        direct = await run(f"http://127.0.0.1:{port}/mcp", tmp_path / "direct")
        if not direct:
            absent("the public suite can't be fetched")
        async with house(freshness=60, make_app=Keyed) as gate:
            gate.add("all", url=f"http://127.0.0.1:{port}/mcp")
            await gate.approve_all("all")
            gate.verifier.tokens["suite"] = subject("suite", server="all")
            through = await run(gate.url("all"), tmp_path / "through")
    assert through == direct
    passed = [name for name, checks in direct.items() if all(status == "SUCCESS" for _, status in checks)]
    assert len(passed) > 15
