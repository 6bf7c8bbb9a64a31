"""Client credentials (RFC 6749 §4.4): a client's own token, on nobody's behalf.

An instance gets who it is and no right: rights come with a task, by exchange. A person with a device key
gets a token for the API with the scopes of their roles.
"""

from typing import Final

from remit.authority.oauth.issuing.minting import Mint
from remit.authority.oauth.metadata import GRANT_CLIENT_CREDENTIALS
from remit.authority.oauth.proving.requests import Asking, Draft
from remit.authority.oauth.wire.errors import InvalidAuthorizationDetails, InvalidTarget
from remit.authority.oauth.wire.scopes import narrow, parse_scope


class ClientCredentials:
    """Earns a client its own token."""

    type: Final = GRANT_CLIENT_CREDENTIALS

    def __init__(self, *, mint: Mint) -> None:
        self._mint = mint

    def draft(self, asking: Asking) -> Draft:
        """Judge scope and resource; whether the client lives is judged when the token is issued."""
        parameters = asking.request.parameters
        if parameters.get("authorization_details"):
            raise InvalidAuthorizationDetails(
                "a client's own token carries no rights: exchange a task's envelope", reason="details_no_task"
            )
        target = self._mint.target(asking)
        allowed = asking.who.client.scopes_at(target.server)
        if not allowed:
            raise InvalidTarget("this client has no token of its own for that resource", reason="target_kind")
        scopes = narrow(parse_scope(parameters.get("scope")), allowed)
        return Draft(token=self._mint.token(asking, target, scopes, delegated=None))
