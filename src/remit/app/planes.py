"""The planes that a kill must be confirmed on: each looks for itself, on what it enforces with."""

from collections.abc import Sequence

from remit.authority.alive import Dead, alive
from remit.authority.tasks import Lineage
from remit.decision.facts.snapshot import Snapshots
from remit.identity.lifecycle import State
from remit.kernel.clock import Clock
from remit.kernel.errors import Unavailable
from remit.kernel.ids import PrincipalId, TaskId, UserId
from remit.oversight.approvals.service import ApprovalService
from remit.oversight.containment.kill import Kill, TargetKind
from remit.oversight.containment.service import Plane
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork


class PlaneNotStopped(Unavailable):
    """A plane found something of the target that still lives; the kill stays `killing` and is retried."""

    code = "plane_not_stopped"


class IdentityPlane:
    """Nobody of the reach is active in the directory."""

    name = "identity"

    def __init__(self, work: SqlUnitOfWork) -> None:
        self._work = work

    async def confirm(self, kill: Kill) -> str:
        """Look at every principal of the reach."""

        def work(tx: SqlTransaction) -> list[str]:
            return [i for i in kill.reach.principals if tx.lineage.state_of(i) in {None, State.ACTIVE}]

        active = await self._work.read(work)
        if active:
            raise PlaneNotStopped(f"still active: {', '.join(active)}")
        return (
            f"{len(kill.reach.principals)} suspended" if kill.reach.principals else "no identity of its own"
        )


class IssuancePlane:
    """Every grant asks `alive`; it says no for everything of the reach."""

    name = "issuance"

    def __init__(self, *, work: SqlUnitOfWork, clock: Clock, grants: Sequence[str]) -> None:
        self._work = work
        self._clock = clock
        self._grants = tuple(grants)

    async def confirm(self, kill: Kill) -> str:
        """Ask the one question that each grant asks, for each lineage of the reach."""
        lineages = _lineages(kill)
        at = self._clock.now()

        def work(tx: SqlTransaction) -> list[Lineage]:
            return [lineage for lineage in lineages if not isinstance(alive(tx.lineage, lineage, at), Dead)]

        living = await self._work.read(work)
        if living:
            raise PlaneNotStopped(f"{len(living)} of {len(lineages)} could still be issued to")
        count = len(self._grants)
        return f"{count} of {count} grant types refuse"


class TokensPlane:
    """No token of the reach is reported active."""

    name = "tokens"

    def __init__(self, *, work: SqlUnitOfWork, clock: Clock) -> None:
        self._work = work
        self._clock = clock

    async def confirm(self, kill: Kill) -> str:
        """Count what still stands; the epoch makes every cached verification look again."""
        at = self._clock.now()

        def work(tx: SqlTransaction) -> int:
            live = [token for task in kill.reach.tasks for token in tx.tokens.live_of_task(task, at)]
            return len(live)

        live = await self._work.read(work)
        if live:
            raise PlaneNotStopped(f"{live} tokens still stand")
        return f"epoch {kill.epoch_before} → {kill.epoch}, none of the reach is active"


class EnforcementPlane:
    """This node's enforcement point decides on a snapshot that knows the kill."""

    name = "enforcement"

    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots

    async def confirm(self, kill: Kill) -> str:
        """Catch up and compare epochs; open streams look again when the epoch moves, twice a second."""
        snapshot = await self._snapshots.catch_up()
        if snapshot.epoch < kill.epoch:
            raise PlaneNotStopped(f"enforcement point is at epoch {snapshot.epoch}, the kill is {kill.epoch}")
        return f"1 of 1 points confirmed epoch {snapshot.epoch}"


class ApprovalsPlane:
    """Nobody is asked any more for what can't run."""

    name = "approvals"

    def __init__(self, approvals: ApprovalService) -> None:
        self._approvals = approvals

    async def confirm(self, kill: Kill) -> str:
        """Cancel what waits for the reach."""
        principals = (kill.target.ident, *kill.reach.principals)
        cancelled = await self._approvals.cancel_for(principals=principals, tasks=kill.reach.tasks)
        return f"{cancelled} asks cancelled"


def planes(
    *,
    work: SqlUnitOfWork,
    clock: Clock,
    snapshots: Snapshots,
    approvals: ApprovalService,
    grants: Sequence[str],
) -> tuple[Plane, ...]:
    """All planes of one node, in the order in which the result lists them."""
    return (
        IdentityPlane(work),
        IssuancePlane(work=work, clock=clock, grants=grants),
        TokensPlane(work=work, clock=clock),
        EnforcementPlane(snapshots),
        ApprovalsPlane(approvals),
    )


def _lineages(kill: Kill) -> list[Lineage]:
    """One lineage per thing of the reach, in which nothing but that thing can be dead.

    Whoever ordered the kill stands in as the user: alive, so that only the thing itself can say no.
    """
    found = [_lineage(kill, chain=(ident,)) for ident in kill.reach.principals]
    found += [_lineage(kill, task=ident) for ident in kill.reach.tasks]
    if kill.target.kind in {TargetKind.CHAIN, TargetKind.TOOL}:
        found.append(_lineage(kill, others=frozenset({kill.target.ident})))
    return found


def _lineage(
    kill: Kill,
    *,
    chain: tuple[PrincipalId, ...] = (),
    task: TaskId | None = None,
    others: frozenset[str] = frozenset(),
) -> Lineage:
    return Lineage(
        tenant=kill.tenant,
        user=UserId(kill.by),
        task=task,
        grant=None,
        chain=chain,
        principals=frozenset(),
        envelope=None,
        others=others,
    )
