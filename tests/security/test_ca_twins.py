"""CA: each attack on a capability at the store as it is, and at one that lacks the condition against it."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from remit.authority.arguments import pointed_at
from remit.authority.capability import Capability, Use
from remit.decision.budget.cost import Dimension, Line
from remit.kernel.canonical import Digest, Json, sha256
from remit.platform.storage.repositories.capabilities import CapabilityRepository
from remit.platform.storage.repositories.decision import BudgetRepository
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork
from support.builders import HOUR
from support.capabilities import ARGUMENT_TWINS, ARGUMENTS, OTHERS, Scene, scene, use_of
from support.clock import NOON
from support.gateway import house
from support.upstreams import scripted, tool
from twins import capabilities as lax

Consume = Callable[[CapabilityRepository, Use, datetime], bool]
Attack = Callable[[SqlTransaction, Capability, Consume], bool]


class Undo(Exception):
    """Rolls a test's unit back, so that the next case starts as this one did."""


async def outcome(on: Scene, capability: Capability, attack: Attack, consume: Consume) -> bool:
    found: list[bool] = []

    def work(tx: SqlTransaction) -> None:
        found.append(attack(tx, capability, consume))
        raise Undo

    with pytest.raises(Undo):
        await on.world.uow.commit(work)
    return found[0]


async def bites(uow: SqlUnitOfWork, attack: Attack, *missing: str) -> None:
    on = await scene(uow)
    capability = await on.live()
    assert not await outcome(on, capability, attack, lax.as_it_is)
    assert await outcome(on, capability, attack, lax.consume_without(missing))


def replayed(tx: SqlTransaction, capability: Capability, consume: Consume) -> bool:
    first = consume(tx.capabilities, use_of(capability), NOON)
    return first and consume(tx.capabilities, use_of(capability, "cal_2"), NOON)


@pytest.mark.twin("CA-01")
async def test_a_second_use_would_pass_where_the_state_is_not_asked(sqlite_uow: SqlUnitOfWork) -> None:
    await bites(sqlite_uow, replayed, "state")


def late(tx: SqlTransaction, capability: Capability, consume: Consume) -> bool:
    return consume(tx.capabilities, use_of(capability), capability.expires_at + timedelta(seconds=1))


@pytest.mark.twin("CA-03")
async def test_an_expired_one_would_pass_where_nobody_looks_at_the_end(sqlite_uow: SqlUnitOfWork) -> None:
    await bites(sqlite_uow, late, "exp")


@pytest.mark.attack("CA-03")
@pytest.mark.promise("P16")
async def test_an_end_that_was_seen_stays_over_for_the_offline_reader(sqlite_uow: SqlUnitOfWork) -> None:
    """At the edge: the last microsecond counts, the end itself does not."""
    on = await scene(sqlite_uow)
    capability = await on.live()
    for offset, expected in ((timedelta(microseconds=-1), True), (timedelta(0), False), (HOUR, False)):

        def at_edge(tx: SqlTransaction, found: Capability, consume: Consume, by: Any = offset) -> bool:
            return consume(tx.capabilities, use_of(found), found.expires_at + by)

        assert await outcome(on, capability, at_edge, lax.as_it_is) is expected


def with_change(change: Callable[[Use], Use]) -> Attack:
    def attack(tx: SqlTransaction, capability: Capability, consume: Consume) -> bool:
        return consume(tx.capabilities, change(use_of(capability)), NOON)

    return attack


WHAT = sorted(OTHERS.keys() - {"id", "key", "no key", "instance"})


@pytest.mark.twin("CA-04")
async def test_another_call_would_pass_where_it_is_not_compared(sqlite_uow: SqlUnitOfWork) -> None:
    on = await scene(sqlite_uow)
    capability = await on.live()
    for name in WHAT:
        attack = with_change(OTHERS[name])
        assert not await outcome(on, capability, attack, lax.as_it_is), name
        assert await outcome(on, capability, attack, lax.consume_without(lax.WHAT)), name


@pytest.mark.twin("CA-20")
@pytest.mark.parametrize("name", ["key", "no key", "instance"])
async def test_another_agent_would_use_it_where_the_holder_is_not_compared(
    sqlite_uow: SqlUnitOfWork, name: str
) -> None:
    await bites(sqlite_uow, with_change(OTHERS[name]), *lax.WHO)


@pytest.mark.twin("CA-05")
async def test_other_arguments_would_pass_where_they_are_not_compared(sqlite_uow: SqlUnitOfWork) -> None:
    on = await scene(sqlite_uow)
    capability = await on.live()
    for name, body in ARGUMENT_TWINS.items():
        attack = with_change(lambda use, body=body: replace(use, arguments=sha256(body)))  # type: ignore[misc]  # bound now
        assert not await outcome(on, capability, attack, lax.as_it_is), name
        assert await outcome(on, capability, attack, lax.consume_without(["args_sha256"])), name


def same(digest: Callable[[bytes], Digest], first: bytes, second: bytes) -> bool:
    return digest(first) == digest(second)


LONG = b'{"note":"' + b"x" * (64 << 10) + b'","amount":"480.00"}'


@pytest.mark.attack("CA-07", "CA-11", "CA-12")
@pytest.mark.twin("CA-05", "CA-11", "CA-12")
@pytest.mark.parametrize(
    ("first", "second", "careless"),
    [
        (ARGUMENTS, ARGUMENT_TWINS["order"], lax.read_as_values),
        (b'{"n":1}', b'{"n":1.0000000000000000001}', lambda body: str(json.loads(body)["n"] == 1)),
        (b'{"n":0.1}', b'{"n":0.10000000000000001}', lax.read_as_values),
        (ARGUMENTS, ARGUMENT_TWINS["base64"], lax.read_generously),
        (ARGUMENTS, ARGUMENT_TWINS["url"], lax.read_generously),
        (LONG, LONG.replace(b"480.00", b"999.00"), lax.first_chunk),
    ],
)
def test_two_texts_would_have_one_digest_for_a_careless_reader(
    first: bytes, second: bytes, careless: Callable[[bytes], Digest]
) -> None:
    assert not same(sha256, first, second)
    assert same(careless, first, second)


