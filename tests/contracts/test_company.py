"""Runs for several people over every engine: found by each of them, ended by each of them."""

from dataclasses import replace

import pytest

from remit.authority.company import Invited
from remit.authority.consent import Grant
from remit.authority.delegation_service import DelegationService
from remit.authority.directory import verifier_in
from remit.authority.envelope import Delegation, issue_root
from remit.authority.errors import EnvelopeRejected, NoConsent, Widened
from remit.authority.rights import Ceiling
from remit.authority.task_service import StartedTask, StartTask
from remit.authority.tasks import TaskState
from remit.identity.principals import Principal
from remit.kernel.ids import UserId
from remit.kernel.jose.keys import KeyClass
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.builders import BOOK, HOUR, OPTIONS, READ, Bot, World, ceiling, right
from support.clock import NOON


class Company:
    """Ada, Ben and Cleo with a coordinator; Ada and Ben have consented to it."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.delegation = DelegationService(
            uow=world.uow, keys=world.ring, options=OPTIONS, entropy=world.entropy
        )
        self.people: dict[str, Principal] = {}
        self.grants: dict[str, Grant] = {}
        self.calendar: Bot
        self.mail: Bot

    async def furnish(self, *, ben: Ceiling | None = None) -> "Company":
        for name in ("ada", "ben", "cleo"):
            self.people[name] = await self.world.human(f"{name}@company.com")
        wide = ceiling(right(BOOK), right(READ))
        blueprint = await self.world.blueprint(self.people["ada"], limit=wide)
        self.calendar = await self.world.bot(
            blueprint, self.people["ada"], limit=wide, attributes=(("brokers", "mail-bot"),)
        )
        self.mail = await self.world.bot(blueprint, self.people["ada"], "mail-bot", limit=wide)
        for name, limit in (("ada", wide), ("ben", ben or ceiling(right(READ)))):
            self.grants[name] = await self.world.consent(self.people[name], self.calendar, limit)
        return self

    async def started(self, *others: str) -> StartedTask:
        ada = self.people["ada"]
        wanted = StartTask(
            user=UserId(ada.id),
            agent=self.calendar.id,
            goal="find a day",
            purpose="booking",
            ceiling=None,
            deadline=NOON + HOUR,
            company=tuple(Invited(user=UserId(self.people[each].id)) for each in others),
        )
        return await self.world.tasks.start(wanted, by=ada.id, at=NOON)

    async def running(self, name: str) -> set[str]:
        user = UserId(self.people[name].id)
        return {each.id for each in await self.world.consents.in_use(user)}


@pytest.fixture
async def company(uow: SqlUnitOfWork) -> Company:
    return await Company(World(uow)).furnish()


@pytest.mark.req("R36")
async def test_a_run_is_found_by_each_of_its_people_and_ends_with_each_ones_consent(company: Company) -> None:
    alone, both = await company.started(), await company.started("ben")
    assert await company.running("ada") == {alone.task.id, both.task.id}
    assert await company.running("ben") == {both.task.id}
    assert await company.running("cleo") == set()
    assert both.task.ceiling.rights == ceiling(right(READ)).rights, "the ticket promises no more"
    kept = await company.world.tasks.get(both.task.id)
    assert kept == both.task
    assert [str(each) for each in kept.people] == [company.people["ada"].id, company.people["ben"].id]
    grant = company.grants["ben"]
    await company.world.consents.withdraw(grant.id, by=company.people["ben"].id, at=NOON)
    assert (await company.world.tasks.get(both.task.id)).state is TaskState.ENDED
    assert (await company.world.tasks.get(alone.task.id)).state is TaskState.RUNNING
    with pytest.raises(NoConsent):
        await company.started("ben")


@pytest.mark.req("R36")
async def test_the_root_names_everybody_and_a_stranger_in_it_is_refused(company: Company) -> None:
    started = await company.started("ben")
    root = await company.world.uow.read(
        lambda tx: verifier_in(tx, options=OPTIONS, roots=company.world.ring).verify(
            started.envelope, at=NOON
        )
    )
    assert [str(each) for each in root.root.companions] == [company.people["ben"].id]
    nobody = replace(root.root, companions=(UserId("usr_nobody"),))
    forged = issue_root(nobody, signer=company.world.ring.signer(KeyClass.ENVELOPE))
    with pytest.raises(EnvelopeRejected) as refused:
        await company.delegation.extend(forged, at=NOON)
    assert (refused.value.step, refused.value.reason) == (3, "unknown_source")


@pytest.mark.req("R36", "N23")
async def test_a_brokered_worker_needs_the_consent_of_each_of_them(company: Company) -> None:
    started, world = await company.started("ben"), company.world
    ada, ben = company.people["ada"], company.people["ben"]
    hop = world.hop(
        started.envelope,
        started.task.ceiling,
        company.calendar,
        company.mail,
        task=started.task.id,
        kind=Delegation.BROKER,
    )
    await world.consent(ada, company.mail, ceiling(right(READ)))
    with pytest.raises(NoConsent):
        await company.delegation.extend(hop, at=NOON)
    await world.consent(ben, company.mail, ceiling(right(BOOK)))
    with pytest.raises(Widened):
        await company.delegation.extend(hop, at=NOON)
    await world.consent(ben, company.mail, ceiling(right(READ)), at=NOON + HOUR / 60)
    recorded = await company.delegation.extend(hop, at=NOON)
    assert recorded.holder == company.mail.id
