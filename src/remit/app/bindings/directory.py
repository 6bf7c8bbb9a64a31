"""What the ids of the log are called today, from the decision's snapshot."""

from remit.decision.facts.snapshot import Snapshots
from remit.kernel.canonical import Digest
from remit.kernel.ids import PrincipalId, ToolId


class SnapshotDirectory:
    """`ledger.telling.Directory` over the newest snapshot of this node."""

    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots

    def name_of(self, ident: str) -> str:
        """A person's address, an agent's name; an instance goes by its agent's name."""
        principals = self._snapshots.current().principals
        found = principals.get(PrincipalId(ident))
        if found is None:
            return ident
        parent = principals.get(found.parent) if found.parent else None
        return found.email or (parent.name if parent else found.name)

    def phrase_of(self, tool: str, digest: Digest) -> str:
        """The pinned tool's own phrase; none for a tool that was pinned anew since."""
        found = self._snapshots.current().tools.get(ToolId(tool))
        if found is None or found.mapping is None or found.digest != digest:
            return ""
        return found.mapping.sentence
