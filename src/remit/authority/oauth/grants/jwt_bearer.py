"""JWT bearer (RFC 7523 §2.1, RFC 10070): a trusted issuer's assertion, for a workload's own token.

A grant of another domain comes by the same name, beside its client's own proof: `domains.inbound` judges it.

Who the workload is, was found out before (`workloads.WorkloadDesk`): what it gets here is what any instance
gets of its own, an identity without rights. Rights come with a task, by exchange.
"""

from typing import Final

from remit.authority.oauth.domains.grant import is_one
from remit.authority.oauth.domains.inbound import Arrivals
from remit.authority.oauth.grants.client_credentials import ClientCredentials
from remit.authority.oauth.issuing.minting import Mint
from remit.authority.oauth.metadata import GRANT_JWT_BEARER
from remit.authority.oauth.proving.requests import Asking, Draft
from remit.authority.oauth.wire.errors import InvalidGrant


class JwtBearer:
    """Earns a workload the own token of its instance, or a client what another domain vouches for."""

    type: Final = GRANT_JWT_BEARER

    def __init__(self, *, mint: Mint, arrivals: Arrivals | None = None) -> None:
        self._own = ClientCredentials(mint=mint)
        self._arrivals = arrivals

    def draft(self, asking: Asking) -> Draft:
        """Judge a grant of another domain, or scope and resource for a workload that was admitted."""
        if self._arrivals is not None and is_one(asking.request.parameters):
            return self._arrivals.draft(asking)
        if asking.who.assertion is not None:
            raise InvalidGrant("an assertion is missing", reason="assertion_missing")
        return self._own.draft(asking)
