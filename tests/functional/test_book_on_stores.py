"""The decision on real stores while others write, against the book: each answer at its recorded revision.

Deciders of two nodes ask at once, one of them with a view that follows late; a writer narrows ceilings, ends
people and tasks, changes tools, tuples and policy. Afterwards the book is asked in the order of the commits.
"""

import asyncio
import os
import secrets
from dataclasses import replace
from random import Random
from typing import Any

import pytest

from oracle import decision as oracle
from oracle.decision import Act
from remit.authority.tasks import TaskState
from remit.authority.tokens import VerifiedSubject
from remit.decision.answer.response import Decision
from remit.decision.call.request import ProposedCall
from remit.decision.making.draft import Draft, Prepared
from remit.decision.policy.admission import compile_bundle
from remit.decision.policy.bundle import PolicyVersion
from remit.decision.relation_service import RelationService, TupleWrite
from remit.decision.relations.dsl import parse_dsl
from remit.decision.repository import DecisionTransaction
from remit.decision.service import DecisionService
from remit.identity.lifecycle import State
from remit.kernel.canonical import sha256
from remit.kernel.ids import PrincipalId
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.snapshot import SnapshotKeeper
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork
from support.book import differs
from support.clock import NOON
from support.deciding import POLICY_KEYS, Desk, Minter, desk
from support.relations import tuples_of
from support.worlds import MODEL, TUPLES, Office

LONG = os.environ.get("REMIT_LONG") == "1"
ROUNDS, WIDTH = (400, 8) if LONG else (14, 8)
BY = PrincipalId("usr_owner")
OFFICE_SEEDS = (3, 8) if LONG else (3,)
pytestmark = [pytest.mark.timeout(7_200)] if LONG else []
BOOK = 'action == Remit::Action::"business/rooms.book"'
ALL = '@id("all") permit (principal, action, resource);'
FEW = f"""{ALL}
@id("b") @remember("booked by=user for=1h") permit (principal, {BOOK}, resource);
@id("few") forbid (principal, {BOOK}, resource) when {{ context.past.booked.user.count >= 6 }};
"""
LEAD = f"""
@id("rooms") permit (principal, action, resource is Remit::Room);
@id("lead") @approval("owner") permit (principal, {BOOK}, resource == Remit::Room::"Room-402");
"""
TEXTS = (ALL, FEW, LEAD)


class Noting(DecisionService):
    """Writes down what it commits, in the order of the commits: one writer serves both stores."""

    order: list[tuple[ProposedCall, Decision]]

    def _settle(self, tx: DecisionTransaction, draft: Draft, foreseen: Prepared | None) -> Decision:
        made = super()._settle(tx, draft, foreseen)
        self.order.append((draft.call, made))
        return made


async def node(uow: SqlUnitOfWork, order: list[tuple[ProposedCall, Decision]]) -> Noting:
    """A decision point with a view of its own, which moves only where a decision demands it."""
    keeper = SnapshotKeeper(uow, tenant=DEFAULT_TENANT, keys=POLICY_KEYS)
    await keeper.catch_up()
    made = Noting(uow=uow, snapshots=keeper, capabilities=Minter(), entropy=secrets.token_bytes, node="nod_x")
    made.order = order
    return made


