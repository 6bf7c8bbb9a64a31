"""Relations in a snapshot: read whole once, then carried along by the changes of each store."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from remit.decision.relations.held import Change, HeldRelations, HeldStore
from remit.decision.relations.plan import Plan
from remit.kernel.ids import TenantId
from remit.platform.storage.repositories.relations import SqlRelations, plan_of
from remit.platform.storage.sql import Sql

KIND = "relations"
"""What a change of anything in a store touches; its id is the store's."""
_ALL = 1 << 62


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """How one store goes on: either it is read whole, or further changes and perhaps a newer model."""

    whole: HeldStore | None = None
    changes: Sequence[Change] = ()
    model: str = ""
    plan: Plan | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationSteps:
    """How the stores of a tenant go on; None for a store that is gone."""

    enforced: str
    steps: Mapping[str, Step | None]


def read_whole(sql: Sql, tenant: TenantId) -> HeldRelations:
    """Every store, from one view."""
    return SqlRelations(sql, tenant).held()


def read_on(sql: Sql, tenant: TenantId, known: HeldRelations, stores: Iterable[str]) -> RelationSteps:
    """What is new in these stores, from one view."""
    kept = SqlRelations(sql, tenant)
    steps = {ident: _step(kept, ident, known.all.get(ident)) for ident in stores}
    return RelationSteps(enforced=kept.enforced(), steps=steps)


def _step(kept: SqlRelations, ident: str, known: HeldStore | None) -> Step | None:
    store = kept.store(ident)
    if store is None:
        return None
    if known is None or known.position < store.forgotten:
        # What came in between can't be read any more.
        return Step(whole=kept.one_held(store))
    changes = [each.change for each in kept.changes(ident, after=known.position, limit=_ALL)]
    newest = kept.newest_model(ident)
    if newest is None or newest.id == known.model:
        return Step(changes=changes)
    return Step(changes=changes, model=newest.id, plan=plan_of(newest))


def carried(known: HeldRelations, read: RelationSteps) -> HeldRelations:
    """The stores after their steps. OWNED BY: the event loop, as new names are taken into the index here."""
    stores = known.all.mutate()
    for ident, step in read.steps.items():
        if step is not None:
            stores[ident] = _moved(stores.get(ident), step)
        elif ident in stores:
            del stores[ident]
    return HeldRelations(all=stores.finish(), enforced=read.enforced)


def _moved(before: HeldStore | None, step: Step) -> HeldStore:
    if step.whole is not None or before is None:
        if step.whole is None:
            raise RuntimeError("a store that is not known is read whole")
        return step.whole
    after = before.moved(step.changes)
    return after if step.plan is None else after.with_plan(step.model, step.plan)
