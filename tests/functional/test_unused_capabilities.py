"""A carried capability that nobody uses gives back what was reserved for it, once."""

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from remit.app.bindings.spending import CapabilitySpender, Spending
from remit.app.bindings.unused import retire_unused
from remit.app.jobs import jobs
from remit.authority.capability import Capability, CapabilityState
from remit.authority.errors import CapabilityConsumed, CapabilityRejected
from remit.authority.task_service import StartedTask
from remit.decision.budget.cost import Settlement
from remit.kernel.clock import SystemClock, read_boottime, read_wall
from remit.kernel.ids import CapabilityId, PrincipalId
from remit.kernel.jose import jwt
from remit.kernel.jose.keys import KeyClass
from remit.kernel.jose.profiles import TokenType
from remit.oversight.containment.kill import TargetKind
from remit.platform.storage.clock_marks import ClockMark
from remit.platform.storage.jobs import JobRunner
from remit.platform.storage.repositories.capabilities import CapabilityRepository
from remit.platform.storage.unit_of_work import SqlTransaction
from support.blindness import Veiled, VeiledWork
from support.carried import BOOK, Scene, account
from support.composed import populated
from support.house import House, right

UNUSED = "authority.capability.unused"
PAST = timedelta(seconds=1)


@dataclass
class Carried:
    """A capability in its holder's hands, from a task that may make one call."""

    scene: Scene
    started: StartedTask
    token: str
    capability: Capability

    @property
    def house(self) -> House:
        return self.scene.house

    async def spend(self, at: datetime, *, token: str = "", spender: CapabilitySpender | None = None) -> None:
        wanted = Spending(
            token=token or self.token,
            server="business",
            tool=BOOK,
            arguments=self.capability.arguments,
            key=self.capability.key,
        )
        by = PrincipalId(self.scene.account.id)
        await (spender or self.house.services.spender).spend(wanted, by=by, at=at)

    async def retire(self, at: datetime, **shown: Any) -> int:
        """Run the job's work in one unit."""
        entropy = self.house.services.ground.entropy

        def work(tx: SqlTransaction) -> int:
            seen: Any = Veiled(tx, shown) if shown else tx
            return retire_unused(seen, at=at, limit=10, entropy=entropy)

        found: int = await self.house.work.commit(work)
        return found

    async def state(self) -> CapabilityState:
        ident = self.capability.id
        found: CapabilityState = await self.house.work.read(lambda tx: tx.capabilities.state_of(ident))
        return found

    async def outcome(self) -> Settlement:
        stored = await self.house.work.read(lambda tx: tx.decisions.get(self.capability.decision))
        found: Settlement = stored.outcome
        return found

    async def spent(self) -> set[int]:
        """What the accounts of the call say is used."""
        lines = (await self.house.work.read(lambda tx: tx.decisions.get(self.capability.decision))).lines
        found: set[int] = await self.house.work.read(lambda tx: {tx.budgets.spent(line) for line in lines})
        return found

    async def told(self) -> int:
        return len(await self.house.records(UNUSED))


@pytest.fixture
async def held(tmp_path: Path) -> AsyncIterator[Carried]:
    async with populated(tmp_path / "data") as house:
        yield await carried(house)


async def carried(house: House) -> Carried:
    party = await account(house, "business-server", serves=f"{house.issuer}/mcp/business")
    limit = house.ceiling(right("business/rooms.book"), days=20, calls=1)
    started = await house.task("calendar-bot", limit=limit)
    bot = house["calendar-bot"]
    scene = Scene(house=house, account=party, token=await house.exchange(bot, started.envelope))
    token = await scene.given()
    body = token.split(".")[1]
    ident = CapabilityId(json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))["jti"])
    capability = await house.work.read(lambda tx: tx.capabilities.get(ident))
    return Carried(scene=scene, started=started, token=token, capability=capability)


@pytest.mark.req("N27", "R150")
async def test_what_was_reserved_is_given_back_once_and_on_record(held: Carried) -> None:
    end = held.capability.expires_at
    assert await held.retire(end - PAST) == 0
    assert (await held.state(), await held.spent()) == (CapabilityState.LIVE, {1})
    assert (await held.scene.give()).json()["effect"] == "deny", "the task's one call is reserved"
    assert await held.retire(end) == 1
    assert await held.retire(end + PAST) == 0
    assert (await held.state(), await held.outcome()) == (CapabilityState.UNUSED, Settlement.UNUSED)
    assert (await held.spent(), await held.told()) == ({0}, 1)
    (record,) = await held.house.records(UNUSED)
    assert (record.capability, record.decision) == (held.capability.id, held.capability.decision)
    assert record.task == held.started.task.id
    assert (await held.scene.give()).json()["effect"] == "permit", "the call is there again"


@pytest.mark.attack("CA-02", "CA-03")
async def test_a_late_use_finds_it_retired_whatever_its_clock_says(held: Carried) -> None:
    """The other node's clock is behind: for it the capability is good yet."""
    assert await held.retire(held.capability.expires_at) == 1
    with pytest.raises(CapabilityConsumed, match="unused"):
        await held.spend(held.capability.expires_at - timedelta(seconds=30))
    assert (await held.outcome(), await held.told()) == (Settlement.UNUSED, 1)


