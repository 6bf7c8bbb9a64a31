"""The authorization server's view of the present: the decision's snapshot, under the names it asks by."""

from remit.authority.alive import TaskLife, Tombstone
from remit.authority.consent import GrantState
from remit.authority.tasks import Task
from remit.decision.facts import Snapshot, Snapshots
from remit.identity.lifecycle import State
from remit.identity.principals import Principal
from remit.kernel.ids import GrantId, PrincipalId, TaskId


class SnapshotStanding:
    """`Standing` over one snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def principal(self, ident: PrincipalId) -> Principal | None:
        """Anybody or anything of the directory, by id."""
        return self._snapshot.principals.get(ident)

    def task(self, ident: TaskId) -> Task | None:
        """A task, running or not."""
        return self._snapshot.tasks.get(ident)

    def epoch(self) -> int:
        """The epoch at which the snapshot was taken."""
        return self._snapshot.epoch

    def tombstone(self, ident: str) -> Tombstone | None:
        """The first tombstone of an id."""
        return self._snapshot.tombstone(ident)

    def state_of(self, principal: PrincipalId) -> State | None:
        """Where in its life a principal is."""
        return self._snapshot.state_of(principal)

    def life_of(self, task: TaskId) -> TaskLife | None:
        """State and deadline of a task."""
        return self._snapshot.life_of(task)

    def standing_of(self, grant: GrantId) -> GrantState | None:
        """Whether a consent stands."""
        return self._snapshot.standing_of(grant)


class SnapshotStandings:
    """`Standings`: the newest snapshot of this node."""

    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots

    def current(self) -> SnapshotStanding:
        """What this node decides on now."""
        return SnapshotStanding(self._snapshots.current())

    async def catch_up(self) -> None:
        """Read what has been committed since."""
        await self._snapshots.catch_up()
