"""SAML 2.0 bearer (RFC 7522 §2.1): a trusted issuer's assertion, for a workload's own token.

As with `jwt_bearer`, who the workload is was found out before; what it gets is an identity without rights.
"""

from typing import Final

from remit.authority.oauth.grants.client_credentials import ClientCredentials
from remit.authority.oauth.issuing.minting import Mint
from remit.authority.oauth.metadata import GRANT_SAML2_BEARER
from remit.authority.oauth.proving.requests import Asking, Draft
from remit.authority.oauth.wire.errors import InvalidGrant


class Saml2Bearer:
    """Earns a workload the own token of its instance."""

    type: Final = GRANT_SAML2_BEARER

    def __init__(self, *, mint: Mint) -> None:
        self._own = ClientCredentials(mint=mint)

    def draft(self, asking: Asking) -> Draft:
        """Judge scope and resource, for a client that came by its assertion and by nothing else."""
        if asking.who.assertion is not None:
            raise InvalidGrant("an assertion is missing", reason="assertion_missing")
        return self._own.draft(asking)
