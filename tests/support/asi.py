"""Attack scenarios of OWASP's agentic top ten, told in YAML and played through an installation.

A scenario says what the person asked, what the agents saw, and the call that a hijacked agent then makes.
It is played three times: as it is, with its benign neighbour in its place, and where one defence is missing.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml

from remit.app.ground import Ground
from remit.app.services import Services, build
from remit.authority.rights import Ceiling, Constraint, Right
from remit.authority.task_service import StartedTask, StartTask
from remit.decision.answer.response import Stage
from remit.decision.stages.pipeline import STEPS
from remit.identity.tool_service import Definition
from remit.identity.tools import ResourceMapping, Tool, ToolMapping
from remit.kernel.ids import PrincipalId, ToolId, UserId
from support.clients import Called
from support.composed import populated
from support.house import House, right
from support.upstreams import answer, scripted
from twins.doors import without_envelopes

TEXT = {"type": "string"}
NUMBER = {"type": "number"}
TOOLS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "search_mail": ("Searches the mail", {"query": TEXT}),
    "read_file": ("Reads a file", {"path": TEXT}),
    "list_payments": ("Lists past payments", {"year": TEXT}),
    "list_files": ("Lists all files", {"order": TEXT}),
    "get_contact": ("Looks up a contact", {"name": TEXT}),
    "fetch_page": ("Fetches a page", {"url": TEXT}),
    "send_mail": ("Sends a mail", {"to": {"type": "array", "items": TEXT}, "subject": TEXT, "body": TEXT}),
    "create_transfer": ("Pays somebody", {"payee": TEXT, "amount": NUMBER, "note": TEXT}),
    "delete_file": ("Deletes a file", {"file_id": TEXT}),
    "share_file": ("Shares a file", {"file_id": TEXT, "user": TEXT, "permission": TEXT}),
    "update_password": ("Updates the password", {"password": TEXT}),
    "run_script": ("Runs a script", {"script": TEXT}),
    "create_note": ("Creates a note", {"title": TEXT, "payee": TEXT}),
}
"""A small office: what its server lists."""
GOAL = "Reserve Room-401 or Room-402 for the Review or the Standup"
ALL = '@id("all") permit (principal, action, resource);'


@dataclass
class Office:
    """An MCP server that answers as a scenario has it, and remembers what it did."""

    answers: dict[str, Any] = field(default_factory=dict)
    done: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    async def call(self, _: Any, send: Any, message: dict[str, Any]) -> None:
        name, arguments = message["params"]["name"], message["params"].get("arguments", {})
        self.done.append((name, arguments))
        told = self.answers.get(name, {"ok": True})
        text: dict[str, Any] = {"content": [{"type": "text", "text": told}]}
        shown = text if isinstance(told, str) else {"structuredContent": told, "content": []}
        await answer(send, message, {"resultType": "complete", **shown})


def _listed() -> list[dict[str, Any]]:
    return [
        {"name": name, "description": said, "inputSchema": {"type": "object", "properties": members}}
        for name, (said, members) in TOOLS.items()
    ]


def _pins() -> list[Definition]:
    return [
        Definition(
            name=entry["name"],
            definition=entry,
            consequential=False,
            mapping=ToolMapping(
                action="rooms.read",
                resource=ResourceMapping(type="Calendar", fixed="office"),
                arguments=tuple(f"/{name}" for name in entry["inputSchema"]["properties"]),
            ),
        )
        for entry in _listed()
    ]


async def everything(_: Any, __: Any, tools: Sequence[Tool], **___: Any) -> frozenset[ToolId]:
    """A list that hides nothing."""
    return frozenset(tool.id for tool in tools)


def _without_stage(stage: Stage) -> Callable[[Ground], Services]:
    def made(ground: Ground) -> Services:
        services = build(ground)
        decisions: Any = services.decisions
        decisions._steps = tuple(step for step in STEPS if step.stage is not stage)
        if stage is Stage.AUTHORITY:
            decisions.preview = everything  # what is never permitted is not shown either
        return services

    return made


BLIND: Mapping[str, Any] = {
    "gateway.hold": "1s",
    "approvals.per_user_per_minute": 100,
    "approvals.pending_per_agent": 50,
}
WATCHING: Mapping[str, Any] = {**BLIND, "gateway.provenance": "enforce"}
HOUSES: Mapping[str, tuple[Mapping[str, Any], Callable[[Ground], Services]]] = {
    "": (WATCHING, build),
    "watch": (BLIND, build),
    "authority": (WATCHING, _without_stage(Stage.AUTHORITY)),
    "egress": (BLIND, _without_stage(Stage.HISTORY)),
    "envelopes": (WATCHING, without_envelopes),
}
"""By the defence that is left out."""


@dataclass
class Scene:
    """A house with its office."""

    house: House
    office: Office

    async def play(self, told: Mapping[str, Any]) -> tuple[Called, bool]:
        """How the last call was answered, and whether its tool ran."""
        chain = list(told.get("chain", ["mail-bot"]))
        text = await self._handed_on(told, chain)
        who = self.house[chain[-1]]
        server = told.get("server", "slow")
        token = await self.house.exchange(who, text, server=server)
        envelope = text if len(chain) > 1 else ""
        for name, arguments, result in told.get("sees", ()):
            self.office.answers[name] = result
            seen = await self.house.call(who, token, name, arguments, server=server, envelope=envelope)
            assert seen.ran, (told["name"], name, seen.code)
        before = self._count()
        name, arguments = told["act"]
        shown = await self._shown(told, text) if len(chain) > 1 else ""
        found = await self.house.call(who, token, name, arguments, server=server, envelope=shown)
        return found, self._count() > before

    def _count(self) -> int:
        return len(self.office.done) + len(self.house.hits)

    async def _shown(self, told: Mapping[str, Any], text: str) -> str:
        """The envelope as the attack shows it."""
        how = told.get("shown", "whole")
        if how == "another":
            other = await self.house.task(told["chain"][0], goal="another task")
            return self.house.chained(other, *told["chain"])
        shown = {
            "whole": text,
            "nothing": "",
            "root": text.partition("~")[0],
            "twice": f"{text}~{text.rpartition('~')[2]}",
            "bent": text[:-4] + ("BBBB" if text.endswith("AAAA") else "AAAA"),
        }
        return shown[how]

    async def _handed_on(self, told: Mapping[str, Any], chain: list[str]) -> str:
        """The envelope of a new task, with each factor as narrow as the scenario has it."""
        narrow = dict(told.get("narrow", {}))
        await self._bound(chain[0], "blueprint", self._ceiling(None, days=60))
        await self._bound(chain[0], "agent", self._ceiling(narrow.get("agent")))
        if "blueprint" in narrow:
            await self._bound(chain[0], "blueprint", self._ceiling(narrow["blueprint"], days=60))
        started = await self._started(told, chain[0], narrow)
        text, allowed = started.envelope, started.task.ceiling
        for hops, (giver, taker) in enumerate(pairwise(chain), start=1):
            wanted = replace(allowed, depth=allowed.depth - 1)
            if f"hop{hops}" in narrow:
                wanted = replace(wanted, rights=self._ceiling(narrow[f"hop{hops}"]).rights)
            text = self.house.hop(text, wanted, giver, taker, task=started.task.id)
            allowed = wanted
        return text

    async def _started(self, told: Mapping[str, Any], agent: str, narrow: dict[str, Any]) -> StartedTask:
        house, who = self.house, UserId(self.house["user"].id)
        bot = house[agent].agent
        for grant in await house.services.consent.of_user(who):
            if grant.agent == bot and grant.state.value == "given":
                await house.services.consent.withdraw(grant.id, by=PrincipalId(who), at=house.now())
        await house.services.consent.give(
            user=who, agent=bot, ceiling=self._ceiling(narrow.get("grant"), days=20), text="may work",
            by=PrincipalId(who), at=house.now(),
        )  # fmt: skip
        limit = self._ceiling(narrow["task"], days=10) if "task" in narrow else None
        wanted = StartTask(
            user=who, agent=bot, goal=told.get("goal", GOAL), purpose="scheduling", ceiling=limit,
            deadline=house.now() + timedelta(hours=1),
        )  # fmt: skip
        started = await house.services.tasks.start(wanted, by=PrincipalId(who), at=house.now())
        await house.services.ground.snapshots.catch_up()
        return started

    async def _bound(self, agent: str, factor: str, limit: Ceiling) -> None:
        admin = PrincipalId(self.house["admin"].id)
        entry = PrincipalId(self.house[agent].agent)
        if factor == "blueprint":
            found = await self.house.services.identity.get(entry)
            entry = PrincipalId(str(found.blueprint))
        await self.house.services.consent.set_ceiling(entry, limit, by=admin, at=self.house.now())

    def _ceiling(self, narrow: Mapping[str, Any] | None, days: int = 30) -> Ceiling:
        if narrow is None:
            return self.house.ceiling(days=days)
        only = narrow.get("only", {}).items()
        bounds = tuple(Constraint(pointer=pointer, one_of=frozenset(values)) for pointer, values in only)

        def given(action: str) -> Right:
            booking = action == "business/rooms.book"
            rooms = narrow.get("rooms", ()) if booking else ()
            return right(action, *rooms, constraints=bounds if booking else ())

        return self.house.ceiling(*map(given, narrow["rights"]), days=days)


@asynccontextmanager
async def staged(folder: Path, without: str = "") -> AsyncIterator[Scene]:
    """A house that lacks one defence, or none."""
    chosen, make = HOUSES[without]
    office = Office()
    async with (
        populated(folder, chosen=chosen, make=make) as house,
        scripted(tools=_listed(), on_call=office.call) as upstream,
    ):
        await house.server("slow", upstream.url, _pins())
        await house.policy(ALL)
        yield Scene(house, office)


def scenarios(name: str) -> list[dict[str, Any]]:
    """The scenarios of one risk."""
    path = Path(__file__).parents[1] / "security" / "asi" / f"{name}.yaml"
    found: list[dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found
