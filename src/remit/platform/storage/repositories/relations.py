"""Relations over SQL: stores, models, tuples, and the changes that nodes follow."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import takewhile
from typing import Any, Final

import msgspec
from immutables import Map
from sqlalchemy import BigInteger, Select, and_, bindparam, delete, insert, select, tuple_, update

from remit.decision.relation_repository import (
    DatedChange,
    Key,
    RelationStore,
    StoredModel,
    StoredTuple,
    TupleFilter,
)
from remit.decision.relations.held import Change, HeldRelations, HeldStore
from remit.decision.relations.index import Index, TupleRow
from remit.decision.relations.model_json import read_model
from remit.decision.relations.plan import Plan
from remit.decision.relations.tuples import RelationTuple, TupleCondition
from remit.decision.relations.typesystem import TypeSystem
from remit.kernel.ids import TenantId
from remit.platform.storage.instants import micros, moment
from remit.platform.storage.sql import Row, Scalar, Sql
from remit.platform.storage.tables.relations import relation_change as c
from remit.platform.storage.tables.relations import relation_model as m
from remit.platform.storage.tables.relations import relation_store as s
from remit.platform.storage.tables.relations import relation_tuple as t

_ALL: Final = 1 << 62
_AT_ONCE: Final = 4_096
"""Tuples read in one go when all of them are."""
_AFTER_COLON: Final = ";"
"""The character after `:`, so that `order:` ≤ x < `order;` are all objects of one type."""

_count, _number = bindparam("count", type_=BigInteger), bindparam("this_number", type_=BigInteger)
_OURS = s.c.tenant == bindparam("ours")
_STORE = select(
    s.c.id, s.c.name, s.c.enforced, s.c.position, s.c.forgotten, s.c.created_at, s.c.updated_at
).where(_OURS)
_ONE_STORE = _STORE.where(s.c.id == bindparam("this"))
_STORES = _STORE.where(s.c.id > bindparam("after")).order_by(s.c.id).limit(_count)
_STORES_NAMED = _STORES.where(s.c.name == bindparam("this_name"))
_ENFORCED = select(s.c.id).where(_OURS, s.c.enforced == 1)
_ENFORCE = update(s).where(_OURS, s.c.id == bindparam("this")).values(enforced=1)
_ENFORCE_NONE = update(s).where(_OURS, s.c.enforced == 1).values(enforced=0)
_RESERVE = (
    update(s)
    .where(_OURS, s.c.id == bindparam("this"))
    .values(position=s.c.position + _count, updated_at=bindparam("now", type_=BigInteger))
)
_HAVE_FORGOTTEN = update(s).where(_OURS, s.c.id == bindparam("this")).values(forgotten=_number)
_ADD_STORE, _ADD_MODEL, _ADD_TUPLE, _ADD_CHANGE = insert(s), insert(m), insert(t), insert(c)
_CLEAR: Final = (
    delete(s).where(_OURS, s.c.id == bindparam("this")),
    *(
        delete(table).where(table.c.tenant == bindparam("ours"), table.c.store == bindparam("this"))
        for table in (m, t, c)
    ),
)


def _of_store(table: Any) -> Any:
    return and_(table.c.tenant == bindparam("ours"), table.c.store == bindparam("this"))


_MODEL = select(m.c.id, m.c.number, m.c.body).where(_of_store(m))
_ONE_MODEL = _MODEL.where(m.c.id == bindparam("this_model"))
_MODELS = _MODEL.where(m.c.number < _number).order_by(m.c.number.desc()).limit(_count)

_TUPLE = select(t.c.object, t.c.relation, t.c.user, t.c.condition, t.c.context, t.c.at).where(_of_store(t))
_KEY = and_(
    t.c.object == bindparam("this_object"),
    t.c.relation == bindparam("this_relation"),
    t.c.user == bindparam("this_user"),
)
_ONE_TUPLE = _TUPLE.where(_KEY)
_DROP = delete(t).where(_of_store(t), _KEY)
_PLACE: Final = (t.c.object, t.c.relation, t.c.user)
_AFTER = tuple_(*_PLACE) > tuple_(
    bindparam("last_object"), bindparam("last_relation"), bindparam("last_user")
)
_NEXT = _TUPLE.where(_AFTER)

_ALL_TUPLES = (
    select(t.c.object, t.c.relation, t.c.user, t.c.condition, t.c.context)
    .where(_of_store(t), _AFTER)
    .order_by(*_PLACE)
    .limit(_count)
)

_CHANGE = (
    select(c.c.number, c.c.object, c.c.relation, c.c.user, c.c.written, c.c.condition, c.c.context, c.c.at)
    .where(_of_store(c), c.c.number > _number, c.c.at >= bindparam("now", type_=BigInteger))
    .order_by(c.c.number)
    .limit(_count)
)
_OLDEST = select(c.c.number, c.c.at).where(_of_store(c)).order_by(c.c.number).limit(_count)
_FORGET = delete(c).where(_of_store(c), c.c.number <= _number)
_TYPED_CHANGE = _CHANGE.where(c.c.object >= bindparam("low"), c.c.object < bindparam("high"))


def _reading(*, typed: bool, exact: bool, relation: bool, user: bool) -> Select[Any]:
    found = _NEXT
    if typed:
        found = found.where(t.c.object >= bindparam("low"), t.c.object < bindparam("high"))
    if exact:
        found = found.where(t.c.object == bindparam("this_object"))
    if relation:
        found = found.where(t.c.relation == bindparam("this_relation"))
    if user:
        found = found.where(t.c.user == bindparam("this_user"))
    return found.order_by(*_PLACE).limit(_count)


_READS: Final = {
    (typed, exact, relation, user): _reading(typed=typed, exact=exact, relation=relation, user=user)
    for typed, exact in ((False, False), (True, False), (False, True))
    for relation in (False, True)
    for user in (False, True)
}


class SqlRelations:
    """Relations of one tenant."""

    def __init__(self, sql: Sql, tenant: TenantId) -> None:
        self._sql = sql
        self._tenant = tenant

    def stores(self, *, after: str = "", limit: int, name: str = "") -> Sequence[RelationStore]:
        """Stores in the order of their ids."""
        values: dict[str, Scalar] = {"ours": self._tenant, "after": after, "count": limit}
        if name:
            return [_store(row) for row in self._sql.rows(_STORES_NAMED, {**values, "this_name": name})]
        return [_store(row) for row in self._sql.rows(_STORES, values)]

    def store(self, ident: str) -> RelationStore | None:
        """One store."""
        row = self._sql.row(_ONE_STORE, self._of(ident))
        return None if row is None else _store(row)

    def enforced(self) -> str:
        """Id of the store that decisions look into; empty if none."""
        row = self._sql.row(_ENFORCED, {"ours": self._tenant})
        return "" if row is None else str(row[0])

    def add_store(self, store: RelationStore) -> None:
        """A new store."""
        self._sql.run(
            _ADD_STORE,
            {
                "tenant": self._tenant,
                "id": store.id,
                "name": store.name,
                "enforced": int(store.enforced),
                "position": store.position,
                "forgotten": store.forgotten,
                "created_at": micros(store.created_at),
                "updated_at": micros(store.updated_at),
            },
        )

    def remove_store(self, ident: str) -> None:
        """A store with all that is in it."""
        for statement in _CLEAR:
            self._sql.run(statement, self._of(ident))

    def enforce(self, ident: str) -> None:
        """Have decisions look into this store and no other; into none for an empty id."""
        self._sql.run(_ENFORCE_NONE, {"ours": self._tenant})
        if ident:
            self._sql.run(_ENFORCE, self._of(ident))

    def add_model(self, store: str, model: StoredModel, at: datetime) -> None:
        """A new model, the newest from now on."""
        self._sql.run(
            _ADD_MODEL,
            {
                "tenant": self._tenant,
                "store": store,
                "number": model.number,
                "id": model.id,
                "body": msgspec.json.encode(model.body).decode(),
                "created_at": micros(at),
            },
        )

    def newest_model(self, store: str) -> StoredModel | None:
        """The one in use where none is named."""
        return next(iter(self.models(store, before=_ALL, limit=1)), None)

    def model(self, store: str, ident: str) -> StoredModel | None:
        """One model."""
        row = self._sql.row(_ONE_MODEL, {**self._of(store), "this_model": ident})
        return None if row is None else _model(row)

    def models(self, store: str, *, before: int, limit: int) -> Sequence[StoredModel]:
        """Models with lower numbers, newest first."""
        values = {**self._of(store), "this_number": before, "count": limit}
        return [_model(row) for row in self._sql.rows(_MODELS, values)]

    def reserve(self, store: str, count: int, at: datetime) -> int:
        """Take the next numbers of changes; the first of them."""
        # INVARIANT: the store's row is held until the commit, so that numbers are seen in their order.
        self._sql.run(_RESERVE, {**self._of(store), "count": count, "now": micros(at)})
        found = self.store(store)
        if found is None:
            raise RuntimeError(f"store `{store}` went away in the transaction that holds it")
        return found.position - count + 1

    def get(self, store: str, key: Key) -> StoredTuple | None:
        """One tuple."""
        row = self._sql.row(_ONE_TUPLE, {**self._of(store), **_key(key)})
        return None if row is None else _stored(row)

    def put(self, store: str, changes: Iterable[Change], at: datetime) -> None:
        """Write and delete the tuples of changes, and remember the changes."""
        for change in changes:
            found, now = change.tuple, micros(at)
            place: dict[str, Scalar] = {"tenant": self._tenant, "store": store}
            place |= {"object": found.object, "relation": found.relation, "user": found.user}
            said = {**place, **_condition(found), "at": now}
            self._sql.run(_ADD_CHANGE, {**said, "number": change.number, "written": int(change.written)})
            if change.written:
                self._sql.run(_ADD_TUPLE, said)
            else:
                self._sql.run(_DROP, {**self._of(store), **_key(found.key)})

    def tuples(
        self, store: str, wanted: TupleFilter, *, after: Key | None, limit: int
    ) -> Sequence[StoredTuple]:
        """Tuples in the order of their keys."""
        typed = wanted.object.endswith(":")
        exact = bool(wanted.object) and not typed
        statement = _READS[typed, exact, bool(wanted.relation), bool(wanted.user)]
        last = after or ("", "", "")
        values: dict[str, Scalar] = {**self._of(store), "count": limit}
        values |= {"last_object": last[0], "last_relation": last[1], "last_user": last[2]}
        if typed:
            values |= _range(wanted.object[:-1])
        for name, value, given in (
            ("this_object", wanted.object, exact),
            ("this_relation", wanted.relation, bool(wanted.relation)),
            ("this_user", wanted.user, bool(wanted.user)),
        ):
            if given:
                values[name] = value
        return [_stored(row) for row in self._sql.rows(statement, values)]

    def changes(
        self, store: str, *, after: int, limit: int, type_: str = "", since: datetime | None = None
    ) -> Sequence[DatedChange]:
        """Changes with higher numbers, oldest first; those of objects of a type, if one is named."""
        values: dict[str, Scalar] = {**self._of(store), "this_number": after, "count": limit}
        values["now"] = 0 if since is None else micros(since)
        if type_:
            rows = self._sql.rows(_TYPED_CHANGE, {**values, **_range(type_)})
        else:
            rows = self._sql.rows(_CHANGE, values)
        return [_change(row) for row in rows]

    def forget_changes(self, before: datetime, limit: int) -> int:
        """Drop the oldest changes of each store; how many went."""
        return sum(self._forget(each.id, before, limit) for each in self.stores(limit=_ALL))

    def _forget(self, store: str, before: datetime, limit: int) -> int:
        end, rows = micros(before), self._sql.rows(_OLDEST, {**self._of(store), "count": limit})
        old = [int(number) for number, _ in takewhile(lambda row: row[1] < end, rows)]
        if old:
            last = {**self._of(store), "this_number": old[-1]}
            self._sql.run(_HAVE_FORGOTTEN, last)
            self._sql.run(_FORGET, last)
        return len(old)

    def held(self) -> HeldRelations:
        """Every store, whole."""
        found = {each.id: self.one_held(each) for each in self.stores(limit=_ALL)}
        return HeldRelations(all=Map(found), enforced=self.enforced())

    def one_held(self, store: RelationStore) -> HeldStore:
        """One store, whole."""
        held = HeldStore(
            id=store.id,
            name=store.name,
            position=store.position,
            index=Index.of_rows(self._whole(store.id)),
        )
        newest = self.newest_model(store.id)
        return held if newest is None else held.with_plan(newest.id, plan_of(newest))

    def _whole(self, store: str) -> Iterator[TupleRow]:
        """Every tuple in the order of their keys, some thousand at a time: all at once take half a GB."""
        last: Row = ("", "", "")
        while True:
            values = {**self._of(store), "count": _AT_ONCE}
            values |= {"last_object": last[0], "last_relation": last[1], "last_user": last[2]}
            rows = self._sql.rows(_ALL_TUPLES, values)
            for thing, relation, user, condition, context in rows:
                yield thing, relation, user, condition, msgspec.json.decode(context) if context else None
            if len(rows) < _AT_ONCE:
                return
            last = rows[-1]

    def _of(self, store: str) -> dict[str, Scalar]:
        return {"ours": self._tenant, "this": store}


def plan_of(model: StoredModel) -> Plan:
    """A stored model, ready; what was admitted once compiles always."""
    return Plan(TypeSystem.of(read_model(model.body)))


def _range(kind: str) -> dict[str, Scalar]:
    return {"low": f"{kind}:", "high": f"{kind}{_AFTER_COLON}"}


def _key(key: Key) -> dict[str, Scalar]:
    return {"this_object": key[0], "this_relation": key[1], "this_user": key[2]}


def _condition(found: RelationTuple) -> dict[str, Scalar]:
    condition = found.condition
    if condition is None:
        return {"condition": "", "context": ""}
    return {
        "condition": condition.name,
        "context": msgspec.json.encode(dict(condition.context)).decode() if condition.context else "",
    }


def _tuple(thing: str, relation: str, user: str, condition: str, context: str) -> RelationTuple:
    known = msgspec.json.decode(context) if context else {}
    return RelationTuple(
        user=user,
        relation=relation,
        object=thing,
        condition=TupleCondition(name=condition, context=known) if condition else None,
    )


def _stored(row: Row) -> StoredTuple:
    return StoredTuple(tuple=_tuple(row[0], row[1], row[2], row[3], row[4]), at=moment(int(row[5])))


def _change(row: Row) -> DatedChange:
    found = _tuple(row[1], row[2], row[3], row[5], row[6])
    change = Change(number=int(row[0]), tuple=found, written=row[4] == 1)
    return DatedChange(change=change, at=moment(int(row[7])))


def _model(row: Row) -> StoredModel:
    return StoredModel(id=row[0], number=int(row[1]), body=msgspec.json.decode(row[2]))


def _store(row: Row) -> RelationStore:
    return RelationStore(
        id=row[0],
        name=row[1],
        enforced=row[2] == 1,
        position=int(row[3]),
        forgotten=int(row[4]),
        created_at=moment(int(row[5])),
        updated_at=moment(int(row[6])),
    )
