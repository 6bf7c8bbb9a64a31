"""What can go wrong with an access request, by the names of the draft (ARAP draft 1)."""

from typing import ClassVar, Final

from remit.kernel.errors import RemitError

URN: Final = "urn:openid:authzen:access-request:error:"


class AccessRequestError(RemitError):
    """An access request that can't be taken, or a task that can't be told."""

    code = "access_request_failed"
    kind = "invalid"
    name: ClassVar[str] = "not_requestable"

    @property
    def uri(self) -> str:
        """The problem's type."""
        return URN + self.name


class NotRequestable(AccessRequestError):
    """The denial is none that a person could lift, or nobody can be asked."""

    code = "access_request_not_requestable"
    name = "not_requestable"


class InvalidDenialBinding(AccessRequestError):
    """The denial is not the one of this question, of this enforcement point."""

    code = "access_request_invalid_denial_binding"
    name = "invalid_denial_binding"


class ExpiredDenial(AccessRequestError):
    """The denial is too old to be asked about: evaluate again."""

    code = "access_request_expired_denial"
    kind = "gone"
    name = "expired_denial"


class DuplicateRequest(AccessRequestError):
    """The same key came with another request before."""

    code = "access_request_duplicate_request"
    kind = "conflict"
    name = "duplicate_request"


class UnknownTask(AccessRequestError):
    """No such task, or none of this enforcement point's."""

    code = "access_request_unknown_task"
    kind = "not_found"
    name = "unknown_task"
