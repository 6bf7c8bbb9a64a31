"""R48, R53 through the whole system: one thing of a call changes, and the answer with it."""

import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from remit.identity.principals import Environment, Kind
from remit.identity.registration import Registration
from remit.kernel.ids import BlueprintId, PrincipalId
from support.clients import Called, Refused
from support.clock import NOON, FixedClock
from support.composed import composed, populate
from support.house import BOOKING, House

RECORDED = ("decision.action.decided", "enforcement.call.refused", "authority.token.refused")
BOOK = 'permit (principal, action == Remit::Action::"business/rooms.book", resource)'


@dataclass(frozen=True, kw_only=True)
class Case:
    """A rule, the call that it judges, and the one change that flips its answer."""

    rule: str
    call: Callable[[House], Awaitable[Called]]
    change: Callable[[House], Awaitable[Callable[[House], Awaitable[Called]] | None]]
    first: bool = True
    """Whether the call is permitted before the change."""


@asynccontextmanager
async def at_rest(folder: Path, at: dt.datetime = NOON) -> AsyncIterator[House]:
    """The world under a clock that stands still; the business, which has its own, checks no capability."""
    async with composed(folder / "data", make_clock=lambda _: FixedClock(at)) as house:
        yield await populate(house, check=False)


def booking(
    bot: str = "calendar-bot", *, tool: str = "rooms_book", purpose: str = "scheduling", **other: str
) -> Any:
    async def call(house: House) -> Called:
        started = await house.task(bot, purpose=purpose)
        try:
            token = await house.exchange(house[bot], started.envelope)
        except Refused as refused:  # some things are told before a token is given for them
            return Called(status=refused.status, body={"error": refused.error})
        arguments = {**BOOKING, **other} if tool == "rooms_book" else other
        return await house.call(house[bot], token, tool, arguments)

    return call


def instead(call: Any) -> Any:
    """Another call takes the place of the first."""

    async def change(_: House) -> Any:
        return call

    return change


def changes(whom: str = "calendar-bot", **members: Any) -> Any:
    """Something of the agent, or of the user, changes; nothing of the call."""

    async def change(house: House) -> None:
        told = {name: value(house) if callable(value) else value for name, value in members.items()}
        party = house[whom]
        ident = party.principal.parent or party.principal.id
        await house.services.identity.change(ident, by=house["admin"].principal.id, at=house.now(), **told)
        await house.services.ground.snapshots.catch_up()

    return change


def time_passes(by: dt.timedelta) -> Any:
    async def change(house: House) -> None:
        house.clock.advance(by)  # type: ignore[attr-defined]  # a `FixedClock`, as the house was opened with

    return change


async def of_another_blueprint(house: House) -> Any:
    await house.agent("lab-bot", blueprint=await house.blueprint("lab"))
    return booking("lab-bot")


async def of_another_environment(house: House) -> Any:
    """An agent of staging at a server of production."""
    admin, at = house["admin"].principal.id, house.now()
    common: dict[str, Any] = {"owner": admin, "purpose": "work", "environment": Environment.STAGING}
    parent = await house.services.identity.register(
        Registration(kind=Kind.BLUEPRINT, name="stage", **common), by=admin, at=at
    )
    await house.services.consent.set_ceiling(parent.id, house.ceiling(days=60), by=admin, at=at)
    await house.services.identity.activate(parent.id, by=admin, at=at)
    stated = Registration(kind=Kind.AGENT, name="stage-bot", blueprint=BlueprintId(parent.id), **common)
    entry = await house.services.identity.register(stated, by=admin, at=at)
    await house.services.consent.set_ceiling(entry.id, house.ceiling(), by=admin, at=at)
    await house.instance("stage-bot", entry.id)
    await house.services.identity.activate(entry.id, by=admin, at=at)
    return booking("stage-bot")


CASES = {
    "tag of the agent": Case(
        rule=f'{BOOK} when {{ principal.hasTag("tier") && principal.getTag("tier") == "gold" }};',
        call=booking(),
        change=changes(attributes=(("tier", "gold"),)),
        first=False,
    ),
    "segment of the user": Case(
        rule=f'{BOOK} when {{ context has user && context.user.segments.contains("finance") }};',
        call=booking(),
        change=changes("user", segments=frozenset({"finance"})),
        first=False,
    ),
    "owner": Case(
        rule=f'{BOOK} when {{ principal.owner == "OWNER" }};',
        call=booking(),
        change=changes(owner=lambda house: house["lead"].principal.id),
    ),
    "blueprint": Case(
        rule=f'{BOOK} when {{ principal in Remit::Blueprint::"office" }};',
        call=booking(),
        change=of_another_blueprint,
    ),
    "environment": Case(
        rule=f'{BOOK} when {{ principal.environment == "production" }};',
        call=booking(),
        change=of_another_environment,
    ),
    "resource": Case(
        rule='permit (principal, action, resource == Remit::Room::"Room-401");',
        call=booking(),
        change=instead(booking(room="Room-402")),
    ),
    "action": Case(
        rule=f"{BOOK};",
        call=booking(),
        change=instead(booking(tool="mail_send", to="user@company.com", subject="Hello", body="there")),
    ),
    "purpose": Case(
        rule=f'{BOOK} when {{ context.purpose == "scheduling" }};',
        call=booking(),
        change=instead(booking(purpose="support")),
    ),
    "argument": Case(
        rule=f'{BOOK} when {{ context.arguments.title == "Review" }};',
        call=booking(),
        change=instead(booking(title="Party")),
    ),
    "time": Case(
        rule=f'{BOOK} when {{ context.time < datetime("2026-05-15T12:30:00Z") }};',
        call=booking(),
        change=time_passes(dt.timedelta(minutes=30)),
    ),
}


