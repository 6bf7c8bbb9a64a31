"""A batch in haste gives each caller the answer, and leaves the rows, of one that runs with care."""

import asyncio
from collections.abc import Callable
from functools import partial

import pytest
from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from remit.kernel.errors import Conflict
from remit.ledger.encoding import MAX_ENTRY_SIZE, EntryTooLarge, MalformedEntry, decode_record
from remit.platform.storage.errors import AlreadyExists
from remit.platform.storage.queued import CAREFUL_BATCHES, CLAIMS_KEPT, Claims, Haste
from remit.platform.storage.tables import core
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork
from support.ledger import record

ADD = insert(core.setting)
CLAIM = upsert(core.setting).on_conflict_do_nothing()
BODY = select(core.setting.c.body).where(
    core.setting.c.tenant == bindparam("this"), core.setting.c.name == bindparam("named")
)
NAMES = select(core.setting.c.name).order_by(core.setting.c.name)
CHANGE = (
    update(core.setting)
    .where(core.setting.c.tenant == bindparam("this"), core.setting.c.name == bindparam("named"))
    .values(body=bindparam("new"))
)

Work = Callable[[SqlTransaction], object]


def add(tx: SqlTransaction, name: str) -> str:
    """A row that may wait for the end of its batch."""
    tx.sql.later(ADD, {"tenant": tx.tenant, "name": name, "body": "old"})
    return name


def add_now(tx: SqlTransaction, name: str) -> str:
    tx.sql.run(ADD, {"tenant": tx.tenant, "name": name, "body": "old"})
    return name


def claim(tx: SqlTransaction, name: str, *, body: str = "claimed") -> bool:
    row = {"tenant": tx.tenant, "name": name, "body": body}
    return tx.sql.claim(CLAIM, row, key=(tx.tenant, name))


def failing(tx: SqlTransaction, first: Work) -> None:
    first(tx)
    tx.touch("setting", "never")
    tx.ledger.append(record(99))
    raise Conflict("no")


def change(tx: SqlTransaction, name: str) -> int:
    return tx.sql.run(CHANGE, {"this": tx.tenant, "named": name, "new": "new"})


def look(tx: SqlTransaction, name: str) -> str:
    row = tx.sql.row(BODY, {"this": tx.tenant, "named": name})
    return "" if row is None else str(row[0])


async def all_of(uow: SqlUnitOfWork, *works: Work) -> list[object]:
    """What each of some works gave that share a commit, an error by its class."""
    found = await asyncio.gather(*map(uow.commit, works), return_exceptions=True)
    return [type(each) if isinstance(each, BaseException) else each for each in found]


async def names(uow: SqlUnitOfWork) -> list[str]:
    return [row[0] for row in await uow.read(lambda tx: tx.sql.rows(NAMES))]


@pytest.mark.parametrize("first", [add, add_now], ids=["later", "now"])
async def test_a_work_that_fails_after_writing_leaves_no_trace_in_the_others(
    uow: SqlUnitOfWork, first: Callable[..., object]
) -> None:
    broken = partial(failing, first=partial(first, name="b"))
    assert await all_of(uow, partial(add, name="a"), broken, partial(add_now, name="c")) == [
        "a",
        Conflict,
        "c",
    ]
    assert await names(uow) == ["a", "c"]
    assert (await uow.read(lambda tx: tx.changes.since(0))).things == ()
    assert await uow.read(lambda tx: tx.ledger.record(record(99).id)) is None


async def test_a_row_that_is_refused_at_the_end_is_the_error_of_its_own_work(uow: SqlUnitOfWork) -> None:
    await uow.commit(partial(add, name="taken"))
    works = [partial(add, name=name) for name in ("a", "taken", "b", "b", "c")]
    assert await all_of(uow, *works) == ["a", AlreadyExists, "b", AlreadyExists, "c"]
    assert await names(uow) == ["a", "b", "c", "taken"]


async def test_what_waits_is_seen_by_whoever_asks(uow: SqlUnitOfWork) -> None:
    def both(tx: SqlTransaction) -> str:
        add(tx, "mine")
        return look(tx, "mine")

    works: list[Work] = [partial(add, name="a"), partial(change, name="a"), partial(look, name="a"), both]
    assert await all_of(uow, *works) == ["a", 1, "new", "old"]


