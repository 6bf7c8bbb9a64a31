"""Who calls the API, as the authorization server's verifier established it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from starlette.requests import Request

from remit.authority.oauth.wire.scopes import Scope
from remit.authority.tokens import VerifiedSubject
from remit.decision.administration.judging import AdminPolicy
from remit.kernel.errors import NotFound, RemitError
from remit.kernel.ids import PrincipalId, SessionId, TenantId


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """That a person calls from one of our own pages, by the session of their browser."""

    session: SessionId
    acr: str
    at: datetime
    """When they last proved who they are."""
    csrf: str
    """What each change must bring along in `Remit-CSRF`; another after every sign-in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A principal with a live token for `<issuer>/api` and a proof of its key, or a person signed in here.

    The tenant is that of the key's owner, never of a claim. `person` tells people from agents.
    """

    tenant: TenantId
    principal: PrincipalId
    person: bool
    roles: frozenset[str]
    """Roles of a person as of now, whatever the token was given for: `admin`, `approver`, `reader`."""
    scopes: frozenset[str]
    subject: VerifiedSubject
    signed: Signed | None = None
    """None for whoever came with a token."""
    policy: AdminPolicy
    """Who may administer, as of now."""
    name: str = ""
    whole: bool = False
    """Whether the policy permits this very operation on whatever there is, not only on what is its own."""
    seeing: bool = False
    """Whether the policy lets it see such things of others."""
    denial: str = ""
    """Why not on whatever there is."""
    network: str = ""
    """The address that the request came from, where it is known."""

    @property
    def administers(self) -> bool:
        """Whether it may change what is not its own: policy *and* scope."""
        return self.whole and Scope.ADMIN in self.scopes

    @property
    def sees_all(self) -> bool:
        """Whether it may read what is not its own."""
        return self.seeing and Scope.READ in self.scopes


class NotAdministrator(RemitError):
    """The caller is known, and this is an administrator's."""

    code = "not_administrator"
    kind = "forbidden"


class NotAPerson(RemitError):
    """Only a person can do this: an agent can't consent, ask or answer for anybody."""

    code = "not_a_person"
    kind = "forbidden"


class Doorkeeper(Protocol):
    """Turns a request's credentials into a caller, or refuses."""

    async def admit(self, request: Request) -> Caller:
        """Verify the access token, its audience and its proof of possession.

        Raises a `RemitError` of kind `unauthenticated`, or `unavailable` if that can't be known now.
        """


class NotYourOwn(NotFound):
    """It is somebody else's: looks the same as what does not exist."""

    code = "not_found"


def unseen(what: str, *, next_step: str = "") -> NotYourOwn:
    """The one answer to what is absent and to what is another's: nobody can tell which it is (AU-14)."""
    return NotYourOwn(f"no {what} that you may see is there", next_step=next_step)


def require_own(caller: Caller, *owners: str | None, what: str) -> None:
    """Raise `NotYourOwn` unless the caller is one of these or may read everything."""
    if caller.principal not in owners and not caller.sees_all:
        raise unseen(what, next_step=f"remit {what} list")


def require_admin(caller: Caller, *, what: str) -> None:
    """Raise `NotAdministrator` unless the caller administers this installation."""
    if not caller.administers:
        why = f": {caller.denial}" if caller.denial else ""
        raise NotAdministrator(f"only an administrator may {what}{why}", next_step="who may: remit role list")
