"""The directory over every engine: what enters, what may live, and what its end takes along."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from remit.authority.alive import Alive, Dead, alive
from remit.authority.lineage import lineage_of
from remit.authority.tokens import IssuedToken, TokenState
from remit.identity.credential_keys import CredentialKeys
from remit.identity.credentials import CredentialState
from remit.identity.errors import (
    ActivationIncomplete,
    BlueprintDeviation,
    NameTaken,
    NoBlueprint,
    OwnerLoop,
    OwnerMissing,
    OwnerUnfit,
    ParentUnfit,
    SharedCredential,
    UnknownPrincipal,
)
from remit.identity.lifecycle import IllegalTransition, State
from remit.identity.principals import PREFIX, Environment, Kind, Principal, Tier
from remit.identity.registration import PARENTS, Registration
from remit.identity.spiffe import spiffe_id
from remit.identity.tool_service import Definition, Seen, ToolService
from remit.identity.tools import Pin, ResourceMapping, Server, ToolMapping, Transport
from remit.kernel.canonical import sha256
from remit.kernel.ids import (
    AgentId,
    BlueprintId,
    InstanceId,
    PrincipalId,
    ServerId,
    TokenId,
    UserId,
    mint_id,
)
from remit.kernel.jose.keys import KeyClass
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork
from support.builders import HOUR, TRUST_DOMAIN, Bot, World, ceiling, right
from support.clock import NOON


async def office(uow: SqlUnitOfWork) -> tuple[World, Principal, Principal, Bot]:
    world = World(uow)
    owner = await world.human()
    blueprint = await world.blueprint(owner)
    return world, owner, blueprint, await world.bot(blueprint, owner)


async def verdict(uow: SqlUnitOfWork, *chain: PrincipalId) -> Alive | Dead:
    def work(tx: SqlTransaction) -> Alive | Dead:
        lineage = lineage_of(chain, tx.principals.get, tenant=DEFAULT_TENANT, task=None)
        return alive(tx.lineage, lineage, NOON)

    return await uow.read(work)


async def records(uow: SqlUnitOfWork, kind: str) -> int:
    """How many facts of that name are in the outbox: each is published beside its record."""
    from sqlalchemy import bindparam, func, select

    from remit.platform.storage.tables.core import outbox

    count = select(func.count()).where(outbox.c.event == bindparam("name"))
    row = await uow.read(lambda tx: tx.sql.row(count, {"name": kind}))
    return 0 if row is None else int(row[0])


@pytest.mark.req("R1", "R4")
async def test_every_kind_is_created_listed_suspended_and_retired(uow: SqlUnitOfWork) -> None:
    world, owner, blueprint, bot = await office(uow)
    server = PrincipalId(mint_id("srv", at=NOON, entropy=world.entropy))
    parents: dict[Kind, PrincipalId] = {Kind.AGENT: bot.agent.id}
    for kind in sorted(Kind, key=lambda kind: kind in PARENTS):
        parent = next((parents[above] for above in sorted(PARENTS.get(kind, ())) if above in parents), None)
        stated = Registration(
            kind=kind,
            name=f"one-{kind}",
            owner=None if kind is Kind.HUMAN else owner.id,
            purpose="proof",
            environment=Environment.PRODUCTION,
            parent=parent,
            blueprint=BlueprintId(blueprint.id) if kind is Kind.AGENT else None,
        )
        entry = await world.identity.register(stated, by=world.admin, at=NOON)
        parents.setdefault(kind, entry.id)
        assert entry.id.startswith(PREFIX[kind])
        assert entry.state is State.DRAFT
        assert entry.tier in Tier
        if kind in {Kind.AGENT, Kind.INSTANCE}:
            await world.credentials.register(
                entry.id, world.fresh_key(kind).public.jwk(), by=world.admin, at=NOON
            )
        await world.identity.activate(entry.id, by=world.admin, at=NOON)
        await world.identity.suspend(entry.id, by=world.admin, because="proof", at=NOON)
        await world.identity.resume(entry.id, by=world.admin, at=NOON)
        found = await world.identity.page(kind=kind, state=State.ACTIVE)
        assert entry.id in {one.id for one in found}
        assert all(one.kind is kind for one in found)
    assert server not in parents.values()
    assert {one.kind for one in await world.identity.page()} == set(Kind)


@pytest.mark.req("R99")
@pytest.mark.parametrize("field", ["owner", "purpose", "environment", "key"])
async def test_nothing_is_active_without_each_field(uow: SqlUnitOfWork, field: str) -> None:
    world, owner, blueprint, _ = await office(uow)
    bare = await world.identity.register(
        Registration(
            kind=Kind.SERVICE_ACCOUNT if field != "key" else Kind.AGENT,
            name="half-bot",
            owner=None if field == "owner" else owner.id,
            purpose="" if field == "purpose" else "proof",
            environment=None if field == "environment" else Environment.PRODUCTION,
            blueprint=BlueprintId(blueprint.id) if field == "key" else None,
        ),
        by=world.admin,
        at=NOON,
    )
    with pytest.raises(ActivationIncomplete) as refused:
        await world.identity.activate(bare.id, by=world.admin, at=NOON)
    assert refused.value.codes == (f"{field}_missing",)
    assert (await world.identity.get(bare.id)).state is State.DRAFT


@pytest.mark.req("R99")
async def test_an_empty_draft_hears_every_missing_field_at_once(uow: SqlUnitOfWork) -> None:
    world = World(uow)
    stated = Registration(kind=Kind.BOT, name="empty")
    entry = await world.identity.register(stated, by=world.admin, at=NOON)
    with pytest.raises(ActivationIncomplete) as refused:
        await world.identity.activate(entry.id, by=world.admin, at=NOON)
    assert refused.value.missing == ("owner", "purpose", "environment")


@pytest.mark.req("R99")
async def test_the_fields_filter(uow: SqlUnitOfWork) -> None:
    world, owner, _, bot = await office(uow)
    assert [p.id for p in await world.identity.page(kind=Kind.AGENT, owner=owner.id)] == [bot.agent.id]
    assert await world.identity.page(environment=Environment.STAGING) == []
    first = await world.identity.page(limit=1)
    rest = await world.identity.page(after=first[0].id)
    assert first[0].id not in {p.id for p in rest}


@pytest.mark.req("R100")
async def test_a_unit_and_an_application_show_the_human(uow: SqlUnitOfWork) -> None:
    world, owner, _, _ = await office(uow)

    async def below(kind: Kind, name: str, above: Principal) -> Principal:
        stated = Registration(
            kind=kind, name=name, owner=above.id, purpose="p", environment=Environment.PRODUCTION
        )
        entry = await world.identity.register(stated, by=world.admin, at=NOON)
        return await world.identity.activate(entry.id, by=world.admin, at=NOON)

    unit = await below(Kind.BUSINESS_UNIT, "Finance", owner)
    application = await below(Kind.APPLICATION, "Payroll", unit)
    bot = await below(Kind.BOT, "pay-bot", application)
    found = await world.identity.owner_of(bot.id)
    assert found.chain == (application.id, unit.id, owner.id)
    assert found.human.id == owner.id
    with pytest.raises(OwnerLoop):
        await world.identity.change(unit.id, owner=application.id, by=world.admin, at=NOON)
    await world.identity.suspend(unit.id, by=world.admin, because="dissolved", at=NOON)
    with pytest.raises(OwnerMissing):
        await world.identity.owner_of(bot.id)
    assert isinstance(await verdict(uow, bot.id), Dead)


@pytest.mark.req("R100")
async def test_an_owner_must_exist_and_be_able_to_own(uow: SqlUnitOfWork) -> None:
    world, _, _, bot = await office(uow)
    for owner, error in ((PrincipalId("usr_nobody"), OwnerMissing), (bot.agent.id, OwnerUnfit)):
        with pytest.raises(error):
            await world.identity.register(
                Registration(kind=Kind.BOT, name="orphan", owner=owner), by=world.admin, at=NOON
            )


@pytest.mark.req("R100")
async def test_a_deputy_answers_when_the_owner_leaves(uow: SqlUnitOfWork) -> None:
    world, owner, _, bot = await office(uow)
    deputy = await world.human("deputy@company.com")
    await world.identity.change(owner.id, deputy=deputy.id, by=world.admin, at=NOON)
    await world.identity.suspend(owner.id, by=world.admin, because="left", at=NOON)
    found = await world.identity.owner_of(bot.agent.id)
    assert (found.human.id, found.by_deputy) == (deputy.id, True)
    assert isinstance(await verdict(uow, bot.agent.id), Alive)
    await world.identity.retire(deputy.id, by=world.admin, because="left too", at=NOON)
    assert isinstance(await verdict(uow, bot.agent.id), Dead)


@pytest.mark.req("R2")
async def test_two_instances_of_one_agent_differ(uow: SqlUnitOfWork) -> None:
    world, _, _, bot = await office(uow)
    key = world.fresh_key("second")
    second, credential = await world.credentials.instantiate(
        bot.agent.id, key.public.jwk(), by=world.admin, at=NOON
    )
    names = {spiffe_id(TRUST_DOMAIN, bot.agent.name, InstanceId(one.id)) for one in (bot.instance, second)}
    assert len(names) == 2
    assert credential.principal == second.id


@pytest.mark.req("R7")
async def test_a_key_of_another_agent_is_refused_for_ever_and_the_attempt_is_on_record(
    uow: SqlUnitOfWork,
) -> None:
    world, owner, blueprint, bot = await office(uow)
    other = await world.bot(blueprint, owner, "mail-bot")
    jwk = bot.private.public.jwk()
    with pytest.raises(SharedCredential) as refused:
        await world.credentials.register(other.instance.id, jwk, by=world.admin, at=NOON)
    assert refused.value.code == "shared_credential"
    assert await records(uow, "identity.credential.refused") == 1
    await world.credentials.revoke(bot.kid, by=world.admin, because="leaked", at=NOON)
    for holder in (other.agent.id, bot.instance.id):
        with pytest.raises(SharedCredential):
            await world.credentials.register(holder, jwk, by=world.admin, at=NOON)
    with pytest.raises(SharedCredential):
        await world.credentials.instantiate(other.agent.id, jwk, by=world.admin, at=NOON)
    live = await world.identity.page(kind=Kind.INSTANCE, state=State.ACTIVE)
    assert {one.id for one in live} == {bot.instance.id, other.instance.id}


@pytest.mark.req("R7")
async def test_of_many_agents_with_one_key_one_gets_it(uow: SqlUnitOfWork) -> None:
    world, _, _, bot = await office(uow)
    jwk = world.fresh_key("shared").public.jwk()

    async def attempt() -> bool:
        try:
            await world.credentials.instantiate(bot.agent.id, jwk, by=world.admin, at=NOON)
        except SharedCredential:
            return False
        return True

    assert sum(await asyncio.gather(*(attempt() for _ in range(16)))) == 1


@pytest.mark.req("R97")
@pytest.mark.promise("P1", "P12")
async def test_retiring_an_agent_ends_everything_below_it_in_one_commit(uow: SqlUnitOfWork) -> None:
    world, _, _, bot = await office(uow)
    token = IssuedToken(
        id=TokenId("tok_1"),
        tenant=DEFAULT_TENANT,
        principal=bot.instance.id,
        agent=AgentId(bot.agent.id),
        user=UserId("usr_1"),
        task=None,
        envelope=None,
        chain=(bot.instance_id,),
        audience="a",
        scopes=frozenset(),
        key=bot.private.public.thumbprint,
        generation=0,
        state=TokenState.ACTIVE,
        issued_at=NOON,
        expires_at=NOON + HOUR,
    )
    await uow.commit(lambda tx: tx.tokens.add(token))
    before = await uow.read(lambda tx: tx.epoch())
    assert isinstance(await verdict(uow, bot.instance.id), Alive)
    await world.identity.retire(bot.agent.id, by=world.admin, because="done", at=NOON)

    def look(tx: SqlTransaction) -> None:
        assert tx.epoch() > before
        for ident in (bot.agent.id, bot.instance.id, bot.kid, bot.private.public.thumbprint, token.id):
            assert tx.lineage.tombstone(ident) is not None, ident
        held = tx.tokens.get(token.id)
        assert held is not None
        assert held.state is TokenState.REVOKED
        assert [key.state for key in tx.credentials.of(bot.instance.id)] == [CredentialState.REVOKED]
        record = CredentialKeys(tx.credentials, tx.principals).find(bot.kid, KeyClass.CLIENT)
        assert record is not None
        assert not record.verifies(NOON)

    await uow.read(look)
    assert isinstance(await verdict(uow, bot.instance.id), Dead)
    assert await records(uow, "identity.principal.retired") == 2


@pytest.mark.promise("P12")
@pytest.mark.req("R97")
async def test_a_retired_name_is_free_and_a_retired_id_never(uow: SqlUnitOfWork) -> None:
    world, owner, blueprint, bot = await office(uow)
    with pytest.raises(NameTaken):
        await world.bot(blueprint, owner, bot.agent.name)
    await world.identity.retire(bot.agent.id, by=world.admin, because="done", at=NOON)
    again = await world.bot(blueprint, owner, bot.agent.name)
    assert again.agent.id != bot.agent.id
    for call in (world.identity.activate, world.identity.resume):
        with pytest.raises(IllegalTransition):
            await call(bot.agent.id, by=world.admin, at=NOON)
    with pytest.raises(IllegalTransition):
        await world.identity.change(bot.agent.id, purpose="again", by=world.admin, at=NOON)
    with pytest.raises(IllegalTransition):
        await world.credentials.register(
            bot.agent.id, world.fresh_key().public.jwk(), by=world.admin, at=NOON
        )
    with pytest.raises(ParentUnfit):
        await world.credentials.instantiate(
            bot.agent.id, world.fresh_key().public.jwk(), by=world.admin, at=NOON
        )
    old = replace(bot.agent, name="other", state=State.ACTIVE)
    assert not await uow.commit(lambda tx: tx.principals.add(old))


@pytest.mark.promise("P12")
async def test_resuming_does_not_bring_old_tokens_back(uow: SqlUnitOfWork) -> None:
    world, _, _, bot = await office(uow)
    await world.identity.suspend(bot.agent.id, by=world.admin, because="look", at=NOON)
    assert isinstance(await verdict(uow, bot.instance.id), Dead)
    await world.identity.resume(bot.agent.id, by=world.admin, at=NOON)
    assert isinstance(await verdict(uow, bot.instance.id), Alive)


@pytest.mark.req("R109")
async def test_agents_come_from_blueprints_and_stay_near_them(uow: SqlUnitOfWork) -> None:
    world, owner, blueprint, bot = await office(uow)
    with pytest.raises(NoBlueprint):
        await world.identity.register(
            Registration(kind=Kind.AGENT, name="snowflake", owner=owner.id), by=world.admin, at=NOON
        )
    with pytest.raises(BlueprintDeviation) as refused:
        await world.identity.register(
            Registration(
                kind=Kind.AGENT,
                name="stray",
                owner=owner.id,
                blueprint=BlueprintId(blueprint.id),
                environment=Environment.DEVELOPMENT,
                segments=frozenset({"HR"}),
            ),
            by=world.admin,
            at=NOON,
        )
    assert refused.value.fields == ("environment", "segments")
    assert await world.identity.drift_of(bot.agent.id) == ()
    await world.identity.change(blueprint.id, attributes=(("model", "m2"),), by=world.admin, at=NOON)
    assert [difference.field for difference in await world.identity.drift_of(bot.agent.id)] == [
        "attributes.model"
    ]


@pytest.mark.req("R109")
async def test_disabling_a_blueprint_disables_what_came_from_it(uow: SqlUnitOfWork) -> None:
    world, _, blueprint, bot = await office(uow)
    await world.identity.suspend(blueprint.id, by=world.admin, because="recall", at=NOON)
    found = await verdict(uow, bot.instance.id)
    assert isinstance(found, Dead)
    assert found.ident == blueprint.id
    record = await uow.read(
        lambda tx: CredentialKeys(tx.credentials, tx.principals).find(bot.kid, KeyClass.HOP)
    )
    assert record is not None
    assert not record.verifies(NOON)


async def test_rotation_kills_the_old_key_in_the_same_commit(uow: SqlUnitOfWork) -> None:
    world, _, _, bot = await office(uow)
    new = await world.credentials.rotate(
        bot.kid, world.fresh_key("new").public.jwk(), by=world.admin, at=NOON
    )
    states = {key.id: key.state for key in await world.credentials.of(bot.instance.id)}
    assert states == {bot.kid: CredentialState.REVOKED, new.id: CredentialState.ACTIVE}
    assert await uow.read(lambda tx: tx.lineage.tombstone(bot.kid)) is not None


async def test_what_is_not_there_is_not_found(uow: SqlUnitOfWork) -> None:
    world = World(uow)
    with pytest.raises(UnknownPrincipal):
        await world.identity.get(PrincipalId("agt_none"))
    with pytest.raises(UnknownPrincipal):
        await world.identity.find(Kind.AGENT, "none")


MAPPING = ToolMapping(action="business/rooms.book", resource=ResourceMapping(type="Room", pointer="/room"))


@pytest.mark.attack("MC-05")
async def test_a_changed_tool_is_out_until_a_person_approves_exactly_it(uow: SqlUnitOfWork) -> None:
    world, owner, _, _ = await office(uow)
    tools = ToolService(uow=uow, entropy=world.entropy, tenant=DEFAULT_TENANT)
    server = Server(
        id=ServerId("srv_business"),
        tenant=DEFAULT_TENANT,
        name="business",
        transport=Transport.STDIO,
        argv=("x",),
    )
    await tools.register_server(
        server, owner=owner.id, purpose="demo", environment=Environment.PRODUCTION, by=world.admin, at=NOON
    )
    first, second = {"name": "book", "description": "a"}, {"name": "book", "description": "b"}
    (pinned,) = await tools.pin(
        server.id, [Definition(name="book", definition=dict(first), mapping=MAPPING)], by=world.admin, at=NOON
    )
    assert pinned.pin is Pin.APPROVED
    assert (
        await tools.observe(server.id, [Seen(name="book", definition=dict(first))], by=world.admin, at=NOON)
        == []
    )
    (changed,) = await tools.observe(
        server.id, [Seen(name="book", definition=dict(second))], by=world.admin, at=NOON
    )
    assert (changed.pin, changed.definition) == (Pin.QUARANTINED, pinned.definition)
    await tools.observe(server.id, [Seen(name="book", definition=dict(first))], by=world.admin, at=NOON)
    (still,) = await tools.tools(server.id)
    assert still.pin is Pin.QUARANTINED
    await tools.observe(server.id, [Seen(name="book", definition=dict(second))], by=world.admin, at=NOON)
    from remit.identity.errors import DefinitionChanged

    with pytest.raises(DefinitionChanged):
        await tools.approve(pinned.id, definition=sha256(pinned.definition.encode()), by=owner.id, at=NOON)
    (shown,) = await tools.tools(server.id)
    approved = await tools.approve(
        pinned.id, definition=sha256(shown.seen_definition.encode()), by=owner.id, at=NOON
    )
    assert (approved.pin, approved.definition) == (Pin.APPROVED, shown.seen_definition)
    assert approved.digest != pinned.digest
    entry = await world.identity.get(PrincipalId(pinned.id))
    assert (entry.kind, entry.parent, entry.owner) == (Kind.TOOL, PrincipalId(server.id), owner.id)


async def test_a_tool_nobody_approved_enters_quarantined(uow: SqlUnitOfWork) -> None:
    world, owner, _, _ = await office(uow)
    tools = ToolService(uow=uow, entropy=world.entropy, tenant=DEFAULT_TENANT)
    server = Server(id=ServerId("srv_1"), tenant=DEFAULT_TENANT, name="git", transport=Transport.STDIO)
    await tools.register_server(
        server, owner=owner.id, purpose="demo", environment=Environment.PRODUCTION, by=world.admin, at=NOON
    )
    (found,) = await tools.observe(
        server.id, [Seen(name="log", definition={"name": "log"})], by=world.admin, at=NOON
    )
    assert (found.pin, found.consequential, found.mapping) == (Pin.QUARANTINED, True, None)


@pytest.mark.req("R8")
async def test_an_agents_ceiling_lies_inside_its_blueprints(uow: SqlUnitOfWork) -> None:
    from remit.authority.errors import Widened

    world, _, _, bot = await office(uow)
    with pytest.raises(Widened):
        await world.consents.set_ceiling(
            bot.agent.id, ceiling(right("business/refunds.pay")), by=world.admin, at=NOON
        )
    with pytest.raises(Widened):
        await world.consents.set_ceiling(
            bot.agent.id, ceiling(end=NOON + timedelta(days=900)), by=world.admin, at=NOON
        )
