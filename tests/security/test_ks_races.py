"""KS-01, KS-02, KS-04: nothing is permitted, minted or reported active once a kill is acknowledged."""

import asyncio
import itertools
import random
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from remit.app.ground import Ground
from remit.app.services import Services
from remit.authority.envelope import text_digest
from remit.kernel.ids import PrincipalId
from remit.oversight.approvals.approval import ApprovalState
from remit.oversight.containment.kill import Kill, KillState, TargetKind
from support.blindness import CutOff, NobodyDies, VeiledWork, cut_off, seeing
from support.clients import Called, Party, Refused
from support.composed import populated
from support.house import BOOKING, REFUND, House

ROUNDS = 20
CALLS = 5
LONGEST = 0.02
"""Seconds that one who races may be late."""


async def tokens_or_not(asked: Coroutine[Any, Any, str]) -> str:
    """A token, or nothing where it was refused."""
    try:
        return await asked
    except Refused as refused:
        if refused.error not in {"invalid_request", "invalid_client", "access_denied"}:
            raise
        return ""


def seeded(number: int) -> random.Random:
    """Chance that repeats itself."""
    return random.Random(number)  # noqa: S311 — delays of a race, no secret


def hits_of(house: House, instance: Party) -> set[str]:
    """Capabilities with which this instance's calls have reached the business."""
    return {hit["jti"] for hit in house.hits if str(hit["call_subject"]).endswith(f"/{instance.id}")}


async def after_a_while(
    chance: random.Random, work: Coroutine[Any, Any, Any], *, then: asyncio.Event | None = None
) -> Any:
    await asyncio.sleep(chance.random() * LONGEST)
    if then is not None:
        await then.wait()
    return await work


async def assert_dead(house: House, bot: Party, token: str, envelope: str) -> None:
    """No endpoint serves it any more."""
    before = hits_of(house, bot)
    assert not (await house.call(bot, token, "rooms_book", BOOKING, envelope=envelope)).ran
    assert await tokens_or_not(house.own_token(bot)) == ""
    assert hits_of(house, bot) == before


@pytest.mark.attack("KS-01", "CA-16", "KS-13")
@pytest.mark.promise("P1", "P2", "P4")
async def test_no_call_reaches_the_server_after_the_acknowledgement(house: House) -> None:
    chance = seeded(1)
    agent = PrincipalId(house["calendar-bot"].agent)
    ran = 0
    for number in range(ROUNDS):
        # An instance's kill ends the tasks in which it acted: each round has its own.
        started = await house.task("calendar-bot")
        bot = await house.instance(f"calendar-{number}", agent)
        own = await house.own_token(bot)
        token = await house.exchange(bot, started.envelope, actor=own)

        killed = asyncio.Event()
        if number:  # in the first round every call comes late, in the others whoever does
            killed.set()
        calls = [
            house.call(bot, token, "rooms_book", BOOKING, envelope=started.envelope) for _ in range(CALLS)
        ]
        racing = [asyncio.create_task(after_a_while(chance, each, then=killed)) for each in calls]
        # Somewhere in the middle, whatever the machine's pace: after none, one or two of them have ended.
        for earlier in itertools.islice(asyncio.as_completed(racing), chance.randint(0, 2) if number else 0):
            await earlier
        done, hit = await after_a_while(chance, stop(house, bot))
        killed.set()
        answers = await asyncio.gather(*racing)
        assert done.state is KillState.DONE
        # What had begun before the commit may still arrive; it is listed, and nothing else arrives.
        late = hits_of(house, bot) - hit
        assert late <= await capabilities_of(house, done.in_flight)
        assert len(hits_of(house, bot)) >= sum(answer.ran for answer in answers)
        ran += sum(answer.ran for answer in answers)
        await assert_dead(house, bot, token, started.envelope)
    assert 0 < ran < ROUNDS * CALLS


async def stop(house: House, bot: Party) -> tuple[Kill, set[str]]:
    """Kill an instance; also what had reached the business when that was acknowledged."""
    return await house.kill(TargetKind.INSTANCE, bot.id), hits_of(house, bot)


async def capabilities_of(house: House, calls: tuple[str, ...]) -> set[str]:
    def work(tx: Any) -> set[str]:
        return {found[0] for call in calls if (found := tx.capabilities.by_call(call)) is not None}

    found: set[str] = await house.work.read(work)
    return found


@pytest.mark.attack("KS-02", "TX-08")
@pytest.mark.promise("P1")
async def test_no_token_that_was_minted_around_a_kill_is_worth_anything(house: House) -> None:
    chance = seeded(2)
    agent = PrincipalId(house["calendar-bot"].agent)
    for number in range(ROUNDS):
        started = await house.task("calendar-bot")
        bot = await house.instance(f"calendar-{number}", agent)
        own = await house.own_token(bot)
        asked = [house.exchange(bot, started.envelope, actor=own) for _ in range(3)]
        asked += [house.own_token(bot), house.own_token(bot)]
        minted, done = await asyncio.gather(
            asyncio.gather(*(after_a_while(chance, tokens_or_not(each)) for each in asked)),
            after_a_while(chance, house.kill(TargetKind.INSTANCE, bot.id)),
        )
        assert done.state is KillState.DONE
        for token in minted[:3]:
            if token:
                assert not (
                    await house.call(bot, token, "rooms_book", BOOKING, envelope=started.envelope)
                ).ran
        for token in minted[3:]:
            if token:
                assert (await house.api(bot, "GET", "/tasks", token=token)).status_code == 401
        assert await tokens_or_not(house.exchange(bot, started.envelope, actor=own)) == ""
    assert house.hits == []


