"""The authorization server of one tenant, put together from its parts: what a surface talks to."""

from dataclasses import dataclass
from typing import Self

from remit.authority.consent_service import ConsentService
from remit.authority.oauth.clients.certificates import CertificateTrust
from remit.authority.oauth.clients.fetched import Documents, NoWayOut
from remit.authority.oauth.domains.crossing import Crossing
from remit.authority.oauth.domains.inbound import KeysBrought
from remit.authority.oauth.endpoints.authorize import AuthorizationEndpoint
from remit.authority.oauth.endpoints.consent import Consent
from remit.authority.oauth.endpoints.introspect import IntrospectionEndpoint
from remit.authority.oauth.endpoints.par import PushedRequestEndpoint
from remit.authority.oauth.endpoints.register import RegistrationEndpoint
from remit.authority.oauth.endpoints.revoke import RevocationEndpoint
from remit.authority.oauth.endpoints.status import StatusEndpoint
from remit.authority.oauth.endpoints.token import TokenEndpoint
from remit.authority.oauth.endpoints.userinfo import UserinfoEndpoint
from remit.authority.oauth.enrolling.client_directory import ClientDirectory
from remit.authority.oauth.flows.backchannel_flow import BackchannelFlow
from remit.authority.oauth.flows.device_flow import DeviceFlow
from remit.authority.oauth.grants.authorization_code import AuthorizationCodeGrant
from remit.authority.oauth.grants.ciba import BackchannelGrant, PushedGrant
from remit.authority.oauth.grants.client_credentials import ClientCredentials
from remit.authority.oauth.grants.device_code import DeviceCodeGrant
from remit.authority.oauth.grants.jwt_bearer import JwtBearer
from remit.authority.oauth.grants.refresh_token import RefreshTokenGrant
from remit.authority.oauth.grants.saml2_bearer import Saml2Bearer
from remit.authority.oauth.grants.token_exchange import TokenExchange
from remit.authority.oauth.handing_on import HandingOn
from remit.authority.oauth.issuing.client_sessions import SessionMint
from remit.authority.oauth.issuing.issuance import Issuance
from remit.authority.oauth.issuing.minting import Mint
from remit.authority.oauth.proving.client_auth import ClientAuthenticator
from remit.authority.oauth.proving.possession import PossessionCheck
from remit.authority.oauth.proving.requests import Grant
from remit.authority.oauth.repository import (
    Delegations,
    IssuanceGate,
    OAuthTransaction,
    SigningKeys,
    Views,
)
from remit.authority.oauth.wire.options import OAuthOptions
from remit.authority.oauth.workloads import IssuerKeysFetch, WorkloadDesk
from remit.authority.task_service import TaskService
from remit.kernel.clock import Clock
from remit.kernel.ids import Entropy, TenantId
from remit.kernel.jose.nonce import NonceBox
from remit.kernel.outbound import Outbound
from remit.kernel.secret import Secret
from remit.kernel.uow import UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class Consenting:
    """What the code flow needs from elsewhere: consents, tasks, and its keys."""

    consents: ConsentService
    tasks: TaskService
    successors: Secret
    calls: Secret
    """The key of what clients are told when a person has answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeFlow:
    """The endpoints by which a person allows a client something."""

    pushed: PushedRequestEndpoint
    authorization: AuthorizationEndpoint
    consent: Consent
    userinfo: UserinfoEndpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth:
    """Everything that `surface.web.routes.oauth` needs, and nothing that it does not."""

    options: OAuthOptions
    token: TokenEndpoint
    introspection: IntrospectionEndpoint
    revocation: RevocationEndpoint
    directory: ClientDirectory
    registration: RegistrationEndpoint
    status: StatusEndpoint
    keys: SigningKeys
    uow: UnitOfWork[OAuthTransaction]
    clock: Clock
    code_flow: CodeFlow | None = None
    """None where nobody can be asked: then nothing of it is served or named."""
    devices: DeviceFlow | None = None
    """None unless the settings allow devices to ask."""
    backchannel: BackchannelFlow | None = None
    """None where nobody can be asked."""

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
        consenting: Consenting | None = None,
        outbound: Outbound | None = None,
        trust: CertificateTrust | None = None,
        issuer_keys: IssuerKeysFetch | None = None,
        domain_keys: KeysBrought | None = None,
        views: Views | None = None,
    ) -> Self:
        """Bind the parts. `nonces` is required if `options.require_nonce`."""
        clients = ClientAuthenticator(options=options, tenant=tenant, trust=trust)
        documents = Documents(outbound=outbound or NoWayOut())
        mint = Mint(options=options, entropy=entropy)
        possession = PossessionCheck(options=options, nonces=nonces)
        directory = ClientDirectory(
            uow=uow, documents=documents, allowed=options.documents, tenant=tenant, entropy=entropy
        )
        workloads = (
            None if issuer_keys is None else WorkloadDesk(options=options, keys=issuer_keys, entropy=entropy)
        )
        ways = Crossing.open(
            options=options,
            uow=uow,
            mint=mint,
            signing=keys,
            keys=domain_keys,
            tasks=None if consenting is None else consenting.tasks,
            entropy=entropy,
        )
        grants: tuple[Grant, ...] = (
            ClientCredentials(mint=mint),
            *(
                ()
                if workloads is None and ways.arrivals is None
                else (JwtBearer(mint=mint, arrivals=ways.arrivals),)
            ),
            *((Saml2Bearer(mint=mint),) if workloads is not None and options.saml else ()),
            TokenExchange(
                mint=mint,
                options=options,
                keys=keys,
                delegations=delegations,
                elsewhere=(
                    *ways.departures,
                    HandingOn(
                        mint=mint,
                        options=options,
                        keys=keys,
                        delegations=delegations,
                        transactions=ways.transactions,
                    ),
                ),
            ),
            *(() if consenting is None else _code_grants(consenting, mint, options, entropy)),
        )
        issuance = Issuance(
            delegations=delegations,
            gate=gate,
            keys=keys,
            entropy=entropy,
            status_lists=options.status_lists,
            views=views,
        )
        return cls(
            options=options,
            token=TokenEndpoint(
                uow=uow,
                clients=clients,
                possession=possession,
                grants={grant.type: grant for grant in grants},
                issuance=issuance,
                clock=clock,
                workloads=workloads,
                arrivals=ways.arrivals,
                views=views,
            ),
            introspection=IntrospectionEndpoint(uow=uow, clients=clients, keys=keys, options=options),
            revocation=RevocationEndpoint(
                uow=uow, clients=clients, keys=keys, options=options, entropy=entropy
            ),
            directory=directory,
            registration=RegistrationEndpoint(
                uow=uow, options=options.dynamic, tenant=tenant, entropy=entropy
            ),
            status=StatusEndpoint(uow=uow, keys=keys, issuer=options.issuer),
            keys=keys,
            uow=uow,
            clock=clock,
            devices=None
            if consenting is None or not options.devices
            else DeviceFlow.open(
                uow=uow,
                clients=clients,
                possession=possession,
                options=options,
                consents=consenting.consents,
                tasks=consenting.tasks,
                entropy=entropy,
                codes=consenting.successors,
            ),
            backchannel=None
            if consenting is None
            else BackchannelFlow.open(
                uow=uow,
                clients=clients,
                possession=possession,
                options=options,
                keys=keys,
                consents=consenting.consents,
                tasks=consenting.tasks,
                entropy=entropy,
                calls=consenting.calls,
                clock=clock,
                outbound=outbound,
                grant=PushedGrant(mint=SessionMint(mint=mint, issuer=options.issuer), entropy=entropy),
                issuance=issuance,
            ),
            code_flow=None
            if consenting is None
            else CodeFlow(
                pushed=PushedRequestEndpoint(
                    uow=uow, clients=clients, possession=possession, options=options, entropy=entropy
                ),
                authorization=AuthorizationEndpoint(
                    uow=uow, directory=directory, options=options, tenant=tenant, keys=keys, entropy=entropy
                ),
                userinfo=UserinfoEndpoint(uow=uow, keys=keys, options=options, clock=clock),
                consent=Consent(
                    uow=uow,
                    consents=consenting.consents,
                    tasks=consenting.tasks,
                    options=options,
                    entropy=entropy,
                ),
            ),
        )


def _code_grants(
    consenting: Consenting, mint: Mint, options: OAuthOptions, entropy: Entropy
) -> tuple[Grant, ...]:
    sessions = SessionMint(mint=mint, issuer=options.issuer)
    return (
        AuthorizationCodeGrant(mint=sessions, entropy=entropy),
        RefreshTokenGrant(mint=sessions, successors=consenting.successors),
        BackchannelGrant(mint=sessions, entropy=entropy),
        *((DeviceCodeGrant(mint=sessions, entropy=entropy),) if options.devices else ()),
    )
