"""The authorization server's view of the present: the decision's snapshot, under the names it asks by."""

from collections.abc import Mapping, Sequence

from remit.app.bindings.doors import Derived, by_name
from remit.authority.alive import TaskLife, Tombstone
from remit.authority.consent import GrantState
from remit.authority.lineage import line_of
from remit.authority.oauth.clients.registration import ClientRegistration
from remit.authority.tasks import Task
from remit.decision.facts.snapshot import Snapshot, Snapshots
from remit.identity.credentials import Credential
from remit.identity.lifecycle import State
from remit.identity.principals import Principal
from remit.identity.tools import Server
from remit.kernel.ids import GrantId, PrincipalId, TaskId


class SnapshotStanding:
    """`Standing` and `View` over one snapshot."""

    def __init__(self, snapshot: Snapshot, servers: Mapping[str, Sequence[Server]]) -> None:
        self._snapshot = snapshot
        self._tombstones, self._principals = snapshot.tombstones, snapshot.principals
        self._servers = servers
        self._lines: dict[PrincipalId, frozenset[PrincipalId]] = {}
        """Pure of the snapshot, which never changes; no more of them than it has principals."""

    def principal(self, ident: PrincipalId) -> Principal | None:
        """Anybody or anything of the directory, by id."""
        return self._snapshot.principals.get(ident)

    def line(self, ident: PrincipalId) -> frozenset[PrincipalId]:
        """A principal with all that stands above it; found once in a snapshot."""
        found = self._lines.get(ident)
        if found is None:
            found = line_of(ident, self.principal)
            if ident in self._snapshot.principals:
                self._lines[ident] = found
        return found

    def task(self, ident: TaskId) -> Task | None:
        """A task, running or not."""
        return self._snapshot.tasks.get(ident)

    def credentials_of(self, principal: PrincipalId) -> Sequence[Credential]:
        """The registered keys of a principal; a revoked one is none."""
        return self._snapshot.credentials.get(principal, ())

    def server_named(self, name: str) -> Server | None:
        """An MCP server behind the gateway, by name."""
        found = self._servers.get(name, ())
        return found[0] if found else None

    def registration(self, client_id: str) -> ClientRegistration | None:  # noqa: ARG002 — the Protocol's argument
        """None: a snapshot keeps clients by their principals; by a name of its own SQL finds one."""
        return None

    def registrations_of(self, principal: PrincipalId) -> Sequence[ClientRegistration]:
        """The clients that are this instance or application."""
        return self._snapshot.registrations.get(principal, ())

    def epoch(self) -> int:
        """The epoch at which the snapshot was taken."""
        return self._snapshot.epoch

    def tombstone(self, ident: str) -> Tombstone | None:
        """The first tombstone of an id."""
        return self._tombstones.get(ident)

    def state_of(self, principal: PrincipalId) -> State | None:
        """Where in its life a principal is."""
        found = self._principals.get(principal)
        return None if found is None else found.state

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
        self._servers = Derived[Server, dict[str, list[Server]]](by_name)
        self._present: tuple[Snapshot, SnapshotStanding] | None = None

    def current(self) -> SnapshotStanding:
        """What this node decides on now."""
        snapshot, known = self._snapshots.current(), self._present
        if known is not None and known[0] is snapshot:
            return known[1]
        standing = SnapshotStanding(snapshot, self._servers.of(snapshot.servers))
        self._present = (snapshot, standing)
        return standing

    async def catch_up(self) -> None:
        """Read what has been committed since."""
        await self._snapshots.catch_up()
