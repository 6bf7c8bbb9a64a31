"""The story that `make up` tells: six steps, every line from a real call.

The agents are ordinary MCP clients; the person who approves and the operator who kills type commands.
"""

import asyncio
import os
import sys
import zipfile
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import httpx2
from mcp import MCPError
from mcp.types import CallToolResult, TextContent

from remit_demo.agent import Refused
from remit_demo.command import CommandFailed, Person
from remit_demo.teller import Teller
from remit_demo.world import World, build, ceiling, end, right, write

_LOOK_SECONDS: Final = 1.0
_DENIAL: Final = "dev.remit/denial"
_BOOKING: Final = {
    "room": "Room-401",
    "start": "2026-05-15T14:00Z",
    "end": "2026-05-15T15:00Z",
    "title": "Planning",
}
_REFUND: Final = {"order_id": "8812", "amount": "480.00", "currency": "EUR"}


class StoryBroken(Exception):
    """Something did not happen as it must; the demonstration says so and stops."""


async def tell(data: Path, url: str, teller: Teller) -> None:
    """Set the scene, tell the six steps, say where everything is; then keep the sample server running."""
    async with httpx2.AsyncClient(trust_env=False, timeout=60.0) as http:
        print("\nsetting the scene: 2 people, 3 agents, 2 MCP servers, 1 policy", flush=True)
        world = await build(Person(data, url), data / "demo", http)
        try:
            await Story(world, teller).tell()
            _farewell(world, teller)
            await _until_alone(world.business)
        finally:
            end(world.business)


async def _until_alone(business: asyncio.subprocess.Process) -> None:
    """Wait for the sample server's end, or for that of whoever started us: killed, it could not end us."""
    parent = os.getppid()
    while business.returncode is None and os.getppid() == parent:  # noqa: ASYNC110 — a parent's end is no event
        await asyncio.sleep(_LOOK_SECONDS)


