"""The directory as lists, over every engine: a total order, honest counts, one tenant's own."""

from dataclasses import replace
from datetime import timedelta
from itertools import product

import pytest

from remit.app.console.inventory import Inventory
from remit.identity.inventory import Place, Sort, Wanted
from remit.identity.lifecycle import State
from remit.identity.principals import Environment, Kind, Principal
from remit.identity.service import IdentityService
from remit.kernel.ids import BlueprintId, PrincipalId, TenantId, mint_id, system_entropy
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.unit_of_work import SqlUnitOfWork, Store
from support.clock import NOON

ODD = ("a%b", "a_b", "A-upper", "zoé")
"""Names with what a pattern would take for itself."""


def entry(number: int, name: str = "", **changes: object) -> Principal:
    at = NOON + timedelta(seconds=number)
    made = Principal(
        id=PrincipalId(mint_id("agt", at=at, entropy=system_entropy)),
        tenant=DEFAULT_TENANT,
        kind=Kind.AGENT,
        name=name or f"bot-{number:03}",
        state=State.ACTIVE if number % 3 else State.SUSPENDED,
        owner=PrincipalId(f"usr_{number % 2}"),
        purpose="work",
        environment=Environment.PRODUCTION if number % 2 else Environment.STAGING,
        created_at=at,
        # Many of one moment, so that the order needs the id.
        changed_at=NOON + timedelta(seconds=number % 4),
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # fields of a principal by name


async def stocked(uow: SqlUnitOfWork) -> list[Principal]:
    made = [entry(number) for number in range(40)]
    made += [entry(100 + number, name) for number, name in enumerate(ODD)]

    def work(tx: object) -> None:
        for each in made:
            assert tx.principals.add(each)  # type: ignore[attr-defined]  # the one transaction

    await uow.commit(work)
    return made


def inventory(uow: SqlUnitOfWork) -> Inventory:
    identity = IdentityService(uow=uow, entropy=system_entropy, tenant=DEFAULT_TENANT)
    return Inventory(uow=uow, identity=identity)


async def walked(uow: SqlUnitOfWork, wanted: Wanted, sort: Sort, *, backwards: bool) -> list[Principal]:
    """Every page of seven, one behind the other."""
    shown: list[Principal] = []
    place: Place | None = None
    while True:
        leaf = await inventory(uow).page(wanted, sort=sort, backwards=backwards, after=place, limit=7)
        shown += [each.entry for each in leaf.found]
        place = leaf.beyond
        if place is None:
            return shown


@pytest.mark.parametrize(("sort", "backwards"), [*product(Sort, (False, True))])
async def test_pages_of_any_order_hold_every_entry_once(
    uow: SqlUnitOfWork, sort: Sort, *, backwards: bool
) -> None:
    made = await stocked(uow)
    key = {
        Sort.NAME: lambda each: (each.name, each.id),
        Sort.CHANGED: lambda each: (each.changed_at, each.id),
        Sort.ENTERED: lambda each: (each.id,),
    }[sort]
    expected = sorted(made, key=key, reverse=backwards)
    assert await walked(uow, Wanted(kind=Kind.AGENT), sort, backwards=backwards) == expected


async def test_what_is_wanted_narrows_and_nothing_in_it_is_a_pattern(uow: SqlUnitOfWork) -> None:
    made = await stocked(uow)

    async def names(**wanted: object) -> set[str]:
        asked = Wanted(kind=Kind.AGENT, **wanted)  # type: ignore[arg-type]  # fields by name
        return {each.name for each in await walked(uow, asked, Sort.NAME, backwards=False)}

    assert await names(text="%") == {"a%b"}
    assert await names(text="_") == {"a_b"}
    assert await names(text="UPPER") == {"A-upper"}
    assert await names(text="\\") == set()
    assert await names(text=made[5].id) == {made[5].name}
    assert await names(owner=PrincipalId("usr_1"), state=State.SUSPENDED) == {
        each.name for each in made if each.owner == "usr_1" and each.state is State.SUSPENDED
    }
    assert await names(environment=Environment.STAGING, text="bot-00") == {
        f"bot-00{n}" for n in (0, 2, 4, 6, 8)
    }
    assert await names(blueprint=BlueprintId("blu_none")) == set()


async def test_a_tally_counts_what_the_pages_show(uow: SqlUnitOfWork) -> None:
    made = await stocked(uow)
    for wanted in (Wanted(kind=Kind.AGENT), Wanted(kind=Kind.AGENT, text="bot", state=State.ACTIVE)):
        shown = await walked(uow, wanted, Sort.NAME, backwards=False)
        tally = await inventory(uow).tally(wanted)
        assert tally.count == len(shown)
        states = {each.value: each.count for each in tally.facets if each.field == "state"}
        assert sum(states.values()) == len(shown)
        owners = {each.value: each.count for each in tally.facets if each.field == "owner"}
        assert owners["usr_1"] == sum(each.owner == "usr_1" for each in shown)
    assert len(made) == 44


@pytest.mark.promise("P11")
async def test_lists_and_searches_hold_one_tenant_alone(uow: SqlUnitOfWork, store: Store) -> None:
    made = await stocked(uow)
    other = SqlUnitOfWork(store, tenant=TenantId("other"))
    assert await walked(other, Wanted(kind=Kind.AGENT), Sort.NAME, backwards=False) == []
    assert (await inventory(other).tally(Wanted(kind=Kind.AGENT))).count == 0
    assert not await other.read(lambda tx: tx.shelves.beginning("bot", owner=None, limit=5))
    assert await walked(other, Wanted(kind=Kind.AGENT, text=made[0].id), Sort.NAME, backwards=False) == []
    assert len(await uow.read(lambda tx: tx.shelves.beginning("bot", owner=None, limit=5))) == 5


async def test_a_name_is_found_by_its_beginning_until_it_is_retired(uow: SqlUnitOfWork) -> None:
    await uow.commit(
        lambda tx: [
            tx.principals.add(entry(1, "mail-bot")),
            tx.principals.add(entry(2, "mail-old", state=State.RETIRED)),
            tx.principals.add(entry(3, "mail-desk", kind=Kind.BLUEPRINT)),
        ]
    )
    found = await uow.read(lambda tx: tx.shelves.beginning("mail", owner=None, limit=9))
    assert {each.name for each in found} == {"mail-bot", "mail-desk"}
    own = await uow.read(lambda tx: tx.shelves.beginning("mail", owner=PrincipalId("usr_0"), limit=9))
    assert {each.name for each in own} == set()
