"""What can go wrong with a change that waits."""

from remit.kernel.errors import Conflict, NotFound, RemitError


class NoSuchChange(NotFound):
    """No such change, or none that this caller may see."""

    code = "change_not_found"


class ChangeOver(Conflict):
    """It was answered, ran out, or was cancelled: it is not waiting any more."""

    code = "change_over"


class ChangeOutdated(Conflict):
    """What the change stood on has changed since it was proposed; it is cancelled."""

    code = "change_outdated"


class NotTheSecond(RemitError):
    """Another natural person confirms a change, who may make such changes; not whoever proposed it."""

    code = "not_the_second"
    kind = "forbidden"


class TooManyChanges(RemitError):
    """As many changes of this person wait as may."""

    code = "too_many_changes"
    kind = "rate_limited"
