"""A restart forgets neither the latest moment nor the generation of the clock."""

from datetime import timedelta

import pytest

from remit.platform.storage.repositories.clock import ClockMark
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.clock import NOON


@pytest.mark.promise("P16")
async def test_a_mark_only_grows(uow: SqlUnitOfWork) -> None:
    assert await uow.read(lambda tx: tx.clock_marks.last()) is None
    later, new_era = ClockMark(NOON, 0), ClockMark(NOON - timedelta(hours=1), 1)
    for mark in (later, ClockMark(NOON - timedelta(days=1), 0)):
        await uow.commit(lambda tx, mark=mark: tx.clock_marks.mark("a", mark))  # type: ignore[misc]  # bound now
    assert await uow.read(lambda tx: tx.clock_marks.last()) == later
    await uow.commit(lambda tx: tx.clock_marks.mark("b", new_era))
    assert await uow.read(lambda tx: tx.clock_marks.last()) == new_era
    await uow.commit(lambda tx: tx.clock_marks.mark("a", later))
    assert await uow.read(lambda tx: tx.clock_marks.last()) == new_era
