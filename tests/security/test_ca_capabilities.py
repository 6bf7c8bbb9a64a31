"""Attacks on single-call capabilities: the token alone, and the store under races."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import msgspec
import pytest
from sqlalchemy import bindparam, select, update

from remit.authority.capability import (
    Capability,
    CapabilityState,
    Use,
    require,
    verify_capability,
)
from remit.authority.capability_service import consume, mint_live
from remit.authority.errors import (
    CapabilityConsumed,
    CapabilityRejected,
    NotAlive,
    TaskOver,
    TooManyCapabilities,
)
from remit.authority.rights import Caps, MalformedCeiling, Money
from remit.kernel.canonical import Json, MalformedJson, parse_object, sha256
from remit.kernel.errors import RemitError
from remit.kernel.ids import (
    CallId,
    CapabilityId,
    PrincipalId,
)
from remit.kernel.jose import jwt
from remit.kernel.jose.keys import KeyClass
from remit.kernel.jose.profiles import TokenType
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.instants import micros
from remit.platform.storage.tables.authority import capability as table
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork
from support.builders import HOUR
from support.capabilities import ARGUMENT_TWINS, OTHERS, RING, SERVER, Scene, minted, scene, use_of
from support.clock import NOON
from support.jose import ISSUER


def verified(token: str, *, at: datetime = NOON, audience: str = SERVER) -> Capability:
    return verify_capability(token, keys=RING, audience=audience, at=at)


@pytest.mark.req("R40", "R41")
def test_a_capability_verifies_offline_and_fits_its_call() -> None:
    made = minted()
    found = verified(made.token)
    assert found == made.capability
    require(found, use_of(found))


@pytest.mark.attack("CA-04", "CA-20")
@pytest.mark.parametrize("name", sorted(OTHERS))
def test_it_fits_no_other_call(name: str) -> None:
    found = verified(minted().token)
    with pytest.raises(CapabilityRejected):
        require(found, OTHERS[name](use_of(found)))


@pytest.mark.attack("CA-05", "CA-07", "CA-11", "CA-12", "CA-13")
@pytest.mark.promise("P8")
@pytest.mark.parametrize("name", sorted(ARGUMENT_TWINS))
def test_it_fits_no_other_bytes(name: str) -> None:
    found = verified(minted().token)
    with pytest.raises(CapabilityRejected) as refused:
        require(found, replace(use_of(found), arguments=sha256(ARGUMENT_TWINS[name])))
    assert (refused.value.step, refused.value.reason) == (7, "other_arguments")


@pytest.mark.attack("CA-06")
def test_duplicate_keys_have_no_digest_at_all() -> None:
    with pytest.raises(MalformedJson):
        parse_object(b'{"room":"401","room":"402"}')


@pytest.mark.attack("CA-03")
@pytest.mark.req("R40")
def test_second_ninety_one_is_too_late() -> None:
    made = minted(lifetime=timedelta(hours=1))
    assert made.capability.expires_at == NOON + timedelta(seconds=90)
    assert verified(made.token, at=NOON + timedelta(seconds=89)) == made.capability
    for seconds in (90, 91, 3600):
        with pytest.raises(CapabilityRejected):
            verified(made.token, at=NOON + timedelta(seconds=seconds))


@pytest.mark.attack("CA-04")
def test_it_verifies_at_no_other_server() -> None:
    with pytest.raises(CapabilityRejected) as refused:
        verified(minted().token, audience=f"{ISSUER}/mcp/git")
    assert refused.value.step == 1


@pytest.mark.attack("CA-01", "CA-03")
@pytest.mark.parametrize(
    "change",
    [
        {"use": 2},
        {"use": True},
        {"use": None},
        {"use": "1"},
        {"exp": 91},
        {"resource": "401"},
        {"cnf": {}},
        {"jti": 7},
    ],
)
def test_one_that_we_would_not_mint_is_refused_even_if_signed(change: dict[str, Json]) -> None:
    claims = dict(
        jwt.verify(
            minted().token, as_type=TokenType.CAPABILITY, keys=RING, at=NOON, audience=SERVER
        ).claims.members
    )
    if "exp" in change:
        change = {"exp": int(NOON.timestamp()) + 91}
    claims |= change
    token = jwt.issue(
        {name: value for name, value in claims.items() if value is not None},
        as_type=TokenType.CAPABILITY,
        signer=RING.signer(KeyClass.CAPABILITY),
    )
    with pytest.raises(CapabilityRejected):
        verified(token)


@pytest.mark.attack("CA-19")
@pytest.mark.parametrize("amount", [-1, 1 << 53, 1 << 70, True])
def test_no_budget_is_negative_or_beyond_counting(amount: int) -> None:
    with pytest.raises(MalformedCeiling):
        Caps(calls=amount)
    with pytest.raises(MalformedCeiling):
        Money(currency="EUR", minor=amount)


# -- the store ---------------------------------------------------------------------------------------------


async def state_of(uow: SqlUnitOfWork, ident: CapabilityId) -> CapabilityState | None:
    return await uow.read(lambda tx: tx.capabilities.state_of(ident))


@pytest.mark.attack("CA-01")
@pytest.mark.req("R40")
@pytest.mark.promise("P2")
async def test_the_second_use_is_a_conflict(uow: SqlUnitOfWork) -> None:
    on = await scene(uow)
    capability = await on.live()
    await on.service.consume(use_of(capability), on.lineage, at=NOON)
    with pytest.raises(CapabilityConsumed) as refused:
        await on.service.consume(use_of(capability, "cal_2"), on.lineage, at=NOON)
    assert refused.value.kind == "conflict"
    assert await uow.read(lambda tx: tx.capabilities.by_call(CallId("cal_1"))) == (
        capability.id,
        CapabilityState.CONSUMED,
    )
    assert await uow.read(lambda tx: tx.capabilities.by_call(CallId("cal_2"))) is None


@pytest.mark.attack("CA-02")
@pytest.mark.req("N25", "R40")
@pytest.mark.promise("P2")
async def test_of_many_racing_uses_one_wins(uow: SqlUnitOfWork) -> None:
    on = await scene(uow)
    for _ in range(8):
        assert await winners(on, consume) == 1


async def winners(on: Scene, how: Callable[..., Capability], callers: int = 64) -> int:
    capability = await on.live()

    async def attempt(number: int) -> bool:
        use = use_of(capability, f"{capability.id}/{number}")
        try:
            await on.world.uow.commit(lambda tx: how(tx, use, on.lineage, at=NOON))
        except CapabilityConsumed:
            return False
        return True

    return sum(await asyncio.gather(*(attempt(number) for number in range(callers))))


@pytest.mark.twin("CA-02")
async def test_a_use_that_reads_first_and_writes_later_loses(uow: SqlUnitOfWork) -> None:
    """The race's own defence removed: look in one unit, mark in the next, whatever is there by then."""
    on = await scene(uow)
    capability = await on.live()
    mark = (
        update(table)
        .where(table.c.tenant == bindparam("ours"), table.c.jti == bindparam("this"))
        .values(state="consumed", call_id=bindparam("new_call"))
    )
    look = select(table.c.state).where(table.c.jti == bindparam("this"))

    async def attempt(number: int) -> bool:
        row = await uow.read(lambda tx: tx.sql.row(look, {"this": capability.id}))
        if row is None or row[0] != "live":
            return False
        values = {"ours": DEFAULT_TENANT, "this": capability.id, "new_call": f"cal_{number}"}
        return await uow.commit(lambda tx: tx.sql.run(mark, values)) == 1

    assert sum(await asyncio.gather(*(attempt(number) for number in range(64)))) > 1


