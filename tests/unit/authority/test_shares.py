"""The factors of effective right: all of them count, and each kind of hop brings its own."""

from dataclasses import replace
from datetime import timedelta

import pytest

from remit.authority.consent import Grant, GrantState
from remit.authority.delegations import RecordedHop
from remit.authority.envelope import Delegation
from remit.authority.rights import Ceiling
from remit.authority.shares import NOTHING, Member, effective, emptied_by, shares
from remit.authority.tasks import Initiative, Mode, Task, TaskState
from remit.kernel.ids import AgentId, EnvelopeId, GrantId, InstanceId, TaskId, UserId
from remit.kernel.tenancy import DEFAULT_TENANT
from support.builders import BOOK, READ, ceiling, right
from support.clock import NOON

USER = ceiling(right(BOOK), right(READ))
TASK = Task(
    id=TaskId("tsk_1"),
    tenant=DEFAULT_TENANT,
    user=UserId("usr_1"),
    agent=AgentId("agt_1"),
    grant=GrantId("gra_1"),
    goal="0" * 64,
    purpose="booking",
    mode=Mode.INTERACTIVE,
    initiative=Initiative.USER,
    ceiling=replace(USER, purpose="booking"),
    root=EnvelopeId("env_1"),
    state=TaskState.RUNNING,
    started_at=NOON,
    deadline=NOON + timedelta(hours=1),
)


def consent(limit: Ceiling = USER) -> Grant:
    return Grant(
        id=GrantId("gra_1"),
        tenant=DEFAULT_TENANT,
        user=UserId("usr_1"),
        agent=AgentId("agt_1"),
        ceiling=limit,
        text="t",
        state=GrantState.GIVEN,
        given_at=NOON,
    )


def member(name: str, limit: Ceiling | None = USER, *, own: Grant | None = None) -> Member:
    return Member(
        id=f"agt_{name}", name=name, ceiling=limit, blueprint="office", blueprint_ceiling=USER, consent=own
    )


def hop(kind: Delegation, limit: Ceiling = USER) -> RecordedHop:
    return RecordedHop(
        by=InstanceId("ins_1"),
        to=AgentId("agt_2"),
        kind=kind,
        ceiling=replace(limit, purpose="booking"),
        expires_at=NOON,
        prefix="0" * 64,
    )


def actions(found: Ceiling) -> set[str]:
    return {one.action for one in found.rights}


@pytest.mark.req("N10", "N23")
def test_behind_an_attenuated_hop_the_giver_still_bounds() -> None:
    found = shares(
        task=TASK,
        consent=consent(),
        members=(member("giver", ceiling(right(READ))), member("taker")),
        hops=(hop(Delegation.ATTENUATE),),
        token=USER,
    )
    assert [share.name for share in found] == [
        "user",
        "task",
        "hop 1",
        "agent giver",
        "blueprint office",
        "agent taker",
        "blueprint office",
        "token",
    ]
    assert actions(effective(found)) == {READ}


@pytest.mark.req("N23")
def test_behind_a_broker_hop_the_workers_own_consent_bounds() -> None:
    giver, own = member("giver", NOTHING), consent(ceiling(right(BOOK)))
    for worker, left in ((member("worker", own=own), {BOOK}), (member("worker"), set())):
        found = shares(task=TASK, consent=consent(), members=(giver, worker), hops=(hop(Delegation.BROKER),))
        assert "user for worker" in {share.name for share in found}
        assert "agent giver" not in {share.name for share in found}
        assert actions(effective(found)) == left


@pytest.mark.req("N10", "R8")
@pytest.mark.promise("P6")
@pytest.mark.parametrize("emptied", ["user", "task", "hop 1", "agent giver", "agent taker", "token"])
def test_emptying_any_factor_leaves_nothing_and_names_it(emptied: str) -> None:
    def or_nothing(name: str) -> Ceiling:
        return replace(USER, rights=frozenset()) if name == emptied else USER

    found = shares(
        task=replace(TASK, ceiling=replace(or_nothing("task"), purpose="booking")),
        consent=consent(or_nothing("user")),
        members=(member("giver", or_nothing("agent giver")), member("taker", or_nothing("agent taker"))),
        hops=(hop(Delegation.ATTENUATE, or_nothing("hop 1")),),
        token=or_nothing("token"),
    )
    assert not effective(found).rights
    assert emptied_by(found) == emptied


@pytest.mark.req("N27")
def test_agents_of_one_blueprint_in_one_chain_have_an_account_each() -> None:
    """Found by `oracle.decision`: both were charged to the last one's, twice."""
    pair = [replace(member(name), blueprint_id="blu_office") for name in ("giver", "taker")]
    found = shares(task=TASK, consent=consent(), members=pair, hops=(hop(Delegation.ATTENUATE),))
    accounts = [share.account for share in found]
    assert accounts[-3::2] == ["blu_office/agt_giver", "blu_office/agt_taker"]
    assert len(set(accounts)) == len(accounts)


@pytest.mark.promise("P5")
def test_what_nobody_stated_is_nothing() -> None:
    assert effective(()) == NOTHING
    assert emptied_by(()) == "none"
    unstated = shares(task=TASK, consent=consent(), members=(member("a", None),), hops=())
    assert emptied_by(unstated) == "agent a"
    without_consent = shares(task=TASK, consent=None, members=(member("a"),), hops=())
    assert emptied_by(without_consent) == "user"
