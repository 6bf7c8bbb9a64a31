"""What can go wrong when somebody is to be told something."""

from typing import Final

from remit.kernel.errors import Conflict, Invalid, NotFound, RemitError

GONE: Final = "gone"
"""How a refusal begins that says: nobody is there any more, and never will be again."""


class NoSuchChannel(NotFound):
    """No channel of that name."""

    code = "channel_not_found"


class ChannelExists(Conflict):
    """A channel of that name is there already."""

    code = "channel_exists"


class ChannelInvalid(Invalid):
    """A channel, or a way to a person, that could never carry anything."""

    code = "channel_invalid"


class NoSuchMessage(NotFound):
    """No such message, or none that this caller may see."""

    code = "message_not_found"


class MessageSettled(Conflict):
    """The message has come to its end in a way that trying again does not change."""

    code = "message_settled"


class TooManyDevices(Conflict):
    """A person has as many browsers that are notified as one can have."""

    code = "too_many_devices"


class Rejected(RemitError):
    """The other side will not take this, now or later: the next way is tried, this one never again."""

    code = "channel_rejected"
    kind = "conflict"


class NotCarried(RemitError):
    """A test did not get through."""

    code = "channel_not_carried"
    kind = "conflict"