@pytest.mark.attack("CA-04", "CA-05", "CA-20")
async def test_the_store_itself_refuses_every_other_call(uow: SqlUnitOfWork) -> None:
    on = await scene(uow)
    capability = await on.live()
    changed = {name: change(use_of(capability)) for name, change in OTHERS.items()}
    changed |= {
        name: replace(use_of(capability), arguments=sha256(body)) for name, body in ARGUMENT_TWINS.items()
    }
    for name, use in changed.items():
        with pytest.raises(RemitError):
            await on.service.consume(use, on.lineage, at=NOON)
        assert await state_of(uow, capability.id) is CapabilityState.LIVE, name
    await on.service.consume(use_of(capability), on.lineage, at=NOON)


@pytest.mark.attack("CA-03")
async def test_the_store_refuses_an_expired_one(uow: SqlUnitOfWork) -> None:
    on = await scene(uow)
    capability = await on.live()
    for seconds in (90, 91):
        with pytest.raises(CapabilityRejected):
            await on.service.consume(use_of(capability), on.lineage, at=NOON + timedelta(seconds=seconds))
    assert await state_of(uow, capability.id) is CapabilityState.LIVE


@pytest.mark.attack("CA-15")
@pytest.mark.promise("P2")
async def test_a_call_without_outcome_is_unknown_and_never_runs_again(uow: SqlUnitOfWork) -> None:
    on = await scene(uow)
    lost, ended = await on.live(), await on.live()
    for number, capability in enumerate((lost, ended)):
        await on.service.consume(use_of(capability, f"cal_{number}"), on.lineage, at=NOON)
    assert await on.service.settle(ended.id, CapabilityState.DONE, at=NOON)
    later = NOON + HOUR
    assert list(await on.service.sweep(before=later, at=later)) == [lost.id]
    assert list(await on.service.sweep(before=later, at=later)) == []
    assert await state_of(uow, lost.id) is CapabilityState.UNKNOWN
    assert await state_of(uow, ended.id) is CapabilityState.DONE
    with pytest.raises(CapabilityConsumed):
        await on.service.consume(use_of(lost, "cal_9"), on.lineage, at=NOON)
    assert not await on.service.settle(lost.id, CapabilityState.DONE, at=later)


