"""MC: the ways out. No address is reached that was not judged, and a child gets nothing of ours."""

import ipaddress
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from remit.enforcement.mcp.exit import Child, ExitFailed, ExitRequest
from remit.enforcement.mcp.upstream import Timeouts, UpstreamFailed, UpstreamRequest
from remit.enforcement.mcp.upstream_stdio import StdioUpstream
from remit.identity.tools import Server, Transport
from remit.kernel.ids import ServerId, TenantId
from remit.kernel.outbound import Address, AddressRule, Destination, OutboundRefused, OutboundRequest
from remit.platform.outbound import GuardedHttp
from remit.platform.stdio import ChildProcesses
from support.gateway import TLS, house, legacy, modern, modern_headers
from support.upstreams import respond, scripted, serving


class Names:
    """A resolver that says what a test says."""

    def __init__(self, *addresses: str) -> None:
        self.turns = [ipaddress.ip_address(address) for address in addresses]
        self.asked = 0

    async def resolve(self, host: str, port: int) -> Sequence[Address]:
        self.asked += 1
        return self.turns


class Rebinding(Names):
    """First a public address, then this machine's."""

    async def resolve(self, host: str, port: int) -> Sequence[Address]:
        self.asked += 1
        return [self.turns[min(self.asked, len(self.turns)) - 1]]


def ask(url: str) -> ExitRequest:
    return ExitRequest(method="POST", url=url, headers={}, body=b"{}", connect=0.5, first_byte=1)


CLOSED = [
    "127.0.0.1",
    "10.1.2.3",
    "169.254.169.254",
    "192.168.0.1",
    "0.0.0.0",
    "100.64.0.1",
    "224.0.0.1",
    "::1",
    "fe80::1",
    "fc00::1",
    "::ffff:127.0.0.1",
    "64:ff9b::7f00:1",
]


@pytest.mark.attack("MC-15")
@pytest.mark.parametrize("address", CLOSED)
async def test_a_name_that_leads_inside_is_not_connected_to(address: str) -> None:
    async with scripted() as stub:
        names = Names("93.184.216.34", address)
        http = GuardedHttp(rule=AddressRule(ports=frozenset({443, stub.port})), resolver=names, tls=TLS)
        with pytest.raises(ExitFailed) as failed:
            async with http.open(ask(f"https://innocent.example:{stub.port}/mcp")):
                pass
        assert not failed.value.sent
        with pytest.raises(OutboundRefused):
            await http.send(OutboundRequest(method="GET", url=f"https://innocent.example:{stub.port}/"))
        assert not stub.seen
        await http.close()


@pytest.mark.attack("MC-15")
async def test_the_judged_address_is_the_connected_one() -> None:
    """The name is resolved once; a second answer would lead to the stub on this machine."""
    async with scripted() as stub:
        names = Rebinding("192.0.2.1", "127.0.0.1")
        rule = AddressRule(registered=frozenset({Destination(host="innocent.example", port=stub.port)}))
        http = GuardedHttp(rule=rule, resolver=names, tls=TLS)
        with pytest.raises(ExitFailed):
            async with http.open(ask(f"http://innocent.example:{stub.port}/mcp")):
                pass
        assert names.asked == 1
        assert not stub.seen
        await http.close()


@pytest.mark.attack("MC-15")
@pytest.mark.parametrize(
    "url",
    [
        "http://innocent.example/",
        "http://user:secret@innocent.example/",
        "ftp://innocent.example/",
        "file:///etc/passwd",
        "https://innocent.example:22/",
        "https:///x",
        "gopher://x",
    ],
)
async def test_only_https_to_open_ports_unless_registered(url: str) -> None:
    http = GuardedHttp(rule=AddressRule(), resolver=Names("93.184.216.34"), tls=TLS)
    with pytest.raises(OutboundRefused):
        await http.send(OutboundRequest(method="GET", url=url))
    await http.close()


@pytest.mark.attack("MC-15")
@pytest.mark.req("R133")
async def test_neither_proxy_settings_nor_redirects_nor_challenges_lead_anywhere() -> None:
    async with scripted() as elsewhere:

        async def lure(receive: Any, send: Any, message: dict[str, Any]) -> None:
            if message["params"]["arguments"]["item"] == "redirect":
                await respond(send, 307, {}, (b"location", elsewhere.url.encode()))
            else:
                metadata = f'Bearer resource_metadata="{elsewhere.url}"'
                await respond(send, 401, {}, (b"www-authenticate", metadata.encode()))

        async with scripted(on_call=lure) as stub, house(freshness=60) as gate:
            gate.add("business", url=stub.url)
            await gate.approve_all("business")
            os.environ["HTTP_PROXY"] = os.environ["ALL_PROXY"] = elsewhere.url
            try:
                for item in ("redirect", "challenge"):
                    told = await gate.call("act", {"item": item})
                    assert told.json()["error"]["code"] == -32603
            finally:
                del os.environ["HTTP_PROXY"], os.environ["ALL_PROXY"]
            assert not elsewhere.seen
            assert gate.calls.states() == [("failed", "upstream_redirected"), ("failed", "upstream_refused")]


