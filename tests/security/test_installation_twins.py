"""DE-17, MC-24, AU-15, AU-19 against a whole installation, and against one that lacks the rule."""

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from remit.kernel.errors import Invalid
from remit.ledger.repository import LedgerDamaged
from remit.platform.settings.load import load
from support.composed import composed, populate, populated
from support.gateway import modern, modern_headers
from support.house import BOOKING, House
from twins import doors as lax

Shown = Callable[[str, str], str]
FORMS: dict[str, Shown] = {
    "nothing": lambda text, other: "",
    "the root alone": lambda text, other: text.partition("~")[0],
    "the hop alone": lambda text, other: text.partition("~")[2],
    "another task's": lambda text, other: other,
    "the last hop twice": lambda text, other: f"{text}~{text.rpartition('~')[2]}",
    "an open end": lambda text, other: f"{text}~",
    "a blank behind": lambda text, other: f"{text}.",
    "one letter less": lambda text, other: text[:-1],
    "upper case": lambda text, other: text.upper(),
}


async def delegated(house: House) -> tuple[str, str, str]:
    """mail-bot's token for a chain of two, the envelope that it names, and that of another task."""
    started, second = await house.task("calendar-bot"), await house.task("calendar-bot")
    text = house.chained(started, "calendar-bot", "mail-bot")
    other = house.chained(second, "calendar-bot", "mail-bot")
    return await house.exchange(house["mail-bot"], text), text, other


async def answered(house: House, token: str, shown: str, **how: Any) -> bool:
    """Whether the call got through to the business."""
    before = len(house.hits)
    await house.call(house["mail-bot"], token, "rooms_book", BOOKING, envelope=shown, **how)
    return len(house.hits) > before


@pytest.mark.attack("DE-17")
@pytest.mark.promise("P7")
async def test_a_chain_that_does_not_show_its_own_envelope_does_nothing(tmp_path: Path) -> None:
    async with populated(tmp_path) as house:
        token, text, other = await delegated(house)
        for name, form in FORMS.items():
            assert not await answered(house, token, form(text, other)), name
            meta = {"dev.remit/envelope": form(text, other)}
            assert not await answered(house, token, "", meta=meta), name
        assert await answered(house, token, text)


@pytest.mark.twin("DE-17")
async def test_a_stripped_envelope_would_not_be_missed(tmp_path: Path) -> None:
    async with populated(tmp_path, make=lax.without_envelopes) as house:
        token, _, _ = await delegated(house)
        assert await answered(house, token, "")


@pytest.mark.attack("AU-19")
@pytest.mark.promise("P4")
async def test_every_hit_has_its_decision_and_its_outcome_and_nothing_else_has(tmp_path: Path) -> None:
    """Good, refused, repeated and racing calls; then the books are compared with what really ran."""
    async with populated(tmp_path) as house:
        started = await house.task("calendar-bot")
        bot = house["calendar-bot"]
        token = await house.exchange(bot, started.envelope)

        async def one(number: int) -> None:
            booking = {
                **BOOKING,
                "start": f"2026-05-15T{number:02d}:00Z",
                "end": f"2026-05-15T{number:02d}:30Z",
            }
            arguments = booking if number % 3 else {**booking, "surprise": 1}
            await house.call(bot, token, "rooms_book", arguments, key=f"call-key-{number % 8}")

        await asyncio.gather(*(one(number) for number in range(16)))
        decided = await house.records("decision.action.decided")
        permits = {record.decision for record in decided if record.effect == "permit" and record.capability}
        finished = [
            record for record in await house.records("enforcement.call.finished") if record.capability
        ]
        assert Counter(record.decision for record in finished) == Counter(permits)
        assert len(house.hits) == len(permits) > 0


OFF = [
    {"ledger.enabled": False},
    {"ledger": "off"},
    {"audit": False},
    {"audit.level": "none"},
    {"ledger.retention_days": 0},
    {"telemetry.ledger": False},
]


