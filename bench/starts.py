"""Start-up and the smallest steps: first `remit up`, `--help`, one decision in process, one capability.

The decision is the whole pipeline of stages on one snapshot, without HTTP, proof and commit (N55); the
capability is verified as a resource server does it, signature and claims.
"""

import asyncio
import resource
import secrets
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from bench.children import ROOT, child, free_port, python
from bench.figures import Goal, Report, cpu_seconds, percentile, said, spread
from bench.goal5_authorization import BOOK
from bench.upstream import listed
from bench.world import World, build

from remit.app.bindings.doors import Doorman
from remit.app.run import running
from remit.app.services import Services
from remit.authority.capability import verify_capability
from remit.decision.answer.response import Effect
from remit.decision.call.request import ProposedCall
from remit.decision.facts.assembly import Unassembled, assemble
from remit.decision.stages.pipeline import fold, judge
from remit.enforcement.mcp.mapping import meaning_of_tool
from remit.enforcement.pep.decider import Presented
from remit.kernel.canonical import sha256
from remit.kernel.ids import CallId, mint_id
from remit.kernel.jose.algorithms import Algorithm
from remit.platform.settings.load import load

_UP: Final = "remit up, first start, until /readyz (s)"
_BARE: Final = "remit up, first start, no byte code kept (s)"
_HELP: Final = "remit --help (s)"
_DECISION: Final = "decision in process, 8 policies (ms)"
_CAPABILITY: Final = "capability verified (µs)"


def measure(*, tiny: bool) -> Report:
    """All four."""
    sizes = {"starts": 1, "calls": 20} if tiny else {"starts": 5, "calls": 2000}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        starts = [_cold(folder / f"start{number}") for number in range(sizes["starts"])]
        bare = [
            _cold(folder / f"bare{number}", {"PYTHONPYCACHEPREFIX": str(folder / f"empty{number}")})
            for number in range(sizes["starts"])
        ]
        helps = [_help() for _ in range(sizes["starts"])]
        decisions, capabilities = _in_process(folder, sizes["calls"])
    figures: dict[str, Any] = {
        _UP: spread([wall for wall, _ in starts]),
        f"{_UP}, of these CPU": spread([cpu for _, cpu in starts]),
        _BARE: spread([wall for wall, _ in bare]),
        _HELP: spread([wall for wall, _ in helps]),
        f"{_HELP}, of these CPU": spread([cpu for _, cpu in helps]),
        _DECISION: spread(decisions, digits=3) | {"p99": round(percentile(decisions, 0.99), 3)},
        _CAPABILITY: spread(capabilities, digits=1) | {"p99": round(percentile(capabilities, 0.99), 1)},
    }
    limits = {_UP: 3.0, _HELP: 0.4, _DECISION: 1.0, _CAPABILITY: 150.0}
    return Report(
        name="starts",
        command="python -m bench --only starts" + (" --tiny" if tiny else ""),
        sizes=sizes,
        rows=[
            {"what": what, "median [min … max]": said(found), "p99": str(found.get("p99", ""))}
            for what, found in figures.items()
        ],
        figures=figures,
        goals=[
            Goal(name=what, wanted=f"<= {limit:g}", found=str(figures[what]["median"]),
                 met=figures[what]["median"] <= limit)
            for what, limit in limits.items()
        ],
    )  # fmt: skip


def _cold(data: Path, environ: dict[str, str] | None = None) -> tuple[float, float]:
    """Seconds of wall and of CPU until it is ready; byte code is as the installation has left it."""
    port = free_port()
    data.parent.mkdir(exist_ok=True)
    words = python("-m", "remit", "up", "--no-demo", "--port", str(port), "--data", str(data))
    with child(words, port=port, log=data.with_suffix(".log"), environ=environ, ready="/readyz") as started:
        return started.started, cpu_seconds(started.pid)


def _help() -> tuple[float, float]:
    begun, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(python("-m", "remit", "--help"), stdout=subprocess.DEVNULL, check=True, cwd=ROOT)
    took, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    return took, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _in_process(folder: Path, count: int) -> tuple[list[float], list[float]]:
    """Set a world up over HTTP, stop the server, then open its store here."""
    port, data = free_port(), folder / "data"
    words = python("-m", "remit", "up", "--no-demo", "--port", str(port), "--data", str(data))
    with child(words, port=port, log=folder / "world.log", ready="/readyz"):
        world = build(
            f"http://127.0.0.1:{port}", data, upstream="http://127.0.0.1:9/mcp", tools=listed(), instances=1
        )
        bearer = world.bearers(Algorithm.ED25519)[0]
        presented = Presented(
            scheme="DPoP", token=bearer.token, proof=bearer.proof(world.resource), envelope="", method="POST",
            url=world.resource, audience=world.resource,
        )  # fmt: skip
    settings = load(file=None, environ={}, flags={"data": str(data), "http.port": port})

    async def inside() -> tuple[list[float], list[float]]:
        async with running(settings) as services:
            call = await call_of(services, presented)
            return _decisions(services, call, count), await _capabilities(services, world, call, count)

    return asyncio.run(inside())


async def call_of(services: Services, presented: Presented) -> ProposedCall:
    """The call that is decided about: a room is booked."""
    subject = await Doorman(verifier=services.verifier).verify(presented)
    snapshot = services.ground.snapshots.current()
    server = next(each for each in snapshot.servers.values() if each.name == "business")
    tool = next(each for each in snapshot.tools.values() if each.name == BOOK["tool"])
    raw = msgspec.json.encode(BOOK["arguments"])
    meaning = meaning_of_tool(server, tool, msgspec.json.decode(raw))
    return ProposedCall(
        call=CallId(mint_id("call", at=datetime.now(UTC), entropy=secrets.token_bytes)),
        subject=subject, server=server.id, method="tools/call", action=meaning.action,
        resource=meaning.resource, tool=tool, arguments=msgspec.json.decode(raw), raw_arguments=raw,
        arguments_digest=sha256(raw), money=meaning.money, consequential=meaning.consequential,
        at=services.ground.clock.now(),
    )  # fmt: skip


def _decisions(services: Services, call: ProposedCall, count: int) -> list[float]:
    snapshot = services.ground.snapshots.current()

    def decide() -> bool:
        request = assemble(call, snapshot)
        if isinstance(request, Unassembled):
            return False
        return fold(judge(request, snapshot), snapshot=snapshot).effect is Effect.PERMIT

    return [each / 1e3 for each in _timed(decide, count)]


async def _capabilities(services: Services, world: World, call: ProposedCall, count: int) -> list[float]:
    # The proof was burnt with the world's server; this one decision is made without it.
    decision = await services.decisions.decide(replace(call, subject=replace(call.subject, proof=None)))
    token = decision.capability_token
    if token is None:
        raise RuntimeError(f"not permitted: {decision.verdict.reasons}")
    keys, at = services.ground.keys, services.ground.clock.now()
    return _timed(lambda: bool(verify_capability(token, keys=keys, audience=world.resource, at=at)), count)


def _timed(work: Callable[[], bool], count: int) -> list[float]:
    """Microseconds of each of so many calls."""
    took = []
    for _ in range(count):
        begun = time.perf_counter()
        good = work()
        took.append((time.perf_counter() - begun) * 1e6)
        if not good:
            raise RuntimeError("a step that is measured must succeed")
    return took
