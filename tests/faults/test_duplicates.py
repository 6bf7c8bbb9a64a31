"""F24 through the whole system: every request that changes something, delivered twice at once."""

import asyncio
import hashlib
import json
import secrets
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

import httpx2
import pytest

from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.keys import PrivateKey
from support.carried import BOOK, GIVE, account
from support.composed import populated
from support.house import ACCESS_TOKEN as A_TOKEN
from support.house import ASSERTION, BOOKING, REFUND, TOKEN_EXCHANGE, TXN_TOKEN, House
from twins.memory import NoKeys, Unburnt, forgetting


class How(StrEnum):
    """How a request gets there."""

    ONCE = "once"
    PROXIED = "proxied"
    """Something on the way delivers the very same bytes twice."""
    RETRIED = "retried"
    """The client asks again: the same request and key, proven anew."""


@dataclass
class Courier:
    """Delivers what people and agents send."""

    house: House
    how: How
    tokens: dict[str, str] = field(default_factory=dict)
    seen: set[tuple[str, str]] = field(default_factory=set)
    seconds: Counter[int] = field(default_factory=Counter)
    """Statuses of the worse answer of each pair."""

    async def send(self, *requests: tuple[str, str, dict[str, str], Any]) -> httpx2.Response:
        """Deliver all at once; the best answer."""
        http = self.house.http
        answers = await asyncio.gather(
            *(http.request(method, url, headers=lines, **body) for method, url, lines, body in requests)
        )
        best, *others = sorted(answers, key=lambda answer: answer.status_code)
        self.seconds.update(answer.status_code for answer in others)
        assert best.status_code < 400, (best.request.url, best.text)
        assert all(answer.status_code < 500 for answer in others)
        return best

    async def api(self, who: str, method: str, path: str, body: Any = None, *, of: str = "") -> Any:
        """One operation; `of` is its path in the document, if it differs."""
        party, url = self.house[who], f"{self.house.issuer}/api/v1{path}"
        self.seen.add((method, f"/api/v1{of or path}"))
        if who not in self.tokens:
            self.tokens[who] = await self.house.own_token(party)
        token, key = self.tokens[who], secrets.token_hex(8)

        def request() -> tuple[str, str, dict[str, str], Any]:
            lines = {"Authorization": f"DPoP {token}", "DPoP": party.proof(method, url, token)}
            if self.how is How.RETRIED:
                lines["Idempotency-Key"] = key
            return method, url, lines, {"json": body}

        answer = await self.send(*self._copies(request))
        return answer.json() if answer.content and "json" in answer.headers["content-type"] else None

    def _copies(self, request: Any) -> list[Any]:
        match self.how:
            case How.ONCE:
                return [request()]
            case How.PROXIED:
                return [request()] * 2
            case How.RETRIED:
                return [request(), request()]

    async def token(self, who: str, **form: str) -> str:
        """The token endpoint; a token for a new assertion is no second effect, for the same one it is."""
        party, url = self.house[who], f"{self.house.issuer}/token"
        asked = {"client_assertion_type": ASSERTION, "client_assertion": party.assertion(), **form}
        request = ("POST", url, {"DPoP": party.proof("POST", url)}, {"data": asked})
        copies = 2 if self.how is How.PROXIED else 1
        return str((await self.send(*[request] * copies)).json()["access_token"])

    async def call(self, who: str, token: str, tool: str, arguments: Any, envelope: str) -> Any:
        """A call of the gateway; a client that retries names its call."""
        key = secrets.token_hex(8)

        def request() -> tuple[str, str, dict[str, str], Any]:
            url, body, lines = self.house.call_request(
                self.house[who], token, tool, arguments, envelope=envelope, key=key
            )
            return "POST", url, lines, {"content": body}

        return await self.send(*self._copies(request))

    async def give(self, who: str, token: str) -> Any:
        """Ask for a capability to carry, at a door of its own."""
        party, url, key = self.house[who], f"{self.house.issuer}{GIVE}", secrets.token_hex(8)
        self.seen.add(("POST", GIVE))
        asked = {"server": "business", "tool": BOOK, "arguments": BOOKING}

        def request() -> tuple[str, str, dict[str, str], Any]:
            lines = {"Authorization": f"DPoP {token}", "DPoP": party.proof("POST", url, token)}
            if self.how is How.RETRIED:
                lines["Idempotency-Key"] = key
            return "POST", url, lines, {"json": asked}

        return (await self.send(*self._copies(request))).json()


def jwk() -> dict[str, Any]:
    return dict(PrivateKey.generate(Algorithm.ED25519, secrets.token_bytes).public.jwk())


def ceiling(house: House) -> dict[str, Any]:
    rights = [
        {"action": "business/rooms.book", "resource_type": "Room", "any": True},
        {"action": "business/refunds.create", "resource_type": "Order", "any": True},
    ]
    now = house.now().replace(microsecond=0)
    span = {"start": (now - timedelta(minutes=1)).isoformat(), "end": (now + timedelta(days=3)).isoformat()}
    return {"rights": rights, "purpose": "any", "depth": 3, **span}