@pytest.mark.attack("KS-02", "CB-04")
@pytest.mark.promise("P1")
async def test_a_yes_that_races_a_kill_runs_nothing_afterwards(house: House) -> None:
    chance = seeded(3)
    agent = PrincipalId(house["support-bot"].agent)
    first = itertools.cycle(("kill", "answer", "neither"))
    outcomes = set()
    for number, ahead in zip(range(9), first, strict=False):
        started = await house.task("support-bot", purpose="support")
        bot = await house.instance(f"support-{number}", agent)
        token = await house.exchange(bot, started.envelope)
        waiting = asyncio.create_task(
            house.call(bot, token, "refunds_create", REFUND, envelope=started.envelope)
        )
        ask = await house.pending()
        kill = asyncio.create_task(
            after(None if ahead != "answer" else waiting, chance, house.kill(TargetKind.INSTANCE, bot.id))
        )
        said = asyncio.create_task(
            after(None if ahead != "kill" else kill, chance, house.answer("lead", ask))
        )
        done, answered, called = await asyncio.gather(kill, said, waiting)
        outcomes.add((answered.status_code, called.ran))
        final = await house.services.approvals.get(ask.id)
        assert final.state in {ApprovalState.APPROVED, ApprovalState.CANCELLED}
        if called.ran:
            assert hits_of(house, bot)
        late = await house.call(bot, token, "refunds_create", REFUND, envelope=started.envelope)
        assert not late.ran
        assert len(hits_of(house, bot)) == int(called.ran) or done.in_flight
    # Both ends of the race were seen, and not by luck: two rounds in three are put in order.
    assert {(409, False), (200, True)} <= outcomes


async def after(
    earlier: asyncio.Task[Any] | None, chance: random.Random, work: Coroutine[Any, Any, Any]
) -> Any:
    """Do this after that has ended; without one, after a moment of chance."""
    if earlier is None:
        return await after_a_while(chance, work)
    await asyncio.wait({earlier})
    return await work


def blind_to_the_epoch(ground: Ground) -> tuple[Services, CutOff]:
    """An enforcement point that is cut off, and commits without comparing epochs."""
    point = CutOff(ground.snapshots)
    blind = VeiledWork(ground.work, epoch=lambda tx: lambda: point.current().epoch)
    return seeing(ground, replace(ground, snapshots=point, work=blind)), point


async def call_through_a_point_that_is_cut_off(folder: Path, make: Any) -> tuple[Called, int]:
    points: list[CutOff] = []

    def composed(ground: Ground) -> Services:
        services, point = make(ground)
        points.append(point)
        return services  # type: ignore[no-any-return]  # `make` is one of two above

    async with populated(folder, make=composed) as house:
        started = await house.task("calendar-bot")
        bot = house["calendar-bot"]
        token = await house.exchange(bot, started.envelope)
        points[0].freeze()
        done = await house.kill(TargetKind.AGENT, "calendar-bot")
        assert done.state is KillState.DONE
        called = await house.call(bot, token, "rooms_book", BOOKING, envelope=started.envelope)
        return called, len(house.hits)


@pytest.mark.attack("KS-01", "KS-04")
@pytest.mark.promise("P1", "P5")
async def test_a_point_that_has_not_heard_of_the_kill_permits_nothing(tmp_path: Path) -> None:
    called, hits = await call_through_a_point_that_is_cut_off(tmp_path / "data", cut_off)
    assert called.code == "snapshot_stale"
    assert hits == 0


@pytest.mark.twin("KS-01", "KS-04")
async def test_twin_a_consumption_that_skips_the_epoch_lets_the_call_through(tmp_path: Path) -> None:
    called, hits = await call_through_a_point_that_is_cut_off(tmp_path / "data", blind_to_the_epoch)
    assert called.ran
    assert hits == 1


@pytest.mark.twin("KS-02", "TX-08")
async def test_twin_an_exchange_that_does_not_ask_who_lives_mints_for_the_dead(tmp_path: Path) -> None:
    def make(ground: Ground) -> Services:
        blind = VeiledWork(ground.work, lineage=lambda tx: NobodyDies(tx.lineage))
        return seeing(ground, replace(ground, work=blind))

    async with populated(tmp_path / "data", make=make) as house:
        started = await house.task("calendar-bot")
        await house.kill(TargetKind.CHAIN, text_digest(started.envelope))
        assert await house.exchange(house["calendar-bot"], started.envelope)


@pytest.mark.attack("TX-08", "KS-02")
async def test_an_exchange_below_what_was_stopped_is_refused(house: House) -> None:
    for kind in (TargetKind.TASK, TargetKind.CHAIN):
        started = await house.task("calendar-bot")
        ident = started.task.id if kind is TargetKind.TASK else text_digest(started.envelope)
        assert await house.exchange(house["calendar-bot"], started.envelope)
        await house.kill(kind, ident)
        with pytest.raises(Refused) as refused:
            await house.exchange(house["calendar-bot"], started.envelope)
        assert refused.value.error == "access_denied"
