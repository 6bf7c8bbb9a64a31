"""Goal 6: one MCP tool call, direct and through three gateways, in the same run and on the same server.

Remit decides each call in full (DPoP, delegation, ceilings, policy, capability), durably, before it forwards,
and records its outcome; `fastmcp` forwards and authorizes nothing; ContextForge checks a token and forwards.
A peer that can't be installed or doesn't answer is reported as missing, never as beaten.
"""

import asyncio
import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
from bench.children import Child, DidNotStart, child, free_port, python
from bench.figures import Goal, Report, said, spread
from bench.load import Answer, Connection, Run, WrongAnswer, drive, request, run
from bench.peers import Missing, contextforge, fastmcp
from bench.upstream import business, listed
from bench.world import Bearer, World, build, governed_calls, tool_call

from remit.kernel.jose.algorithms import Algorithm

CONCURRENCY: Final = (1, 16)
_ROOMS: Final = b"Room-401"
Runs = dict[tuple[str, int], list[Run]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to the tool: whose CPU counts (0: nobody's), and how its requests are made."""

    name: str
    port: int
    pid: int
    make: Callable[[int], Sequence[bytes]]


def measure(*, tiny: bool) -> Report:
    """Every way in turn, round by round."""
    sizes = {"rounds": 1, "calls": 32} if tiny else {"rounds": 3, "calls": 80}
    runs: Runs = {}
    missing: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        upstream = stack.enter_context(business(folder))
        ways = [_direct(upstream), stack.enter_context(_remit(folder, upstream))]
        for peer, called in () if tiny else ((_fastmcp, "fastmcp proxy"), (_contextforge, "ContextForge")):
            try:
                ways.append(stack.enter_context(peer(folder, upstream)))
            except (Missing, DidNotStart, WrongAnswer) as why:
                missing[called] = str(why).strip().splitlines()[-1]
        for _ in range(sizes["rounds"]):
            for width in CONCURRENCY:
                for way in ways:
                    if way.name not in missing:
                        _try(runs, missing, way, sizes["calls"], width)
    return _report(runs, missing, sizes, tiny=tiny)


def _try(runs: Runs, missing: dict[str, str], way: Way, count: int, width: int) -> None:
    """Take one run; a peer that stops answering as it should is missing from here on, with all its runs."""
    try:
        runs.setdefault((way.name, width), []).append(_take(way, count, width))
    except (WrongAnswer, TimeoutError) as why:
        if way.name in {"direct", "Remit"}:
            raise
        missing[way.name] = str(why)[:300]
        for known in CONCURRENCY:
            runs.pop((way.name, known), None)


def _take(way: Way, count: int, width: int) -> Run:
    warm = way.make(width)
    run(lambda: drive(way.port, warm, concurrency=1, expected=_ROOMS, pid=way.pid))
    requests = way.make(count)
    return run(lambda: drive(way.port, requests, concurrency=width, expected=_ROOMS, pid=way.pid))


def _direct(upstream: Child) -> Way:
    host = f"127.0.0.1:{upstream.port}"
    return Way(
        name="direct",
        port=upstream.port,
        pid=upstream.pid,
        make=lambda count: [tool_call("/mcp", host=host, number=number) for number in range(count)],
    )


@contextmanager
def _remit(folder: Path, upstream: Child) -> Iterator[Way]:
    port = free_port()
    data = folder / "data"
    words = python("-m", "remit", "up", "--no-demo", "--port", str(port), "--data", str(data))
    with child(words, port=port, log=folder / "remit.log", ready="/readyz") as started:
        world = build(
            f"http://127.0.0.1:{port}", data, upstream=f"http://127.0.0.1:{upstream.port}/mcp",
            tools=listed(), instances=4,
        )  # fmt: skip
        yield Way(name="Remit", port=port, pid=started.pid, make=_governed(world))


def _governed(world: World) -> Callable[[int], Sequence[bytes]]:
    def make(count: int) -> Sequence[bytes]:
        bearers: list[Bearer] = world.bearers(Algorithm.ED25519)
        return governed_calls(world, bearers, count)

    return make


@contextmanager
def _fastmcp(folder: Path, upstream: Child) -> Iterator[Way]:
    port = free_port()
    words = fastmcp(folder, upstream=f"http://127.0.0.1:{upstream.port}/mcp", port=port)
    with child(words, port=port, log=folder / "fastmcp.log") as started:
        yield _legacy("fastmcp proxy", started, path="/mcp", headers=())


@contextmanager
def _contextforge(folder: Path, upstream: Child) -> Iterator[Way]:
    with contextforge(folder, upstream=f"http://127.0.0.1:{upstream.port}/mcp") as (started, path, token):
        yield _legacy(
            "ContextForge", started, path=path, headers=[("Authorization", f"Bearer {token}")],
            tool="business-rooms-free",
        )  # fmt: skip


def _legacy(
    name: str, started: Child, *, path: str, headers: Sequence[tuple[str, str]], tool: str = "rooms_free"
) -> Way:
    """A peer of the older protocol, whose calls belong to a session that one handshake opens."""
    session = asyncio.run(_handshake(started.port, path, headers))
    said = [*headers, *([("Mcp-Session-Id", session)] if session else [])]
    host = f"127.0.0.1:{started.port}"
    return Way(
        name=name,
        port=started.port,
        pid=started.pid,
        make=lambda count: [
            tool_call(path, host=host, headers=said, legacy=True, tool=tool, number=number + 2)
            for number in range(count)
        ],
    )


async def _handshake(port: int, path: str, headers: Sequence[tuple[str, str]]) -> str:
    connection = await Connection.open(port)
    start = {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"},
    }  # fmt: skip
    answer = await connection.ask(_message(port, path, headers, "initialize", start, number=1))
    if answer.status >= 300:
        raise WrongAnswer(f"initialize: {answer.status} {answer.body[:300]!r}")
    session = answer.headers.get("mcp-session-id", "")
    own = [*headers, *([("Mcp-Session-Id", session)] if session else [])]
    await _checked(connection, _message(port, path, own, "notifications/initialized", {}, number=None))
    connection.close()
    return session


async def _checked(connection: Connection, message: bytes) -> Answer:
    answer = await connection.ask(message)
    if answer.status >= 300:
        raise WrongAnswer(f"{answer.status} {answer.body[:300]!r}")
    return answer


def _message(
    port: int, path: str, headers: Sequence[tuple[str, str]], method: str, params: Any, *, number: int | None
) -> bytes:
    body: dict[str, Any] = {"jsonrpc": "2.0", "method": method, "params": params}
    if number is not None:
        body["id"] = number
    said = [("Content-Type", "application/json"), ("Accept", "application/json, text/event-stream"), *headers]
    return request(path, host=f"127.0.0.1:{port}", headers=said, body=msgspec.json.encode(body))


def _report(runs: Runs, missing: dict[str, str], sizes: dict[str, int], *, tiny: bool) -> Report:
    rows: list[dict[str, str]] = []
    figures: dict[str, Any] = {"missing": missing}
    for (name, width), found in runs.items():
        direct = runs["direct", width]
        values = {
            "p50_ms": spread([each.p50 for each in found]),
            "p99_ms": spread([each.p99 for each in found]),
            "added_p50_ms": spread([a.p50 - b.p50 for a, b in zip(found, direct, strict=True)]),
            "added_p99_ms": spread([a.p99 - b.p99 for a, b in zip(found, direct, strict=True)]),
            "own_cpu_us": spread([each.cpu for each in found], digits=0),
            "requests_per_core": spread([1e6 / max(each.cpu, 1) for each in found], digits=0),
        }
        figures[f"{name}, concurrency {width}"] = values
        shown = {column: said(value) for column, value in values.items()}
        rows.append({"way": name, "concurrency": str(width), **shown})
    return Report(
        name="goal6_gateway",
        command="python -m bench --only goal6" + (" --tiny" if tiny else ""),
        sizes=sizes,
        rows=rows,
        figures=figures,
        goals=_goals(runs, figures),
        notes=[
            "own CPU is the gateway's alone (direct: the server's); the server and the load share the cores",
            *(f"{name} is missing: {why}" for name, why in missing.items()),
        ],
    )


def _goals(runs: Runs, figures: dict[str, Any]) -> list[Goal]:
    own = figures["Remit, concurrency 1"]
    p50, p99 = own["added_p50_ms"]["median"], own["added_p99_ms"]["median"]
    goals = [
        Goal(name="goal 6, added p50", wanted="<= 1 ms", found=f"{p50} ms", met=p50 <= 1),
        Goal(name="goal 6, added p99", wanted="<= 5 ms", found=f"{p99} ms", met=p99 <= 5),
    ]
    if ("ContextForge", 16) not in runs:
        why = json.dumps(figures["missing"].get("ContextForge", "not asked at this size"))
        return [*goals, Goal(name="goal 6, ContextForge", wanted=">= 10x", found=f"missing: {why}", met=None)]
    ratios = spread([
        theirs.cpu / mine.cpu
        for theirs, mine in zip(runs["ContextForge", 16], runs["Remit", 16], strict=True)
    ])  # fmt: skip
    return [
        *goals,
        Goal(
            name="goal 6, requests per core beside ContextForge", wanted=">= 10x",
            found=f"{said(ratios)}x", met=ratios["median"] >= 10,
        ),
    ]  # fmt: skip
