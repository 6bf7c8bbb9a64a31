"""Through an allow-all gateway, a client sees what it sees directly: both eras on both sides (N33)."""

import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client

from support.gateway import House, house
from support.upstreams import Business, business

CALLS: list[tuple[str, dict[str, Any]]] = [
    ("rooms_free", {"start": "2026-05-15T14:00Z", "end": "2026-05-15T15:00Z"}),
    ("customers_read", {"customer_id": "C-100"}),
    ("customers_read", {"customer_id": "nobody"}),
    ("documents_search", {"query": "calendar"}),
    ("documents_read", {"document_id": "D-1"}),
]


@pytest.fixture
async def there() -> AsyncIterator[Business]:
    async with business() as server:
        yield server


@pytest.fixture
async def gate(there: Business) -> AsyncIterator[House]:
    async with house(freshness=60) as built:
        await built.add_business(there.url)
        yield built


async def story(client: Client) -> list[Any]:
    """Everything that a client can ask the business server, and what it is told."""
    listed = (await client.list_tools()).tools
    tools = sorted((tool.model_dump() for tool in listed), key=lambda tool: tool["name"])
    results = [(await client.call_tool(name, arguments)).model_dump() for name, arguments in CALLS]
    prompts = (await client.list_prompts()).prompts
    prompt = await client.get_prompt("summarize", {"document_id": "D-1"})
    resource = await client.read_resource("document://D-1")
    templates = (await client.list_resource_templates()).resource_templates
    return [tools, results, prompts, prompt.messages, resource.contents, templates]


@pytest.mark.req("N33", "R126")
@pytest.mark.parametrize("mode", ["2026-07-28", "auto", "legacy"])
async def test_a_client_sees_through_the_gateway_what_it_sees_directly(
    mode: str, there: Business, gate: House
) -> None:
    async with Client(there.url, mode=mode) as direct:
        expected = await story(direct)
    async with gate.client(mode=mode) as through:
        assert await story(through) == expected


@pytest.mark.req("N33")
async def test_each_era_is_spoken_as_it_was_asked_for(gate: House) -> None:
    async with gate.client(mode="auto") as modern:
        assert modern.protocol_version == "2026-07-28"
    async with gate.client(mode="legacy") as legacy:
        assert legacy.protocol_version == "2025-11-25"


def a_repository(place: Path) -> Path:
    repository = place / "work"
    repository.mkdir()
    (repository / "note.txt").write_text("first\n")
    git = ["git", "-C", str(repository), "-c", "user.name=a", "-c", "user.email=user@company.com"]
    for arguments in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-qm", "first note"]):
        subprocess.run([*git, *arguments], check=True)
    return repository


@pytest.mark.req("N33")
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_server_that_is_a_child_process_is_reached_from_both_eras(mode: str, tmp_path: Path) -> None:
    repository = a_repository(tmp_path)
    argv = (sys.executable, "-m", "mcp_server_git", "--repository", str(repository))
    arguments = {"repo_path": str(repository)}
    async with house(freshness=60) as gate:
        gate.add("git", argv=argv)
        await gate.approve_all("git")
        async with gate.client("git", mode=mode) as through:
            tools = (await through.list_tools()).tools
            log = await through.call_tool("git_log", arguments)
            status = await through.call_tool("git_status", arguments)
        child = stdio_client(StdioServerParameters(command=argv[0], args=list(argv[1:])))
        async with Client(child, mode=mode) as direct:
            there = (await direct.list_tools()).tools
            by_name = sorted(there, key=lambda tool: tool.name)
            assert [tool.model_dump() for tool in tools] == [tool.model_dump() for tool in by_name]
            assert (await direct.call_tool("git_log", arguments)).content == log.content
            assert (await direct.call_tool("git_status", arguments)).content == status.content
        assert "first note" in str(log.content)
        assert gate.calls.states() == [("done", "ok"), ("done", "ok")]