@pytest.mark.attack("AU-15")
@pytest.mark.parametrize("flags", OFF, ids=range(len(OFF)))
def test_no_setting_turns_the_log_off(flags: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        load(file=None, environ={}, flags={"demo": False, **flags})
    name, value = next(iter(flags.items()))
    variable = f"REMIT_{name.replace('.', '__').upper()}"
    with pytest.raises(Invalid):
        load(file=None, environ={variable: str(value)}, flags={"demo": False})


async def ways_out(house: House) -> list[str]:
    """What an administrator finds that takes something out of the log, or says that it could."""
    admin = house["admin"]
    paths = (await house.http.get(f"{house.issuer}/openapi.json")).json()["paths"]
    logs = [path for path in paths if "ledger" in path or "record" in path]
    assert logs
    found: list[str] = []
    for path in [*(path.removeprefix("/api/v1") for path in logs), "/ledger", "/ledger/records"]:
        for method in ("DELETE", "PUT", "PATCH"):
            place, before = path.replace("{", "").replace("}", ""), await house.log()
            answer = await house.api(admin, method, place, {"retention_days": 0})
            try:
                kept = (await house.log())[: len(before)] == before
            except LedgerDamaged:
                return [*found, f"{method} {place}"]
            found += [] if kept and answer.status_code in {404, 405} else [f"{method} {place}"]
    return found


@pytest.mark.attack("AU-15")
async def test_no_operation_takes_anything_out_of_the_log(tmp_path: Path) -> None:
    async with populated(tmp_path) as house:
        assert await ways_out(house) == []


@pytest.mark.twin("AU-15")
async def test_an_operation_that_cuts_the_log_would_be_found(tmp_path: Path) -> None:
    async with populated(tmp_path, make_app=lax.with_retention) as house:
        assert "DELETE /ledger/records" in await ways_out(house)


async def ran_directly(house: House) -> list[str]:
    """The ways round the gateway by which an agent that knows the address gets something done."""
    assert house.upstream is not None
    started = await house.task("calendar-bot")
    bot = house["calendar-bot"]
    token = await house.exchange(bot, started.envelope)
    own = await house.own_token(bot)
    body = modern("tools/call", {"name": "rooms_book", "arguments": BOOKING})
    plain = {**modern_headers("tools/call", "rooms_book"), "Accept": "application/json, text/event-stream"}
    done = []
    for name, headers in {
        "nothing": {},
        "garbage": {"Remit-Capability": "a.b.c"},
        "access token": {"Remit-Capability": token},
        "own token": {"Remit-Capability": own},
        "envelope": {"Remit-Capability": started.envelope},
        "bearer": {"Authorization": f"Bearer {token}"},
        "bound": {"Authorization": f"DPoP {token}", "DPoP": bot.proof("POST", house.upstream.url, token)},
    }.items():
        before = len(house.hits)
        await house.http.post(house.upstream.url, json=body, headers={**plain, **headers})
        done += [name] if len(house.hits) > before else []
    return done


@pytest.mark.twin("AU-15")
@pytest.mark.parametrize("flags", OFF, ids=range(len(OFF)))
def test_settings_that_nobody_knows_would_go_unnoticed_where_unknown_names_are_skipped(
    flags: dict[str, Any],
) -> None:
    assert lax.lenient({"demo": False, **flags}) == load(file=None, environ={}, flags={"demo": False})


@pytest.mark.attack("MC-24")
async def test_the_resource_itself_refuses_who_comes_round_the_gateway(tmp_path: Path) -> None:
    async with populated(tmp_path) as house:
        assert await ran_directly(house) == []
        started = await house.task("calendar-bot")
        bot = house["calendar-bot"]
        token = await house.exchange(bot, started.envelope)
        for path in ("/tasks", "/agents", "/decisions", "/ledger/records"):
            assert (await house.api(bot, "GET", path, token=token)).status_code in {401, 403, 404}, path


@pytest.mark.twin("MC-24")
async def test_a_resource_that_asks_for_nothing_would_serve_whoever_finds_it(tmp_path: Path) -> None:
    async with composed(tmp_path) as house:
        assert "nothing" in await ran_directly(await populate(house, check=False))


@pytest.mark.attack("CA-14")
@pytest.mark.promise("P2")
async def test_one_call_that_is_sent_many_times_at_once_runs_once(tmp_path: Path) -> None:
    """What SDKs do when an answer is late: the same call again, beside the first, and once more later."""
    async with populated(tmp_path) as house:
        started = await house.task("calendar-bot")
        bot = house["calendar-bot"]
        token = await house.exchange(bot, started.envelope)

        async def once(tool: str = "rooms_book", **changed: str) -> bool:
            arguments = {**BOOKING, **changed}
            return (await house.call(bot, token, tool, arguments, key="retried-call-1")).ran

        for _ in range(3):
            await asyncio.gather(*(once() for _ in range(8)))
        assert len(house.hits) == 1
        assert not await once(title="Another")
        finished = await house.records("enforcement.call.finished")
        assert sum(bool(record.capability) for record in finished) == 1
        assert len(house.hits) == 1