async def test_a_work_whose_waiting_rows_were_written_for_another_can_still_fail(uow: SqlUnitOfWork) -> None:
    def looks_then_fails(tx: SqlTransaction) -> None:
        add(tx, "b")
        look(tx, "a")
        raise Conflict("no")

    assert await all_of(uow, partial(add, name="a"), looks_then_fails, partial(add, name="c")) == [
        "a",
        Conflict,
        "c",
    ]
    assert await names(uow) == ["a", "c"]


async def test_a_value_that_no_column_takes_fails_its_own_work_alone(uow: SqlUnitOfWork) -> None:
    found = await all_of(uow, partial(add, name="a"), partial(add, name="\ud800"), partial(add, name="b"))
    assert (found[0], found[2]) == ("a", "b")
    assert isinstance(found[1], type)
    assert await names(uow) == ["a", "b"]


async def test_a_work_that_catches_everything_swallows_no_haste(uow: SqlUnitOfWork) -> None:
    """What spoils the batch passes a work that catches `Exception`; the second run gives the true answer."""

    def swallows(tx: SqlTransaction) -> str:
        try:
            return look(tx, "a")
        except Exception:  # noqa: BLE001  # that it catches everything is the point
            return "swallowed"

    await uow.commit(partial(add, name="a"))
    assert await all_of(uow, partial(add, name="a"), swallows) == [AlreadyExists, "old"]


async def test_of_all_who_claim_a_key_one_gets_it(uow: SqlUnitOfWork) -> None:
    assert await all_of(uow, *[partial(claim, name="a")] * 3, partial(claim, name="b")) == [
        True,
        False,
        False,
        True,
    ]
    assert not await uow.commit(partial(claim, name="b"))
    assert await names(uow) == ["a", "b"]


async def test_a_claim_of_a_key_that_was_there_is_refused_though_nobody_remembers_it(
    uow: SqlUnitOfWork,
) -> None:
    """The guess of haste was wrong: the database says so before the commit, and the batch runs with care."""
    await uow.commit(partial(add_now, name="old"))
    works: list[Work] = [partial(claim, name="a"), partial(claim, name="old"), partial(add, name="b")]
    assert await all_of(uow, *works) == [True, False, "b"]
    assert await uow.read(partial(look, name="old")) == "old"
    assert await names(uow) == ["a", "b", "old"]


async def test_a_key_whose_claimant_failed_can_be_claimed(uow: SqlUnitOfWork) -> None:
    broken = partial(failing, first=partial(claim, name="a"))
    assert await all_of(uow, broken, partial(claim, name="a")) == [Conflict, True]


async def test_a_record_that_cannot_be_encoded_fails_its_own_work_alone(uow: SqlUnitOfWork) -> None:
    """Records of a batch in haste are encoded together, at its end."""

    def append(tx: SqlTransaction, number: int, resource: str = "Room:1") -> int:
        tx.ledger.append(record(number, resource=resource))
        return number

    works: list[Work] = [
        partial(append, number=1),
        partial(append, number=2, resource="\ud800"),
        partial(append, number=3, resource="x" * MAX_ENTRY_SIZE),
        partial(append, number=4),
    ]
    assert await all_of(uow, *works) == [1, MalformedEntry, EntryTooLarge, 4]
    entries = await uow.read(lambda tx: list(tx.ledger.entries(0, tx.ledger.head().size)))
    assert [decode_record(each).id for each in entries] == [record(1).id, record(4).id]


def test_claims_forget_the_oldest_first() -> None:
    claims = Claims()
    assert claims.is_new(("a",))
    assert not claims.is_new(("a",))
    for number in range(CLAIMS_KEPT):
        claims.is_new((str(number),))
    assert not claims.is_new(("a",))
    for number in range(CLAIMS_KEPT):
        claims.is_new((f"more {number}",))
    assert claims.is_new(("a",))


def test_after_a_batch_that_ran_twice_many_run_with_care() -> None:
    haste = Haste()
    assert haste.is_fit()
    haste.spoiled()
    assert [haste.is_fit() for _ in range(CAREFUL_BATCHES + 1)] == [False] * CAREFUL_BATCHES + [True]
