"""Versions of the policy: what was signed is in force, a part may try it first, a person takes it back."""

import secrets
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text as statement

from remit.decision.answer.response import Effect
from remit.decision.facts.snapshot import Snapshot
from remit.decision.policy.bundle import PolicyVersion
from remit.decision.policy.rollout import Rollout
from remit.decision.policy_service import (
    NoSuchPolicy,
    NothingTried,
    PolicyService,
    Share,
    end_trial,
)
from remit.kernel.canonical import sha256
from remit.kernel.jose.keys import KeyClass, KeyState
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.snapshot import SnapshotKeeper
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork
from support.clock import NOON
from support.deciding import ADMIN, POLICY_KEYS, Desk, desk, numbered
from support.decisions import PERMIT_ALL, call

FORBID_ALL = '@id("no") forbid(principal, action, resource);' + PERMIT_ALL
DAY = timedelta(days=1)
UNSEALED = """
INSERT INTO policy SELECT tenant, 3, digest, text, published_by, published_at FROM policy WHERE number = 1
"""


def everybody(**changes: Any) -> Share:
    return replace(Share(percent=100, agents=(), life=DAY), **changes)


async def effect_of(made: Desk, number: int = 1, **changes: Any) -> tuple[Effect, str]:
    decided = await made.service.decide(numbered("rooms.book", number, **changes))
    return decided.verdict.effect, decided.verdict.policy_version


async def tamper(uow: SqlUnitOfWork, said: str) -> None:
    """Write the database as nobody may: past every service."""

    def work(tx: SqlTransaction) -> None:
        tx.sql.run(statement(said), {})

    await uow.commit(work)


async def fresh(uow: SqlUnitOfWork, keys: Any = POLICY_KEYS) -> Snapshot:
    """What a node that starts now makes of the store."""
    return await SnapshotKeeper(uow, tenant=DEFAULT_TENANT, keys=keys).catch_up()


# -- signed and monotonic


@pytest.mark.req("N7")
@pytest.mark.attack("PD-26")
@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("UPDATE policy SET text = '{permit}' WHERE number = 2", "another text"),
        (
            "UPDATE policy_seal SET seal = (SELECT seal FROM policy_seal WHERE number = 1) WHERE number = 2",
            "v1",
        ),
        ("DELETE FROM policy_seal WHERE number = 2", "not signed"),
        ("UPDATE policy SET published_by = 'usr_else' WHERE number = 2", "by another"),
        (
            UNSEALED,
            "not signed",
        ),
        ("DELETE FROM policy WHERE number = 1", "chain"),
    ],
)
async def test_a_node_permits_nothing_with_a_version_that_is_not_what_was_signed(
    sqlite_uow: SqlUnitOfWork, written: str, why: str
) -> None:
    made = await desk(sqlite_uow)
    await made.publish(PERMIT_ALL + "// two")
    await tamper(sqlite_uow, written.replace("{permit}", PERMIT_ALL.replace("'", "''")))
    snapshot = await fresh(sqlite_uow)
    assert why in snapshot.bundle.unproven
    assert snapshot.bundle.program is None
    made.service._snapshots = made.keeper = SnapshotKeeper(
        sqlite_uow, tenant=DEFAULT_TENANT, keys=POLICY_KEYS
    )
    await made.keeper.catch_up()
    decided = await made.service.decide(call())
    assert decided.verdict.effect is Effect.DENY
    assert decided.verdict.reasons[0].code == "policy_unverified"


@pytest.mark.attack("PD-26")
async def test_a_node_that_runs_believes_no_older_version_than_it_has_seen(sqlite_uow: SqlUnitOfWork) -> None:
    made = await desk(sqlite_uow)
    await made.publish(FORBID_ALL)
    assert (await effect_of(made))[0] is Effect.DENY
    await tamper(sqlite_uow, "DELETE FROM policy WHERE number = 2")
    await tamper(sqlite_uow, "DELETE FROM policy_seal WHERE number = 2")
    await sqlite_uow.commit(lambda tx: tx.touch("policy", "2"))
    await made.keeper.catch_up()
    assert "v2" in made.keeper.current().bundle.unproven
    assert (await effect_of(made, 2))[0] is Effect.DENY