@pytest.mark.req("R48")
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
async def test_one_attribute_of_each_kind_flips_the_decision(tmp_path: Path, case: Case) -> None:
    async with at_rest(tmp_path) as house:
        rule = case.rule.replace("OWNER", house["admin"].id)
        await house.policy(f'@id("rule") {rule}')
        before = await case.call(house)
        assert before.ran == case.first, before.body
        other = await case.change(house)
        after = await (other or case.call)(house)
        assert after.ran != before.ran, after.body
        denied = after if before.ran else before
        assert denied.code
        # A tool that no rule could ever permit is not there for the agent: refused before it is decided.
        records = [each for each in await house.log() if each.kind in RECORDED]
        assert [each.effect == "permit" for each in records] == [before.ran, after.ran], records[-1].codes


@pytest.mark.req("R48")
async def test_an_instance_of_one_second_is_judged_like_any_other(tmp_path: Path) -> None:
    async with at_rest(tmp_path) as house:
        tagged = 'principal.hasTag("tier") && principal.getTag("tier") == "gold"'
        await house.policy(f'@id("rule") {BOOK} when {{ {tagged} }};')
        await house.instance("young-bot", PrincipalId(house["calendar-bot"].agent))
        house.clock.advance(1)  # type: ignore[attr-defined]  # a `FixedClock`
        started = await house.task("calendar-bot")

        async def call() -> Called:
            token = await house.exchange(house["young-bot"], started.envelope)
            return await house.call(house["young-bot"], token, "rooms_book", BOOKING)

        assert not (await call()).ran
        await changes(attributes=(("tier", "gold"),))(house)
        assert (await call()).ran
        denied, permitted = [each for each in await house.log() if each.kind in RECORDED]
        assert denied.actor == permitted.actor == house["young-bot"].id


TICK = dt.timedelta(microseconds=1)


@pytest.mark.req("R53")
async def test_both_sides_of_both_edges_of_a_consent_decide_differently(tmp_path: Path) -> None:
    """A window is half open: its first moment is inside, its last is the one before its end."""
    async with at_rest(tmp_path) as house:
        clock, bot = house.clock, house["calendar-bot"]
        assert isinstance(clock, FixedClock)
        start, end = clock.now() + dt.timedelta(minutes=2), clock.now() + dt.timedelta(minutes=4)
        limit = house.ceiling(days=20)
        limit = replace(limit, window=replace(limit.window, start=start, end=end))
        started = await house.task("calendar-bot", limit=limit)
        seen = []
        for moment in (start - TICK, start, end - TICK, end):
            clock.wall = moment
            token = await house.own_token(bot)
            try:
                delegated = await house.exchange(bot, started.envelope, actor=token)
            except Refused:  # the token endpoint may say no already: then nothing can run
                seen.append(False)
                continue
            seen.append((await house.call(bot, delegated, "rooms_book", BOOKING)).ran)
        assert seen == [False, True, True, False]


SEASONS = {
    "summer": {  # 08:00 in Berlin is 06:00 UTC
        "2026-05-15T05:59:59.999": False,
        "2026-05-15T06:00:00": True,
        "2026-05-15T15:59:59.999": True,
        "2026-05-15T16:00:00": False,
    },
    "winter": {  # the Monday after the clocks went back: an hour later
        "2026-10-26T06:00:00": False,
        "2026-10-26T07:00:00": True,
        "2026-10-26T16:59:59.999": True,
        "2026-10-26T17:00:00": False,
    },
}


@pytest.mark.req("R53")
@pytest.mark.parametrize("season", SEASONS.values(), ids=SEASONS.keys())
async def test_office_hours_follow_the_zone_of_the_policy_over_the_change_of_clocks(
    tmp_path: Path, season: dict[str, bool]
) -> None:
    moments = {dt.datetime.fromisoformat(each).replace(tzinfo=dt.UTC): may for each, may in season.items()}
    async with at_rest(tmp_path, min(moments)) as house:
        assert isinstance(house.clock, FixedClock)
        await house.policy(
            '@id("office-hours") @zone("Europe/Berlin") '
            'permit (principal, action == Remit::Action::"business/rooms.book", resource) when {'
            ' context.local["Europe/Berlin"].minute >= 480 && context.local["Europe/Berlin"].minute < 1080 };'
        )
        for at, permitted in moments.items():
            house.clock.wall = at
            answer = await booking(start=f"{at:%Y-%m-%d}T20:{at.hour}Z")(house)
            assert answer.ran == permitted, (at, answer.body)
