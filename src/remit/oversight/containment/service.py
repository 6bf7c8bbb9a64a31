"""The kill switch: one transaction stops, every plane confirms, and only then is it done (R33, R96)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from remit.kernel.clock import Clock
from remit.kernel.errors import RemitError
from remit.kernel.events import Event
from remit.kernel.ids import Entropy, EventId, KillId, PrincipalId, RecordId, TenantId, mint_id
from remit.kernel.uow import Lane, UnitOfWork
from remit.ledger.record import Record
from remit.oversight.containment.kill import Kill, KillState, PlaneReport, Reach, Target
from remit.oversight.errors import NoSuchKill, NoSuchTarget
from remit.oversight.repository import OversightTransaction


class Plane(Protocol):
    """One place where things are stopped; bound in `app`."""

    @property
    def name(self) -> str:
        """The word that the result shows: `identity`, `issuance`, `tokens`, `enforcement`, `approvals`."""

    async def confirm(self, kill: Kill) -> str:
        """Stop what the kill reaches on this plane, prove it, and say in a few words what was stopped.

        Idempotent: it is called again until it returns. Raises a `RemitError` if it can't confirm.
        """


class ContainmentService:
    """Kills by agent, instance, task, chain, user, blueprint or tool, with all that descends from them."""

    def __init__(
        self,
        *,
        work: UnitOfWork[OversightTransaction],
        planes: Sequence[Plane],
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._work = work
        self._planes = planes
        self._clock = clock
        self._entropy = entropy

    async def kill(self, target: Target, *, tenant: TenantId, by: PrincipalId, reason: str) -> Kill:
        """Stop a target everywhere; returns once every plane has answered, confirmed or not.

        The commit is the stop: from then on no transaction mints, exchanges, approves or consumes for the
        target. What the planes add is proof, and the end of what was already open.
        """
        started = self._clock.boottime()
        committed = await self._commit(target, tenant=tenant, by=by, reason=reason)
        return await self._confirm(committed, since=started)

    async def retry_unfinished(self) -> int:
        """Ask the planes of unfinished kills again; returns how many are still unfinished."""
        unfinished = await self._work.read(lambda tx: tuple(tx.kills.unfinished()))
        results = [await self._confirm(kill, since=self._clock.boottime()) for kill in unfinished]
        return sum(kill.state is KillState.KILLING for kill in results)

    async def get(self, ident: KillId) -> Kill:
        """One kill; raises `NoSuchKill`."""
        kill = await self._work.read(lambda tx: tx.kills.get(ident))
        if kill is None:
            raise NoSuchKill(f"no kill `{ident}`", next_step="remit kill list")
        return kill

    async def page(self, *, after: str, limit: int) -> tuple[Kill, ...]:
        """Kills, newest first."""
        return await self._work.read(lambda tx: tuple(tx.kills.page(after=after, limit=limit)))

    async def preview(self, target: Target) -> tuple[Target, Reach]:
        """What a kill would stop now, without stopping it."""

        def work(tx: OversightTransaction) -> tuple[Target, Reach]:
            found = _resolved(tx, target)
            return found, _reach(tx, found)

        return await self._work.read(work)

    async def _commit(self, target: Target, *, tenant: TenantId, by: PrincipalId, reason: str) -> Kill:
        at = self._clock.now()

        def work(tx: OversightTransaction) -> Kill:
            found = _resolved(tx, target)
            before = tx.epoch()
            reach = _reach(tx, found)
            kill = Kill(
                id=KillId(mint_id("kil", at=at, entropy=self._entropy)),
                tenant=tenant,
                target=found,
                by=by,
                reason=reason,
                at=at,
                epoch_before=before,
                epoch=tx.advance_epoch(f"kill {found.kind} {found.ident}"),
                reach=reach,
                state=KillState.KILLING,
                in_flight=tuple(tx.kills.calls_in_flight(reach.principals, reach.tasks, found)),
            )
            self._stop(tx, kill)
            return kill

        # CRASH: after this commit the target is dead; a start-up job asks the planes of `killing` rows again.
        return await self._work.commit(work, lane=Lane.KILL)

    def _stop(self, tx: OversightTransaction, kill: Kill) -> None:
        cause = f"{kill.id}: {kill.target.kind}"
        for kind, ident in _tombstones(kill):
            tx.kills.entomb(kind, ident, kill.epoch, cause, kill.at)
            tx.touch(kind, ident)
        tx.kills.stop_tasks(kill.reach.tasks, kill.at)
        tx.kills.stop_principals(kill.reach.principals, kill.at)
        tx.kills.add(kill)
        self._record(tx, kill, "committed", planes=())
        tx.publish(self._fact(kill))

    async def _confirm(self, kill: Kill, *, since: float) -> Kill:
        done = {report.plane: report for report in kill.planes if report.confirmed}
        reports = tuple(
            [done.get(plane.name) or await self._ask(plane, kill, since=since) for plane in self._planes]
        )
        finished = all(report.confirmed for report in reports)
        result = replace(kill, planes=reports, state=KillState.DONE if finished else KillState.KILLING)

        def work(tx: OversightTransaction) -> Kill:
            tx.kills.save(result)
            self._record(tx, result, "completed" if finished else "incomplete", planes=reports)
            return result

        return await self._work.commit(work, lane=Lane.KILL)

    async def _ask(self, plane: Plane, kill: Kill, *, since: float) -> PlaneReport:
        try:
            detail, confirmed = await plane.confirm(kill), True
        except RemitError as unable:
            detail, confirmed = f"not confirmed: {unable.hint}", False
        return PlaneReport(
            plane=plane.name,
            confirmed=confirmed,
            detail=detail,
            seconds=round(self._clock.boottime() - since, 4),
        )

    def _record(
        self, tx: OversightTransaction, kill: Kill, verb: str, *, planes: tuple[PlaneReport, ...]
    ) -> None:
        at = kill.at if verb == "committed" else self._clock.now()
        tx.ledger.append(
            Record(
                id=RecordId(mint_id("rec", at=at, entropy=self._entropy)),
                at=at,
                tenant=kill.tenant,
                kind=f"oversight.kill.{verb}",
                actor=kill.by,
                agent=kill.target.ident if kill.target.ident.startswith("agt_") else "",
                task=kill.target.ident if kill.target.ident.startswith("tsk_") else "",
                subject=kill.target.ident,
                epoch=kill.epoch,
                detail=(
                    ("kill", kill.id),
                    ("target", kill.target.kind),
                    ("tasks", " ".join(kill.reach.tasks)),
                    ("principals", " ".join(kill.reach.principals)),
                    ("in_flight", " ".join(kill.in_flight)),
                    *((f"plane.{p.plane}", f"{p.confirmed} {p.seconds:.3f}") for p in planes),
                ),
            )
        )

    def _fact(self, kill: Kill) -> Event:
        return Event(
            id=EventId(mint_id("evt", at=kill.at, entropy=self._entropy)),
            at=kill.at,
            tenant=kill.tenant,
            name="oversight.kill.committed",
            actor=kill.by,
            subject=kill.target.ident,
            detail=(("kill", kill.id),),
        )


def _resolved(tx: OversightTransaction, target: Target) -> Target:
    found = tx.kills.resolve(target)
    if found is None:
        raise NoSuchTarget(
            f"no {target.kind} `{target.ident}` is there to stop", next_step=f"remit {target.kind} list"
        )
    return found


def _reach(tx: OversightTransaction, target: Target) -> Reach:
    principals = tuple(tx.kills.principals_below(target))
    return Reach(principals=principals, tasks=tuple(tx.kills.tasks_below(target, principals)))


def _tombstones(kill: Kill) -> list[tuple[str, str]]:
    """The target itself, and everything it reaches: so a name that is free again revives nothing (P12)."""
    found = [(kill.target.kind.value, kill.target.ident)]
    found += [("principal", ident) for ident in kill.reach.principals if ident != kill.target.ident]
    found += [("task", ident) for ident in kill.reach.tasks if ident != kill.target.ident]
    return found