async def lives(courier: Courier) -> None:
    """Somebody of every kind comes, changes, pauses and goes."""
    for noun, stated in {
        "users": {"email": "eve@company.com"},
        "blueprints": {"purpose": "work", "environment": "production"},
        "service-accounts": {"purpose": "work", "environment": "production"},
        "agents": {"purpose": "work", "environment": "production", "blueprint": "office"},
    }.items():
        made = await courier.api("admin", "POST", f"/{noun}", {"name": f"new-{noun}", **stated})
        place, there = f"/{noun}/{made['id']}", f"/{noun}/{{ident}}"

        async def act(verb: str, method: str = "POST", body: Any = None, *, at: Any = (place, there)) -> Any:
            return await courier.api("admin", method, f"{at[0]}{verb}", body, of=f"{at[1]}{verb}")

        await act("", "PUT", {"purpose": "other work"})
        await act("/ceiling", "PUT", ceiling(courier.house))
        if noun == "agents":
            await act("/instances", body={"jwk": jwk()})
        if noun != "blueprints":
            key = await act("/keys", body={"jwk": jwk()})
            new = await courier.api(
                "admin",
                "POST",
                f"/credentials/{key['id']}/rotate",
                {"jwk": jwk()},
                of="/credentials/{key}/rotate",
            )
            await act("/activate")
            await courier.api(
                "admin",
                "POST",
                f"/credentials/{new['id']}/revoke",
                {"reason": "lost"},
                of="/credentials/{key}/revoke",
            )
        else:
            await act("/activate")
        await act("/suspend", body={"reason": "pause"})
        await act("/resume", body={"reason": "back"})
        await act("/retire", body={"reason": "left"})


async def works(courier: Courier) -> None:
    """A server comes; a consent is given, a task runs, a refund is approved, everything is stopped."""
    house = courier.house
    stated = {"transport": "http", "purpose": "work", "environment": "production"}
    server = await courier.api(
        "admin", "POST", "/servers", {"name": "more", "url": "http://127.0.0.1:9/mcp", **stated}
    )
    definition = {"name": "act", "inputSchema": {"type": "object"}}
    (tool,) = await courier.api(
        "admin",
        "POST",
        f"/servers/{server['id']}/tools",
        {"tools": [{"name": "act", "definition": definition}]},
        of="/servers/{server}/tools",
    )
    await courier.api(
        "admin", "POST", f"/tools/{tool['id']}/quarantine", {"reason": "odd"}, of="/tools/{tool}/quarantine"
    )
    await courier.api(
        "admin",
        "POST",
        f"/tools/{tool['id']}/approve",
        {"definition": tool["definition_digest"]},
        of="/tools/{tool}/approve",
    )
    await courier.api(
        "admin", "POST", f"/servers/{server['id']}/retire", {"reason": "old"}, of="/servers/{server}/retire"
    )
    granted = await courier.api(
        "user",
        "POST",
        "/grants",
        {"agent": "support-bot", "ceiling": ceiling(house), "text": "support-bot may refund for you"},
    )
    deadline = (house.now().replace(microsecond=0) + timedelta(hours=1)).isoformat()
    wanted = {"agent": "support-bot", "goal": "help", "purpose": "support", "deadline": deadline}
    started = await courier.api("user", "POST", "/tasks", wanted)
    envelope = started["envelope"]
    await courier.api("support-bot", "POST", "/delegations", {"envelope": envelope})
    api, mcp = f"{house.issuer}/api", f"{house.issuer}/mcp/business"
    own = await courier.token("support-bot", grant_type="client_credentials", resource=api)
    token = await courier.token(
        "support-bot",
        grant_type=TOKEN_EXCHANGE,
        subject_token=envelope,
        subject_token_type=TXN_TOKEN,
        actor_token=own,
        actor_token_type=A_TOKEN,
        resource=mcp,
    )
    waiting = asyncio.create_task(courier.call("support-bot", token, "refunds_create", REFUND, envelope))
    ask = await house.pending()
    await courier.api("lead", "POST", f"/approvals/{ask.id}/link", of="/approvals/{approval}/link")
    signed = {"signature": house["lead"].answer(ask, "approve")}
    await courier.api(
        "lead", "POST", f"/approvals/{ask.id}/answer", signed, of="/approvals/{approval}/answer"
    )
    await waiting
    await courier.api(
        "admin", "POST", "/policies", {"text": '@id("all") permit (principal, action, resource);'}
    )
    await house.services.ground.snapshots.catch_up()
    await courier.call("support-bot", token, "rooms_book", BOOKING, envelope)
    await courier.api("user", "POST", f"/tasks/{started['task']['id']}/end", of="/tasks/{task}/end")
    await courier.api("user", "POST", f"/grants/{granted['id']}/withdraw", of="/grants/{grant}/withdraw")
    await courier.api("admin", "POST", "/kills", {"kind": "agent", "target": "mail-bot", "reason": "odd"})