@pytest.mark.twin("PD-26")
async def test_without_the_seal_an_older_text_would_be_in_force_again(sqlite_uow: SqlUnitOfWork) -> None:
    class Credulous(SnapshotKeeper):
        """Takes the newest row for what is in force."""

        def _proven(self, newest: Any, read: Any) -> Any:
            return self._split(newest, None, None)

        def _split(self, newest: Any, canary: Any, base: Any) -> Any:
            from remit.platform.storage.snapshot import _bundle

            return _bundle(newest), None

    made = await desk(sqlite_uow)
    await made.publish(FORBID_ALL)
    await tamper(
        sqlite_uow,
        UNSEALED,
    )
    lax = await Credulous(sqlite_uow, tenant=DEFAULT_TENANT, keys=POLICY_KEYS).catch_up()
    assert not (await fresh(sqlite_uow)).bundle.rules
    assert lax.bundle.rules, "the old text, which permits all, decides"


async def test_a_compromised_key_is_believed_no_longer_and_a_person_heals_it(
    sqlite_uow: SqlUnitOfWork,
) -> None:
    made = await desk(sqlite_uow)
    active = POLICY_KEYS.signer(KeyClass.POLICY).kid

    class Compromised:
        def find(self, kid: str, key_class: KeyClass) -> Any:
            found = POLICY_KEYS.find(kid, key_class)
            return replace(found, state=KeyState.COMPROMISED) if found and kid == active else found

        def signer(self, key_class: KeyClass) -> Any:
            return POLICY_KEYS.signer(key_class)

    assert "not believed" in (await fresh(sqlite_uow, Compromised())).bundle.unproven
    assert not (await fresh(sqlite_uow)).bundle.unproven
    await tamper(sqlite_uow, "UPDATE policy SET text = 'x'")
    assert [each.fault for each in await made.policies.verify()] == [
        "policy version `v1` has another text than was signed"
    ]
    await made.publish(PERMIT_ALL + "// again")
    assert not made.keeper.current().bundle.unproven
    assert (await effect_of(made)) == (Effect.PERMIT, "v2")


# -- tried on a part


@pytest.mark.req("N7")
async def test_a_version_is_tried_on_named_agents_and_ends_by_itself(sqlite_uow: SqlUnitOfWork) -> None:
    made = await desk(sqlite_uow)
    share = everybody(percent=0, agents=("calendar-bot",))
    await made.policies.publish(FORBID_ALL, by=ADMIN, at=NOON, share=share)
    assert await effect_of(made) == (Effect.DENY, "v2")
    told = await made.service.explain(call())
    assert told.verdict.policy_version == "v2"
    assert told.otherwise is not None
    assert (told.otherwise.policy_version, told.otherwise.effect) == ("v1", Effect.PERMIT)
    in_force = await made.policies.in_force()
    assert in_force is not None
    assert in_force.version.number == 1
    # Its time is over: nobody has to do anything, and the end is put on record once.
    rollout = made.keeper.current().rollout
    assert rollout is not None
    assert rollout.takes(agent="calendar-bot", lot="x", at=NOON + DAY - timedelta(seconds=1))
    assert not rollout.takes(agent="calendar-bot", lot="x", at=NOON + DAY)

    def end(tx: SqlTransaction, after: timedelta) -> bool:
        return end_trial(tx, tenant=DEFAULT_TENANT, at=NOON + after, entropy=secrets.token_bytes)

    assert not await sqlite_uow.commit(lambda tx: end(tx, DAY / 2))
    assert await sqlite_uow.commit(lambda tx: end(tx, DAY))
    assert not await sqlite_uow.commit(lambda tx: end(tx, 2 * DAY))


