"""Composition: settings in, one object with every service out. Read it from top to bottom."""

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from remit.app.authorization import authorization_server
from remit.app.bindings.administration import SomebodyAdministers
from remit.app.bindings.attention import attention_desk
from remit.app.bindings.breakglass import BreakGlassPlane, open_breakglass
from remit.app.bindings.cases import open_cases
from remit.app.bindings.channels import Reaching
from remit.app.bindings.directory import SnapshotDirectory
from remit.app.bindings.domains import open_domains
from remit.app.bindings.exits import RegisteredServers
from remit.app.bindings.federation import Federation
from remit.app.bindings.issuing import CapabilityIssuer
from remit.app.bindings.openid import OpenId
from remit.app.bindings.people import People
from remit.app.bindings.spending import CapabilitySpender
from remit.app.bindings.standing import SnapshotStandings
from remit.app.bindings.tenancy import narrowed
from remit.app.bindings.upstream import Upstream
from remit.app.bindings.usage import UsageMeter
from remit.app.bindings.vault import UpstreamPlane, VaultServices, open_vault
from remit.app.enforcement import capability_issuer, decision_point, gateway_of, upstream_pool, usage_meter
from remit.app.ground import Ground, log_name, tenant_ground
from remit.app.heads import HeadKeeper
from remit.app.keys import LogSigner
from remit.app.planes import planes
from remit.app.tenants import Tenants
from remit.authority.consent_service import ConsentService
from remit.authority.delegation_service import DelegationService
from remit.authority.oauth.domains.service import DomainService
from remit.authority.oauth.enrolling.registration_service import RegistrationService
from remit.authority.oauth.provider import OAuth
from remit.authority.oauth.proving.verifier import AccessTokenVerifier
from remit.authority.oauth.wire.proof_pace import ProofPace
from remit.authority.options import AuthorityOptions
from remit.authority.task_service import TaskService
from remit.decision.service import DecisionService
from remit.enforcement.mcp.app import McpApp
from remit.enforcement.mcp.pool import UpstreamPool
from remit.identity.credential_service import CredentialService
from remit.identity.service import IdentityService
from remit.identity.tenant_service import TenantService
from remit.identity.tool_service import ToolService
from remit.kernel.ids import TenantId
from remit.kernel.outbound import AddressRule
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.oversight.approvals.service import ApprovalService, Patience
from remit.oversight.attention.service import AttentionService
from remit.oversight.breakglass.service import BreakGlassService
from remit.oversight.cases.service import CaseService
from remit.oversight.containment.service import ContainmentService
from remit.oversight.rosters.service import RosterService
from remit.platform.outbound import GuardedHttp
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from remit.platform.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from remit.app.bindings.saml import SamlPeople


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Everything that a surface or a job may call."""

    ground: Ground
    identity: IdentityService
    credentials: CredentialService
    tools: ToolService
    consent: ConsentService
    tasks: TaskService
    delegations: DelegationService
    oauth: OAuth
    verifier: AccessTokenVerifier
    decisions: DecisionService
    capabilities: CapabilityIssuer
    spender: CapabilitySpender
    usage: UsageMeter
    approvals: ApprovalService
    attention: AttentionService
    cases: CaseService
    rosters: RosterService
    breakglass: BreakGlassService
    reaching: Reaching
    people: People
    upstream: Upstream
    saml: "SamlPeople | None"
    """None where SAML is not spoken."""
    federation: Federation
    openid: OpenId
    domains: DomainService
    containment: ContainmentService
    vault: VaultServices
    gateway: McpApp
    upstreams: UpstreamPool
    clients: RegistrationService
    exits: GuardedHttp
    fetches: GuardedHttp
    """The way to documents and keys of others: the public network, and the hosts that the settings name."""
    log: LogSigner
    heads: HeadKeeper
    metrics: Metrics
    tenancy: "Tenancy | None"
    """The further tenants, where this is the installation itself."""

    async def close(self) -> None:
        """Let go of everything, in the order in which it was taken; the store is the installation's."""
        if self.tenancy is not None:
            await self.tenancy.open.close()
        await self.upstreams.close()
        await self.exits.close()
        await self.reaching.exits.close()
        await self.vault.exit.close()
        await self.federation.exits.close()
        await self.fetches.close()
        if self.tenancy is not None:
            await self.ground.store.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenancy:
    """The register of further tenants, and those of them that this process serves."""

    service: TenantService
    open: Tenants[Services]


