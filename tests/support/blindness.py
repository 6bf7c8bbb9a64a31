"""Ways to leave a defence of the kill switch out, through composition: for twins alone."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from remit.app.ground import Ground
from remit.app.planes import planes
from remit.app.services import Services, build
from remit.authority.alive import TaskLife
from remit.authority.tasks import TaskState
from remit.decision.facts.snapshot import Snapshot
from remit.kernel.uow import Lane
from remit.oversight.containment.service import ContainmentService
from remit.platform.storage.snapshot import SnapshotKeeper
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork

T = TypeVar("T")


class CutOff(SnapshotKeeper):
    """A node's view that stops following as soon as `frozen` is set: a partition that lasts."""

    def __init__(self, inner: SnapshotKeeper) -> None:
        self._inner = inner
        self.frozen: Snapshot | None = None

    def freeze(self) -> None:
        self.frozen = self._inner.current()

    def current(self) -> Snapshot:
        return self.frozen or self._inner.current()

    async def catch_up(self, at_least: int | None = None) -> Snapshot:
        return self.frozen or await self._inner.catch_up(at_least)


class Veiled:
    """A transaction that shows some things otherwise than they are."""

    def __init__(self, tx: SqlTransaction, shown: dict[str, Callable[[SqlTransaction], Any]]) -> None:
        self._tx = tx
        self._shown = shown

    def __getattr__(self, name: str) -> Any:
        return self._shown[name](self._tx) if name in self._shown else getattr(self._tx, name)


class VeiledWork(SqlUnitOfWork):
    """Units of work over veiled transactions."""

    def __init__(self, inner: SqlUnitOfWork, **shown: Callable[[SqlTransaction], Any]) -> None:
        self._inner = inner
        self._shown = shown

    async def commit(self, work: Any, *, lane: Lane = Lane.NORMAL) -> Any:
        return await self._inner.commit(lambda tx: work(Veiled(tx, self._shown)), lane=lane)

    async def read(self, work: Any) -> Any:
        return await self._inner.read(lambda tx: work(Veiled(tx, self._shown)))


class NobodyDies:
    """A graveyard without graves."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def tombstone(self, ident: str) -> None:
        return None

    def life_of(self, task: Any) -> TaskLife | None:
        found: TaskLife | None = self._inner.life_of(task)
        return None if found is None else replace(found, state=TaskState.RUNNING)


def cut_off(ground: Ground) -> tuple[Services, CutOff]:
    """Services whose enforcement point can be cut off; kills are confirmed by a point that is not."""
    point = CutOff(ground.snapshots)
    return seeing(ground, replace(ground, snapshots=point)), point


def seeing(ground: Ground, as_seen: Ground) -> Services:
    """Services that see the ground as given, but for the kill switch, which sees it as it is."""
    services = build(as_seen)
    true = planes(
        work=ground.work,
        clock=ground.clock,
        snapshots=ground.snapshots,
        approvals=services.approvals,
        grants=services.oauth.token.grant_types,
    )
    containment = ContainmentService(
        work=ground.work, planes=true, clock=ground.clock, entropy=ground.entropy
    )
    return replace(services, containment=containment)
