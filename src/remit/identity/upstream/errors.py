"""What a visitor, a person or an administrator can do differently."""

from typing import ClassVar

from remit.kernel.errors import Conflict, Invalid, NotFound, RemitError, Unavailable


class IdentityProviderUnfit(Invalid):
    """A provider, its endpoints, its mapping or its conditions are none that anybody could come from."""

    code: ClassVar[str] = "identity_provider_unfit"


class IdentityProviderTaken(Conflict):
    """A provider of that name or issuer is connected already."""

    code: ClassVar[str] = "identity_provider_taken"


class UnknownIdentityProvider(NotFound):
    """No provider of that name or id, or none that anybody can come from now."""

    code: ClassVar[str] = "unknown_identity_provider"


class IdentityProviderUnavailable(Unavailable):
    """The provider can't be reached, or answers what nobody can read."""

    code: ClassVar[str] = "identity_provider_unavailable"


class UnknownLink(NotFound):
    """No such link of this person."""

    code: ClassVar[str] = "unknown_link"


class LinkTaken(Conflict):
    """The identity at the provider is, or was, another person's here."""

    code: ClassVar[str] = "link_taken"


class ArrivalRefused(RemitError):
    """The provider's answer failed one numbered step; `reason` is for the record, never for the page."""

    code: ClassVar[str] = "arrival_refused"
    kind: ClassVar[str] = "forbidden"

    def __init__(self, step: int, reason: str, *, debug: str = "") -> None:
        super().__init__(
            "the provider's answer is not acceptable", debug=debug, next_step="sign in once more"
        )
        self.step = step
        self.reason = reason


class NotLinked(RemitError):
    """The provider vouched for somebody whom nobody here has linked to a person."""

    code: ClassVar[str] = "identity_not_linked"
    kind: ClassVar[str] = "forbidden"


class ConditionUnmet(RemitError):
    """The provider vouched for somebody who is none of those that may come from it."""

    code: ClassVar[str] = "arrival_condition_unmet"
    kind: ClassVar[str] = "forbidden"


class PersonStopped(RemitError):
    """The person is suspended, retired or killed here; no provider's word changes that (N2)."""

    code: ClassVar[str] = "person_stopped"
    kind: ClassVar[str] = "forbidden"


class NotConfirmed(RemitError):
    """A fresh proof was wanted, and the provider showed an old one, or somebody else."""

    code: ClassVar[str] = "arrival_not_confirmed"
    kind: ClassVar[str] = "forbidden"
