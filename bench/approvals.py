"""100,000 pending approvals: decisions as fast as with none, all there after a restart, pages at once (R76).

The decision is the durable one: judged, recorded and committed, in process, without HTTP and proof. Approvals
are laid in the store as the product lays them (sealed arguments, inbox, who is asked), each an ask of its own
that can't be folded, all of one person: the worst inbox there is. The pages are that person's inbox (20
cards, from the first page and from the middle) and the list of pending asks (50).
"""

import asyncio
import gc
import secrets
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from bench.children import child, free_port, python
from bench.figures import Goal, Report, percentile, said, spread
from bench.starts import call_of
from bench.upstream import listed
from bench.world import World, build

from remit.app.run import running
from remit.app.services import Services
from remit.decision.answer.response import Effect
from remit.enforcement.pep.decider import Presented
from remit.kernel.canonical import sha256
from remit.kernel.ids import ApprovalId, CallId, DecisionId, PrincipalId, UserId, mint_id
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.oversight.approvals.approval import Approval, ApprovalState
from remit.platform.settings.load import load
from remit.platform.settings.model import Settings

_BATCH: Final = 500
_ROUNDS: Final = 3


def measure(*, tiny: bool) -> Report:
    """Without, then with, then after a restart."""
    sizes = {"pending": 200, "decisions": 20, "pages": 10} if tiny else {
        "pending": 100_000, "decisions": 1500, "pages": 300,
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        settings, world, presented = _set_up(Path(name))
        found = asyncio.run(_measured(settings, world, presented, sizes))
        found |= asyncio.run(_restarted(settings, world, sizes))
    return _report(found, sizes, tiny=tiny)


def _set_up(folder: Path) -> tuple[Settings, World, Presented]:
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
    return load(file=None, environ={}, flags={"data": str(data), "http.port": port}), world, presented


async def _measured(
    settings: Settings, world: World, presented: Presented, sizes: dict[str, int]
) -> dict[str, Any]:
    async with running(settings) as services:
        call = await call_of(services, presented)

        async def decide() -> None:
            ident = CallId(mint_id("call", at=datetime.now(UTC), entropy=secrets.token_bytes))
            fresh = replace(call, call=ident, subject=replace(call.subject, proof=None))
            decision = await services.decisions.decide(fresh)
            if decision.verdict.effect is not Effect.PERMIT:
                raise RuntimeError(f"not permitted: {decision.verdict.reasons}")

        await _timed(decide, sizes["decisions"] // 5)
        none = [await _timed(decide, sizes["decisions"]) for _ in range(_ROUNDS)]
        await _fill(services, world, sizes["pending"])
        await _timed(decide, sizes["decisions"] // 5)
        many = [await _timed(decide, sizes["decisions"]) for _ in range(_ROUNDS)]
        return {
            "decision p99, none pending (ms)": _p99s(none),
            "decision p99, all pending (ms)": _p99s(many),
            "ratio": round(min(map(_p99, many)) / min(map(_p99, none)), 3),
        }


async def _restarted(settings: Settings, world: World, sizes: dict[str, int]) -> dict[str, Any]:
    person = PrincipalId(world.user.user)
    async with running(settings) as services:
        kept = await services.ground.work.read(lambda tx: tx.approvals.count_pending())
        waits = await _walk(services, person, sizes["pending"] // 2)

        async def first() -> None:
            await services.attention.inbox(person, after=None, limit=20)

        async def middle() -> None:
            await services.attention.inbox(person, after=waits, limit=20)

        async def listing() -> None:
            await services.approvals.page(state=ApprovalState.PENDING, asked=person, after="", limit=50)

        pages = {"first": first, "middle": middle, "list": listing}
        taken = {what: await _timed(page, sizes["pages"]) for what, page in pages.items()}
    return {"kept": kept} | {
        f"{what} page (ms)": spread(values) | {"p99": round(_p99(values), 2)}
        for what, values in taken.items()
    }


async def _walk(services: Services, person: PrincipalId, count: int) -> Any:
    """The place in the middle of an inbox, found as a reader would: page by page of slots."""
    slots = await services.ground.work.read(lambda tx: tx.inboxes.slots(person, after=None, limit=count))
    return slots[-1]


async def _fill(services: Services, world: World, count: int) -> None:
    at = services.ground.clock.now()
    for start in range(0, count, _BATCH):
        asks = [_ask(world, number, at) for number in range(start, min(start + _BATCH, count))]

        def work(tx: Any, asks: list[Approval] = asks) -> None:
            for ask in asks:
                tx.approvals.add(ask)
                tx.inboxes.put(ask, ask.asked, new=ask.asked)

        await services.ground.work.commit(work)


def _ask(world: World, number: int, at: datetime) -> Approval:
    arguments = f'{{"order_id":"{number}","amount":"480.00","currency":"EUR"}}'
    agent = PrincipalId(f"agt_{number % 1000}")
    return Approval(
        id=ApprovalId(mint_id("apr", at=at, entropy=secrets.token_bytes)),
        tenant=DEFAULT_TENANT,
        state=ApprovalState.PENDING,
        key=sha256(str(number).encode()),
        decision=DecisionId("dec_bench"),
        call=CallId(f"call_{number}"),
        agent=agent,
        agent_name=f"bot-{number % 1000}",
        instance=agent,
        user=UserId(f"usr_{number % 1000}"),
        user_name="user@company.com",
        task=None,
        purpose="support",
        chain=(agent,),
        server="business",
        tool="refunds_create",
        tool_digest="1" * 64,
        action="business/refunds.create",
        resource=f"Order:{number}",
        effect="money leaves",
        reversible=False,
        arguments=arguments,
        arguments_digest=sha256(arguments.encode()),
        policy_version="1",
        rule="refund-over-200",
        reason="amount above 200",
        approvers="team:leads",
        asked=(PrincipalId(world.user.user),),
        requested_at=at,
        expires_at=at + timedelta(days=1, microseconds=number * 7919 % 1_000_000),
    )


async def _timed(work: Callable[[], Awaitable[None]], count: int) -> list[float]:
    """Milliseconds of each of so many runs."""
    taken = []
    gc.collect()
    for _ in range(count):
        begun = time.perf_counter()
        await work()
        taken.append((time.perf_counter() - begun) * 1e3)
    return taken


def _p99(values: list[float]) -> float:
    return percentile(values, 0.99)


def _p99s(rounds: list[list[float]]) -> dict[str, float]:
    return spread([_p99(each) for each in rounds], digits=3)


def _report(found: dict[str, Any], sizes: dict[str, int], *, tiny: bool) -> Report:
    spreads = {what: value for what, value in found.items() if isinstance(value, dict)}
    pages = max(value["p99"] for value in spreads.values() if "p99" in value)
    return Report(
        name="approvals",
        command="python -m bench --only approvals" + (" --tiny" if tiny else ""),
        sizes=sizes,
        rows=[
            {"what": what, "median [min … max]": said(value), "p99": str(value.get("p99", ""))}
            for what, value in spreads.items()
        ],
        figures=found,
        goals=[
            Goal(name="decision p99, all pending", wanted="<= 1.1x of none", found=f"{found['ratio']}x",
                 met=found["ratio"] <= 1.1),
            Goal(name="restart keeps all", wanted=str(sizes["pending"]), found=str(found["kept"]),
                 met=found["kept"] == sizes["pending"]),
            Goal(name="inbox and list pages, p99", wanted="<= 100 ms", found=f"{pages} ms", met=pages <= 100),
        ],
        notes=["the ratio is of the best of three rounds each: what else the machine does is in both"],
    )  # fmt: skip
