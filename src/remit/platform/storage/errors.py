"""What storage can refuse; everything here means that nothing was committed, unless it says otherwise."""

from remit.kernel.errors import Conflict, RemitError, Unavailable


class StorageBusy(Unavailable):
    """The writer's queue is at its limit; ask again after the time that the hint names."""

    code = "storage_busy"


class StorageFull(Unavailable):
    """The disk is full; only a kill still commits, from the reserve."""

    code = "storage_full"


class StorageReadOnly(Unavailable):
    """The database can be read but not written."""

    code = "storage_read_only"


class StorageUnreachable(Unavailable):
    """The database cannot be opened or reached, or did not answer in time."""

    code = "storage_unreachable"


class StorageFenced(Unavailable):
    """This node may not write any more: a commit failed with its outcome open, or another node took over.

    Never retried in this process: an fsync that failed once may report success next time, unwritten.
    """

    code = "storage_fenced"


class CommitUnknown(Unavailable):
    """The reply to a commit was lost and the database cannot be asked; look it up by idempotency key."""

    code = "commit_unknown"


class AlreadyExists(Conflict):
    """A unique constraint holds this name already."""

    code = "already_exists"


class ConstraintBroken(Conflict):
    """A foreign key or check refuses the row."""

    code = "constraint_broken"


class UnfitDatabase(RemitError):
    """The database is not one that this binary may run on; the process does not start."""

    code = "storage_unfit"
    kind = "unavailable"
