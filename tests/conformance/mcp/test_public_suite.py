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
NEWEST = "@modelcontextprotocol/conformance@0.2.0-alpha.12"
NPX = Path(__file__).parents[3] / ".venv" / "bin" / "npx"


class Keyed(McpApp):
    """The suite knows no tokens: each of its requests is given one."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await super().__call__(
            {**scope, "headers": [*scope["headers"], (b"authorization", b"Bearer suite")]}, receive, send
        )


async def run(url: str, folder: Path, *options: str, suite: str = SUITE) -> dict[str, list[tuple[str, str]]]:
    """Every scenario's checks and their outcome."""
    process = await asyncio.create_subprocess_exec(
        *(str(NPX), "--yes", suite, "server", "--url", url, "--output-dir", str(folder), *options),
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


ON_PURPOSE = {
    # An answer without a question of ours behind it is dropped, so the server asks first.
    "server-input-required-result-ignore-extra-params",
}
"""Scenarios of the newest protocol in which the gateway differs from the server behind it."""


@pytest.mark.needs("npm")
@pytest.mark.req("N33")
@pytest.mark.timeout(300)
async def test_the_suite_of_the_newest_protocol_differs_only_where_we_say_why(tmp_path: Path) -> None:
    """Features that the server itself lacks (tasks, sampling, roots) fail alike on both ways."""
    if not NPX.exists():
        absent("npx is not here")
    required = ("--requirements", "2026-07-28")
    async with serving(everything().streamable_http_app(stateless_http=True)) as port:
        direct = await run(f"http://127.0.0.1:{port}/mcp", tmp_path / "direct", *required, suite=NEWEST)
        if not direct:
            absent("the public suite can't be fetched")
        async with house(freshness=60, make_app=Keyed) as gate:
            gate.add("all", url=f"http://127.0.0.1:{port}/mcp")
            await gate.approve_all("all")
            gate.verifier.tokens["suite"] = subject("suite", server="all")
            through = await run(gate.url("all"), tmp_path / "through", *required, suite=NEWEST)
    assert direct.keys() == through.keys()
    worse = {name for name in direct if not failures(through[name]) <= failures(direct[name])}
    assert worse == ON_PURPOSE
    passed = [name for name, checks in direct.items() if not failures(checks)]
    assert len(passed) > 30


def failures(checks: list[tuple[str, str]]) -> set[str]:
    """Ids of the checks that were made and not passed."""
    return {check for check, status in checks if status in {"FAILURE", "WARNING"}}