def build(ground: Ground) -> Services:
    """Bind every service to what it stands on."""
    work, tenant, entropy, clock = ground.work, ground.tenant, ground.entropy, ground.clock
    chosen = ground.settings
    options = AuthorityOptions(
        issuer=ground.issuer, trust_domain=chosen.trust_domain, lifetimes=chosen.authority.lifetimes()
    )
    standings = SnapshotStandings(ground.snapshots)
    pace = ProofPace(per_minute=chosen.oauth.proofs_per_minute)
    verifier = AccessTokenVerifier(keys=ground.keys, standings=standings, clock=clock, pace=pace)
    desk = attention_desk(chosen.approvals, entropy=entropy)
    approvals = ApprovalService(
        work=work,
        clock=clock,
        entropy=entropy,
        attention=desk,
        patience=Patience(lifetime=chosen.approvals.lifetime, waiting=chosen.approvals.waiting),
    )
    approvals.follow(desk)
    breakglass = open_breakglass(work=work, approvals=approvals, clock=clock, entropy=entropy, tenant=tenant)
    narrow = partial(narrowed, settings=chosen, tenant=tenant)
    vault = open_vault(
        work=work,
        kek=ground.kek,
        tenant=tenant,
        issuer=ground.issuer,
        clock=clock,
        entropy=entropy,
        narrow=narrow,
    )
    fetches = GuardedHttp(rule=AddressRule(registered=chosen.clients.destinations()))
    federation = Federation.build(chosen, work=work, keys=ground.keys, entropy=entropy, tenant=tenant)
    reaching = Reaching.build(
        chosen,
        work=work,
        kek=ground.kek,
        approvals=approvals,
        name_of=SnapshotDirectory(ground.snapshots).name_of,
        narrow=narrow,
        tenant=tenant,
        clock=clock,
        entropy=entropy,
    )
    oauth = authorization_server(ground, options, federation, fetches)
    containment = ContainmentService(
        work=work,
        planes=(
            *planes(
                work=work,
                clock=clock,
                snapshots=ground.snapshots,
                approvals=approvals,
                grants=oauth.token.grant_types,
            ),
            UpstreamPlane(work=work, vault=vault, clock=clock),
            BreakGlassPlane(breakglass),
        ),
        clock=clock,
        entropy=entropy,
    )
    tools = ToolService(uow=work, entropy=entropy, tenant=tenant)
    decisions = decision_point(ground, options.lifetimes)
    exits = GuardedHttp(rule=narrow(RegisteredServers(ground.snapshots)))
    metrics = Metrics()
    log = LogSigner(ground.keys, name=log_name(ground.settings))
    upstreams = upstream_pool(ground, exits)
    people = People.build(
        uow=work,
        clock=clock,
        entropy=entropy,
        tenant=tenant,
        kek=ground.kek,
        rule=chosen.people.rule(),
        issuer=ground.issuer,
    )
    upstream = Upstream.build(
        chosen,
        work=work,
        keys=ground.keys,
        kek=ground.kek,
        people=people,
        exits=federation.exits,
        clock=clock,
        entropy=entropy,
        tenant=tenant,
    )
    return Services(
        ground=ground,
        identity=IdentityService(uow=work, entropy=entropy, tenant=tenant, keeps=SomebodyAdministers()),
        credentials=CredentialService(uow=work, entropy=entropy, tenant=tenant),
        tools=tools,
        consent=ConsentService(uow=work, entropy=entropy, tenant=tenant),
        tasks=TaskService(uow=work, keys=ground.keys, options=options, entropy=entropy, tenant=tenant),
        delegations=DelegationService(uow=work, keys=ground.keys, options=options, entropy=entropy),
        oauth=oauth,
        clients=RegistrationService(uow=work, entropy=entropy, tenant=tenant),
        fetches=fetches,
        verifier=verifier,
        decisions=decisions,
        capabilities=capability_issuer(ground, verifier, decisions, approvals, tools, metrics),
        spender=CapabilitySpender(
            work=work, keys=ground.keys, issuer=ground.issuer, node=ground.store.node, entropy=entropy
        ),
        usage=usage_meter(ground, approvals),
        approvals=approvals,
        attention=AttentionService(
            work=work, desk=desk.desk, taking=approvals, clock=clock, entropy=entropy, tenant=tenant
        ),
        cases=open_cases(chosen, work=work, kek=ground.kek, clock=clock, entropy=entropy, tenant=tenant),
        rosters=RosterService(work=work, clock=clock, entropy=entropy, tenant=tenant),
        breakglass=breakglass,
        reaching=reaching,
        people=people,
        upstream=upstream,
        saml=_saml(ground, upstream, people, federation),
        federation=federation,
        openid=OpenId.build(
            work=work,
            keys=ground.keys,
            outbound=fetches,
            approvals=approvals,
            issuer=ground.issuer,
            clock=clock,
            entropy=entropy,
        ),
        domains=open_domains(chosen, work=work, entropy=entropy, tenant=tenant),
        containment=containment,
        vault=vault,
        gateway=gateway_of(ground, verifier, decisions, approvals, tools, upstreams, vault, metrics),
        upstreams=upstreams,
        exits=exits,
        log=log,
        heads=HeadKeeper(work=work, tenant=tenant, signer=log, anchors=ground.anchors),
        metrics=metrics,
        tenancy=_tenancy(ground),
    )


async def open_tenant(home: Ground, tenant: TenantId) -> Services:
    """Everything of a further tenant, on the installation's store. Raises what `tenant_ground` raises."""
    return build(await tenant_ground(home, tenant))


def _saml(ground: Ground, upstream: Upstream, people: People, federation: Federation) -> "SamlPeople | None":
    if not ground.settings.federation.saml:
        return None
    from remit.app.bindings.saml import SamlPeople  # noqa: PLC0415 — an XML reader that few need

    return SamlPeople.build(
        ground.settings,
        upstream=upstream,
        own=ground.keys,
        work=ground.work,
        exits=federation.exits,
        home=people.desk.home,
        clock=ground.clock,
        entropy=ground.entropy,
        tenant=ground.tenant,
    )


def _tenancy(ground: Ground) -> Tenancy | None:
    if ground.tenant != DEFAULT_TENANT:
        return None
    service = TenantService(
        of=lambda tenant: SqlUnitOfWork(ground.store, tenant=tenant), entropy=ground.entropy
    )
    return Tenancy(service=service, open=Tenants(register=service.all, open_one=partial(open_tenant, ground)))
