"""The kill switch: one transaction stops, every plane confirms, and only then is it done (R33, R96)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final, Protocol

from remit.authority.tasks import TaskState
from remit.identity.lifecycle import State
from remit.kernel.clock import Clock
from remit.kernel.errors import RemitError
from remit.kernel.ids import (
    CallId,
    Entropy,
    KillId,
    PrincipalId,
    TaskId,
    TenantId,
    mint_id,
)
from remit.kernel.uow import Lane, UnitOfWork
from remit.ledger import facts
from remit.ledger.record import Record
from remit.oversight.containment.kill import Kill, KillState, PlaneReport, Reach, Target
from remit.oversight.containment.reach import reach, resolve
from remit.oversight.containment.repository import ContainmentTransaction
from remit.oversight.errors import NoSuchKill

_KINDS: Final = {
    "committed": "oversight.kill.committed",
    "completed": "oversight.kill.completed",
    "incomplete": "oversight.kill.incomplete",
}


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
        work: UnitOfWork[ContainmentTransaction],
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
        """Ask the planes of unfinished kills again; returns how many are still unfinished.

        One that can't be stored does not keep the others waiting; the last such error is raised in the end.
        """
        unfinished = await self._work.read(lambda tx: tuple(tx.kills.unfinished()))
        left, failed = 0, None
        for kill in unfinished:
            try:
                result = await self._confirm(kill, since=self._clock.boottime())
            except RemitError as unable:  # its answers could not be stored; the next kill's may be
                left, failed = left + 1, unable
            else:
                left += result.state is KillState.KILLING
        if failed is not None:
            raise failed
        return left

    async def get(self, ident: KillId) -> Kill:
        """One kill; raises `NoSuchKill`."""
        kill = await self._work.read(lambda tx: tx.kills.get(ident))
        if kill is None:
            raise NoSuchKill(f"no kill `{ident}`", next_step="remit kill --list")
        return kill

    async def page(self, *, after: str, limit: int) -> tuple[Kill, ...]:
        """Kills, newest first."""
        return await self._work.read(lambda tx: tuple(tx.kills.page(after=after, limit=limit)))

    async def preview(self, target: Target) -> tuple[Target, Reach]:
        """What a kill would stop now, without stopping it."""

        def work(tx: ContainmentTransaction) -> tuple[Target, Reach]:
            found = resolve(tx, target)
            return found, reach(tx, found)

        return await self._work.read(work)

    async def _commit(self, target: Target, *, tenant: TenantId, by: PrincipalId, reason: str) -> Kill:
        at = self._clock.now()

        def work(tx: ContainmentTransaction) -> Kill:
            found = resolve(tx, target)
            before = tx.epoch()
            reached = reach(tx, found)
            kill = Kill(
                id=KillId(mint_id("kil", at=at, entropy=self._entropy)),
                tenant=tenant,
                target=found,
                by=by,
                reason=reason,
                at=at,
                epoch_before=before,
                epoch=tx.advance_epoch(f"kill {found.kind} {found.ident}"),
                reach=reached,
                state=KillState.KILLING,
                in_flight=_in_flight(tx, reached),
            )
            self._stop(tx, kill)
            return kill

        # CRASH: after this commit the target is dead; a start-up job asks the planes of `killing` rows again.
        return await self._work.commit(work, lane=Lane.KILL)

    def _stop(self, tx: ContainmentTransaction, kill: Kill) -> None:
        cause = f"{kill.id}: {kill.target.kind}"
        for kind, ident in _tombstones(kill):
            tx.lineage.bury(kind, ident, cause=cause, epoch=kill.epoch, at=kill.at)
            tx.touch("tombstone", ident)
        for task in kill.reach.tasks:
            _end_task(tx, task, kill)
        for principal in kill.reach.principals:
            _suspend(tx, principal, kill)
        tx.kills.add(kill)
        record = self._record(kill, "committed", planes=())
        facts.state(tx, record, entropy=self._entropy, detail=(("kill", kill.id),))

    async def _confirm(self, kill: Kill, *, since: float) -> Kill:
        done = {report.plane: report for report in kill.planes if report.confirmed}
        reports = tuple(
            [done.get(plane.name) or await self._ask(plane, kill, since=since) for plane in self._planes]
        )
        finished = all(report.confirmed for report in reports)
        result = replace(kill, planes=reports, state=KillState.DONE if finished else KillState.KILLING)

        def work(tx: ContainmentTransaction) -> Kill:
            tx.kills.save(result)
            verb = "completed" if finished else "incomplete"
            tx.ledger.append(self._record(result, verb, planes=reports))
            return result

        return await self._work.commit(work, lane=Lane.KILL)

    async def _ask(self, plane: Plane, kill: Kill, *, since: float) -> PlaneReport:
        try:
            detail, confirmed = await plane.confirm(kill), True
        except RemitError as unable:
            detail, confirmed = f"not confirmed: {unable.hint}", False
        except Exception as broken:  # noqa: BLE001 — whatever a plane does, the others and other kills go on
            detail, confirmed = f"not confirmed: the plane itself failed ({type(broken).__name__})", False
        return PlaneReport(
            plane=plane.name,
            confirmed=confirmed,
            detail=detail,
            seconds=round(self._clock.boottime() - since, 4),
        )

    def _record(self, kill: Kill, verb: str, *, planes: tuple[PlaneReport, ...]) -> Record:
        at = kill.at if verb == "committed" else self._clock.now()
        return Record(
            id=facts.record_id(at, self._entropy),
            at=at,
            tenant=kill.tenant,
            kind=_KINDS[verb],
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


def _tombstones(kill: Kill) -> list[tuple[str, str]]:
    """The target itself, and everything it reaches: so a name that is free again revives nothing (P12)."""
    found = [(kill.target.kind.value, kill.target.ident)]
    found += [("principal", ident) for ident in kill.reach.principals if ident != kill.target.ident]
    found += [("task", ident) for ident in kill.reach.tasks if ident != kill.target.ident]
    return found


def _in_flight(tx: ContainmentTransaction, reached: Reach) -> tuple[CallId, ...]:
    calls = [call for ident in reached.principals for call in tx.kills.calls_in_flight(instance=ident)]
    calls += [call for task in reached.tasks for call in tx.kills.calls_in_flight(task=task)]
    return tuple(dict.fromkeys(calls))


def _end_task(tx: ContainmentTransaction, task: TaskId, kill: Kill) -> None:
    tx.tasks.finish(task, TaskState.KILLED, kill.at)
    tx.tokens.revoke_of_task(task, kill.at)
    tx.capabilities.kill_of_task(task, kill.at)
    tx.touch("task", task)


def _suspend(tx: ContainmentTransaction, ident: PrincipalId, kill: Kill) -> None:
    tx.tokens.revoke_of_principal(ident, kill.at)
    principal = tx.principals.get(ident)
    if principal is not None and principal.state is State.ACTIVE:
        stopped = replace(principal, state=State.SUSPENDED, changed_at=kill.at)
        tx.principals.save(stopped, was=State.ACTIVE)
        tx.touch("principal", ident)