@pytest.mark.attack("MC-15")
async def test_addresses_in_arguments_are_not_fetched_by_the_gateway() -> None:
    async with scripted() as stub, scripted() as bait, house(freshness=60) as gate:
        gate.add("business", url=stub.url)
        await gate.approve_all("business")
        await gate.call("act", {"item": bait.url})
        headers = modern_headers("resources/read", bait.url)
        await gate.post(modern("resources/read", {"uri": bait.url}), headers=headers)
        assert not bait.seen
        assert len(stub.calls) == 1


@pytest.mark.promise("P13")
async def test_an_answer_over_the_limit_is_an_error() -> None:
    async def flood(scope: Any, receive: Any, send: Any) -> None:
        await respond(send, 200, "x" * 5_000)

    async with serving(flood, lifespan="off") as port:
        rule = AddressRule(registered=frozenset({Destination(host="127.0.0.1", port=port)}))
        http = GuardedHttp(rule=rule, tls=TLS)
        url = f"http://127.0.0.1:{port}/"
        assert (await http.send(OutboundRequest(method="GET", url=url))).status == 200
        with pytest.raises(Exception, match="limit of 1000"):
            await http.send(OutboundRequest(method="GET", url=url, largest_answer=1000))
        await http.close()


async def test_what_listens_nowhere_was_not_sent_to() -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        rule = AddressRule(registered=frozenset({Destination(host="127.0.0.1", port=port)}))
        http = GuardedHttp(rule=rule, tls=TLS)
        with pytest.raises(ExitFailed) as failed:
            async with http.open(ask(f"http://127.0.0.1:{port}/")):
                pass
        assert not failed.value.sent
        await http.close()


ECHO = """
import json, os, sys
for line in sys.stdin:
    message = json.loads(line)
    if "id" not in message:
        continue
    ident, method = message["id"], message["method"]
    if method == "initialize":
        result = {"protocolVersion": "2025-11-25", "capabilities": {"tools": {}}}
    elif method == "server/discover":
        error = {"code": -32601, "message": "no"}
        print(json.dumps({"jsonrpc": "2.0", "id": ident, "error": error}), flush=True)
        continue
    elif method == "tools/list":
        result = {"tools": [{"name": "act", "inputSchema": {"type": "object"}}]}
    else:
        if message["params"]["arguments"].get("die"):
            sys.exit(3)
        if message["params"]["arguments"].get("chat"):
            print("just chatting", flush=True)
            print(json.dumps({"jsonrpc": "2.0", "id": 9, "method": "roots/list"}), flush=True)
        facts = {"argv": sys.argv[1:], "env": dict(os.environ), "cwd": os.getcwd(),
                 "fds": sorted(int(fd) for fd in os.listdir("/proc/self/fd")),
                 "pid": os.getpid(), "params": message["params"]}
        result = {"content": [{"type": "text", "text": json.dumps(facts)}]}
    print(json.dumps({"jsonrpc": "2.0", "id": ident, "result": result}), flush=True)
"""


def echo(*words: str, environment: tuple[tuple[str, str], ...] = ()) -> Server:
    return Server(
        id=ServerId("srv_echo"),
        tenant=TenantId("default"),
        name="echo",
        transport=Transport.STDIO,
        argv=(sys.executable, "-c", ECHO, *words),
        environment=environment,
        allow_legacy=True,
    )


@pytest.fixture
async def upstreams(tmp_path: Path) -> AsyncIterator[list[StdioUpstream]]:
    made: list[StdioUpstream] = []
    yield made
    for upstream in made:
        await upstream.close()


async def nobody(method: str, params: dict[str, Any]) -> None:
    return None


def calling(**arguments: Any) -> UpstreamRequest:
    return UpstreamRequest(
        method="tools/call",
        params={"name": b'"act"', "arguments": json.dumps(arguments).encode()},
        capability="the-capability",
    )


