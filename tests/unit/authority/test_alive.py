"""The one question about life: every level, and every way of not living."""

from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from remit.authority.alive import Alive, Cause, Dead, Level, TaskLife, Tombstone, alive
from remit.authority.consent import GrantState
from remit.authority.tasks import Lineage, TaskState
from remit.identity.lifecycle import State
from remit.kernel.ids import EnvelopeId, GrantId, PrincipalId, TaskId, TenantId, UserId
from support.clock import NOON

DEADLINE = NOON + timedelta(hours=1)
LINEAGE = Lineage(
    tenant=TenantId("default"),
    user=UserId("usr_1"),
    task=TaskId("tsk_1"),
    grant=GrantId("gra_1"),
    chain=(PrincipalId("ins_1"), PrincipalId("ins_2")),
    principals=frozenset(map(PrincipalId, ("agt_1", "agt_2", "blu_1", "usr_owner"))),
    envelope=EnvelopeId("env_2"),
    others=frozenset({"env_1", "tok_1", "key_1", "tol_1", "srv_1"}),
)
PRINCIPALS = ("usr_1", "ins_1", "ins_2", "agt_1", "agt_2", "blu_1", "usr_owner")
EVERYTHING = ("default", *PRINCIPALS, "gra_1", "tsk_1", "env_2", *sorted(LINEAGE.others))


@dataclass
class Yard:
    """A graveyard in memory, in which everything lives until a test says otherwise."""

    stones: dict[str, str] = field(default_factory=dict)
    states: dict[str, State] = field(default_factory=lambda: dict.fromkeys(PRINCIPALS, State.ACTIVE))
    task: TaskLife | None = field(
        default_factory=lambda: TaskLife(state=TaskState.RUNNING, deadline=DEADLINE)
    )
    grant: GrantState | None = GrantState.GIVEN

    def tombstone(self, ident: str) -> Tombstone | None:
        cause = self.stones.get(ident)
        return None if cause is None else Tombstone(kind="any", ident=ident, epoch=1, cause=cause)

    def state_of(self, principal: PrincipalId) -> State | None:
        return self.states.get(principal)

    def life_of(self, task: TaskId) -> TaskLife | None:
        return self.task

    def standing_of(self, grant: GrantId) -> GrantState | None:
        return self.grant


def dead(yard: Yard, lineage: Lineage = LINEAGE) -> tuple[Level, Cause, str] | None:
    found = alive(yard, lineage, NOON)
    return (found.level, found.cause, found.ident) if isinstance(found, Dead) else None


def test_what_lives_lives() -> None:
    assert alive(Yard(), LINEAGE, NOON) == Alive()


@pytest.mark.promise("P1", "P12")
@pytest.mark.parametrize("ident", EVERYTHING)
def test_a_tombstone_anywhere_above_is_the_end(ident: str) -> None:
    found = alive(Yard(stones={ident: "kill"}), LINEAGE, NOON)
    assert isinstance(found, Dead)
    assert (found.cause, found.ident, found.detail) == (Cause.TOMBSTONE, ident, "kill")


@pytest.mark.parametrize("ident", PRINCIPALS)
@pytest.mark.parametrize("state", [State.DRAFT, State.SUSPENDED, State.RETIRED, None])
def test_every_principal_is_active_or_nothing_is(ident: str, state: State | None) -> None:
    yard = Yard()
    if state is None:
        del yard.states[ident]
    else:
        yard.states[ident] = state
    found = dead(yard)
    assert found is not None
    assert found[1:] == (Cause.UNKNOWN if state is None else Cause.NOT_ACTIVE, ident)


@pytest.mark.parametrize(
    ("yard", "reason"),
    [
        (Yard(grant=None), "grant_unknown"),
        (Yard(grant=GrantState.WITHDRAWN), "grant_withdrawn"),
        (Yard(task=None), "task_unknown"),
        (Yard(task=TaskLife(state=TaskState.ENDED, deadline=DEADLINE)), "task_ended"),
        (Yard(task=TaskLife(state=TaskState.KILLED, deadline=DEADLINE)), "task_ended"),
        (Yard(task=TaskLife(state=TaskState.RUNNING, deadline=NOON)), "task_deadline"),
    ],
)
def test_consent_and_task_stand(yard: Yard, reason: str) -> None:
    found = alive(yard, LINEAGE, NOON)
    assert isinstance(found, Dead)
    assert found.reason == reason


def test_the_widest_death_is_named() -> None:
    yard = Yard(stones=dict.fromkeys(EVERYTHING, "kill"))
    order = []
    for _ in EVERYTHING:
        found = alive(yard, LINEAGE, NOON)
        assert isinstance(found, Dead)
        order.append(found.level)
        del yard.stones[found.ident]
    assert order == sorted(order, key=list(Level).index)


@pytest.mark.promise("P5")
def test_a_lineage_of_nobody_is_dead() -> None:
    nobody = Lineage(
        tenant=TenantId("default"),
        user=None,
        task=None,
        grant=None,
        chain=(),
        principals=frozenset(),
        envelope=None,
    )
    assert dead(Yard(), nobody) == (Level.PRINCIPAL, Cause.NO_CHAIN, "")