class Story:
    """The six steps."""

    def __init__(self, world: World, teller: Teller) -> None:
        self._world = world
        self._teller = teller
        self._task: dict[str, Any] = {}
        self._support: dict[str, Any] = {}
        self._mailed = ""

    async def tell(self) -> None:
        """One after the other: each stands on the one before."""
        await self.consent()
        await self.permitted()
        await self.outside_the_task()
        await self.approved_bytes()
        await self.delegated()
        await self.killed()
        await self.verified()

    async def consent(self) -> None:
        """The user lets two agents act, and starts a task with each; their token never leaves them."""
        user, folder = self._world.user, self._world.folder
        rooms = ceiling(
            [
                right("business/rooms.read", "Calendar", "rooms"),
                right("business/rooms.book", "Room", "Room-401"),
                right("business/mail.send", "Recipient", "user@company.com", "lead@company.com"),
            ],
            purpose="scheduling",
            depth=2,
            calls=20,
        )
        support = ceiling(
            [
                right("business/customers.read", "Customer", "C-100"),
                right("business/refunds.create", "Order", "8812", amount={"at_most": "500"}),
                right("git/log.read", "Repository", str(self._world.repository)),
            ],
            purpose="support",
            calls=20,
            money=[{"currency": "EUR", "minor": 100000}],
        )
        await user.run("delegation", "give", "calendar-bot", write(folder, "rooms", rooms), "--yes")
        await user.run("delegation", "give", "support-bot", write(folder, "support", support), "--yes")
        start = ("task", "start", "--for", "1h", "--purpose")
        self._task = await user.ask(*start, "scheduling", "calendar-bot", "book Room-401 and tell me")
        self._support = await user.ask(*start, "support", "support-bot", "answer ticket 4471")

    async def permitted(self) -> None:
        """Calls that the task is for, on two servers."""
        teller, world = self._teller, self._world
        teller.step("calendar-bot books Room-401 for user@company.com")
        result = await self._call("calendar-bot", self._task, "business", "rooms_book", _BOOKING)
        _expect(result, denied=False)
        teller.say("good", "permitted", _text(result))
        decision = await self._last("permit", "business/rooms.book")
        said = await world.operator.run("why", decision)
        teller.command(f"remit why {decision}")
        teller.lines(said.out)
        log = {"repo_path": str(world.repository), "max_count": 1}
        result = await self._call("support-bot", self._support, "git", "git_log", log)
        _expect(result, denied=False)
        teller.say("good", "permitted", f"support-bot, through mcp-server-git: {_text(result)}")

    async def outside_the_task(self) -> None:
        """One argument outside the task."""
        self._teller.step("the same call with one argument outside the task: Room-402")
        other = {**_BOOKING, "room": "Room-402"}
        result = await self._call("calendar-bot", self._task, "business", "rooms_book", other)
        self._teller.denial(_expect(result, denied=True))

    async def approved_bytes(self) -> None:
        """A person approves exactly these bytes; other bytes need another yes."""
        teller = self._teller
        teller.step("support-bot refunds EUR 480.00: above the limit, so a person is asked")
        async with self._refunding(_REFUND) as waiting:
            ask = await self._asked(waiting)
            teller.say("ask", "waiting", f"support-bot waits; lead@company.com is asked ({ask['id']})")
            shown = await self._world.lead.run("approval", "show", ask["id"])
            teller.command(f"remit approval show {ask['id']}")
            teller.lines(shown.out)
            teller.command(f"remit approval approve {ask['id']}")
            said = await self._world.lead.run("approval", "approve", ask["id"], "--yes")
            teller.lines(said.out)
            result = await waiting
        _expect(result, denied=False)
        teller.say("good", "ran once", _text(result))
        async with self._refunding({**_REFUND, "amount": "490.00"}) as waiting:
            ask = await self._asked(waiting)
            teller.say(
                "ask", "changed", "490.00, not 480.00: that yes does not cover it, so it is asked anew"
            )
            await self._world.lead.run("approval", "deny", ask["id"], "--yes")
            teller.command(f"remit approval deny {ask['id']}")
            result = await waiting
        teller.denial(_expect(result, denied=True))

    async def delegated(self) -> None:
        """One hop, narrowed; the envelope travels with the call."""
        teller, agents = self._teller, self._world.agents
        calendar, mail = agents["calendar-bot"], agents["mail-bot"]
        teller.step("calendar-bot delegates to mail-bot: one hop, narrowed to one recipient")
        only = right("business/mail.send", "Recipient", "user@company.com")
        self._mailed = await self._hop([only])
        letter = {"to": "user@company.com", "subject": "Room-401", "body": "Booked, 14:00 to 15:00 UTC."}
        result = await _with_tools(mail.tools("business", envelope=self._mailed), "mail_send", letter)
        _expect(result, denied=False)
        teller.say("good", "permitted", f"mail-bot, with the envelope: {_text(result)}")
        said = await self._world.operator.run("delegation", "show", self._task["task"]["id"])
        teller.command(f"remit delegation show {self._task['task']['id']}")
        teller.lines(said.out)
        wider = await self._hop([only, right("business/refunds.create", "Order", "8812")])
        refusal = await _refusal(mail.task_token(wider, "business"))
        teller.say("bad", "refused", f"{calendar.name} hands on a right it does not have: {refusal}")

    async def killed(self) -> None:
        """Everything of it ends at once."""
        teller, world = self._teller, self._world
        calendar, mail = world.agents["calendar-bot"], world.agents["mail-bot"]
        teller.step("remit kill calendar-bot")
        async with calendar.tools("business", envelope=self._task["envelope"]) as client:
            said = await world.operator.run("kill", "calendar-bot", "--reason", "demonstration", "--yes")
            teller.lines(said.out)
            refused = await _broken(client.call_tool("rooms_book", dict(_BOOKING)))
        teller.say("bad", "call", f"its next call, on a connection it had: {refused}")
        calendar.forget()
        teller.say("bad", "token", f"its next token: {await _refusal(calendar.own_token())}")
        exchange = mail.task_token(self._mailed, "business")
        teller.say("bad", "exchange", f"mail-bot with what it was handed: {await _refusal(exchange)}")
        later = await self._hop([right("business/mail.send", "Recipient", "user@company.com")])
        teller.say("bad", "hop", f"a new hop of it: {await _refusal(mail.task_token(later, 'business'))}")

    async def verified(self) -> None:
        """The record is verified without the server; a changed copy is caught."""
        teller, world = self._teller, self._world
        teller.step("the record, verified offline; and a copy in which one permit became a denial")
        archive, copy = world.folder / "evidence.zip", world.folder / "tampered.zip"
        await world.operator.run("ledger", "export", str(archive))
        teller.command(f"remit ledger export {archive.name}; remit ledger verify {archive.name}")
        said = await world.operator.run("ledger", "verify", str(archive))
        teller.lines(said.out)
        _tamper(archive, copy)
        said = await world.operator.run("ledger", "verify", str(copy), allowed=(1,))
        teller.command(f"remit ledger verify {copy.name}")
        teller.lines(said.out, most=4)

    async def _call(
        self, agent: str, task: dict[str, Any], server: str, tool: str, arguments: dict[str, Any]
    ) -> CallToolResult:
        tools = self._world.agents[agent].tools(server, envelope=task["envelope"])
        return await _with_tools(tools, tool, arguments)

    @asynccontextmanager
    async def _refunding(self, arguments: dict[str, str]) -> AsyncIterator["asyncio.Task[CallToolResult]"]:
        """A call that waits for a person; nothing of it stays behind, whatever breaks meanwhile."""
        call = self._call("support-bot", self._support, "business", "refunds_create", arguments)
        waiting = asyncio.create_task(call)
        try:
            yield waiting
        finally:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)

    async def _last(self, effect: str, action: str) -> str:
        """Id of the newest decision of that kind, as the operator finds it."""
        found = await self._world.operator.ask("decision", "list", "--effect", effect, "--limit", "20")
        rows = found["items"] if isinstance(found, dict) else found
        return str(next(row["id"] for row in rows if row["action"] == action))

    async def _asked(self, waiting: "asyncio.Task[CallToolResult]") -> dict[str, Any]:
        """The ask that the waiting call has caused, as the approver's inbox shows it."""
        while not waiting.done():
            found = await self._world.lead.ask("approval", "list", "--mine", "--state", "pending")
            if found:
                ask: dict[str, Any] = (found["items"] if isinstance(found, dict) else found)[0]
                return ask
        raise StoryBroken(f"nobody was asked: {waiting.result()}")

    async def _hop(self, rights: list[dict[str, Any]]) -> str:
        """calendar-bot signs a hop for mail-bot."""
        agents = self._world.agents
        mail = await self._world.operator.ask("agent", "show", "mail-bot")
        return agents["calendar-bot"].delegate(
            self._task["envelope"],
            to=mail["id"],
            rights=rights,
            task=self._task["task"]["id"],
            purpose="scheduling",
            seconds=600,
        )