async def carries(courier: Courier) -> None:
    """An agent carries a capability to a tool server, which uses it up and tells how the call ended."""
    house = courier.house
    await account(house, "business-server", serves=f"{house.issuer}/mcp/business")
    token = await house.exchange(house["calendar-bot"], (await house.task("calendar-bot")).envelope)
    given = await courier.give("calendar-bot", token)
    assert given["effect"] == "permit", given
    use = {
        "capability": given["capability"],
        "server": "business",
        "tool": BOOK,
        "arguments_sha256": hashlib.sha256(json.dumps(BOOKING, separators=(",", ":")).encode()).hexdigest(),
        "key": house["calendar-bot"].key.public.thumbprint,
    }
    used = await courier.api("business-server", "POST", "/capabilities/consume", use)
    await courier.api(
        "business-server",
        "POST",
        f"/capabilities/{used['capability']}/outcome",
        {"outcome": "done", "result_sha256": "a" * 64, "resources": ["room:Room-401"]},
        of="/capabilities/{capability}/outcome",
    )


async def upkeep(courier: Courier) -> None:
    """The operator asks a server for its tools, takes the keys' due steps, and changes one early."""
    await courier.api("admin", "POST", "/servers/business/discover", of="/servers/{server}/discover")
    await courier.api("admin", "POST", "/keys/rotate")
    changed = {"compromised": False}
    await courier.api("admin", "POST", "/keys/access_token/rotate", changed, of="/keys/{purpose}/rotate")


EFFECTS = [
    "approval", "budget", "capability", "ceiling", "consent", "credential", "envelope", "kill", "policy",
    "principal", "server", "signing_key", "task", "token", "tombstone", "tool",
]  # fmt: skip
"""Tables whose rows are effects; others count requests, changes or time."""


@dataclass(frozen=True)
class Effects:
    """What is there afterwards."""

    kinds: Counter[str]
    """Records of the log, without refusals and questions, which are no effects."""
    rows: dict[str, int]
    hits: int


async def effects(house: House, database: Path) -> Effects:
    kinds = Counter(
        record.kind
        for record in await house.log()
        if not record.kind.endswith("refused") and record.effect not in {"deny", "ask"}
    )
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        rows = {
            name: int(connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0])  # noqa: S608 — ours
            for name in EFFECTS
        }
    return Effects(kinds=kinds, rows=rows, hits=len(house.hits))


async def delivered(folder: Path, how: How, **world: Any) -> tuple[Effects, Courier]:
    async with populated(folder, **world) as house:
        courier = Courier(house, how)
        await lives(courier)
        await carries(courier)
        await works(courier)
        await upkeep(courier)
        return await effects(house, folder / "remit.db"), courier


@pytest.mark.fault("F24")
@pytest.mark.attack("DP-03")
@pytest.mark.promise("P2")
async def test_what_is_delivered_twice_happens_once(tmp_path: Path) -> None:
    once, courier = await delivered(tmp_path / "once", How.ONCE)
    assert once.hits == 2
    assert len(courier.seen) > 46
    for how, refused in ((How.PROXIED, {401}), (How.RETRIED, {200, 201, 409})):
        twice, other = await delivered(tmp_path / how, how)
        assert twice.kinds == once.kinds, how
        assert twice.rows == once.rows, how
        assert twice.hits == once.hits, how
        assert other.seen == courier.seen
        assert set(other.seconds) <= refused | {200}, how
        assert sum(other.seconds.values()) > len(courier.seen), "each was delivered twice"


async def started(folder: Path, how: How, **world: Any) -> int:
    """How many tasks come of one wish."""
    async with populated(folder, **world) as house:
        courier = Courier(house, how)
        granted = {"agent": "mail-bot", "ceiling": ceiling(house), "text": "mail-bot may write for you"}
        await courier.api("user", "POST", "/grants", granted)
        deadline = (house.now().replace(microsecond=0) + timedelta(hours=1)).isoformat()
        wanted = {"agent": "mail-bot", "goal": "write", "purpose": "mail", "deadline": deadline}
        await courier.api("user", "POST", "/tasks", wanted)
        return len(await house.records("authority.task.started"))


@pytest.mark.twin("F24")
@pytest.mark.parametrize(
    ("how", "forgotten"),
    [(How.PROXIED, {"replay": Unburnt}), (How.RETRIED, {"idempotency": NoKeys})],
    ids=["proofs", "keys"],
)
async def test_without_its_memory_what_is_delivered_twice_would_happen_twice(
    tmp_path: Path, how: How, forgotten: dict[str, Any]
) -> None:
    assert await started(tmp_path / "sound", how) == 1
    assert await started(tmp_path / "forgetful", how, make=forgetting(**forgotten)) == 2
