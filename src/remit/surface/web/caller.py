"""Who calls the API, as the authorization server's verifier established it."""

from dataclasses import dataclass
from typing import Protocol

from starlette.requests import Request

from remit.authority.tokens import VerifiedSubject
from remit.kernel.ids import PrincipalId, TenantId
from remit.surface.web.errors import ScopeInsufficient


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A principal with a live token for `<issuer>/api` and a proof of its key.

    The tenant is that of the key's owner, never of a claim. `person` tells people from agents.
    """

    tenant: TenantId
    principal: PrincipalId
    person: bool
    scopes: frozenset[str]
    subject: VerifiedSubject

    def require(self, scope: str) -> None:
        """Raise `ScopeInsufficient` unless the token has this scope."""
        if scope not in self.scopes:
            raise ScopeInsufficient(
                f"this needs the scope `{scope}`, the token has `{' '.join(sorted(self.scopes)) or 'none'}`",
                next_step=scope,
            )


class Doorkeeper(Protocol):
    """Turns a request's credentials into a caller, or refuses."""

    async def admit(self, request: Request) -> Caller:
        """Verify the access token, its audience and its proof of possession.

        Raises a `RemitError` of kind `unauthenticated`, or `unavailable` if that can't be known now.
        """