@pytest.mark.attack("CA-02")
async def test_a_retirement_that_comes_after_the_use_changes_nothing(held: Carried) -> None:
    await held.spend(held.house.now())
    assert await held.retire(held.capability.expires_at + PAST) == 0
    assert (
        await held.house.work.commit(
            lambda tx: tx.capabilities.retire(held.capability.id, held.capability.expires_at + PAST)
        )
        is False
    )
    assert (await held.state(), await held.spent()) == (CapabilityState.CONSUMED, {1})
    assert await held.told() == 0


class Hasty(CapabilityRepository):
    """Retires whatever it found a moment ago: found first, used meanwhile, retired without another look."""

    found: tuple[CapabilityId, ...] = ()

    def unused(self, *, at: datetime, limit: int) -> tuple[CapabilityId, ...]:
        return self.found

    def retire(self, ident: CapabilityId, at: datetime) -> bool:
        return True


@pytest.mark.twin("CA-02")
async def test_without_the_condition_a_used_one_is_given_back(held: Carried) -> None:
    await held.spend(held.house.now())

    def hasty(tx: SqlTransaction) -> Hasty:
        store = Hasty(tx.sql, tx.tenant)
        store.found = (held.capability.id,)
        return store

    await held.retire(held.capability.expires_at + PAST, capabilities=hasty)
    assert await held.spent() == {0}, "the call runs, and its budget is there again"
    assert (await held.scene.give()).json()["effect"] == "permit"


async def test_the_end_of_its_task_gives_it_back_too(held: Carried) -> None:
    await held.house.kill(TargetKind.TASK, held.started.task.id)
    assert await held.state() is CapabilityState.STOPPED
    assert await held.retire(held.house.now()) == 1
    assert (await held.state(), await held.spent(), await held.told()) == (CapabilityState.UNUSED, {0}, 1)


async def run_job(house: House, *, clock: Any = None) -> bool:
    def failed(_: str, error: Exception) -> None:
        raise error

    services = house.services
    if clock is not None:
        services = replace(services, ground=replace(services.ground, clock=clock))
    runner = JobRunner(
        services.ground.work, (), holder="a test", clock=services.ground.clock, on_failure=failed
    )
    return await runner.run_once(next(job for job in jobs(services) if job.name == "capabilities.retire"))


def clock_ahead(by: timedelta, *, confirmed: bool) -> SystemClock:
    """A clock that ran ahead; an operator may have said that it is right."""
    jumped = [timedelta()]
    mark = ClockMark(generation=0, high_water=read_wall())
    clock = SystemClock(
        generation=mark.generation,
        high_water=mark.high_water,
        wall=lambda: read_wall() + jumped[0],
        boot=read_boottime,
    )
    jumped[0] = by
    clock.now()
    if confirmed:
        clock.confirm_step()
    return clock


@pytest.mark.fault("F19")
async def test_a_job_does_it_by_itself_and_not_by_a_suspect_clock(held: Carried) -> None:
    assert await run_job(held.house) is False, "there is nothing to do yet"
    assert await run_job(held.house, clock=clock_ahead(timedelta(minutes=5), confirmed=False)) is False
    assert await held.state() is CapabilityState.LIVE
    assert await run_job(held.house, clock=clock_ahead(timedelta(minutes=5), confirmed=True)) is True
    assert (await held.state(), await held.told()) == (CapabilityState.UNUSED, 1)


def forged(held: Carried, **changes: Any) -> str:
    """What whoever could sign as us would make of it: the same capability, for something else."""
    body = held.token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    signer = held.house.services.ground.keys.signer(KeyClass.CAPABILITY)
    return jwt.issue({**claims, **changes}, as_type=TokenType.CAPABILITY, signer=signer)


FORGERIES = [
    {"resource": {"type": "Room", "id": "Room-1"}},
    {"action": "business/rooms.read"},
    {"decision": "dec_other"},
    {"sub": "spiffe://remit.local/agent/other/ins_1"},
    {"env": "0" * 64},
]


@pytest.mark.attack("CA-04")
@pytest.mark.parametrize("changes", FORGERIES, ids=lambda changes: next(iter(changes)))
async def test_what_is_used_is_what_was_stored_not_what_the_token_says(
    held: Carried, changes: dict[str, Any]
) -> None:
    with pytest.raises(CapabilityRejected):
        await held.spend(held.house.now(), token=forged(held, **changes))
    assert await held.state() is CapabilityState.LIVE
    await held.spend(held.house.now())


class Believing(CapabilityRepository):
    """Says of a capability what its token says."""

    said: Capability

    def get(self, ident: CapabilityId) -> Capability:
        return self.said


@pytest.mark.twin("CA-04")
async def test_without_the_comparison_the_record_says_what_the_forger_wrote(held: Carried) -> None:
    ground = held.house.services.ground
    token = forged(held, env="0" * 64)

    def believing(tx: SqlTransaction) -> Believing:
        store = Believing(tx.sql, tx.tenant)
        store.said = replace(held.capability, envelope="0" * 64)
        return store

    spender = CapabilitySpender(
        work=VeiledWork(ground.work, capabilities=believing),
        keys=ground.keys,
        issuer=ground.issuer,
        node=ground.store.node,
        entropy=ground.entropy,
    )
    await held.spend(held.house.now(), token=token, spender=spender)
    (record,) = await held.house.records("authority.capability.consumed")
    assert record.envelope == "0" * 64