class Writer:
    """Changes the store and the office alike, and knows what is true at each revision."""

    def __init__(self, made: Desk, office: Office, relations: RelationService, store: str) -> None:
        self.made, self.office, self.relations, self.store = made, office, relations, store
        self.facts: dict[int, Any] = {}

    async def note(self) -> None:
        snapshot = await self.made.keeper.catch_up()
        self.facts[snapshot.revision] = self.office.facts()

    async def publish(self, text: str) -> None:
        version = await self.made.policies.publish(text, by=BY, at=NOON)
        number = PolicyVersion(number=version.number, digest=sha256(text.encode()))
        self.office.bundle = compile_bundle(text, version=number)

    async def write(self) -> None:
        office, uow = self.office, self.made.uow
        match office.random.randrange(6):
            case 0 | 1:
                owner, limit = office.pick(sorted(office.ceilings)), office.ceiling()
                office.ceilings[owner] = limit
                await uow.commit(
                    lambda tx: self._put(tx, "ceiling", owner, tx.ceilings.put, owner, limit, NOON)
                )
            case 2:
                ident = office.pick(["usr_ada", "usr_bo", "agt_mail", "ins_mail"])
                was = office.people.get(PrincipalId(ident))
                if was is None:
                    return
                now = replace(was, state=office.pick([State.ACTIVE, State.ACTIVE, State.SUSPENDED]))
                office.people[was.id] = now
                await uow.commit(
                    lambda tx: self._put(tx, "principal", was.id, tx.principals.save, now, was=was.state)
                )
            case 3:
                tool = office.tools[office.pick(sorted(office.tools))]
                changed = replace(tool, digest=f"{office.random.getrandbits(256):064x}")
                office.tools[tool.id] = changed
                await uow.commit(lambda tx: self._put(tx, "tool", tool.id, tx.tools.put, changed))
            case 4:
                one = tuples_of(office.pick(TUPLES))[0]
                there = any(each.key == one.key for each in office.tuples)
                office.tuples = [each for each in office.tuples if each.key != one.key] + (
                    [] if there else [one]
                )
                change = TupleWrite(deletes=(one,)) if there else TupleWrite(writes=(one,))
                await self.relations.write(self.store, change, by=BY, at=NOON)
            case _:
                await self.publish(office.pick(TEXTS))
        await self.note()

    @staticmethod
    def _put(tx: SqlTransaction, kind: str, ident: str, put: Any, *values: Any, **more: Any) -> None:
        put(*values, **more)
        tx.touch(kind, ident)
        tx.advance_epoch("test")


async def started(uow: SqlUnitOfWork, seed: int) -> Writer:
    office = Office(Random(seed))  # noqa: S311 — what is asked, nothing secret
    office.people = {name: each for name, each in office.people.items() if each.state is not State.RETIRED}
    office.tasks = {name: replace(each, state=TaskState.RUNNING) for name, each in office.tasks.items()}
    made = await desk(uow, snapshot=office.snapshot(), policy=None)
    relations = RelationService(
        uow=uow, snapshots=made.keeper, entropy=secrets.token_bytes, tenant=DEFAULT_TENANT
    )
    store = (await relations.create_store("rooms", by=BY, at=NOON)).id
    await relations.write_model(store, parse_dsl(MODEL)[0], by=BY, at=NOON)
    await relations.write(store, TupleWrite(writes=tuple(office.tuples)), by=BY, at=NOON)
    await relations.enforce(store, by=BY, at=NOON)
    writer = Writer(made, office, relations, store)
    await writer.publish(TEXTS[1])
    await writer.note()
    return writer


def ours(office: Office) -> VerifiedSubject:
    """Somebody whom a token of this tenant names: a record of another's has no place in its log."""
    return replace(office.subject(), tenant=DEFAULT_TENANT)


@pytest.mark.req("R48", "R49", "R56", "N10", "N27")
@pytest.mark.attack("PD-15")
@pytest.mark.parametrize("seed", OFFICE_SEEDS)
async def test_with_writers_running_each_answer_is_that_of_its_revision(
    uow: SqlUnitOfWork, seed: int
) -> None:
    writer = await started(uow, seed)
    order: list[tuple[ProposedCall, Decision]] = []
    nodes = [await node(uow, order), await node(uow, order)]
    office, number = writer.office, 0
    for _ in range(ROUNDS):
        calls = [office.call(number + place, [ours(office)], NOON) for place in range(WIDTH)]
        number += WIDTH
        deciding = [nodes[place % 2].decide(each) for place, each in enumerate(calls)]
        await asyncio.gather(writer.write(), *deciding)
    wrong, past, effects = list[str](), list[Act](), set[str]()
    for asked, decided in order:
        verdict = decided.verdict
        said = oracle.decide(writer.facts[verdict.revision], asked, past)
        effects.add(said.effect)
        if found := differs(verdict, said):
            wrong.append(f"revision {verdict.revision}: {found}: {asked}")
        if said.effect == "permit":
            past.append(said.act)
    assert not wrong, "\n".join(wrong[:3])
    assert len({decided.id for _, decided in order}) == ROUNDS * WIDTH
    assert effects >= {"permit", "deny"}
