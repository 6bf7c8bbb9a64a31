"""What can go wrong between us and a provider, and whom it is told to."""

from typing import ClassVar

from remit.kernel.errors import Conflict, Invalid, NotFound, RemitError, Unavailable


class ProviderUnfit(Invalid):
    """The provider is described in a way in which nobody could connect to it safely."""

    code = "provider_unfit"


class ProviderTaken(Conflict):
    """A provider of this name is there already."""

    code = "provider_taken"


class UnknownProvider(NotFound):
    """No such provider, or it was retired."""

    code = "unknown_provider"


class UnknownConnection(NotFound):
    """No such connection, or somebody else's: both look alike."""

    code = "unknown_connection"


class ConnectionRequired(RemitError):
    """The call needs a credential of its own user and agent, and there is none: no other one stands in."""

    code = "connection_required"
    kind = "forbidden"


class CredentialNotForThis(RemitError):
    """No permitted call that is under way asks for this credential."""

    code = "credential_not_for_this"
    kind = "forbidden"


class ProviderUnavailable(Unavailable):
    """The provider can't be reached, or gave no answer that can be read; nothing was changed."""

    code = "provider_unavailable"


class ProviderRefused(RemitError):
    """The provider says no. `error` is its own word (RFC 6749 §5.2), or ours for an answer that is unfit."""

    code: ClassVar[str] = "provider_refused"
    kind: ClassVar[str] = "forbidden"

    def __init__(self, hint: str, *, error: str, next_step: str = "") -> None:
        super().__init__(hint, next_step=next_step)
        self.error = error


class FlowRefused(RemitError):
    """A connect flow came back in a way that is not the way it began. `step` is that of `finish`."""

    code: ClassVar[str] = "connect_refused"
    kind: ClassVar[str] = "forbidden"

    def __init__(self, step: int, reason: str, hint: str) -> None:
        super().__init__(hint, next_step="begin again from the link that you were given")
        self.step = step
        self.reason = reason


class TooManyFlows(RemitError):
    """The person has begun more connect flows than may be open at one time."""

    code = "too_many_flows"
    kind = "rate_limited"


class StaticSecretUnfit(Invalid):
    """The key can't be sent as a header, or is none."""

    code = "static_secret_unfit"
