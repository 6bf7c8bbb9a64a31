"""One call through the gateway: the bytes, the wait for a person, the outcome on record, the repetition."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest
from cedarpy import validate_policies
from mcp.types import ElicitRequestURLParams, ElicitResult

from remit.decision.answer.response import Effect, Obligation, Verdict
from remit.decision.call.request import ProposedCall
from remit.decision.policy.schema import build_schema, compile_schema
from remit.enforcement.mcp.mapping import meaning_of_method
from remit.enforcement.mcp.upstream import Timeouts
from remit.enforcement.mcp.wire import CAPABILITY_HEADER
from remit.enforcement.pep.decider import AskState
from remit.kernel.errors import Unavailable
from support.decisions import server
from support.gateway import LEGACY, House, house, legacy, modern, modern_headers, verdict
from support.upstreams import Business, Scripted, business, business_argv, eventually, respond, scripted, tool

BOOK = {"room": "Room-401", "start": "2026-05-15T14:00Z", "end": "2026-05-15T15:00Z", "title": "Review"}
URL_ASKS: dict[str, Any] = {"io.modelcontextprotocol/clientCapabilities": {"elicitation": {"url": {}}}}


@pytest.fixture
async def stub() -> AsyncIterator[Scripted]:
    anything = tool("act", inputSchema={"type": "object"})
    async with scripted(tools=[anything]) as server:
        yield server


@pytest.fixture
async def gate(stub: Scripted) -> AsyncIterator[House]:
    async with house(freshness=60) as built:
        built.add("business", url=stub.url)
        await built.approve_all("business")
        yield built


@pytest.fixture
async def there() -> AsyncIterator[Business]:
    async with business() as server:
        yield server


@pytest.fixture
async def office(there: Business) -> AsyncIterator[House]:
    async with house(freshness=60) as built:
        await built.add_business(there.url)
        yield built


def denial_of(told: Any) -> dict[str, Any]:
    result = told.json()["result"]
    assert result["isError"] is True
    found: dict[str, Any] = result["_meta"]["dev.remit/denial"]
    return found


def asks_until(approved: Callable[[], bool]) -> Callable[[ProposedCall], Verdict]:
    """A rule under which a tool needs a person until the person has said yes, for one call."""
    spent: list[str] = []

    def rule(call: ProposedCall) -> Verdict:
        if call.tool is None or (approved() and not spent):
            spent.extend([call.call] if call.tool else [])
            return verdict(Effect.PERMIT)
        return verdict(Effect.ASK, code="approval_required")

    return rule


ODD = [
    b'{ "a" : 1.0, "b":1 ,\t"c":0.1000 }',
    b'{"n":1e2,"m":-0,"k":1.10}',
    '{"text":"zürich \\u00e9 \\/ 😀","empty":{}}'.encode(),
    b'{"__proto__":{"x":1},"a.b":1,"a/b":2,"~":3}',
    b"{}",
    b'{"nested":{"arguments":{"deep":[1,2,{"_meta":0}]}}}',
    json.dumps({"long": ["x" * 200_000] * 15}).encode(),
]


@pytest.mark.req("N32")
@pytest.mark.promise("P8")
@pytest.mark.attack("CA-07", "CA-09", "CA-12", "CA-13")
@pytest.mark.parametrize("raw", ODD, ids=range(len(ODD)))
async def test_the_judged_bytes_are_the_forwarded_bytes(gate: House, stub: Scripted, raw: bytes) -> None:
    assert (await gate.call("act", raw=raw)).status_code == 200
    (call,) = [asked for asked in gate.decider.asked if asked.tool is not None]
    (_, _, body) = stub.calls[0]
    assert call.raw_arguments == raw
    assert call.arguments_digest == hashlib.sha256(raw).hexdigest()
    assert b'"arguments":' + raw in body
    assert call.arguments == json.loads(raw)


@pytest.mark.req("N32")
async def test_members_that_nobody_judged_are_not_forwarded(gate: House, stub: Scripted) -> None:
    params = {"name": "act", "arguments": {}, "task": {"ttl": 1}, "Arguments": {"item": "other"}}
    await gate.post(modern("tools/call", params), headers=modern_headers("tools/call", "act"))
    (_, message, _) = stub.calls[0]
    assert set(message["params"]) == {"name", "arguments", "_meta"}


@pytest.mark.req("R128", "N14")
async def test_arguments_become_action_resource_and_money(office: House) -> None:
    async with office.client() as client:
        await client.call_tool("rooms_book", BOOK)
        await client.call_tool("refunds_create", {"order_id": "8812", "amount": "480.00", "currency": "EUR"})
    booked, refunded = [call for call in office.decider.asked if call.tool is not None]
    assert (booked.action, booked.resource.type, booked.resource.id) == (
        "business/rooms.book",
        "Room",
        "Room-401",
    )
    assert (refunded.action, refunded.resource.id) == ("business/refunds.create", "8812")
    assert refunded.money is not None
    assert (refunded.money.currency, refunded.money.minor) == ("EUR", 48000)
    assert booked.consequential


@pytest.mark.req("N14")
async def test_an_argument_that_the_mapping_does_not_know_refuses_the_call(
    office: House, there: Business
) -> None:
    told = await office.call("rooms_book", {**BOOK, "notify": "all@company.com"})
    assert denial_of(told)["code"] == "arguments_unmapped"
    assert "`/notify`" in denial_of(told)["message"]
    told = await office.call("rooms_book", {"start": "x"})
    assert denial_of(told)["code"] == "arguments_unmapped"
    assert not there.hits
    assert {refusal.code for refusal in office.calls.refusals} == {"arguments_unmapped"}


@pytest.mark.req("N14")
async def test_a_consequential_tool_without_mapping_is_denied(stub: Scripted) -> None:
    async with house(freshness=60) as gate:
        gate.add("business", url=stub.url)
        await gate.approve_all("business", consequential=True)
        assert denial_of(await gate.call("act", {}))["code"] == "arguments_unmapped"
        assert not stub.calls


EVERY_METHOD: list[tuple[str, dict[str, Any], str, tuple[str, str]]] = [
    ("server/discover", {}, "server.discover", ("Server", "business")),
    ("tools/list", {}, "tools.list", ("Server", "business")),
    ("resources/list", {}, "resources.list", ("Server", "business")),
    ("resources/templates/list", {}, "resources.templates.list", ("Server", "business")),
    ("resources/read", {"uri": "document://D-1"}, "resources.read", ("Resource", "document://D-1")),
    ("prompts/list", {}, "prompts.list", ("Server", "business")),
    (
        "prompts/get",
        {"name": "summarize", "arguments": {"document_id": "D-1"}},
        "prompts.get",
        ("Prompt", "summarize"),
    ),
    (
        "completion/complete",
        {
            "ref": {"type": "ref/prompt", "name": "summarize"},
            "argument": {"name": "document_id", "value": "D"},
        },
        "completion.complete",
        ("Prompt", "summarize"),
    ),
    ("subscriptions/listen", {"notifications": {}}, "subscriptions.listen", ("Server", "business")),
]


@pytest.mark.req("R128")
@pytest.mark.parametrize(("method", "params", "action", "resource"), EVERY_METHOD)
def test_policies_name_what_a_method_is_asked_about_as_the_gateway_does(
    method: str, params: dict[str, Any], action: str, resource: tuple[str, str]
) -> None:
    kind, ident = resource
    there = server()
    assert meaning_of_method(there, method, params).resource.type == kind
    schema = compile_schema(build_schema([there], [], ()))
    does, on = f'Remit::Action::"business/{action}"', f'Remit::{kind}::"{ident}"'
    rule = f"permit (principal, action == {does}, resource == {on});"
    assert validate_policies(rule, schema).validation_passed
    wrong = rule.replace(f"Remit::{kind}", "Remit::Segment")
    assert not validate_policies(wrong, schema).validation_passed


@pytest.mark.req("R128")
@pytest.mark.parametrize(("method", "params", "action", "resource"), EVERY_METHOD)
async def test_every_method_is_decided_and_a_denial_stops_it(
    office: House,
    there: Business,
    method: str,
    params: dict[str, Any],
    action: str,
    resource: tuple[str, str],
) -> None:
    office.decider.rule = lambda call: verdict(Effect.DENY, code="no_permit")
    before = len(there.store.journal())
    name = str(params.get("name") or params.get("uri") or "") if method != "completion/complete" else ""
    told = await office.post(modern(method, params), headers=modern_headers(method, name))
    error = told.json()["error"]
    assert error["data"]["dev.remit/denial"]["code"] == "no_permit"
    assert not -32768 <= error["code"] <= -32000
    (asked,) = office.decider.asked
    assert (asked.action, (asked.resource.type, asked.resource.id)) == (f"business/{action}", resource)
    assert len(there.store.journal()) == before


@pytest.mark.req("R128")
async def test_a_denied_tool_call_says_why_and_what_to_do(gate: House, stub: Scripted) -> None:
    gate.decider.rule = lambda call: verdict(Effect.DENY, code="forbidden")
    denial = denial_of(await gate.call("act", {}))
    assert (denial["code"], denial["remedy"]["action"]) == ("forbidden", "none")
    assert not stub.calls
    assert not gate.calls.outcomes


@pytest.mark.promise("P4", "P5")
async def test_nothing_is_sent_when_no_decision_can_be_made(gate: House, stub: Scripted) -> None:
    def broken(call: ProposedCall) -> Verdict:
        raise Unavailable("decision could not be recorded")

    def bug(call: ProposedCall) -> Verdict:
        raise ZeroDivisionError

    for rule in (broken, bug):
        gate.decider.rule = rule
        told = await gate.call("act", {})
        assert told.json()["error"]["code"] == -32603
        assert "ZeroDivision" not in told.text
    assert not stub.calls


@pytest.mark.attack("PD-18")
@pytest.mark.parametrize(
    "obligation",
    [
        Obligation(type="notify_owner"),
        Obligation(type="redact"),
        Obligation(type="redact", properties=(("pointer", "no pointer"),)),
        Obligation(type="redact", properties=(("pointer", "/card"), ("except", "/name"))),
    ],
)
async def test_a_permit_with_a_duty_that_is_not_understood_is_a_denial(
    gate: House, stub: Scripted, obligation: Obligation
) -> None:
    gate.decider.rule = lambda call: verdict(Effect.PERMIT, obligations=(obligation,))
    assert denial_of(await gate.call("act", {}))["code"] == "obligation_unknown"
    assert not stub.calls
    assert [(outcome.state, outcome.sent) for outcome in gate.calls.outcomes] == [("failed", False)]


@pytest.mark.attack("PD-18")
async def test_an_obligation_redacts_the_result_wherever_it_stands(office: House, there: Business) -> None:
    hide = Obligation(type="redact", properties=(("pointer", "/card"),))
    office.decider.rule = lambda call: verdict(Effect.PERMIT, obligations=(hide,) if call.tool else ())
    told = await office.call("customers_read", {"customer_id": "C-100"})
    assert "4000-0000" not in told.text
    assert told.json()["result"]["structuredContent"]["name"] == "Ada Example"
    assert there.hits


async def test_an_obligation_drops_documents_by_tag(office: House) -> None:
    drop = Obligation(
        type="drop_items",
        properties=(("list", "/documents"), ("where", "/tags"), ("equals", "confidential")),
    )
    office.decider.rule = lambda call: verdict(Effect.PERMIT, obligations=(drop,) if call.tool else ())
    told = await office.call("documents_search", {"query": "a"})
    assert "Merger" not in told.text
    assert len(told.json()["result"]["structuredContent"]["documents"]) == 2


@pytest.mark.promise("P8")
async def test_a_call_waits_for_a_person_and_then_runs_once(stub: Scripted) -> None:
    async with house(freshness=60, hold=60) as gate:
        gate.add("business", url=stub.url)
        await gate.approve_all("business")
        gate.decider.rule = asks_until(gate.desk.answered.is_set)
        calling = asyncio.create_task(gate.call("act", {"item": "x"}))
        await eventually(lambda: bool(gate.desk.asks))
        assert not calling.done()
        assert not stub.calls
        gate.desk.answer(AskState.APPROVED)
        assert "isError" not in (await calling).json()["result"]
        assert len(stub.calls) == 1
        first, second = [asked for asked in gate.decider.asked if asked.tool is not None]
        assert (first.call, first.raw_arguments) == (second.call, second.raw_arguments)


@pytest.mark.promise("P8")
async def test_the_same_bytes_after_the_yes_run_exactly_once_and_other_bytes_never(
    gate: House, stub: Scripted
) -> None:
    gate.decider.rule = asks_until(gate.desk.answered.is_set)
    denial = denial_of(await gate.call("act", {"item": "x"}))
    assert (denial["code"], denial["remedy"]["action"]) == ("approval_required", "request_approval")
    assert denial["remedy"]["call_key"].startswith("call_")
    assert not stub.calls
    gate.desk.answer(AskState.APPROVED)
    key = {"dev.remit/call": denial["remedy"]["call_key"]}
    assert "isError" not in (await gate.call("act", {"item": "x"}, meta=key)).json()["result"]
    assert len(stub.calls) == 1
    denial_of(await gate.call("act", {"item": "x"}))
    denial_of(await gate.call("act", {"item": "y"}))
    assert len(stub.calls) == 1


async def test_a_no_of_the_person_denies(gate: House, stub: Scripted) -> None:
    gate.decider.rule = asks_until(gate.desk.answered.is_set)
    denial_of(await gate.call("act", {"item": "x"}))
    gate.desk.answer(AskState.DENIED)
    gate.decider.rule = lambda call: verdict(Effect.ASK, code="approval_denied")
    assert denial_of(await gate.call("act", {"item": "x"}))["code"] == "approval_denied"
    assert not stub.calls


@pytest.mark.spec("MCP 2026-07-28", "multi round-trip requests")
async def test_a_client_that_can_is_pointed_to_the_approval_page(gate: House, stub: Scripted) -> None:
    gate.decider.rule = asks_until(gate.desk.answered.is_set)
    result = (await gate.call("act", {"item": "x"}, meta=URL_ASKS)).json()["result"]
    assert result["resultType"] == "input_required"
    asked = result["inputRequests"]["approval"]["params"]
    assert (asked["mode"], asked["url"]) == ("url", "http://remit.test/approve")
    assert "requestState" not in result
    assert "cacheScope" not in result
    assert not stub.calls


@pytest.mark.attack("MC-12")
async def test_a_request_state_that_was_not_issued_here_is_refused(gate: House, stub: Scripted) -> None:
    params = {"name": "act", "arguments": {}, "requestState": "approved"}
    told = await gate.post(modern("tools/call", params), headers=modern_headers("tools/call", "act"))
    assert told.json()["error"]["code"] == -32602
    assert not stub.calls
    assert not gate.decider.asked


async def test_the_official_client_rings_and_comes_back_after_the_yes(gate: House, stub: Scripted) -> None:
    gate.decider.rule = asks_until(gate.desk.answered.is_set)
    pages: list[str] = []

    async def ring(context: Any, params: Any) -> ElicitResult:
        assert isinstance(params, ElicitRequestURLParams)
        pages.append(params.url)
        gate.desk.answer(AskState.APPROVED)
        return ElicitResult(action="accept")

    async with gate.client(mode="2026-07-28", elicitation_callback=ring) as client:
        result = await client.call_tool("act", {"item": "x"})
    assert not result.is_error
    assert pages == ["http://remit.test/approve"]
    assert len(stub.calls) == 1


@pytest.mark.attack("CA-14")
@pytest.mark.promise("P2")
async def test_a_repeated_call_gets_the_recorded_answer_and_is_not_run_again(
    gate: House, stub: Scripted
) -> None:
    key = {"dev.remit/call": "my-own-key-1"}
    first = await gate.call("act", {"item": "x"}, meta=key)
    second = await gate.call("act", {"item": "x"}, meta=key)
    assert first.json()["result"] == second.json()["result"]
    assert len(stub.calls) == 1
    changed = await gate.call("act", {"item": "y"}, meta=key)
    assert changed.json()["error"]["code"] == -32602
    assert gate.calls.refusals[-1].code == "call_key_reused"
    await gate.call("act", {"item": "x"}, meta=key, token=gate.token("b"))
    assert len(stub.calls) == 2


@pytest.mark.promise("P2")
@pytest.mark.fault("F20")
@pytest.mark.attack("CA-14")
@pytest.mark.parametrize("failure", ["silence", "reset", "500", "garbage", "endless", "trickle"])
async def test_a_server_that_may_have_acted_is_recorded_unknown_and_never_asked_again(failure: str) -> None:
    async def fail(receive: Any, send: Any, message: dict[str, Any]) -> None:
        start = {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-type", b"application/json")],
        }
        if failure == "silence":
            await asyncio.sleep(120)
        elif failure == "reset":
            await send(start)
            await send({"type": "http.response.body", "body": b"{", "more_body": True})
            raise ConnectionResetError
        elif failure == "500":
            await respond(send, 500, {"oops": True})
        elif failure == "garbage":
            await respond(send, 200, {"jsonrpc": "2.0", "id": message["id"], "result": "text"})
        else:
            await send(start)
            size, pause = (1 << 20, 0.0) if failure == "endless" else (1, 0.05)
            while True:
                await send({"type": "http.response.body", "body": b" " * size, "more_body": True})
                await asyncio.sleep(pause)

    times = Timeouts(connect=30, first_byte=0.4, total=2.0 if failure == "endless" else 0.8)
    async with scripted(on_call=fail) as stub, house(freshness=60) as gate:
        gate.add("business", url=stub.url)
        await gate.approve_all("business")
        await gate.hurry(times)
        key = {"dev.remit/call": "my-own-key-1"}
        told = await gate.call("act", {"item": "x"}, meta=key)
        assert told.json()["error"]["code"] == -32603
        assert told.json()["error"]["data"]["dev.remit/outcome"]["state"] == "unknown"
        assert [state for state, _ in gate.calls.states()] == ["unknown"]
        again = await gate.call("act", {"item": "x"}, meta=key)
        assert again.json()["result"]["isError"]
        assert again.json()["result"]["_meta"]["dev.remit/outcome"]["state"] == "unknown"
        assert len(stub.calls) == 1


@pytest.mark.fault("F20")
async def test_a_server_that_is_not_there_leaves_nothing_half_done_and_is_left_alone_for_a_while() -> None:
    async with scripted() as gone, scripted() as well, house(freshness=60) as gate:
        for name, stub in (("business", gone), ("other", well)):
            gate.add(name, url=stub.url)
            await gate.approve_all(name)
        await gate.call("act", {})
        gate.registry.servers["business"] = gate.add("business", url="http://127.0.0.1:9/mcp")
        for _ in range(7):
            told = await gate.call("act", {})
            assert told.json()["error"]["code"] == -32603
        assert all(not outcome.sent for outcome in gate.calls.of_tools()[1:])
        assert {code for _, code in gate.calls.states()[1:]} == {
            "upstream_unavailable",
            "upstream_circuit_open",
        }
        assert "result" in (await gate.call("act", {}, server="other")).json()


async def test_outcomes_say_what_was_touched_and_what_came_back(office: House) -> None:
    async with office.client() as client:
        await client.call_tool("rooms_book", BOOK)
        await client.call_tool("rooms_book", BOOK)
        await client.read_resource("document://D-1")
    done, failed = office.calls.of_tools()
    assert (done.state, done.code, done.sent) == ("done", "ok", True)
    assert done.result_digest == hashlib.sha256(done.result).hexdigest()
    assert (failed.state, failed.code) == ("failed", "tool_error")
    read = office.calls.outcomes[-1]
    assert (read.call.action, read.resources) == ("business/resources.read", ("document://D-1",))


@pytest.mark.req("R60")
async def test_a_call_round_the_gateway_is_refused_by_the_resource_itself() -> None:
    from joserfc import jwt
    from joserfc.jwk import KeySet, OKPKey

    key = OKPKey.generate_key("Ed25519", {"kid": "k1", "alg": "Ed25519", "use": "sig"})
    jwks: dict[str, Any] = dict(KeySet([key]).as_dict(private=False))
    audience = "http://remit.test/mcp/business"

    def mint(call: ProposedCall) -> str:
        at = int(call.at.timestamp())
        claims = {
            "iss": "http://remit.test",
            "aud": audience,
            "action": call.action,
            "args_sha256": call.arguments_digest,
            "jti": call.call,
            "iat": at,
            "exp": at + 60,
        }
        return jwt.encode(
            {"alg": "Ed25519", "typ": "remit-cap+jwt", "kid": "k1"}, claims, key, algorithms=["Ed25519"]
        )

    async with (
        business(jwks=lambda: jwks, issuer="http://remit.test", audience=audience) as there,
        house(freshness=60) as gate,
    ):
        await gate.add_business(there.url)
        gate.decider.token = mint
        assert not (await gate.call("rooms_book", BOOK)).json()["result"]["isError"]
        assert len(there.hits) == 1
        for stolen in ("", mint(gate.decider.asked[-1])):
            direct = {CAPABILITY_HEADER: stolen} if stolen else {}
            headers = {
                **modern_headers("tools/call", "rooms_book"),
                **direct,
                "Accept": "application/json, text/event-stream",
            }
            body = modern("tools/call", {"name": "rooms_book", "arguments": BOOK})
            async with httpx2.AsyncClient(trust_env=False) as client:
                assert (await client.post(there.url, json=body, headers=headers)).status_code == 403
        assert len(there.hits) == 1


@pytest.mark.req("R60")
async def test_the_same_server_as_a_child_process_demands_a_capability_too() -> None:
    async with house(freshness=60) as gate:
        gate.add("business", argv=business_argv("--issuer", "http://127.0.0.1:9"))
        await gate.approve_all("business")
        for token in (None, "no.capability.at-all"):
            gate.decider.token = lambda call, token=token: token  # type: ignore[misc]  # bound in the loop
            told = await gate.call("rooms_book", BOOK)
            assert told.json()["error"]["code"] == 4030
            assert "capability" in told.json()["error"]["message"]
        gate.add("open", argv=business_argv("--unsafe-open"))
        await gate.approve_all("open")
        assert not (await gate.call("rooms_book", BOOK, server="open")).json()["result"]["isError"]


@pytest.mark.req("R126")
async def test_legacy_and_modern_clients_get_the_same_decision(gate: House, stub: Scripted) -> None:
    gate.decider.rule = lambda call: verdict(Effect.DENY if call.tool else Effect.PERMIT, code="forbidden")
    seen = []
    for mode in ("2026-07-28", "legacy"):
        async with gate.client(mode=mode) as client:
            result = await client.call_tool("act", {"item": "x"})
            seen.append((result.is_error, (result.meta or {})["dev.remit/denial"]["code"]))
    assert seen == [(True, "forbidden")] * 2
    assert not stub.calls


async def test_progress_of_the_server_reaches_its_caller_under_the_callers_token() -> None:
    async def slow(receive: Any, send: Any, message: dict[str, Any]) -> None:
        token = message["params"]["_meta"]["progressToken"]
        lines = [
            {
                "jsonrpc": "2.0",
                "method": "notifications/progress",
                "params": {"progressToken": token, "progress": 1},
            },
            {
                "jsonrpc": "2.0",
                "method": "notifications/progress",
                "params": {"progressToken": 999, "progress": 9},
            },
            {"jsonrpc": "2.0", "id": 77, "method": "sampling/createMessage", "params": {}},
            {"jsonrpc": "2.0", "id": message["id"], "result": {"content": [], "resultType": "complete"}},
        ]
        body = "".join(
            f": hi\r\nevent: message\r\ndata: {json.dumps(line)}\r\n\r\n" for line in lines
        ).encode()
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-type", b"text/event-stream")],
            }
        )
        await send({"type": "http.response.body", "body": body})

    async with scripted(on_call=slow) as stub, house(freshness=60) as gate:
        gate.add("business", url=stub.url)
        await gate.approve_all("business")
        told = await gate.call("act", {"item": "x"}, meta={"progressToken": "mine"})
        events = [json.loads(line[6:]) for line in told.text.split("\n") if line.startswith("data: ")]
        assert told.headers["content-type"] == "text/event-stream"
        assert told.headers["x-accel-buffering"] == "no"
        assert [event.get("method") for event in events] == ["notifications/progress", None]
        assert events[0]["params"] == {"progressToken": "mine", "progress": 1}
        assert events[1]["result"]["resultType"] == "complete"


async def test_a_modern_server_that_asks_for_input_gets_none() -> None:
    asks = {
        "resultType": "input_required",
        "inputRequests": {"x": {"method": "elicitation/create", "params": {}}},
    }
    async with scripted(result=asks) as stub, house(freshness=60) as gate:
        gate.add("business", url=stub.url)
        await gate.approve_all("business")
        assert (await gate.call("act", {}, meta=URL_ASKS)).json()["error"]["code"] == -32603


async def test_error_codes_that_the_modern_wire_retired_do_not_appear_there() -> None:
    async def retired(receive: Any, send: Any, message: dict[str, Any]) -> None:
        error = {"code": -32002, "message": "not found", "data": {"uri": "x"}}
        await respond(send, 200, {"jsonrpc": "2.0", "id": message["id"], "error": error})

    async with scripted(on_call=retired) as stub, house(freshness=60) as gate:
        gate.add("business", url=stub.url)
        await gate.approve_all("business")
        told = await gate.call("act", {})
        assert (told.json()["error"]["code"], told.json()["error"]["data"]) == (-32602, {"uri": "x"})
        assert gate.calls.states() == [("failed", "upstream_error")]


@pytest.mark.parametrize("ident", ['"a \\u0041\\/b"', "12345678901234", '"1"', "0"])
async def test_the_answer_bears_the_callers_own_id(gate: House, ident: str) -> None:
    body = json.dumps(modern("server/discover", ident="PLACE")).replace('"PLACE"', ident).encode()
    told = await gate.post(body, headers=modern_headers("server/discover"))
    assert f'"id":{ident}'.encode() in told.content


async def test_a_legacy_client_is_introduced_by_the_registered_text() -> None:
    async with scripted() as stub, house() as gate:
        gate.add("business", url=stub.url, instructions="Approved words.")
        message = legacy("initialize", {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {}})
        told = await gate.post(message)
        result = told.json()["result"]
        assert (result["protocolVersion"], result["instructions"]) == (LEGACY, "Approved words.")
        assert result["capabilities"] == {"tools": {}}
        assert len(told.headers["mcp-session-id"]) >= 22