@pytest.mark.req("N7")
async def test_a_trial_is_put_in_force_or_taken_back_as_a_new_version(sqlite_uow: SqlUnitOfWork) -> None:
    made = await desk(sqlite_uow)
    await made.policies.publish(FORBID_ALL, by=ADMIN, at=NOON, share=everybody(percent=0))
    assert await effect_of(made) == (Effect.PERMIT, "v1")
    assert (await made.policies.enforce(None, by=ADMIN, at=NOON)).number == 3
    assert await effect_of(made, 2) == (Effect.DENY, "v3")
    assert (await made.policies.rollback(None, by=ADMIN, at=NOON)).number == 4
    assert await effect_of(made, 3) == (Effect.PERMIT, "v4")
    assert (await made.policies.rollback(2, by=ADMIN, at=NOON)).number == 5
    assert (await effect_of(made, 4))[0] is Effect.DENY
    # A trial that runs is taken back to what the others have.
    await made.policies.publish(PERMIT_ALL, by=ADMIN, at=NOON, share=everybody())
    assert await effect_of(made, 5) == (Effect.PERMIT, "v6")
    await made.policies.rollback(None, by=ADMIN, at=NOON)
    assert await effect_of(made, 6) == (Effect.DENY, "v7")
    assert not any(each.fault for each in await made.policies.verify())


async def test_there_is_nothing_to_try_beside_or_go_back_to_at_first(sqlite_uow: SqlUnitOfWork) -> None:
    made = await desk(sqlite_uow, policy=None)
    with pytest.raises(NothingTried):
        await made.policies.publish(PERMIT_ALL, by=ADMIN, at=NOON, share=everybody())
    assert await made.policies.newest() is None, "nothing is half published"
    await made.publish(PERMIT_ALL)
    with pytest.raises(NothingTried):
        await made.policies.enforce(None, by=ADMIN, at=NOON)
    with pytest.raises(NothingTried):
        await made.policies.rollback(None, by=ADMIN, at=NOON)
    with pytest.raises(NoSuchPolicy):
        await made.policies.rollback(7, by=ADMIN, at=NOON)


@pytest.mark.req("N7")
def test_a_lot_is_the_tasks_own_and_the_parts_are_as_large_as_they_say() -> None:
    def rollout(percent: int) -> Rollout:
        version = PolicyVersion(number=7, digest=sha256(b""))
        bundle: Any = type("Named", (), {"version": version})()
        return Rollout(bundle=bundle, percent=percent, agents=frozenset(), until=NOON + DAY)

    lots = [f"tsk_{number}" for number in range(4000)]

    def taken(percent: int) -> set[str]:
        return {lot for lot in lots if rollout(percent).takes(agent="a", lot=lot, at=NOON)}

    assert taken(10) == taken(10), "the same answer as often as it is asked"
    assert taken(10) < taken(50) < taken(100) == set(lots), "a larger part holds the smaller one"
    assert 320 <= len(taken(10)) <= 480
    assert not taken(0)


# -- nothing half published


@pytest.mark.req("R58")
@pytest.mark.parametrize("step", ["policies", "touch", "advance_epoch", "ledger"])
async def test_a_publication_that_fails_anywhere_leaves_what_was(
    sqlite_uow: SqlUnitOfWork, step: str
) -> None:
    made = await desk(sqlite_uow)
    before = made.keeper.current()

    class Broken:
        def __init__(self, tx: SqlTransaction) -> None:
            self._tx = tx

        def __getattr__(self, name: str) -> Any:
            found = getattr(self._tx, name)
            if name != step:
                return found
            if callable(found):
                return _fail
            return type(
                "Failing",
                (),
                {"newest": found.newest, "add": _fail} if step == "policies" else {"append": _fail},
            )()

    class Breaks(PolicyService):
        def _store(self, tx: Any, *given: Any, **named: Any) -> Any:
            return super()._store(Broken(tx), *given, **named)

    breaking = Breaks(
        uow=sqlite_uow,
        snapshots=made.keeper,
        entropy=secrets.token_bytes,
        tenant=DEFAULT_TENANT,
        keys=POLICY_KEYS,
    )
    with pytest.raises(ZeroDivisionError):
        await breaking.publish(FORBID_ALL, by=ADMIN, at=NOON)
    assert await made.keeper.catch_up() is before
    assert await effect_of(made) == (Effect.PERMIT, "v1")
    assert [each.number for each in await made.policies.verify()] == [1]


def _fail(*_given: object, **_named: object) -> None:
    raise ZeroDivisionError
