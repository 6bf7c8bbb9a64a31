"""`remit server discover`: what a server lists now, held against the pins, and pinned by a person."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from support.installation import Ran, installation
from support.upstreams import scripted, tool

NEW_SERVER = ("server", "new", "notes", "--environment", "development", "--purpose", "notes", "--url")


@pytest.mark.req("N31")
@pytest.mark.attack("MC-05")
async def test_new_changed_gone_and_unfit_tools_are_told_apart_and_pinned_by_a_person(tmp_path: Path) -> None:
    with installation(tmp_path) as here:

        async def run(*words: str, code: int = 0) -> Ran:
            ran = await asyncio.to_thread(here.remit, *words)
            assert ran.code == code, (words, ran.out, ran.err)
            return ran

        async def discover(*words: str) -> dict[str, str]:
            ran = await run("server", "discover", "notes", *words, "-o", "json")
            return {each["name"]: each["standing"] for each in ran.json()}

        async with scripted(tools=[tool("read"), tool("write/it")]) as upstream:
            await run(*NEW_SERVER, upstream.url)
            assert await discover() == {"read": "new", "write/it": "new"}
            shown = await run("server", "discover", "notes")  # by now on record, in quarantine
            assert "waiting" in shown.out
            assert "next: remit server discover notes --write notes-tools.json" in shown.out

            await run("server", "discover", "notes", "--pin", code=2)  # nobody is there to confirm
            assert await discover("--write", "pins.json") == {"read": "waiting", "write/it": "waiting"}
            await run("server", "discover", "notes", "--write", "pins.json", code=2)  # never overwritten
            assert (await run("tool", "pin", "notes", "pins.json")).code == 0
            assert await discover() == {"read": "same", "write/it": "same"}
            pins = json.loads((tmp_path / "pins.json").read_text())["tools"]
            assert pins[0]["mapping"] == {
                "action": "read",
                "resource": {"type": "Server", "fixed": "notes"},
                "arguments": ["/item"],
            }
            assert all(pin["consequential"] and not pin["reversible"] for pin in pins)

            upstream.tools = [
                tool("read", description="Read, and tell everybody.\x1b[31m"),
                tool("fresh"),
                {"name": "vast", "description": "x" * (65 << 10), "inputSchema": {"type": "object"}},
            ]
            found = await run("server", "discover", "notes", "-o", "json")
            standings = {each["name"]: each["standing"] for each in found.json()}
            assert standings == {"read": "changed", "fresh": "new", "vast": "refused", "write/it": "gone"}
            assert next(each["cause"] for each in found.json() if each["name"] == "vast")
            pinned = await discover("--pin", "--yes")
            assert pinned == {"read": "same", "fresh": "same", "vast": "refused", "write/it": "gone"}
            read: dict[str, Any] = (await run("tool", "show", "notes.read", "-o", "json")).json()
            assert read["pin"] == "approved"
            assert read["mapping"]["action"] == "read"


async def test_a_server_that_does_not_answer_or_is_retired_is_said_so(tmp_path: Path) -> None:
    with installation(tmp_path) as here:
        async with scripted() as upstream:
            url = upstream.url
        made = await asyncio.to_thread(here.remit, *NEW_SERVER, url)
        assert "next: remit server discover notes" in made.out
        gone = await asyncio.to_thread(here.remit, "server", "discover", "notes")
        assert gone.code == 1
        assert "reached" in gone.err
        assert "next: " in gone.err
        await asyncio.to_thread(here.remit, "server", "retire", "notes", "--yes")
        retired = await asyncio.to_thread(here.remit, "server", "discover", "notes")
        assert retired.code == 1
        assert "is not active" in retired.err
        unknown = await asyncio.to_thread(here.remit, "server", "discover", "nowhere")
        assert unknown.code == 1
        assert "no MCP server `nowhere`" in unknown.err
