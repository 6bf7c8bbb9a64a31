"""Capabilities that agents carry to tool servers that verify by themselves: given, used up, settled."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from remit.app.bindings.spending import CapabilitySpender, Spending
from remit.app.ground import Ground
from remit.app.services import Services, build
from remit.authority.capability import Capability, Use
from remit.identity.lifecycle import State
from remit.kernel.ids import PrincipalId
from remit.oversight.containment.kill import TargetKind
from remit.platform.storage.repositories.capabilities import CapabilityRepository
from remit.platform.storage.unit_of_work import SqlTransaction
from support.blindness import NobodyDies, VeiledWork
from support.carried import BOOK, GIVE, Scene, account, set_up
from support.composed import populated
from support.house import BOOKING, REFUND, House
from twins.capabilities import consume_without


@pytest.fixture
async def on(tmp_path: Path) -> AsyncIterator[Scene]:
    async with populated(tmp_path / "data") as house:
        yield await set_up(house)


def code_of(reply: httpx2.Response) -> tuple[int, str]:
    return reply.status_code, str(reply.json().get("code", ""))


async def kinds(house: House) -> list[str]:
    return [record.kind for record in await house.log()]


@pytest.mark.req("R40", "R60")
async def test_a_permit_brings_its_capability_and_it_works_once(on: Scene) -> None:
    reply = await on.give()
    told = reply.json()
    assert (reply.status_code, told["effect"]) == (200, "permit")
    assert reply.headers["cache-control"] == "no-store"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["remit-request-id"].startswith("req_")
    used = await on.use(told["capability"])
    assert used.status_code == 200, used.text
    assert used.json()["action"] == "business/rooms.book"
    assert used.json()["resource"] == "Room:Room-401"
    assert used.json()["decision"] == told["decision"]
    assert code_of(await on.use(told["capability"])) == (409, "capability_consumed")
    ident = used.json()["capability"]
    end = {"outcome": "done", "result_sha256": "a" * 64, "resources": ["room:Room-401"]}
    path = f"/capabilities/{ident}/outcome"
    assert (await on.house.api(on.account, "POST", path, end)).status_code == 200
    assert code_of(await on.house.api(on.account, "POST", path, end)) == (409, "outcome_told")
    found = await kinds(on.house)
    for kind in ("decision.action.decided", "authority.capability.consumed", "enforcement.call.finished"):
        assert kind in found
    why = await on.house.api(on.house["admin"], "GET", f"/decisions/{told['decision']}")
    assert why.json()["effect"] == "permit"


@pytest.mark.req("R60")
async def test_the_demonstration_server_takes_it_too(on: Scene) -> None:
    """A resource that knows the format alone, with another JOSE library, serves the call."""
    capability = await on.given()
    url = f"{on.house.upstream.url}" if on.house.upstream else ""
    body = (
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"rooms_book","arguments":'
        + json.dumps(BOOKING).encode()
        + b"}}"
    )
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/json, text/event-stream",
        "Remit-Capability": capability,
        "MCP-Protocol-Version": "2025-11-25",
    }
    before = len(on.house.hits)
    await on.house.http.post(url, content=body, headers=headers)
    assert len(on.house.hits) == before + 1


@pytest.mark.req("N11", "R140")
async def test_a_denial_is_told_whole_and_recorded(on: Scene) -> None:
    reply = await on.give("refunds_create", {**REFUND, "amount": "-1"})
    assert code_of(reply) == (400, "arguments_unmapped")
    reply = await on.give("refunds_create", {**REFUND, "amount": "10.00", "currency": "USD"})
    told = reply.json()
    assert (reply.status_code, told["effect"]) == (200, "deny"), told
    assert told["denial"]["code"] == "condition_failed"
    assert told["denial"]["remedy"]
    assert "capability" not in told
    assert code_of(await on.give("no_such_tool"))[0] == 404
    assert "enforcement.call.refused" in await kinds(on.house)


async def test_a_question_is_asked_once_and_its_yes_gives_one_capability(on: Scene) -> None:
    started = await on.house.task("support-bot", purpose="support")
    token = await on.house.exchange(on.house["support-bot"], started.envelope)
    how: dict[str, Any] = {"who": "support-bot", "token": token}
    first = (await on.give("refunds_create", REFUND, **how)).json()
    assert first["effect"] == "ask"
    assert first["approval"]["state"] == "pending"
    assert first["approval"]["page"].endswith(first["approval"]["id"])
    again = (await on.give("refunds_create", REFUND, **how)).json()
    assert again["approval"]["id"] == first["approval"]["id"]
    pending = await on.house.pending()
    answer = on.house["lead"].answer(pending, "approve")
    path = f"/approvals/{pending.id}/answer"
    assert (await on.house.api(on.house["lead"], "POST", path, {"signature": answer})).status_code == 200
    other = (await on.give("refunds_create", {**REFUND, "amount": "481.00"}, **how)).json()
    assert other["effect"] == "ask"
    assert (await on.give("refunds_create", REFUND, **how)).json()["effect"] == "permit"
    assert (await on.give("refunds_create", REFUND, **how)).json()["effect"] == "ask"


@pytest.mark.attack("CA-17")
@pytest.mark.promise("P13")
async def test_a_task_holds_at_most_sixty_four(on: Scene) -> None:
    replies = [await on.give() for _ in range(66)]
    effects = [reply.json()["effect"] for reply in replies]
    assert effects == ["permit"] * 64 + ["deny"] * 2
    assert replies[-1].json()["denial"]["code"] == "too_many_capabilities"
    await on.use(replies[0].json()["capability"])
    assert (await on.give()).json()["effect"] == "permit"


@pytest.mark.attack("CA-17")
async def test_many_at_once_take_no_place_twice(on: Scene) -> None:
    for _ in range(60):
        await on.given()
    replies = await asyncio.gather(*(on.give() for _ in range(20)))
    assert sorted(reply.json()["effect"] for reply in replies) == ["deny"] * 16 + ["permit"] * 4


@pytest.mark.attack("PD-18")
async def test_what_must_be_redacted_is_not_given_to_carry(on: Scene) -> None:
    await on.house.policy(
        '@id("all") @obligation("redact pointer=/email") permit (principal, action, resource);'
    )
    told = (await on.give()).json()
    assert told["effect"] == "deny"
    assert told["denial"]["code"] == "gateway_only"


@pytest.mark.req("N14")
async def test_a_hidden_tool_looks_like_none(on: Scene) -> None:
    await on.house.policy('@id("none") forbid (principal, action, resource);')
    hidden, absent = await on.give(), await on.give("no_such_tool")
    assert code_of(hidden) == code_of(absent) == (404, "tool_unavailable")


@pytest.mark.attack("DP-01", "DP-02", "DP-03")
async def test_a_proof_is_good_once_and_for_this_address(on: Scene) -> None:
    url = f"{on.house.issuer}{GIVE}"
    proof = on.house["calendar-bot"].proof("POST", url, on.token)
    assert (await on.give(proof=proof)).json()["effect"] == "permit"
    again = await on.give(proof=proof)
    assert again.status_code == 401
    assert "www-authenticate" in again.headers
    elsewhere = on.house["calendar-bot"].proof("POST", f"{on.house.issuer}/mcp/business", on.token)
    assert (await on.give(proof=elsewhere)).status_code == 401
    thief = on.house["mail-bot"].proof("POST", url, on.token)
    assert (await on.give(proof=thief)).status_code == 401
    unproven: dict[str, Any] = {"Authorization": f"Bearer {on.token}"}
    assert (await on.give(**unproven)).status_code == 401


async def test_a_token_for_the_api_or_another_server_gets_nothing(on: Scene) -> None:
    own = await on.house.own_token(on.house["calendar-bot"])
    assert (await on.give(token=own)).status_code == 401
    body = json.dumps({"server": "other", "tool": BOOK, "arguments": BOOKING}).encode()
    assert code_of(await on.give(body=body)) == (404, "tool_unavailable")


async def test_a_key_gives_one_capability(on: Scene) -> None:
    headers: dict[str, Any] = {"Idempotency-Key": "once-and-no-more"}
    assert (await on.give(**headers)).json()["effect"] == "permit"
    assert code_of(await on.give(**headers)) == (409, "already_done")
    assert code_of(await on.give(arguments={**BOOKING, "room": "Room-402"}, **headers))[0] == 422


BAD = [
    (b"", 400),
    (b"[]", 400),
    (b'{"server":"business","tool":"rooms_book"}', 400),
    (b'{"server":"business","tool":"rooms_book","arguments":[]}', 400),
    (b'{"server":"business","tool":"rooms_book","arguments":{},"x":1}', 400),
    (b'{"server":"business","tool":"rooms_book","arguments":{"a":1,"a":2}}', 400),
    (b'{"server":"business","tool":"rooms_book","arguments":{"a":"\\u0000"}}', 400),
    (b'{"server":"../x","tool":"rooms_book","arguments":{}}', 400),
    (b'{"server":1,"tool":"rooms_book","arguments":{}}', 400),
    (b'{"server":"business","tool":"rooms_book","arguments":' + b'{"a":' * 200 + b"1" + b"}" * 201, 413),
    (b"\xff\xfe", 400),
    (b'{"a":"' + b"x" * (2 << 20) + b'"}', 413),
]


@pytest.mark.parametrize(("body", "status"), BAD)
async def test_bad_input_is_refused_with_a_code(on: Scene, body: bytes, status: int) -> None:
    reply = await on.give(body=body)
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json()["code"]


async def test_other_methods_media_and_queries_are_refused(on: Scene) -> None:
    url = f"{on.house.issuer}{GIVE}"
    got = await on.house.http.get(url)
    assert (got.status_code, got.headers["allow"]) == (405, "POST")
    plain: dict[str, Any] = {"Content-Type": "text/plain"}
    assert (await on.give(**plain)).status_code == 415
    assert (await on.house.http.post(f"{url}?a=1", content=b"{}")).status_code == 400
    assert (await on.house.http.post(url, content=b"{}")).status_code == 401


@pytest.mark.attack("CA-04", "CA-05", "CA-20")
@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"arguments_sha256": "0" * 64}, 403),
        ({"tool": "rooms_free"}, 403),
        ({"tool": "nothing"}, 403),
        ({"key": "A" * 43}, 403),
        ({"server": "other"}, 403),
        ({"capability": "a.b.c"}, 403),
    ],
)
async def test_another_call_does_not_use_it_up(on: Scene, changes: dict[str, Any], status: int) -> None:
    capability = await on.given()
    refused = await on.use(**{"capability": capability, **changes})
    assert code_of(refused) == (status, "capability_rejected")
    assert (await on.use(capability)).status_code == 200


@pytest.mark.attack("CA-04")
async def test_only_the_servers_own_account_uses_it_up_and_settles_it(on: Scene) -> None:
    stranger = await account(on.house, "other-server", serves=f"{on.house.issuer}/mcp/other")
    capability = await on.given()
    assert code_of(await on.use(capability, by=stranger)) == (403, "not_your_server")
    assert code_of(await on.use(capability, by=on.house["calendar-bot"])) == (403, "not_your_server")
    ident = (await on.use(capability)).json()["capability"]
    path, end = f"/capabilities/{ident}/outcome", {"outcome": "failed", "code": "full"}
    assert code_of(await on.house.api(stranger, "POST", path, end)) == (404, "not_found")
    assert (await on.house.api(on.account, "POST", path, end)).status_code == 200


@pytest.mark.attack("CA-02")
async def test_of_many_uses_at_once_one_wins(on: Scene) -> None:
    capability = await on.given()
    replies = await asyncio.gather(*(on.use(capability) for _ in range(16)))
    assert sorted(reply.status_code for reply in replies) == [200] + [409] * 15


def reach(on: Scene) -> list[tuple[TargetKind, str]]:
    bot = on.house["calendar-bot"]
    return [
        (TargetKind.AGENT, bot.agent),
        (TargetKind.INSTANCE, bot.id),
        (TargetKind.USER, on.house["user"].id),
    ]


@pytest.mark.attack("CA-16")
@pytest.mark.promise("P1")
@pytest.mark.parametrize("place", [0, 1, 2])
async def test_what_was_given_before_a_kill_is_worth_nothing_after_it(on: Scene, place: int) -> None:
    capability = await on.given()
    kind, ident = reach(on)[place]
    await on.house.kill(kind, ident)
    assert code_of(await on.use(capability)) == (403, "revoked")
    assert (await on.give()).status_code == 401


@pytest.mark.attack("CA-16")
async def test_the_end_of_the_token_is_the_end_of_what_came_with_it(on: Scene) -> None:
    capability = await on.given()
    bot = on.house["calendar-bot"]
    url = f"{on.house.issuer}/revoke"
    form = {
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": bot.assertion(),
        "token": on.token,
    }
    reply = await on.house.http.post(url, data=form, headers={"DPoP": bot.proof("POST", url)})
    assert reply.status_code == 200, reply.text
    assert code_of(await on.use(capability)) == (403, "revoked")


@pytest.mark.attack("MC-05")
async def test_a_tool_that_changed_since_is_another_tool(on: Scene) -> None:
    capability = await on.given()
    tools = await on.house.api(on.house["admin"], "GET", "/servers/business/tools")
    ident = next(each["id"] for each in tools.json() if each["name"] == BOOK)
    reply = await on.house.api(on.house["admin"], "POST", f"/tools/{ident}/quarantine", {"reason": "odd"})
    assert reply.status_code == 200, reply.text
    assert code_of(await on.use(capability)) == (403, "capability_rejected")


# -- the same attacks with the defence left out


class Lax(CapabilityRepository):
    """The conditional UPDATE without some of its conditions."""

    missing: tuple[str, ...] = ()

    def consume(self, use: Use, *, at: datetime, node: str = "") -> bool:
        return consume_without(self.missing)(self, use, at)


def lax(*missing: str) -> Callable[[SqlTransaction], CapabilityRepository]:
    def shown(tx: SqlTransaction) -> CapabilityRepository:
        store = Lax(tx.sql, tx.tenant)
        store.missing = missing
        return store

    return shown


def laxly(*missing: str) -> Callable[[Ground], Services]:
    return lambda ground: replace(build(ground), spender=spender_over(ground, capabilities=lax(*missing)))


def spender_over(ground: Ground, **shown: Any) -> CapabilitySpender:
    return CapabilitySpender(
        work=VeiledWork(ground.work, **shown),
        keys=ground.keys,
        issuer=ground.issuer,
        node=ground.store.node,
        entropy=ground.entropy,
    )


class Immortal(NobodyDies):
    """Nor does anybody stop being active."""

    def state_of(self, principal: PrincipalId) -> State:
        return State.ACTIVE


def immortal(ground: Ground) -> Services:
    """Nobody looks at what a kill left behind when a capability is used up."""
    shown = {"lineage": lambda tx: Immortal(tx.lineage), "capabilities": lax("state")}
    return replace(build(ground), spender=spender_over(ground, **shown))


@pytest.mark.twin("CA-16")
async def test_without_tombstones_a_kill_would_come_too_late(tmp_path: Path) -> None:
    async with populated(tmp_path / "data", make=immortal) as house:
        on = await set_up(house)
        capability = await on.given()
        await house.kill(TargetKind.INSTANCE, house["calendar-bot"].id)
        assert (await on.use(capability)).status_code == 200


@pytest.mark.twin("CA-05", "CA-20")
@pytest.mark.parametrize(
    ("column", "changes"), [("args_sha256", {"arguments_sha256": "0" * 64}), ("cnf_jkt", {"key": "A" * 43})]
)
async def test_without_the_condition_another_call_uses_it_up(
    tmp_path: Path, column: str, changes: dict[str, Any]
) -> None:
    async with populated(tmp_path / "data", make=laxly(column)) as house:
        on = await set_up(house)
        assert (await on.use(**{"capability": await on.given(), **changes})).status_code == 200


class Trusting(CapabilitySpender):
    """Whoever asks is the server."""

    def _spend(
        self, tx: SqlTransaction, wanted: Spending, held: Capability, *, by: PrincipalId, at: datetime
    ) -> Capability:
        served = tx.principals.get(PrincipalId(self.account))
        assert served is not None
        return super()._spend(tx, wanted, held, by=served.id, at=at)

    account = ""


@pytest.mark.twin("CA-04")
async def test_without_the_question_who_serves_a_stranger_uses_it_up(tmp_path: Path) -> None:
    made: list[Trusting] = []

    def make(ground: Ground) -> Services:
        trusting = Trusting(
            work=ground.work, keys=ground.keys, issuer=ground.issuer, node=ground.store.node,
            entropy=ground.entropy,
        )  # fmt: skip
        made.append(trusting)
        return replace(build(ground), spender=trusting)

    async with populated(tmp_path / "data", make=make) as house:
        on = await set_up(house)
        made[0].account = on.account.id
        stranger = await account(house, "other-server", serves="https://elsewhere.example/mcp")
        assert (await on.use(await on.given(), by=stranger)).status_code == 200