async def facts(upstream: StdioUpstream, **arguments: Any) -> dict[str, Any]:
    reply = await upstream.exchange(calling(**arguments), notify=nobody)
    assert reply.result is not None
    found: dict[str, Any] = json.loads(reply.result["content"][0]["text"])
    return found


@pytest.mark.attack("MC-23")
async def test_a_child_gets_a_clean_environment_and_its_words_reach_no_shell(
    tmp_path: Path, upstreams: list[StdioUpstream]
) -> None:
    words = ("; touch hacked", "$(touch hacked)", "`touch hacked`", "| cat", "--flag=$HOME")
    os.environ["REMIT_SECRET"] = "kek"
    inherited, _ = socket.socketpair()
    inherited.set_inheritable(True)
    spawner = ChildProcesses(directory=tmp_path)
    upstreams.append(StdioUpstream(echo(*words, environment=(("LEVEL", "1"),)), spawner, Timeouts()))
    try:
        seen = await facts(upstreams[0])
    finally:
        del os.environ["REMIT_SECRET"]
        inherited.close()
    assert tuple(seen["argv"]) == words
    assert seen["env"].keys() - {"LC_CTYPE"} == {"PATH", "LANG", "LEVEL"}
    assert seen["cwd"] == str(tmp_path)
    assert os.listdir(tmp_path) == []  # noqa: PTH208 — a look at a folder that must stay empty
    # 0, 1, 2 and the descriptor by which the child lists them.
    assert len(seen["fds"]) == 4
    assert seen["params"]["_meta"]["dev.remit/capability"] == "the-capability"


@pytest.mark.attack("MC-23")
async def test_a_command_with_a_nul_or_none_is_not_started(tmp_path: Path) -> None:
    spawner = ChildProcesses(directory=tmp_path)
    for argv in ((), ("/bin/true\0--evil",), ("/no/such/program",)):
        with pytest.raises(ExitFailed):
            await spawner.spawn(argv, ())


@pytest.mark.attack("MC-23")
async def test_a_message_can_never_become_two_lines(tmp_path: Path) -> None:
    child: Child = await ChildProcesses(directory=tmp_path).spawn(("/bin/cat",), ())
    with pytest.raises(ExitFailed):
        await child.write(b'{"a":1}\n{"b":2}')
    await child.stop()


@pytest.mark.promise("P2")
async def test_a_child_that_dies_in_a_call_leaves_it_unknown_and_is_started_anew(
    tmp_path: Path, upstreams: list[StdioUpstream]
) -> None:
    upstreams.append(StdioUpstream(echo(), ChildProcesses(directory=tmp_path), Timeouts()))
    before = await facts(upstreams[0])
    with pytest.raises(UpstreamFailed) as failed:
        await facts(upstreams[0], die=True)
    assert (failed.value.sent, failed.value.cause) == (True, "upstream_ended")
    after = await facts(upstreams[0])
    assert before["pid"] != after["pid"]


async def test_a_child_that_cannot_start_is_retried_with_growing_pauses(tmp_path: Path) -> None:
    server = Server(
        id=ServerId("srv_x"),
        tenant=TenantId("default"),
        name="x",
        transport=Transport.STDIO,
        argv=("/bin/false",),
    )
    upstream = StdioUpstream(server, ChildProcesses(directory=tmp_path), Timeouts())
    causes = []
    for _ in range(4):
        with pytest.raises(UpstreamFailed) as failed:
            await upstream.describe()
        assert not failed.value.sent
        causes.append(failed.value.cause)
    assert "upstream_restarting" in causes


@pytest.mark.attack("MC-27")
async def test_chatter_of_a_child_confuses_nobody(tmp_path: Path, upstreams: list[StdioUpstream]) -> None:
    upstreams.append(StdioUpstream(echo(), ChildProcesses(directory=tmp_path), Timeouts()))
    assert (await facts(upstreams[0], chat=True))["params"]["arguments"] == {"chat": True}


async def test_many_callers_share_one_child_and_each_gets_its_own_answer(tmp_path: Path) -> None:
    import asyncio

    async with house(freshness=60) as gate:
        gate.registry.servers["echo"] = echo()
        await gate.approve_all("echo")
        answers = await asyncio.gather(*(gate.call("act", {"n": n}, server="echo") for n in range(20)))
        told = [json.loads(answer.json()["result"]["content"][0]["text"]) for answer in answers]
        assert [entry["params"]["arguments"]["n"] for entry in told] == list(range(20))
        assert len({entry["pid"] for entry in told}) == 1
        session = await gate.post(
            legacy("initialize", {"protocolVersion": "2025-11-25", "capabilities": {}}), server="echo"
        )
        assert session.status_code == 200
