"""A whole installation in this process, on a real port, with the demonstration's people, agents and tools.

Nothing in it is taken apart: requests go over the network, agents are MCP clients of their own, people type
commands. Because it is this process, its logs, spans, figures and files can be read as well.
"""

import asyncio
import io
import json
import logging
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx2
from mcp import Client
from mcp.types import CallToolResult

from remit.app.bootstrap import prepare_directory
from remit.app.run import running
from remit.app.services import Services
from remit.platform.settings.model import Settings
from remit.platform.settings.operator import ServerAddress, write_server
from remit.platform.settings.options import HttpOptions, LogFormat, LogLevel, TelemetryOptions
from remit.platform.telemetry.logging import configure_logging
from remit.platform.telemetry.metrics import Metrics
from remit.surface.web.assembly import application
from remit_demo.agent import Agent
from remit_demo.business.server import mappings
from remit_demo.keys import OwnKey
from support.installation import Installation, Ran
from support.plain_log import log_plainly
from support.ports import free_port
from support.upstreams import Business, business, serving

USER, LEAD = "user@company.com", "lead@company.com"
AGENTS = {
    "calendar-bot": "books rooms and tells people",
    "mail-bot": "writes mails for other agents",
    "support-bot": "answers support tickets",
}
BOOKING = {
    "room": "Room-401",
    "start": "2026-05-15T14:00Z",
    "end": "2026-05-15T15:00Z",
    "title": "Planning",
}
DENIAL = "dev.remit/denial"


def right(action: str, kind: str, *resources: str, **constraints: Any) -> dict[str, Any]:
    """One action on named resources, or on any of a type."""
    bounds = [{"pointer": f"/{name}", **bound} for name, bound in constraints.items()]
    named = {"resources": list(resources)} if resources else {"any": True}
    return {"action": action, "resource_type": kind, **named, "constraints": bounds}


def ceiling(rights: list[dict[str, Any]], *, purpose: str, depth: int = 2, **caps: Any) -> dict[str, Any]:
    """The most that somebody may do, from a minute ago for a day."""
    now = datetime.now(UTC).replace(microsecond=0)
    return {
        "rights": rights,
        "start": (now - timedelta(minutes=1)).isoformat(),
        "end": (now + timedelta(days=1)).isoformat(),
        "purpose": purpose,
        "depth": depth,
        **caps,
    }


def everything() -> dict[str, Any]:
    """What the blueprint and the agents may do at most."""
    wanted = (
        ("rooms.read", "Calendar"), ("rooms.book", "Room"), ("mail.send", "Recipient"),
        ("customers.read", "Customer"), ("refunds.create", "Order"),
    )  # fmt: skip
    return ceiling([right(f"business/{action}", kind) for action, kind in wanted], purpose="any", depth=3)


def rooms() -> dict[str, Any]:
    """The user's consent for calendar-bot."""
    return ceiling(
        [
            right("business/rooms.read", "Calendar", "rooms"),
            right("business/rooms.book", "Room", "Room-401"),
            right("business/mail.send", "Recipient", USER),
        ],
        purpose="scheduling",
        calls=200,
    )


def support() -> dict[str, Any]:
    """The user's consent for support-bot."""
    return ceiling(
        [
            right("business/customers.read", "Customer", "C-100"),
            right("business/refunds.create", "Order", "8812", amount={"at_most": "500"}),
        ],
        purpose="support",
        calls=200,
        money=[{"currency": "EUR", "minor": 100000}],
    )


@dataclass(frozen=True, slots=True)
class Task:
    """A started task: its id and the ticket that the agent was handed."""

    id: str
    envelope: str
    agent: str


@dataclass(slots=True)
class Governed:
    """The installation, its people and its agents."""

    services: Services
    metrics: Metrics
    business: Business
    here: Installation
    http: httpx2.AsyncClient
    log: io.StringIO
    agents: dict[str, Agent] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where it listens: also its issuer."""
        return self.here.url

    @property
    def folder(self) -> Path:
        """Where people keep their keys and files."""
        return self.here.folder

    async def remit(self, *words: str, who: str = "") -> Ran:
        """Run a command as the operator, or as somebody whose key is in the folder."""
        key = self.folder / f"{who}.key" if who else None
        return await asyncio.to_thread(self.here.remit, *words, key=key)

    async def ask(self, *words: str, who: str = "") -> Any:
        """Run a command that must succeed, and read its JSON."""
        ran = await self.remit(*words, "-o", "json", who=who)
        assert ran.code == 0, (words, ran.out, ran.err)
        return ran.json()

    async def consent(self, agent: str, most: dict[str, Any], *, who: str = USER) -> None:
        """The user lets an agent act for them."""
        path = self.folder / f"consent-{time.monotonic_ns()}.json"
        path.write_text(json.dumps(most))
        await self.ask("delegation", "give", agent, str(path), "--yes", who=who)

    async def start(self, agent: str, goal: str, *, purpose: str, who: str = USER) -> Task:
        """The user asks an agent for something."""
        words = ("task", "start", agent, goal, "--purpose", purpose, "--for", "1h")
        found = await self.ask(*words, who=who)
        return Task(found["task"]["id"], found["envelope"], agent)

    @asynccontextmanager
    async def client(
        self, task: Task, *, agent: str = "", envelope: str = "", server: str = "business"
    ) -> AsyncIterator[Client]:
        """An ordinary MCP client of the gateway, acting on the task."""
        tools = self.agents[agent or task.agent].tools(server, envelope=envelope or task.envelope)
        async with tools as client:
            yield client

    async def call(self, task: Task, tool: str, arguments: dict[str, Any], **who: str) -> CallToolResult:
        """One call on a connection of its own."""
        async with self.client(task, **who) as client:
            found: CallToolResult = await client.call_tool(tool, dict(arguments))
            return found

    async def pending(self) -> dict[str, Any]:
        """The newest ask in the lead's inbox, as soon as there is one."""
        async with asyncio.timeout(20):
            while True:
                found = await self.ask("approval", "list", "--mine", "--state", "pending", who=LEAD)
                if found["items"]:
                    newest: dict[str, Any] = found["items"][0]
                    return newest

    def hop(self, task: Task, to: str, rights: list[dict[str, Any]], *, purpose: str = "scheduling") -> str:
        """The task's agent signs one hop for another agent, given by id."""
        giver = self.agents[task.agent]
        return giver.delegate(task.envelope, to=to, rights=rights, task=task.id, purpose=purpose, seconds=600)


