"""Auditors and recorders that lack one rule each."""

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import structs

from remit.ledger.checkpoint import Checkpoint
from remit.ledger.merkle import Hash
from remit.ledger.record import Content, Record
from remit.ledger.verify import ExportVerifier
from remit.platform.storage.errors import StorageFull
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork


class BlindToTree(ExportVerifier):
    """AU-01, AU-02, AU-04: counts nothing and rebuilds no tree; each entry meets the hash beside it."""

    def judge_count(self, count: int) -> None:
        """Takes whatever number there is."""

    def judge_root(self, leaves: Sequence[Hash], heads: Sequence[tuple[Checkpoint, str]]) -> None:
        """Checks nothing."""


class BlindToJoins(ExportVerifier):
    """AU-19: each record for itself."""

    def judge_joins(self) -> None:
        """Joins nothing."""


class InTheClear:
    """AU-09: a recorder that writes texts where they belong to the record for ever."""

    def __init__(self, tx: SqlTransaction) -> None:
        self._tx = tx

    def append(self, told: Record, contents: Sequence[Content]) -> None:
        detail = tuple((each.name, each.text) for each in contents)
        self._tx.ledger.append(structs.replace(told, detail=(*told.detail, *detail)))


class Failed(Exception):
    """A work that does not come to its end."""


class Ahead:
    """AU-18: places are given out when they are asked for, whatever becomes of the work."""

    def __init__(self) -> None:
        self._last = -1

    def next(self) -> int:
        self._last += 1
        return self._last


class DiskFull:
    """AU-10: a unit of work in which nothing can be recorded; `told` says whether anybody hears of it."""

    def __init__(self, uow: SqlUnitOfWork, *, told: bool) -> None:
        self._uow, self._told = uow, told

    async def commit(self, work: Callable[[Any], Any], **options: Any) -> Any:
        return await self._uow.commit(lambda tx: work(_DiskFull(tx, told=self._told)), **options)

    async def read(self, work: Callable[[Any], Any]) -> Any:
        return await self._uow.read(work)


class _DiskFull(SqlTransaction):
    def __init__(self, tx: SqlTransaction, *, told: bool) -> None:
        super().__init__(tx._batch, tx.tenant)
        self._told = told

    @property
    def ledger(self) -> Any:
        return _Nowhere(told=self._told)


class _Nowhere:
    def __init__(self, *, told: bool) -> None:
        self._told = told

    def append(self, *_: object) -> None:
        if self._told:
            raise StorageFull("no space left for the record")