def unfinished(revive: bool) -> Attack:
    """The process died after it had consumed; its successor clears up; then the call comes again."""

    def attack(tx: SqlTransaction, capability: Capability, consume: Consume) -> bool:
        consume(tx.capabilities, use_of(capability), NOON)
        for ident in tx.capabilities.unfinished(before=NOON + HOUR, limit=10):
            if revive:
                lax.tries_again(tx.capabilities, ident)
        return consume(tx.capabilities, use_of(capability, "cal_2"), NOON)

    return attack


@pytest.mark.twin("CA-15")
async def test_a_call_without_outcome_would_run_twice_where_it_is_tried_again(
    sqlite_uow: SqlUnitOfWork,
) -> None:
    on = await scene(sqlite_uow)
    capability = await on.live()
    assert not await outcome(on, capability, unfinished(revive=False), lax.as_it_is)
    assert await outcome(on, capability, unfinished(revive=True), lax.as_it_is)


def line(cost: int) -> Line:
    return Line(account="tsk_1", factor="task", dimension=Dimension.CALLS, period=0, cap=10, cost=cost)


@pytest.mark.twin("CA-19")
async def test_a_negative_cost_would_fill_the_purse_where_signs_are_not_read(
    sqlite_uow: SqlUnitOfWork,
) -> None:
    async def overspent(kind: type[BudgetRepository]) -> bool:
        def twice_the_cap(tx: SqlTransaction) -> bool:
            store = kind(tx.sql, tx.tenant)
            charged = [store.reserve(line(cost)) for cost in (10, -10, 10)]
            return charged[0] and charged[2]

        return await _rolled_back(sqlite_uow, twice_the_cap)

    assert not await overspent(BudgetRepository)
    assert await overspent(lax.Unsigned)


async def _rolled_back(uow: SqlUnitOfWork, work: Callable[[SqlTransaction], bool]) -> bool:
    found: list[bool] = []

    def undone(tx: SqlTransaction) -> None:
        found.append(work(tx))
        raise Undo

    with pytest.raises(Undo):
        await uow.commit(undone)
    return found[0]


Pointed = Callable[[Any, str], tuple[bool, Json]]
HIDDEN: list[tuple[dict[str, Json], str]] = [
    ({"price.amount": "5", "price": {"amount": "900"}}, "/price/amount"),
    ({"price/amount": "5", "price": {"amount": "900"}}, "/price/amount"),
    ({"__proto__.amount": "5", "__proto__": {"amount": "900"}}, "/__proto__/amount"),
]


@pytest.mark.attack("CA-09")
@pytest.mark.twin("CA-09")
@pytest.mark.parametrize(("arguments", "pointer"), HIDDEN)
def test_a_key_with_separators_would_shadow_a_path(arguments: dict[str, Json], pointer: str) -> None:
    def shadowed(find: Pointed) -> bool:
        """What is judged is not what the server will read."""
        return find(arguments, pointer)[1] != "900"

    assert not shadowed(pointed_at)
    assert shadowed(lax.dotted)


# -- at the gateway


DOUBLED = [
    b'{"item":"401","item":"402"}',
    b'{"item":"401","\\u0069tem":"402"}',
    b'{"a":{"b":1,"b":2},"item":"401"}',
]


async def reached(raw: bytes, **parts: Any) -> list[bytes]:
    """The body of each call that reached the server."""
    anything = tool("act", inputSchema={"type": "object"})
    async with scripted(tools=[anything]) as stub, house(freshness=60, **parts) as gate:
        gate.add("business", url=stub.url)
        await gate.approve_all("business")
        await gate.call("act", raw=raw)
        judged = {call.arguments_digest for call in gate.decider.asked if call.tool}
        assert len(stub.calls) == len(judged)
        forwarded = [body for _, _, body in stub.calls]
        return [body for body in forwarded if not _as_judged(body, judged)] if forwarded else []


def _as_judged(body: bytes, judged: set[Digest]) -> bool:
    start = body.index(b'"arguments":') + len(b'"arguments":')
    return any(
        hashlib.sha256(body[start:end]).hexdigest() in judged for end in range(start + 2, len(body) + 1)
    )


async def taken(raw: bytes, **parts: Any) -> bool:
    anything = tool("act", inputSchema={"type": "object"})
    async with scripted(tools=[anything]) as stub, house(freshness=60, **parts) as gate:
        gate.add("business", url=stub.url)
        await gate.approve_all("business")
        await gate.call("act", raw=raw)
        return bool(stub.calls)


@pytest.mark.attack("CA-06")
@pytest.mark.twin("CA-06")
@pytest.mark.parametrize("raw", DOUBLED)
async def test_of_two_members_with_one_name_the_last_would_count(raw: bytes) -> None:
    assert not await taken(raw)
    assert await taken(raw, make_app=lax.KeepsTheLast)


@pytest.mark.twin("CA-07", "CA-13")
@pytest.mark.parametrize("raw", [b'{"n": 1.0000000000000000001}', b'{"n":1e2}'])
async def test_other_bytes_than_the_judged_ones_would_be_forwarded(raw: bytes) -> None:
    assert not await reached(raw)
    assert await reached(raw, make_gateway=lax.WritesAnew)
