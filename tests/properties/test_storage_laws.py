"""Fast paths of the store against slow, obvious ones: batches in haste, records as bytes."""

import asyncio
import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from remit.kernel.errors import Conflict
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.kernel.uow import Lane
from remit.ledger.encoding import encode_record, encode_records
from remit.ledger.record import Record
from remit.platform.storage.file_lock import FileLock
from remit.platform.storage.queued import Haste
from remit.platform.storage.sqlite import SqliteStore
from remit.platform.storage.tables import core
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork
from support.ledger import record
from support.stores import journals

ADD = insert(core.setting)
CLAIM = upsert(core.setting).on_conflict_do_nothing()
COUNT = select(func.count()).select_from(core.setting).where(core.setting.c.name == bindparam("named"))
ROWS = select(core.setting.c.name, core.setting.c.body).order_by(core.setting.c.name)
BODY = select(core.setting.c.body).where(core.setting.c.name == bindparam("named"))
CHANGE = update(core.setting).where(core.setting.c.name == bindparam("named")).values(body=bindparam("new"))

NAMES = st.sampled_from(["a", "b", "c", "\ud800"])
STEP = st.one_of(
    st.tuples(st.sampled_from(["later", "now", "claim", "hold", "count", "change", "look", "try"]), NAMES),
    st.tuples(st.sampled_from(["fail", "advance", "touch", "record", "nothing"]), st.just("")),
)


@dataclass(frozen=True)
class Scripted:
    """A work made of steps, by number so that its rows can be told apart."""

    number: int
    steps: tuple[tuple[str, str], ...]

    def __call__(self, tx: SqlTransaction) -> list[object]:
        return [self.step(tx, *step) for step in self.steps]

    def step(self, tx: SqlTransaction, what: str, name: str) -> object:
        row = {"tenant": tx.tenant, "name": name, "body": str(self.number)}
        steps: dict[str, Callable[[], object]] = {
            "later": lambda: tx.sql.later(ADD, row),
            "hold": lambda: tx.sql.later(ADD, {**row, "name": name + "#"}, under=name),
            "claim": lambda: tx.sql.claim(CLAIM, row, key=(tx.tenant, name)),
            "count": lambda: counting(tx, name),
            "now": lambda: tx.sql.run(ADD, row),
            "change": lambda: tx.sql.run(CHANGE, {"named": name, "new": f"by {self.number}"}),
            "look": lambda: looking(tx, name),
            "try": lambda: swallowing(tx, name),
            "fail": failing,
            "advance": lambda: tx.advance_epoch("test"),
            "touch": lambda: tx.touch("setting", str(self.number)),
            "record": lambda: tx.ledger.append(record(self.number)),
            "nothing": tx.epoch,
        }
        return steps[what]()


def failing() -> None:
    raise Conflict("no")


def looking(tx: SqlTransaction, name: str) -> list[object]:
    return [*(tx.sql.row(BODY, {"named": name}) or ())]


def counting(tx: SqlTransaction, name: str) -> int:
    """How many rows are held under this name: those that are written, and those that wait."""
    row = tx.sql.row_apart(COUNT, {"named": name + "#"})
    return (row[0] if row else 0) + len(tx.sql.waiting(ADD, under=name))


def swallowing(tx: SqlTransaction, name: str) -> object:
    """A work that goes on whatever its own question met."""
    try:
        return looking(tx, name)
    except Exception:  # noqa: BLE001  # that it catches everything is the point
        return "swallowed"


class NoHaste(Haste):
    """Savepoints for each work, and every row at once: the slow, obvious way."""

    def is_fit(self) -> bool:
        return False


class CarefulStore(SqliteStore):
    """A store that never hastes."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, lock=FileLock.take(path), journal=journals(Lane.NORMAL))
        self._haste = NoHaste()


class HastyStore(SqliteStore):
    """The store as it is."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, lock=FileLock.take(path), journal=journals(Lane.NORMAL))


def hearing(work: Scripted, answer: object) -> object:
    """An answer, or what class of error; any, where a row that no column takes waits while its work fails."""
    if not isinstance(answer, BaseException):
        return answer
    twice = any(name == "\ud800" for _, name in work.steps) and ("fail", "") in work.steps
    return "refused" if twice else type(answer)


async def told(store: SqliteStore, batches: Sequence[Sequence[Scripted]]) -> tuple[object, ...]:
    """What every caller heard, and what stands in the database at the end."""
    store.start()
    uow = SqlUnitOfWork(store, tenant=DEFAULT_TENANT)
    heard = []
    for works in batches:
        answers = await asyncio.gather(*map(uow.commit, works), return_exceptions=True)
        heard.append([hearing(*each) for each in zip(works, answers, strict=True)])
    stands = await uow.read(
        lambda tx: (
            tx.sql.rows(ROWS),
            tx.epoch(),
            tx.changes.since(0).things,
            list(tx.ledger.entries(0, tx.ledger.head().size)),
        )
    )
    await store.close()
    return (heard, *stands)


@given(st.lists(st.lists(st.lists(STEP, max_size=3).map(tuple), min_size=1, max_size=6), max_size=3))
@settings(max_examples=60, deadline=None)
def test_haste_tells_each_caller_what_care_would_and_leaves_the_same(
    sqlite_template: Path, scripts: list[list[tuple[tuple[str, str], ...]]]
) -> None:
    batches = [
        [Scripted(100 * place + number, steps) for number, steps in enumerate(works)]
        for place, works in enumerate(scripts)
    ]
    with tempfile.TemporaryDirectory() as folder:
        found = []
        for make in (HastyStore, CarefulStore):
            path = Path(folder) / f"{make.__name__}.db"
            shutil.copyfile(sqlite_template, path)
            found.append(asyncio.run(told(make(path), batches)))
    assert found[0] == found[1]


TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
PAIRS = st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple)
TEXTS = st.lists(TEXT, max_size=3).map(tuple)


def slowly(told: Record) -> bytes:
    """The one encoding by its definition: members in order, those at their default left out."""
    members = {}
    for field in structs.fields(Record):
        value = getattr(told, field.name)
        if value != field.default:
            members[field.name] = value
    members["at"] = told.at.isoformat().replace("+00:00", "Z")
    return json.dumps(members, ensure_ascii=False, separators=(",", ":")).encode()


@given(
    at=st.datetimes(timezones=st.just(UTC), min_value=datetime(1970, 1, 1), max_value=datetime(9000, 1, 1)),  # noqa: DTZ001
    texts=st.fixed_dictionaries({}, optional=dict.fromkeys(["user", "effect", "resource", "subject"], TEXT)),
    chain=TEXTS,
    codes=TEXTS,
    digests=PAIRS,
    detail=PAIRS,
    revision=st.integers(0, (1 << 63) - 1),
)
def test_a_record_is_encoded_by_its_definition(
    at: datetime, texts: dict[str, str], **members: object
) -> None:
    made = record(1, at=at, **texts, **members)  # type: ignore[arg-type]  # drawn by name
    assert encode_record(made) == slowly(made)


@given(st.lists(st.tuples(TEXT, TEXT), max_size=8))
def test_records_encoded_together_are_encoded_as_each_alone(texts: list[tuple[str, str]]) -> None:
    records = [
        structs.replace(record(number), resource=resource, purpose=purpose)
        for number, (resource, purpose) in enumerate(texts)
    ]
    assert encode_records(records) == [slowly(each) for each in records]
