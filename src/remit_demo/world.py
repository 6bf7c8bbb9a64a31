"""What the story stands on: people, agents, two MCP servers, their pinned tools, a policy.

Everything is set up through the command line, as an operator would.
"""

import asyncio
import json
import os
import socket
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import httpx2
from mcp import Client, StdioServerParameters

from remit_demo.agent import Agent
from remit_demo.business.server import mappings
from remit_demo.command import Person
from remit_demo.keys import OwnKey

_WAIT_SECONDS: Final = 20
_AGENTS: Final = {
    "calendar-bot": "books rooms and tells people",
    "mail-bot": "writes mails for other agents",
    "support-bot": "answers support tickets",
}
_GIT_TOOLS: Final = {"git_log": ("log.read", ("/repo_path", "/max_count"))}


@dataclass(frozen=True, slots=True)
class World:
    """Who and what is there."""

    operator: Person
    user: Person
    lead: Person
    agents: dict[str, Agent]
    repository: Path
    folder: Path
    business: asyncio.subprocess.Process


async def build(operator: Person, folder: Path, http: httpx2.AsyncClient) -> World:
    """Set everything up; takes some seconds, most of them for starting commands."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    repository = await _repository(folder / "notes")
    business, port = await _start_business(operator.url, folder)
    try:
        return await _furnish(operator, folder, http, repository, business, port)
    except BaseException:
        end(business)
        raise


def end(process: asyncio.subprocess.Process) -> None:
    """Have a process that we started stop, if it still runs."""
    if process.returncode is None:
        process.terminate()


async def _furnish(
    operator: Person,
    folder: Path,
    http: httpx2.AsyncClient,
    repository: Path,
    business: asyncio.subprocess.Process,
    port: int,
) -> World:
    """People, agents, servers with their tools, a policy: all by commands."""
    user, lead = await asyncio.gather(
        _person(operator, folder, "user@company.com"),
        _person(operator, folder, "lead@company.com", "--team", "support-leads", "--role", "approver"),
    )
    await operator.run(*_words("blueprint new office --environment production"), "--purpose", "office work")
    await asyncio.gather(
        operator.run("blueprint", "limit", "office", _file(folder, "office", _everything(days=365))),
        operator.run(
            *_words("server new business --environment production --purpose"), "the business sample",
            "--url", f"http://127.0.0.1:{port}/mcp",
        ),
        operator.run(
            *_words("server new git --environment production --purpose"), "release notes", "--",
            sys.executable, "-m", "mcp_server_git", "--repository", str(repository),
        ),
    )  # fmt: skip
    await asyncio.gather(
        _pin(operator, folder, "business", await _listed(f"http://127.0.0.1:{port}/mcp")),
        _pin(operator, folder, "git", await _listed(_git(repository))),
        *(_agent(operator, folder, name, purpose) for name, purpose in _AGENTS.items()),
    )
    policies = str(files("remit_demo").joinpath("policies.cedar"))
    await operator.run("policy", "publish", policies)
    agents = {
        name: Agent(name=name, key=OwnKey.read(folder / f"{name}.key"), issuer=operator.url, http=http)
        for name in _AGENTS
    }
    return World(operator, user, lead, agents, repository, folder, business)


def ceiling(
    rights: Iterable[dict[str, Any]], *, purpose: str, hours: int = 8, depth: int = 0, **caps: Any
) -> dict[str, Any]:
    """The most that somebody may do, from now for some hours."""
    now = datetime.now(UTC).replace(microsecond=0)
    return {
        "rights": list(rights),
        "start": (now - timedelta(minutes=1)).isoformat(),
        "end": (now + timedelta(hours=hours)).isoformat(),
        "purpose": purpose,
        "depth": depth,
        **caps,
    }


def right(action: str, kind: str, *resources: str, **constraints: Any) -> dict[str, Any]:
    """One action on named resources, or on any of a type."""
    bounds = [{"pointer": f"/{name}", **bound} for name, bound in constraints.items()]
    named = {"resources": list(resources)} if resources else {"any": True}
    return {"action": action, "resource_type": kind, **named, "constraints": bounds}


def write(folder: Path, name: str, content: Any) -> str:
    """Put a document where a command can read it."""
    return _file(folder, name, content)


def _everything(*, days: int) -> dict[str, Any]:
    return ceiling(
        [
            right("business/rooms.read", "Calendar", "rooms"),
            right("business/rooms.book", "Room"),
            right("business/mail.send", "Recipient"),
            right("business/customers.read", "Customer"),
            right("business/refunds.create", "Order"),
            right("git/log.read", "Repository"),
        ],
        purpose="any",
        hours=24 * days,
        depth=3,
    )


async def _person(operator: Person, folder: Path, name: str, *more: str) -> Person:
    key = folder / f"{name}.key"
    await operator.run("user", "new", name, "--key", str(key), *more)
    return Person(operator.data, operator.url, key)


async def _agent(operator: Person, folder: Path, name: str, purpose: str) -> None:
    key = str(folder / f"{name}.key")
    words = _words(f"agent new {name} --environment production --blueprint office")
    await operator.run(*words, "--purpose", purpose, "--key", key)
    await operator.run("agent", "limit", name, _file(folder, name, _everything(days=30)))


async def _pin(operator: Person, folder: Path, server: str, tools: list[dict[str, Any]]) -> None:
    """Pin what was just read, with what an administrator says about it; the rest stays out of use."""
    known = {entry["tool"]: entry for entry in mappings()} if server == "business" else _git_mappings()
    pins = [
        {
            "name": tool["name"],
            "definition": tool,
            "mapping": known[tool["name"]]["mapping"],
            "consequential": known[tool["name"]]["consequential"],
            "reversible": known[tool["name"]]["reversible"],
        }
        for tool in tools
        if tool["name"] in known
    ]
    await operator.run("tool", "pin", server, _file(folder, f"{server}-tools", {"tools": pins}))


def _git_mappings() -> dict[str, dict[str, Any]]:
    return {
        name: {
            "consequential": False,
            "reversible": True,
            "mapping": {
                "action": action,
                "resource": {"type": "Repository", "pointer": "/repo_path"},
                "arguments": list(arguments),
                "sentence": "read the log of {/repo_path}",
            },
        }
        for name, (action, arguments) in _GIT_TOOLS.items()
    }


async def _listed(server: str | StdioServerParameters) -> list[dict[str, Any]]:
    """What a server says about its tools, read directly, before it is put behind the gateway."""
    async with Client(server) as client:
        found = await client.list_tools()
    return [tool.model_dump(by_alias=True, exclude_unset=True, mode="json") for tool in found.tools]


def _git(repository: Path) -> StdioServerParameters:
    return StdioServerParameters(
        command=sys.executable, args=["-m", "mcp_server_git", "--repository", str(repository)]
    )


async def _repository(path: Path) -> Path:
    """A small repository, so that a server that nobody here wrote has something to read."""
    if path.exists():
        return path
    path.mkdir()
    (path / "NOTES.md").write_text("Refunds are paid within two days.\n", encoding="utf-8")
    who = ["-c", "user.name=user", "-c", "user.email=user@company.com"]
    for words in (
        ["init", "-q"],
        ["add", "."],
        [*who, "commit", "-qm", "notes: say how long a refund takes"],
    ):
        process = await asyncio.create_subprocess_exec("git", "-C", str(path), *words)
        if await process.wait():
            raise RuntimeError(f"git {words} failed in {path}")
    return path


async def _start_business(issuer: str, folder: Path) -> tuple[asyncio.subprocess.Process, int]:
    """Start the business server on a free port; it takes capabilities of our issuer and nothing else."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    words = ["--port", str(port), "--issuer", issuer, "--database", str(folder / "business.db"), "--journal"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "remit_demo.business", *words, env=dict(os.environ)
    )
    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            if time.monotonic() > deadline or process.returncode is not None:
                end(process)
                raise
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return process, port


def _file(folder: Path, name: str, content: Any) -> str:
    path = folder / f"{name}.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return str(path)


def _words(text: str) -> list[str]:
    return text.split()