def denial_of(result: CallToolResult) -> dict[str, Any]:
    """Why a call was refused; empty if it was not."""
    found: dict[str, Any] = (result.meta or {}).get(DENIAL) or {}
    return found


@contextmanager
def logged() -> Iterator[io.StringIO]:
    """Let the process log as a server does, into memory, at its most talkative."""
    root, stream = logging.getLogger(), io.StringIO()
    before, level = root.handlers, root.level
    configure_logging(TelemetryOptions(log_format=LogFormat.JSON, log_level=LogLevel.DEBUG), stream=stream)
    try:
        yield stream
    finally:
        root.handlers = before
        root.setLevel(level)
        log_plainly()


@asynccontextmanager
async def governed(folder: Path) -> AsyncIterator[Governed]:
    """Start everything, and set the scene with one `remit apply`."""
    async with AsyncExitStack() as stack:
        log = stack.enter_context(logged())
        port = free_port()
        settings = Settings(data=folder / "data", http=HttpOptions(port=port))
        prepare_directory(settings)
        services = await stack.enter_async_context(running(settings))
        metrics = services.metrics
        app = application(services)
        await stack.enter_async_context(serving(app, lifespan="off", port=port))
        issuer = settings.issuer_url
        write_server(settings.directory, ServerAddress(url=issuer, issuer=issuer, pid=1))
        keys, clock = services.ground.keys, services.ground.clock
        there = await stack.enter_async_context(
            business(
                jwks=lambda: dict(keys.jwks(at=clock.now())), issuer=issuer, audience=f"{issuer}/mcp/business"
            )
        )
        http = await stack.enter_async_context(httpx2.AsyncClient(trust_env=False, timeout=30))
        here = Installation(data=folder / "data", url=issuer, folder=folder)
        found = Governed(services=services, metrics=metrics, business=there, here=here, http=http, log=log)
        await _set_the_scene(found)
        yield found


async def _set_the_scene(found: Governed) -> None:
    (found.folder / "policies.cedar").write_text(policies())
    (found.folder / "remit.json").write_text(json.dumps(await wanted(found.business)))
    applied = await found.remit("apply", "-f", "remit.json")
    assert applied.code == 0, applied.out + applied.err
    for name in AGENTS:
        key = OwnKey.read(found.folder / f"{name}.key")
        found.agents[name] = Agent(name=name, key=key, issuer=found.url, http=found.http)
    await found.consent("calendar-bot", rooms())
    await found.consent("support-bot", support())


def policies() -> str:
    """The demonstration's, but for its last rule, which is about a second server."""
    text = files("remit_demo").joinpath("policies.cedar").read_text(encoding="utf-8")
    return text.partition('@id("git.read")')[0]


async def wanted(business: Business) -> dict[str, Any]:
    """The scene as `remit apply` takes it: two people, three agents, one server with its tools."""
    async with Client(business.url) as direct:
        listed = await direct.list_tools()
    told = {t.name: t.model_dump(by_alias=True, exclude_unset=True, mode="json") for t in listed.tools}
    return {
        "users": [
            {"name": USER, "roles": ["reader"], "key": f"{USER}.key"},
            {"name": LEAD, "roles": ["approver"], "teams": ["support-leads"], "key": f"{LEAD}.key"},
        ],
        "blueprints": [
            {
                "name": "office",
                "purpose": "office work",
                "environment": "production",
                "ceiling": everything(),
            }
        ],
        "agents": [
            {
                "name": name,
                "purpose": purpose,
                "environment": "production",
                "blueprint": "office",
                "key": f"{name}.key",
                "ceiling": everything(),
            }
            for name, purpose in AGENTS.items()
        ],
        "servers": [
            {
                "name": "business",
                "transport": "http",
                "purpose": "the business sample",
                "environment": "production",
                "url": business.url,
                "tools": [
                    {
                        "name": each["tool"],
                        "definition": told[each["tool"]],
                        "mapping": each["mapping"],
                        "consequential": each["consequential"],
                        "reversible": each["reversible"],
                    }
                    for each in mappings()
                ],
            }
        ],
        "policies": ["policies.cedar"],
    }