@pytest.mark.attack("CA-16")
@pytest.mark.promise("P1", "P12")
async def test_minted_then_stopped_is_useless(uow: SqlUnitOfWork) -> None:
    on = await scene(uow)
    for stop in ("agent", "instance", "task", "envelope"):
        capability = await on.live()
        target = {
            "agent": on.bot.agent.id,
            "instance": on.bot.instance.id,
            "task": on.task.id,
            "envelope": on.task.root,
        }[stop]

        use = use_of(capability)

        def kill(tx: SqlTransaction, target: str = target, stop: str = stop, use: Use = use) -> None:
            epoch = tx.advance_epoch(stop)
            tx.lineage.bury(stop, target, cause="kill", epoch=epoch, at=NOON)
            with pytest.raises(NotAlive):
                consume(tx, use, on.lineage, at=NOON)
            raise Undo

        with pytest.raises(Undo):
            await uow.commit(kill)


class Undo(Exception):
    """Rolls a test's unit back, so that the next case starts as this one did."""


@pytest.mark.twin("CA-16")
async def test_without_the_life_check_a_dead_agent_still_consumes(uow: SqlUnitOfWork) -> None:
    on = await scene(uow)
    capability = await on.live()

    def kill_then_use(tx: SqlTransaction) -> bool:
        tx.lineage.bury("agent", on.bot.agent.id, cause="kill", epoch=1, at=NOON)
        return tx.capabilities.consume(use_of(capability), at=NOON)

    assert await uow.commit(kill_then_use)


@pytest.mark.attack("CA-17")
@pytest.mark.promise("P13")
async def test_a_task_hoards_at_most_sixty_four(uow: SqlUnitOfWork) -> None:
    on = await scene(uow)

    async def attempt() -> bool:
        try:
            await on.live()
        except TooManyCapabilities:
            return False
        return True

    assert sum(await asyncio.gather(*(attempt() for _ in range(80)))) == 64
    assert await uow.read(lambda tx: tx.capabilities.live_of_task(on.task.id, NOON)) == 64
    # An expired one no longer takes a place.
    late = NOON + timedelta(seconds=91)
    assert (await on.service.mint(on.order(), on.lineage, at=late)).capability.issued_at > NOON


@pytest.mark.twin("CA-17")
async def test_without_the_limit_hoarding_works(uow: SqlUnitOfWork) -> None:
    on = await scene(uow)

    def hoard(tx: SqlTransaction) -> int:
        for _ in range(80):
            tx.capabilities.insert_live(on.mint.mint(on.order(), at=NOON).capability)
        return tx.capabilities.live_of_task(on.task.id, NOON)

    assert await uow.commit(hoard) == 80


@pytest.mark.req("R43", "R42")
async def test_the_end_of_a_task_ends_its_capabilities(uow: SqlUnitOfWork) -> None:
    on = await scene(uow)
    capability = await on.live()
    await on.world.tasks.end(on.task.id, by=PrincipalId("usr_x"), at=NOON)
    with pytest.raises(NotAlive):
        await on.service.consume(use_of(capability), on.lineage, at=NOON)
    with pytest.raises(TaskOver):
        await on.live()
    assert await state_of(uow, capability.id) is CapabilityState.STOPPED


async def test_a_capability_reads_back_as_it_was_stored(uow: SqlUnitOfWork) -> None:
    on = await scene(uow)
    capability = await on.live()
    assert await uow.read(lambda tx: tx.capabilities.get(capability.id)) == capability
    row = await uow.read(
        lambda tx: tx.sql.row(
            select(table.c.body, table.c.exp).where(table.c.jti == bindparam("this")), {"this": capability.id}
        )
    )
    assert row is not None
    assert msgspec.json.decode(row[0])["arguments"] == capability.arguments
    assert row[1] == micros(capability.expires_at)


async def test_minting_inside_another_unit_rolls_back_with_it(uow: SqlUnitOfWork) -> None:
    on = await scene(uow)

    def work(tx: SqlTransaction) -> None:
        mint_live(tx, on.order(), on.lineage, on.mint, at=NOON)
        raise Undo

    with pytest.raises(Undo):
        await uow.commit(work)
    assert await uow.read(lambda tx: tx.capabilities.live_of_task(on.task.id, NOON)) == 0