async def _with_tools(tools: Any, tool: str, arguments: dict[str, Any]) -> CallToolResult:
    async with tools as client:
        found: CallToolResult = await client.call_tool(tool, dict(arguments))
        return found


async def _refusal(request: Awaitable[Any]) -> str:
    """Why an endpoint refused; a success here would break the story."""
    try:
        await request
    except Refused as refused:
        return f"{refused.error}: {refused.description}"
    raise StoryBroken("what had to be refused was granted")


async def _broken(request: Awaitable[CallToolResult]) -> str:
    """Why a call on an open connection failed."""
    try:
        result = await request
    except (MCPError, httpx2.HTTPError) as failed:
        return str(failed)
    denial = _denial(result)
    if denial is None:
        raise StoryBroken("a killed agent's call went through")
    return str(denial["message"])


def _denial(result: CallToolResult) -> dict[str, Any] | None:
    found: dict[str, Any] | None = (result.meta or {}).get(_DENIAL)
    return found


def _expect(result: CallToolResult, *, denied: bool) -> dict[str, Any]:
    """Hold the story to what it says."""
    denial = _denial(result)
    if denied != (denial is not None) or (not denied and result.is_error):
        raise StoryBroken(f"expected {'a denial' if denied else 'a permit'}: {result}")
    return denial or {}


def _text(result: CallToolResult) -> str:
    texts = [part.text for part in result.content if isinstance(part, TextContent)]
    return " ".join(" ".join(texts).split())


def _tamper(archive: Path, copy: Path) -> None:
    """Turn one recorded permit into a denial, as somebody with access to the file could."""
    with zipfile.ZipFile(archive) as source, zipfile.ZipFile(copy, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "entries.jsonl":
                content = content.replace(b'"effect":"permit"', b'"effect":"denied"', 1)
            target.writestr(name, content)
    if archive.stat().st_size == copy.stat().st_size and archive.read_bytes() == copy.read_bytes():
        raise StoryBroken("nothing was there to tamper with")


def _farewell(world: World, teller: Teller) -> None:
    url = world.operator.url
    print(
        f"\nall of it in {teller.elapsed():.0f} s. Remit keeps serving on {url}\n"
        f"  try   REMIT_DATA={world.operator.data} remit decision list\n"
        f"        REMIT_DATA={world.operator.data} remit agent list\n"
        f"  API   {url}/openapi.json      health {url}/readyz      figures {url}/metrics\n"
        f"stop: Ctrl-C",
        flush=True,
    )


def main(environment: dict[str, str]) -> int:
    """Tell it for the server that the environment names; the exit code, 1 if a step broke."""
    teller, url = Teller(), environment["REMIT_URL"]
    try:
        asyncio.run(tell(Path(environment["REMIT_DATA"]), url, teller))
    except Exception as broken:  # noqa: BLE001 — whatever broke, a person reads a sentence and what to do next
        reason, next_step = explain(broken, url)
        where = f"in step {teller.at}" if teller.at else "while setting the scene"
        print(f"the demonstration stopped {where}: {reason}\nnext: {next_step}", file=sys.stderr, flush=True)
        return 1
    return 0


def explain(broken: BaseException, url: str) -> tuple[str, str]:
    """Why a step broke, and what to do now: a sentence each."""
    while isinstance(broken, BaseExceptionGroup):  # a client's tasks fail together; the first one says why
        broken = broken.exceptions[0]
    again = "make up, or remit up --demo --fresh"
    match broken:
        case StoryBroken() | CommandFailed() | Refused():
            return str(broken), f"remit doctor shows whether {url} is well; to start over: {again}"
        case httpx2.TransportError() | ConnectionError():
            return f"Remit on {url} can no longer be reached", f"look above for why it ended; then {again}"
        case _:
            kind = type(broken).__name__
            return f"{kind}: {broken}", f"this is a fault of the demonstration; to try once more: {again}"
