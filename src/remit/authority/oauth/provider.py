"""The authorization server of one tenant, put together from its parts: what a surface talks to."""

from dataclasses import dataclass
from typing import Self

from remit.authority.oauth.client_auth import ClientAuthenticator
from remit.authority.oauth.endpoints.introspect import IntrospectionEndpoint
from remit.authority.oauth.endpoints.revoke import RevocationEndpoint
from remit.authority.oauth.endpoints.token import TokenEndpoint
from remit.authority.oauth.grants.client_credentials import ClientCredentials
from remit.authority.oauth.grants.token_exchange import TokenExchange
from remit.authority.oauth.issuance import Issuance
from remit.authority.oauth.minting import Mint
from remit.authority.oauth.options import OAuthOptions
from remit.authority.oauth.possession import PossessionCheck
from remit.authority.oauth.repository import Delegations, IssuanceGate, OAuthTransaction, SigningKeys
from remit.authority.oauth.requests import Grant
from remit.kernel.clock import Clock
from remit.kernel.ids import Entropy, TenantId
from remit.kernel.jose.nonce import NonceBox
from remit.kernel.uow import UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth:
    """Everything that `surface.web.routes.oauth` needs, and nothing that it does not."""

    options: OAuthOptions
    token: TokenEndpoint
    introspection: IntrospectionEndpoint
    revocation: RevocationEndpoint
    keys: SigningKeys
    uow: UnitOfWork[OAuthTransaction]
    clock: Clock

    @classmethod
    def build(
        cls,
        *,
        options: OAuthOptions,
        tenant: TenantId,
        uow: UnitOfWork[OAuthTransaction],
        keys: SigningKeys,
        delegations: Delegations,
        gate: IssuanceGate,
        clock: Clock,
        entropy: Entropy,
        nonces: NonceBox | None = None,
    ) -> Self:
        """Bind the parts. `nonces` is required if `options.require_nonce`."""
        clients = ClientAuthenticator(options=options, tenant=tenant)
        mint = Mint(options=options, entropy=entropy)
        grants: tuple[Grant, ...] = (
            ClientCredentials(mint=mint),
            TokenExchange(mint=mint, options=options, keys=keys, delegations=delegations),
        )
        return cls(
            options=options,
            token=TokenEndpoint(
                uow=uow,
                clients=clients,
                possession=PossessionCheck(options=options, nonces=nonces),
                grants={grant.type: grant for grant in grants},
                issuance=Issuance(delegations=delegations, gate=gate, keys=keys, entropy=entropy),
                clock=clock,
            ),
            introspection=IntrospectionEndpoint(uow=uow, clients=clients, keys=keys, options=options),
            revocation=RevocationEndpoint(
                uow=uow, clients=clients, keys=keys, options=options, entropy=entropy
            ),
            keys=keys,
            uow=uow,
            clock=clock,
        )
