"""The trust matrix as each engine keeps it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from remit.authority.domains.trust import (
    Direction,
    DomainId,
    DomainPerson,
    DomainRule,
    DomainRuleId,
    DomainRun,
    TrustedDomain,
)
from remit.identity.federation.trust import KeySource, TrustState
from remit.kernel.ids import AgentId, GrantId, PrincipalId, TaskId, UserId
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.clock import NOON

PARTNER = "https://partner.example"
ADMIN = PrincipalId("usr_admin")


def domain(ident: str = "dom_1", **changes: object) -> TrustedDomain:
    made = TrustedDomain(
        id=DomainId(ident),
        tenant=DEFAULT_TENANT,
        name="partner",
        issuer=PARTNER,
        direction=Direction.INBOUND,
        source=KeySource.ADDRESS,
        address=f"{PARTNER}/jwks",
        scopes=frozenset({"mcp"}),
        ceiling=None,
        bound=False,
        state=TrustState.ACTIVE,
        created_by=ADMIN,
        created_at=NOON,
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # a test names the fields


def run(ident: str, minutes: int) -> DomainRun:
    return DomainRun(
        id=ident,
        tenant=DEFAULT_TENANT,
        domain=DomainId("dom_1"),
        rule=DomainRuleId("dru_1"),
        client=PrincipalId("ins_1"),
        agent=AgentId("agt_1"),
        user=UserId("usr_1"),
        task=TaskId(f"tsk_{ident}"),
        grant=GrantId("gra_1"),
        before="",
        ends_at=NOON + timedelta(minutes=minutes),
    )


@pytest.mark.req("R161")
async def test_a_name_is_one_domains_and_an_issuer_counts_once_in_a_direction(uow: SqlUnitOfWork) -> None:
    assert await uow.commit(lambda tx: tx.domains.add(domain()))
    assert not await uow.commit(lambda tx: tx.domains.add(domain("dom_2", name="other")))
    assert not await uow.commit(lambda tx: tx.domains.add(domain("dom_2", issuer="https://x.example")))
    outbound = domain("dom_2", name="other", direction=Direction.OUTBOUND)
    assert await uow.commit(lambda tx: tx.domains.add(outbound))
    assert await uow.read(lambda tx: tx.domains.trusted(PARTNER, Direction.OUTBOUND)) == outbound
    gone = domain(state=TrustState.WITHDRAWN, withdrawn_at=NOON)
    assert await uow.commit(lambda tx: tx.domains.withdraw(gone))
    assert not await uow.commit(lambda tx: tx.domains.withdraw(gone))
    assert await uow.read(lambda tx: tx.domains.trusted(PARTNER, Direction.INBOUND)) is None
    assert await uow.commit(lambda tx: tx.domains.add(domain("dom_3")))
    assert len(await uow.read(lambda tx: tx.domains.all())) == 3


async def test_rules_people_and_what_grants_began(uow: SqlUnitOfWork) -> None:
    rule = DomainRule(
        id=DomainRuleId("dru_1"),
        tenant=DEFAULT_TENANT,
        domain=DomainId("dom_1"),
        who="everybody",
        client="agt_1",
        there="",
        scopes=frozenset(),
        ceiling=None,
        text="Because.",
        state=TrustState.ACTIVE,
        created_by=ADMIN,
        created_at=NOON,
    )
    await uow.commit(lambda tx: tx.domains.add_rule(rule))
    assert await uow.read(lambda tx: list(tx.domains.rules(rule.domain))) == [rule]
    withdrawn = replace(rule, state=TrustState.WITHDRAWN, withdrawn_at=NOON)
    assert await uow.commit(lambda tx: tx.domains.withdraw_rule(withdrawn))
    assert not await uow.commit(lambda tx: tx.domains.withdraw_rule(withdrawn))
    assert await uow.read(lambda tx: list(tx.domains.rules(rule.domain))) == []
    assert await uow.read(lambda tx: tx.domains.rule(rule.id)) == withdrawn

    person = DomainPerson(
        tenant=DEFAULT_TENANT,
        domain=DomainId("dom_1"),
        theirs="",
        subject="00u1",
        user=UserId("usr_1"),
        linked_by=ADMIN,
        linked_at=NOON,
    )
    other = replace(person, theirs="acme", user=UserId("usr_2"))
    assert await uow.commit(lambda tx: tx.domains.link(person) and tx.domains.link(other))
    # The same subject of the same tenant there is nobody else's, whatever anybody says later.
    assert not await uow.commit(lambda tx: tx.domains.link(replace(person, user=UserId("usr_3"))))
    assert await uow.read(lambda tx: tx.domains.person(person.domain, "acme", "00u1")) == other
    assert await uow.read(lambda tx: tx.domains.person(person.domain, "", "00U1")) is None
    assert await uow.commit(lambda tx: tx.domains.unlink(person))
    assert await uow.read(lambda tx: list(tx.domains.people(person.domain, 10))) == [other]

    assert await uow.commit(lambda tx: tx.domains.begin(run("a", 5)) and tx.domains.begin(run("b", 9)))
    assert not await uow.commit(lambda tx: tx.domains.begin(run("a", 7)))
    last = await uow.read(lambda tx: tx.domains.last(rule.id, UserId("usr_1"), AgentId("agt_1")))
    assert last == run("b", 9)
    assert await uow.read(lambda tx: tx.domains.came_with(TaskId("tsk_a"))) == run("a", 5)
    later = NOON + timedelta(minutes=6)
    assert await uow.read(lambda tx: list(tx.domains.open_runs(DomainId("dom_1"), later))) == [run("b", 9)]
    assert await uow.commit(lambda tx: tx.domains.forget(later, 100)) == 1
    assert await uow.read(lambda tx: tx.domains.run("a")) is None
