"""MC: what never gets past the edge of the gateway. The stub behind it counts what reached it."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from remit.enforcement.mcp.app import McpApp
from support.gateway import House, house, legacy, modern, modern_headers
from support.upstreams import Scripted, scripted, tool

CALL = {"name": "act", "arguments": {"item": "x"}}
HEADERED = tool(
    "headered",
    inputSchema={
        "type": "object",
        "properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "count": {"type": "integer", "x-mcp-header": "Count"},
        },
    },
)


@pytest.fixture
async def stub() -> AsyncIterator[Scripted]:
    async with scripted(tools=[tool(), HEADERED]) as server:
        yield server


@pytest.fixture
async def gate(stub: Scripted) -> AsyncIterator[House]:
    async with house(freshness=60) as built:
        built.add("business", url=stub.url)
        await built.approve_all("business")
        yield built


async def raw(gate: House, text: bytes, *, first: float = 60, seconds: float = 0.5) -> bytes:
    """Send bytes as they are; what comes back until the other side closes or falls silent."""
    reader, writer = await asyncio.open_connection("127.0.0.1", gate.port)
    writer.write(text)
    await writer.drain()
    found = b""
    try:
        async with asyncio.timeout(first) as limit:
            while part := await reader.read(65536):
                found += part
                limit.reschedule(asyncio.get_running_loop().time() + seconds)
    except TimeoutError:
        pass
    writer.close()
    return found


def http(gate: House, body: bytes, *lines: bytes, host: bytes | None = None, length: bool = True) -> bytes:
    """A whole modern call of `act`, with more header lines."""
    name = host if host is not None else f"127.0.0.1:{gate.port}".encode()
    head = [
        b"POST /mcp/business HTTP/1.1",
        b"Host: " + name,
        b"Authorization: DPoP " + gate.token().encode(),
        b"Content-Type: application/json",
        b"Accept: application/json, text/event-stream",
        b"MCP-Protocol-Version: 2026-07-28",
        b"Mcp-Method: tools/call",
        b"Mcp-Name: act",
        *([b"Content-Length: %d" % len(body)] if length else []),
        *lines,
    ]
    return b"\r\n".join(head) + b"\r\n\r\n" + body


def call_body() -> bytes:
    return json.dumps(modern("tools/call", CALL)).encode()


@pytest.mark.attack("MC-01")
@pytest.mark.req("N33")
@pytest.mark.spec("MCP 2026-07-28", "authorization, token passthrough")
async def test_no_credential_of_the_caller_reaches_the_server(gate: House, stub: Scripted) -> None:
    headers = {"Cookie": "session=abc", "DPoP": "proof", "Remit-Envelope": "envelope"}
    told = await gate.call("act", {"item": "x"}, headers=headers)
    assert told.status_code == 200
    (sent, message, body) = stub.calls[0]
    assert not {"authorization", "dpop", "cookie", "remit-envelope"} & sent.keys()
    assert gate.token().encode() not in body
    assert sent["remit-capability"] == ["capability-of-" + gate.decider.asked[-1].call]
    assert message["params"]["_meta"]["io.modelcontextprotocol/clientInfo"]["name"] == "remit-gateway"


@pytest.mark.attack("MC-25")
async def test_trust_headers_of_the_caller_are_stripped(gate: House, stub: Scripted) -> None:
    forged = {
        "X-Remit-User": "root",
        "X-Forwarded-For": "10.0.0.1",
        "X-Forwarded-Host": "remit.test",
        "Forwarded": "for=10.0.0.1",
        "router-key": "default",
        "Remit-Capability": "forged",
        "Baggage": "user=root",
    }
    meta = {"dev.remit/capability": "forged", "dev.remit/user": "root", "com.example/role": "admin"}
    assert (await gate.call("act", {"item": "x"}, headers=forged, meta=meta)).status_code == 200
    (sent, message, _) = stub.calls[0]
    assert not {name.lower() for name in forged} - {"remit-capability"} & sent.keys()
    assert sent["remit-capability"] != ["forged"]
    assert set(message["params"]["_meta"]) <= {
        "io.modelcontextprotocol/protocolVersion",
        "io.modelcontextprotocol/clientCapabilities",
        "io.modelcontextprotocol/clientInfo",
    }
    assert gate.decider.asked[-1].subject.instance == "ins_a"


@pytest.mark.attack("MC-02")
@pytest.mark.spec("RFC 8707", "2")
@pytest.mark.parametrize("other", ["elsewhere", "businessx", ""])
async def test_a_token_for_another_resource_is_refused(gate: House, stub: Scripted, other: str) -> None:
    token = gate.token("b", server=other)
    told = await gate.call("act", {"item": "x"}, token=token)
    assert told.status_code == 401
    assert (
        'resource_metadata="http://remit.test/.well-known/oauth-protected-resource/mcp/business"'
        in (told.headers["www-authenticate"])
    )
    assert not stub.calls
    assert not gate.decider.asked


@pytest.mark.attack("MC-02")
async def test_a_token_of_another_tenant_is_refused(gate: House, stub: Scripted) -> None:
    told = await gate.call("act", {"item": "x"}, token=gate.token("b", tenant="other"))
    assert told.status_code == 401
    assert not stub.calls


@pytest.mark.twin("MC-02")
async def test_without_the_audience_check_another_resources_token_would_pass() -> None:
    class Trusting(McpApp):
        async def _verify(self, exchange: Any, message: Any) -> Any:
            return self._verifier.tokens["token-b-elsewhere"]  # type: ignore[attr-defined]  # a fake

    async with scripted() as stub, house(freshness=60, make_app=Trusting) as gate:
        gate.add("business", url=stub.url)
        await gate.approve_all("business")
        assert (await gate.call("act", {}, token=gate.token("b", server="elsewhere"))).status_code == 200
        assert stub.calls


MISMATCHES = [
    {"Mcp-Method": "tools/list"},
    {"Mcp-Name": "other"},
    {"MCP-Protocol-Version": "2025-11-25"},
    {"Mcp-Name": "=?base64?b3RoZXI=?="},
    {"Mcp-Name": "=?base64?YWN0"},
    {"Mcp-Method": "Tools/call"},
]


@pytest.mark.attack("MC-07")
@pytest.mark.req("N32")
@pytest.mark.spec("MCP 2026-07-28", "streamable HTTP, server validation")
@pytest.mark.parametrize("changed", MISMATCHES)
async def test_a_header_that_differs_from_the_body_is_refused(
    gate: House, stub: Scripted, changed: dict[str, str]
) -> None:
    headers = {**modern_headers("tools/call", "act"), **changed}
    told = await gate.post(modern("tools/call", CALL), headers=headers)
    assert (told.status_code, told.json()["error"]["code"]) == (400, -32020)
    assert not stub.calls


@pytest.mark.attack("MC-07")
@pytest.mark.parametrize("missing", ["Mcp-Method", "Mcp-Name", "MCP-Protocol-Version"])
async def test_a_header_that_is_missing_or_doubled_is_refused(
    gate: House, stub: Scripted, missing: str
) -> None:
    whole = modern_headers("tools/call", "act")
    without = {name: value for name, value in whole.items() if name != missing}
    doubled = [*whole.items(), (missing, whole[missing])]
    for headers in (without, doubled):
        told = await gate.post(modern("tools/call", CALL), headers=headers)
        assert (told.status_code, told.json()["error"]["code"]) == (400, -32020)
    assert not stub.calls


@pytest.mark.attack("MC-07")
@pytest.mark.parametrize(
    "params",
    [
        {"Mcp-Param-Region": "us"},
        {"Mcp-Param-Count": "3"},
        {},
        {"Mcp-Param-Region": "eu", "Mcp-Param-Count": "4"},
        {"Mcp-Param-Region": "=?base64?ZXUuLi4?=", "Mcp-Param-Count": "3"},
    ],
)
async def test_a_mirrored_argument_must_equal_the_body(
    gate: House, stub: Scripted, params: dict[str, str]
) -> None:
    told = await gate.call("headered", {"region": "eu", "count": 3}, headers=params)
    assert (told.status_code, told.json()["error"]["code"]) == (400, -32020)
    assert not stub.calls
    assert gate.calls.refusals[-1].code == "header_mismatch"


@pytest.mark.attack("MC-07")
async def test_mirrored_arguments_that_agree_are_written_anew_for_the_server(
    gate: House, stub: Scripted
) -> None:
    value = "=?base64?" + base64.b64encode("zürich".encode()).decode() + "?="
    headers = {"Mcp-Param-Region": value, "Mcp-Param-Count": "3.0", "Mcp-Param-Other": "kept"}
    assert (await gate.call("headered", {"region": "zürich", "count": 3}, headers=headers)).status_code == 200
    (sent, _, _) = stub.calls[0]
    assert (sent["mcp-param-region"], sent["mcp-param-count"]) == ([value], ["3"])
    assert sent["mcp-param-other"] == ["kept"]


BODIES = [
    b"[]",
    b"[" + json.dumps(modern("tools/call", CALL)).encode() + b"]",
    json.dumps(modern("tools/call", CALL)).encode() + b" {}",
    json.dumps(modern("tools/call", CALL)).encode() + b"\0",
    b'{"jsonrpc":"2.0","id":1,"id":2,"method":"tools/call","params":{}}',
    b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"act","name":"other"}}',
    b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"arguments":{"a":1,"\\u0061":2}}}',
    b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"arguments":{"a":"\\ud800"}}}',
    b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"arguments":{"a":1e400}}}',
    b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"arguments":{"a":NaN}}}',
    b'{"jsonrpc":"2.0","id":1,"result":{}}',
    b'{"jsonrpc":"2.0","id":null,"method":"tools/call"}',
    b'{"jsonrpc":"2.0","id":1.5,"method":"tools/call"}',
    b'{"jsonrpc":"1.0","id":1,"method":"tools/call"}',
    b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":[]}',
    b'{"jsonrpc":"2.0","id":1,"method":"tools/call","extra":1}',
    b"\xff\xfe",
    b"",
]


@pytest.mark.attack("CA-06", "MC-07")
@pytest.mark.req("N32")
@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
async def test_a_body_that_is_not_one_strict_message_is_refused(
    gate: House, stub: Scripted, body: bytes
) -> None:
    told = await gate.post(body, headers=modern_headers("tools/call", "act"))
    assert told.status_code == 400
    assert told.json()["error"]["code"] in {-32700, -32600, -32602, -32020}
    assert not stub.calls
    assert not gate.decider.asked


@pytest.mark.attack("MC-09")
@pytest.mark.req("N32")
@pytest.mark.spec("RFC 9112", "6.3")
@pytest.mark.parametrize(
    "attack",
    [
        "cl-te",
        "te",
        "te-twice",
        "cl-twice",
        "cl-list",
        "cl-sign",
        "cl-hex",
        "te-obscured",
        "nul",
        "bare-cr",
        "fold",
    ],
)
async def test_a_smuggled_request_is_refused_and_the_connection_closed(
    gate: House, stub: Scripted, attack: str
) -> None:
    body = call_body()
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
    inner = b"0\r\n\r\n" + http(gate, body)
    whole = {
        "cl-te": http(gate, inner, b"Transfer-Encoding: chunked"),
        "te": http(gate, chunked, b"Transfer-Encoding: chunked", length=False),
        "te-twice": http(
            gate, chunked, b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked", length=False
        ),
        "cl-twice": http(gate, body, b"Content-Length: 3"),
        "cl-list": http(gate, body, b"Content-Length: %d, %d" % (len(body), len(body)), length=False),
        "cl-sign": http(gate, body, b"Content-Length: +%d" % len(body), length=False),
        "cl-hex": http(gate, body, b"Content-Length: 0x10", length=False),
        "te-obscured": http(gate, chunked, b"Transfer-Encoding: xchunked", length=False),
        "nul": http(gate, body, b"X-Odd: a\0b"),
        "bare-cr": http(gate, body, b"X-Odd: a\rb"),
        "fold": http(gate, body, b"X-Odd: a\r\n Transfer-Encoding: chunked"),
    }[attack]
    told = await raw(gate, whole)
    assert told.startswith(b"HTTP/1.1 4") or (attack == "fold" and told.startswith(b"HTTP/1.1 200")), told
    # Whatever came after the refused message was not taken for a second request.
    assert told.count(b"HTTP/1.1 ") == 1
    assert len(stub.calls) == (1 if attack == "fold" and b" 200 " in told[:16] else 0)


@pytest.mark.attack("MC-10")
@pytest.mark.spec("MCP 2026-07-28", "streamable HTTP, security warning")
@pytest.mark.parametrize(
    ("lines", "host", "status"),
    [
        ([b"Origin: http://evil.example"], None, b"403"),
        ([b"Origin: null"], None, b"403"),
        ([b"Origin: http://evil.127.0.0.1"], None, b"403"),
        ([], b"evil.example", b"403"),
        ([], b"127.0.0.1", b"403"),
        ([], b"127.0.0.1:1", b"403"),
        ([], b"", b"403"),
        ([b"Host: evil.example"], None, b"400"),
    ],
)
async def test_a_foreign_host_or_origin_is_refused_before_the_body_is_read(
    gate: House, stub: Scripted, lines: list[bytes], host: bytes | None, status: bytes
) -> None:
    told = await raw(gate, http(gate, b"this is no json", b"Connection: close", *lines, host=host))
    assert told.split(b" ")[1] == status
    assert not stub.seen[2:]
    assert not gate.decider.asked


@pytest.mark.attack("MC-10")
async def test_a_request_without_host_is_refused(gate: House, stub: Scripted) -> None:
    text = http(gate, call_body()).replace(b"Host: 127.0.0.1:%d\r\n" % gate.port, b"")
    assert (await raw(gate, text, seconds=1)).split(b" ")[1] == b"400"
    assert not stub.calls


@pytest.mark.attack("MC-28")
@pytest.mark.req("R128")
@pytest.mark.parametrize(
    "method",
    [
        "vendor/do",
        "tools/Call",
        "tasks/list",
        "logging/setLevel",
        "initialize",
        "ping",
        "sampling/createMessage",
    ],
)
async def test_an_unknown_method_is_refused_recorded_and_never_forwarded(
    gate: House, stub: Scripted, method: str
) -> None:
    told = await gate.post(modern(method, {}), headers=modern_headers(method))
    assert (told.status_code, told.json()["error"]["code"]) == (404, -32601)
    assert [refusal.code for refusal in gate.calls.refusals] == ["method_unknown"]
    assert method not in {message.get("method") for _, message, _ in stub.seen}
    assert not gate.decider.asked


@pytest.mark.attack("MC-28")
async def test_an_unknown_notification_goes_nowhere(gate: House, stub: Scripted) -> None:
    note = {"jsonrpc": "2.0", "method": "notifications/vendor", "params": {}}
    told = await gate.post(note, headers={"MCP-Protocol-Version": "2026-07-28"})
    assert told.status_code == 400
    assert gate.calls.refusals[-1].code == "method_unknown"
    assert "notifications/vendor" not in {message.get("method") for _, message, _ in stub.seen}


@pytest.mark.req("N33")
async def test_a_version_that_is_not_served_is_told_which_are(gate: House) -> None:
    told = await gate.post(legacy("tools/list"), headers={"MCP-Protocol-Version": "2030-01-01"})
    error = told.json()["error"]
    assert (told.status_code, error["code"], error["data"]["requested"]) == (400, -32022, "2030-01-01")
    assert "2026-07-28" in error["data"]["supported"]


async def test_a_server_that_serves_no_older_clients_says_so() -> None:
    async with scripted() as stub, house() as gate:
        gate.add("business", url=stub.url, legacy=False)
        told = await gate.post(legacy("initialize", {"protocolVersion": "2025-11-25"}))
        assert (told.status_code, told.json()["error"]["code"]) == (400, -32022)
        assert told.json()["error"]["data"]["supported"] == ["2026-07-28"]


async def test_a_body_over_the_limit_is_refused(gate: House) -> None:
    head = http(gate, b"", b"Content-Length: %d" % ((4 << 20) + 1), length=False)
    assert (await raw(gate, head, seconds=1)).split(b" ")[1] == b"413"
    told = await gate.post(b"x" * (4 << 20), headers=modern_headers("tools/call", "act"))
    assert told.status_code == 400
