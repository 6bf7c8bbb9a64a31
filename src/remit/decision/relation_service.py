"""Stores, models and tuples: changed in one unit of work each, asked of what this node holds in memory."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeVar

from msgspec import structs

from remit.decision.facts.snapshot import Snapshot, Snapshots
from remit.decision.relation_repository import (
    DatedChange,
    Key,
    RelationStore,
    RelationTransaction,
    StoredModel,
    StoredTuple,
    TupleFilter,
)
from remit.decision.relations.admission import admit_write
from remit.decision.relations.errors import (
    ContinuationForgotten,
    EntitiesExceeded,
    ModelMissing,
    ModelUnknown,
    RequestInvalid,
    StoreUnknown,
    TuplesDuplicate,
    WriteEmpty,
    WriteRefused,
)
from remit.decision.relations.graph import Graph
from remit.decision.relations.held import Change, HeldStore
from remit.decision.relations.model import AuthorizationModel, Difference, parts
from remit.decision.relations.model_json import read_model, write_model
from remit.decision.relations.plan import Plan
from remit.decision.relations.tuples import RelationTuple, malformed
from remit.decision.relations.typesystem import TypeSystem
from remit.decision.relations.ulid import is_ulid, next_ulid
from remit.kernel.canonical import canonical_json, sha256
from remit.kernel.errors import Conflict
from remit.kernel.ids import Entropy, PrincipalId, RecordId, TenantId, mint_id
from remit.kernel.uow import UnitOfWork
from remit.ledger.record import Content, Record

KIND: Final = "relations"
WRITE_LIMIT: Final = 100
"""Tuples of one write, deletes included."""
_PLANS: Final = 64
_LAST: Final = 1 << 62
T = TypeVar("T")


class StoreEnforced(Conflict):
    """Decisions look into this store: name another one first."""

    code = "relation_store_enforced"


@dataclass(frozen=True, slots=True, kw_only=True)
class TupleWrite:
    """Tuples to write and to delete together; `lenient` ones are passed over where it is so already."""

    writes: tuple[RelationTuple, ...] = ()
    deletes: tuple[RelationTuple, ...] = ()
    model: str = ""
    lenient_writes: bool = False
    lenient_deletes: bool = False


class RelationService:
    """The relations of one tenant."""

    def __init__(
        self,
        *,
        uow: UnitOfWork[RelationTransaction],
        snapshots: Snapshots,
        entropy: Entropy,
        tenant: TenantId,
    ) -> None:
        self._uow = uow
        self._snapshots = snapshots
        self._entropy = entropy
        self._tenant = tenant
        self._plans: dict[tuple[str, str], Plan] = {}

    async def create_store(self, name: str, *, by: PrincipalId, at: datetime) -> RelationStore:
        """A new store, empty and without a model."""
        store = RelationStore(
            id=next_ulid(at, self._entropy),
            name=name,
            enforced=False,
            position=0,
            created_at=at,
            updated_at=at,
        )

        def work(tx: RelationTransaction) -> None:
            tx.relations.add_store(store)
            self._changed(tx, self._record("decision.store.created", store.id, by, at), ())

        await self._commit(work)
        return store

    async def remove_store(self, ident: str, *, by: PrincipalId, at: datetime) -> None:
        """A store with all that is in it; raises `StoreUnknown`, `StoreEnforced`."""

        def work(tx: RelationTransaction) -> None:
            if _known(tx, ident).enforced:
                raise StoreEnforced(f"decisions look into store `{ident}`")
            tx.relations.remove_store(ident)
            self._changed(tx, self._record("decision.store.removed", ident, by, at), ())

        await self._commit(work)

    async def stores(self, *, after: str = "", limit: int, name: str = "") -> Sequence[RelationStore]:
        """Stores in the order of their making."""
        return await self._uow.read(lambda tx: tx.relations.stores(after=after, limit=limit, name=name))

    async def store(self, ident: str) -> RelationStore:
        """One store; raises `StoreUnknown`."""
        return await self._uow.read(lambda tx: _known(tx, ident))

    async def enforce(self, ident: str, *, by: PrincipalId, at: datetime) -> None:
        """Have decisions look into this store, from the next one on; into none for an empty id."""

        def work(tx: RelationTransaction) -> None:
            if ident:
                _known(tx, ident)
            before = tx.relations.enforced()
            tx.relations.enforce(ident)
            # What was related in the one store need not be in the other.
            tx.advance_epoch(KIND)
            self._changed(tx, self._record("decision.store.enforced", ident or before, by, at), ())

        await self._commit(work)

    async def write_model(
        self, store: str, model: AuthorizationModel, *, by: PrincipalId, at: datetime
    ) -> str:
        """A new model, in use from now on; its id. Raises `ModelRefused`, `StoreUnknown`."""
        plan, body = Plan(TypeSystem.of(model)), write_model(model)

        def work(tx: RelationTransaction) -> str:
            known, newest = _known(tx, store), tx.relations.newest_model(store)
            ident = next_ulid(at, self._entropy, after=newest.id if newest else "")
            number = newest.number + 1 if newest else 1
            tx.relations.add_model(store, StoredModel(id=ident, number=number, body=body), at)
            if known.enforced:
                tx.advance_epoch(KIND)
            said = self._record("decision.model.written", store, by, at)
            digest = sha256(canonical_json(body))
            self._changed(
                tx, structs.replace(said, digests=(("model", digest),), detail=(("model", ident),)), ()
            )
            return ident

        ident = await self._commit(work)
        self._remember(store, ident, plan)
        return ident

    async def models(self, store: str, *, before: int = _LAST, limit: int) -> Sequence[StoredModel]:
        """Models, newest first; raises `StoreUnknown`."""
        return await self._uow.read(
            lambda tx: tx.relations.models(_known(tx, store).id, before=before, limit=limit)
        )

    async def model(self, store: str, ident: str) -> StoredModel:
        """One model; raises `StoreUnknown`, `ModelUnknown`."""
        return await self._uow.read(lambda tx: _model(tx, _known(tx, store).id, ident))

    async def write(self, store: str, wanted: TupleWrite, *, by: PrincipalId, at: datetime) -> int:
        """Write and delete together or not at all; how many tuples that changed.

        Raises what OpenFGA refuses of a write, each under its code.
        """
        _refuse_misshapen(wanted)
        changed = await self._commit(lambda tx: self._write(tx, store, wanted, by=by, at=at))
        return len(changed)

    async def read(
        self, store: str, wanted: TupleFilter, *, after: Key | None = None, limit: int
    ) -> Sequence[StoredTuple]:
        """Tuples as they are stored; nothing is evaluated. Raises `StoreUnknown`."""
        return await self._uow.read(
            lambda tx: tx.relations.tuples(_known(tx, store).id, wanted, after=after, limit=limit)
        )

    async def changes(
        self, store: str, *, after: int, limit: int, type_: str = "", since: datetime | None = None
    ) -> Sequence[DatedChange]:
        """Changes, oldest first, of those that are kept; `after` is 0 to begin with the first of them.

        Raises `StoreUnknown`, and `ContinuationForgotten` where some after that number are not kept any more.
        """

        def work(tx: RelationTransaction) -> Sequence[DatedChange]:
            known = _known(tx, store)
            if 0 < after < known.forgotten:
                raise ContinuationForgotten(
                    f"changes up to number {known.forgotten} are kept no more, {after} was the last read",
                    next_step="read the tuples of the store, then its changes from the beginning",
                )
            return tx.relations.changes(known.id, after=after, limit=limit, type_=type_, since=since)

        return await self._uow.read(work)

    async def graph(self, store: str, *, model: str = "", fresh: bool = False) -> Graph:
        """A model over the tuples that this node holds; with `fresh` over all that was committed by now.

        Raises `StoreUnknown`, `ModelMissing`, `ModelUnknown`.
        """
        snapshot = await self._snapshots.catch_up() if fresh else self._snapshots.current()
        held = snapshot.stores.all.get(store)
        if held is None or held.graph is None or (model and model != held.model):
            # What this node does not hold yet may have been committed elsewhere.
            held = _held(await self._snapshots.catch_up(), store)
        if held.graph is None:
            raise ModelMissing(f"store `{store}` has no authorization model")
        if not model or model == held.model:
            return held.graph
        return Graph(await self._plan(store, model), held.index)

    async def in_force(self) -> str:
        """Id of the store that decisions look into; raises `StoreUnknown` where there is none."""
        enforced = (await self._snapshots.catch_up()).stores.enforced
        if not enforced:
            raise StoreUnknown("decisions look into no store", next_step="remit relation enforce <store>")
        return enforced

    def _write(
        self, tx: RelationTransaction, store: str, wanted: TupleWrite, *, by: PrincipalId, at: datetime
    ) -> tuple[Change, ...]:
        known = _known(tx, store)
        system = self._system(tx, store, wanted.model) if wanted.writes or wanted.model else None
        if system is not None:
            for found in wanted.writes:
                admit_write(system, found)
        count = len(wanted.writes) + len(wanted.deletes)
        first = tx.relations.reserve(store, count, at)
        new = [(each, True) for each in wanted.writes if self._comes(tx, store, each, wanted)]
        gone = [(each, False) for each in wanted.deletes if self._goes(tx, store, each, wanted)]
        changes = tuple(
            Change(number=first + place, tuple=found, written=written)
            for place, (found, written) in enumerate((*gone, *new))
        )
        if changes:
            tx.relations.put(store, changes, at)
            if known.enforced and (gone or system is None or _excludes(system)):
                tx.advance_epoch(KIND)  # Authority may have shrunk.
            said, told = self._record("decision.relation.written", store, by, at), _told(changes)
            detail = (("written", str(len(new))), ("deleted", str(len(gone))))
            digests = (("tuples", sha256(told.encode())),)
            content = Content(name="tuples", subject=by, text=told)
            self._changed(tx, structs.replace(said, digests=digests, detail=detail), (content,))
        return changes

    def _comes(self, tx: RelationTransaction, store: str, found: RelationTuple, wanted: TupleWrite) -> bool:
        there = tx.relations.get(store, found.key)
        if there is None:
            return True
        if wanted.lenient_writes and there.tuple == found:
            return False
        differs = " with another condition" if wanted.lenient_writes else ""
        raise WriteRefused(f"cannot write a tuple which already exists{differs}: {_spelled(found)}")

    def _goes(self, tx: RelationTransaction, store: str, found: RelationTuple, wanted: TupleWrite) -> bool:
        if tx.relations.get(store, found.key) is not None:
            return True
        if wanted.lenient_deletes:
            return False
        raise WriteRefused(f"cannot delete a tuple which does not exist: {_spelled(found)}")

    def _system(self, tx: RelationTransaction, store: str, model: str) -> TypeSystem:
        if model:
            found = _model(tx, store, model)
        else:
            newest = tx.relations.newest_model(store)
            if newest is None:
                raise ModelMissing(f"store `{store}` has no authorization model")
            found = newest
        return self._compiled(store, found).system

    async def _plan(self, store: str, model: str) -> Plan:
        known = self._plans.get((store, model))
        if known is not None:
            return known
        return self._compiled(store, await self.model(store, model))

    def _compiled(self, store: str, found: StoredModel) -> Plan:
        known = self._plans.get((store, found.id))
        if known is None:
            known = Plan(TypeSystem.of(read_model(found.body)))
            self._remember(store, found.id, known)
        return known

    def _remember(self, store: str, model: str, plan: Plan) -> None:
        if len(self._plans) >= _PLANS:
            self._plans.clear()
        self._plans[store, model] = plan

    async def _commit(self, work: Callable[[RelationTransaction], T]) -> T:
        done = await self._uow.commit(work)
        # Whoever wrote sees it on this node at once, as with OpenFGA.
        await self._snapshots.catch_up()
        return done

    def _changed(self, tx: RelationTransaction, record: Record, contents: Iterable[Content]) -> None:
        tx.touch(KIND, record.subject)
        tx.ledger.append(record, tuple(contents))

    def _record(self, kind: str, store: str, by: PrincipalId, at: datetime) -> Record:
        return Record(
            id=RecordId(mint_id("rec", at=at, entropy=self._entropy)),
            at=at,
            tenant=self._tenant,
            kind=kind,
            actor=by,
            subject=store,
        )


def _known(tx: RelationTransaction, ident: str) -> RelationStore:
    found = tx.relations.store(ident) if is_ulid(ident) else None
    if found is None:
        raise StoreUnknown(f"store `{ident[:64]}` not found")
    return found


def _held(snapshot: Snapshot, store: str) -> HeldStore:
    found = snapshot.stores.all.get(store)
    if found is None:
        raise StoreUnknown(f"store `{store[:64]}` not found")
    return found


def _model(tx: RelationTransaction, store: str, ident: str) -> StoredModel:
    found = tx.relations.model(store, ident) if is_ulid(ident) else None
    if found is None:
        raise ModelUnknown(f"authorization model `{ident[:64]}` not found")
    return found


def _refuse_misshapen(wanted: TupleWrite) -> None:
    whole = (*wanted.writes, *wanted.deletes)
    if not whole:
        raise WriteEmpty("a write names no tuple")
    if len(whole) > WRITE_LIMIT:
        raise EntitiesExceeded(f"{len(whole)} tuples in one write, of at most {WRITE_LIMIT}")
    seen: set[Key] = set()
    for found in whole:
        if found.key in seen:
            raise TuplesDuplicate(f"duplicate tuple in request: {_spelled(found)}")
        seen.add(found.key)
    for found in wanted.deletes:
        if fault := malformed(found):
            raise RequestInvalid(f"tuple `{found}`: {fault}")


def _excludes(system: TypeSystem) -> bool:
    """Whether a tuple that comes can take something away."""
    return any(
        isinstance(part, Difference)
        for _, relation in system.definitions()
        for part in parts(relation.rewrite)
    )


def _told(changes: Iterable[Change]) -> str:
    return "\n".join(f"{'+' if each.written else '-'} {each.tuple}" for each in changes)


def _spelled(found: RelationTuple) -> str:
    return f"user: '{found.user}', relation: '{found.relation}', object: '{found.object}'"
