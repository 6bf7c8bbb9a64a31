"""JWT bearer (RFC 7523 §2.1, RFC 10070): a trusted issuer's assertion, for a workload's own token.

Who the workload is, was found out before (`workloads.WorkloadDesk`): what it gets here is what any instance
gets of its own, an identity without rights. Rights come with a task, by exchange.
"""

from typing import Final

from remit.authority.oauth.errors import InvalidGrant
from remit.authority.oauth.grants.client_credentials import ClientCredentials
from remit.authority.oauth.metadata import GRANT_JWT_BEARER
from remit.authority.oauth.minting import Mint
from remit.authority.oauth.requests import Asking, Draft


class JwtBearer:
    """Earns a workload the own token of its instance."""

    type: Final = GRANT_JWT_BEARER

    def __init__(self, *, mint: Mint) -> None:
        self._own = ClientCredentials(mint=mint)

    def draft(self, asking: Asking) -> Draft:
        """Judge scope and resource, for a client that came by its assertion and by nothing else."""
        if asking.who.assertion is not None:
            raise InvalidGrant("an assertion is missing", reason="assertion_missing")
        return self._own.draft(asking)
