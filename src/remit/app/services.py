"""Composition: settings in, one object with every service out. Read it from top to bottom."""

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from remit.app.bindings.calls import CallJournal
from remit.app.bindings.delegations import EnvelopeRegister
from remit.app.bindings.desk import ApprovalDesk
from remit.app.bindings.domains import open_domains, transactions_at
from remit.app.bindings.doors import (
    Doorman,
    PinnedTools,
    PipelineDecider,
    PublicExplainer,
    SnapshotLiveness,
)
from remit.app.bindings.exits import RegisteredServers
from remit.app.bindings.federation import Federation
from remit.app.bindings.figures import MeteredCalls, MeteredDecider, ObservedGateway
from remit.app.bindings.issuing import CapabilityIssuer
from remit.app.bindings.minter import CapabilityPress
from remit.app.bindings.openid import OpenId
from remit.app.bindings.people import People
from remit.app.bindings.scoping import SnapshotScopes
from remit.app.bindings.spending import CapabilitySpender
from remit.app.bindings.standing import SnapshotStandings
from remit.app.bindings.tenancy import NoPrograms, narrowed, settings_of
from remit.app.bindings.upstream import Upstream
from remit.app.bindings.vault import GatewayCredentials, UpstreamPlane, VaultServices, open_vault
from remit.app.heads import HeadKeeper
from remit.app.keys import KeyHolder, LogSigner
from remit.app.planes import planes
from remit.app.tenants import Tenants
from remit.authority.consent_service import ConsentService
from remit.authority.delegation_service import DelegationService
from remit.authority.lifetimes import Lifetimes
from remit.authority.oauth.client_certificates import CertificateTrust, UnfitCertificate
from remit.authority.oauth.domains.service import DomainService
from remit.authority.oauth.options import OAuthOptions
from remit.authority.oauth.provider import Consenting, OAuth
from remit.authority.oauth.registration_service import RegistrationService
from remit.authority.oauth.repository import NoObjection
from remit.authority.oauth.verifier import AccessTokenVerifier
from remit.authority.options import AuthorityOptions
from remit.authority.task_service import TaskService
from remit.decision.response import Handing
from remit.decision.service import DecisionService
from remit.enforcement.mcp.app import AppOptions, McpApp
from remit.enforcement.mcp.catalogue import Catalogue, CatalogueOptions
from remit.enforcement.mcp.exit import Spawner
from remit.enforcement.mcp.gateway import Gateway
from remit.enforcement.mcp.inbound import Edge
from remit.enforcement.mcp.pool import UpstreamPool
from remit.enforcement.mcp.rounds import Rounds
from remit.enforcement.mcp.sessions import SessionOptions, Sessions
from remit.enforcement.mcp.upstream import Timeouts
from remit.enforcement.pep.gate import Gate, GateOptions
from remit.identity.credential_service import CredentialService
from remit.identity.service import IdentityService
from remit.identity.tenant_service import TenantService
from remit.identity.tool_service import ToolService
from remit.kernel.clock import Clock, SystemClock
from remit.kernel.derivation import Purpose
from remit.kernel.errors import RemitError
from remit.kernel.ids import Entropy, TenantId, system_entropy
from remit.kernel.jose.nonce import NonceBox
from remit.kernel.outbound import AddressRule
from remit.kernel.sealed import SealedBox
from remit.kernel.sealing import Kek
from remit.kernel.tenancy import DEFAULT_TENANT, origin_of
from remit.kernel.uow import Lane
from remit.oversight.approvals.attention import Attention
from remit.oversight.approvals.service import ApprovalService, Patience
from remit.oversight.containment.service import ContainmentService
from remit.platform.outbound import GuardedHttp
from remit.platform.settings.model import Settings
from remit.platform.settings.options import ApprovalChoices, ClientChoices, GatewayChoices
from remit.platform.settings.refusals import StartRefused
from remit.platform.stdio import ChildProcesses
from remit.platform.storage.anchors import AnchorFiles
from remit.platform.storage.clock_marks import ClockMark, ClockMarks
from remit.platform.storage.engine import OpenStore, open_store
from remit.platform.storage.repositories.ledger_appender import LedgerAppender
from remit.platform.storage.snapshot import SnapshotKeeper
from remit.platform.storage.tenant_work import ServedTenant
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from remit.platform.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from remit.app.bindings.saml import SamlPeople


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What every service stands on."""

    settings: Settings
    tenant: TenantId
    clock: Clock
    entropy: Entropy
    kek: Kek
    store: OpenStore
    work: SqlUnitOfWork
    keys: KeyHolder
    snapshots: SnapshotKeeper
    anchors: AnchorFiles

    @property
    def issuer(self) -> str:
        """Our address, in every token and document."""
        return self.settings.issuer_url


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
    approvals: ApprovalService
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


def system_clock(mark: ClockMark | None) -> SystemClock:
    """The machine's clock, going on from where it was when the last process stopped."""
    if mark is None:
        return SystemClock()
    return SystemClock(generation=mark.generation, high_water=mark.high_water)


async def open_ground(
    settings: Settings,
    *,
    kek: Kek,
    make_clock: Callable[[ClockMark | None], Clock] = system_clock,
    entropy: Entropy = system_entropy,
    on_fence: Callable[[RemitError], None] | None = None,
) -> Ground:
    """Open the store, the clock, the keys and the first snapshot; raises rather than serve on less."""
    url = settings.store.url or f"sqlite:///{settings.directory / 'remit.db'}"
    node = f"nod_{secrets.token_hex(8)}"
    anchors = AnchorFiles(settings.directory / "anchors")
    journals = partial(_journal, node=node, kek=kek, entropy=entropy, anchors=anchors)
    store = await open_store(url, journals=journals, on_fence=on_fence)
    work = SqlUnitOfWork(store, tenant=DEFAULT_TENANT)
    keys = KeyHolder(work=work, kek=kek, issuer=settings.issuer_url, entropy=entropy)
    snapshots = SnapshotKeeper(work, tenant=DEFAULT_TENANT)
    try:
        clock = make_clock(await work.read(lambda tx: ClockMarks(tx.sql).get()))
        await keys.rotate(clock.now())
        await snapshots.catch_up()
    except BaseException:
        await store.close()
        raise
    return Ground(
        settings=settings,
        tenant=DEFAULT_TENANT,
        clock=clock,
        entropy=entropy,
        kek=kek,
        store=store,
        work=work,
        keys=keys,
        snapshots=snapshots,
        anchors=anchors,
    )


async def open_tenant(home: Ground, tenant: TenantId) -> Services:
    """Everything of a further tenant: its own keys, snapshot and services, on the installation's store.

    Raises `KekWrong`, and `IssuerChanged` for keys of another address.
    """
    settings = settings_of(home.settings, tenant)
    work = ServedTenant(home.store, tenant=tenant)
    keys = KeyHolder(work=work, kek=home.kek, issuer=settings.issuer_url, entropy=home.entropy)
    snapshots = SnapshotKeeper(work, tenant=tenant)
    await keys.rotate(home.clock.now())
    await snapshots.catch_up()
    return build(replace(home, settings=settings, tenant=tenant, work=work, keys=keys, snapshots=snapshots))


def build(ground: Ground) -> Services:
    """Bind every service to what it stands on."""
    work, tenant, entropy, clock = ground.work, ground.tenant, ground.entropy, ground.clock
    chosen = ground.settings
    options = AuthorityOptions(
        issuer=ground.issuer, trust_domain=chosen.trust_domain, lifetimes=chosen.authority.lifetimes()
    )
    standings = SnapshotStandings(ground.snapshots)
    verifier = AccessTokenVerifier(keys=ground.keys, standings=standings, clock=clock)
    approvals = ApprovalService(
        work=work,
        clock=clock,
        entropy=entropy,
        attention=_attention(chosen.approvals),
        patience=Patience(lifetime=chosen.approvals.lifetime),
    )
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
    oauth = _oauth(ground, options, federation, fetches)
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
        ),
        clock=clock,
        entropy=entropy,
    )
    tools = ToolService(uow=work, entropy=entropy, tenant=tenant)
    decisions = _decisions(ground, options.lifetimes)
    exits = GuardedHttp(rule=narrow(RegisteredServers(ground.snapshots)))
    metrics = Metrics()
    log = LogSigner(ground.keys, name=log_name(ground.settings))
    upstreams = UpstreamPool(http=exits, spawner=_spawner(ground), timeouts=_timeouts(chosen.gateway))
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
        identity=IdentityService(uow=work, entropy=entropy, tenant=tenant),
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
        capabilities=_capabilities(ground, verifier, decisions, approvals, tools, metrics),
        spender=CapabilitySpender(
            work=work, keys=ground.keys, issuer=ground.issuer, node=ground.store.node, entropy=entropy
        ),
        approvals=approvals,
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
        gateway=_gateway(ground, verifier, decisions, approvals, tools, upstreams, vault, metrics),
        upstreams=upstreams,
        exits=exits,
        log=log,
        heads=HeadKeeper(work=work, tenant=tenant, signer=log, anchors=ground.anchors),
        metrics=metrics,
        tenancy=_tenancy(ground),
    )


def _saml(ground: Ground, upstream: Upstream, people: People, federation: Federation) -> "SamlPeople | None":
    if not ground.settings.federation.saml:
        return None
    from remit.app.bindings.saml import SamlPeople  # noqa: PLC0415 — an XML reader that few need

    return SamlPeople.build(
        ground.settings,
        upstream=upstream,
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


def log_name(settings: Settings) -> str:
    """The name of this installation's log in checkpoints: its issuer without the scheme."""
    return settings.issuer_url.partition("://")[2]


def _journal(lane: Lane, *, node: str, kek: Kek, entropy: Entropy, anchors: AnchorFiles) -> LedgerAppender:
    # PostgreSQL writes kills on a connection of their own: each writer leases a log of its own.
    shard = "main" if lane is Lane.NORMAL else lane.value
    return LedgerAppender(node=node, kek=kek, entropy=entropy, shard=shard, anchors=anchors.last)


def _attention(chosen: ApprovalChoices) -> Attention:
    return Attention(
        per_user_per_minute=chosen.per_user_per_minute,
        pending_per_agent=chosen.pending_per_agent,
        denials_in_a_row=chosen.denials_in_a_row,
    )


def _timeouts(chosen: GatewayChoices) -> Timeouts:
    return Timeouts(
        connect=chosen.connect_timeout.total_seconds(),
        first_byte=chosen.first_byte_timeout.total_seconds(),
        total=chosen.total_timeout.total_seconds(),
    )


def _spawner(ground: Ground) -> Spawner:
    return _children(ground.settings) if ground.tenant == DEFAULT_TENANT else NoPrograms()


def _children(settings: Settings) -> ChildProcesses:
    """Starts servers over stdio: as another user, if one is chosen, who can't enter our directory (MC-23)."""
    user = settings.gateway.child_user
    if user is not None and os.geteuid() != 0:
        raise StartRefused(
            f"`gateway.child_user` is {user}, but only root may start programs as somebody else",
            next_step="start as root, or leave `gateway.child_user` out",
        )
    return ChildProcesses(directory=settings.directory if user is None else Path("/"), user=user)


def _decisions(ground: Ground, lifetimes: Lifetimes) -> DecisionService:
    press = CapabilityPress(
        keys=ground.keys,
        issuer=ground.issuer,
        trust_domain=ground.settings.trust_domain,
        lifetime=lifetimes.capability,
        entropy=ground.entropy,
    )
    return DecisionService(
        uow=ground.work,
        snapshots=ground.snapshots,
        capabilities=press,
        entropy=ground.entropy,
        node=ground.store.node,
        live_limit=lifetimes.live_capabilities,
    )


def _capabilities(
    ground: Ground,
    verifier: AccessTokenVerifier,
    decisions: DecisionService,
    approvals: ApprovalService,
    tools: ToolService,
    metrics: Metrics,
) -> CapabilityIssuer:
    journal = CallJournal(work=ground.work, snapshots=ground.snapshots, entropy=ground.entropy)
    return CapabilityIssuer(
        verifier=verifier,
        registry=PinnedTools(snapshots=ground.snapshots, tools=tools, clock=ground.clock),
        decider=MeteredDecider(PipelineDecider(decisions, handing=Handing.LIVE), metrics),
        desk=ApprovalDesk(approvals=approvals, snapshots=ground.snapshots, issuer=ground.issuer),
        calls=MeteredCalls(journal, metrics),
        explainer=PublicExplainer(ground.issuer),
        issuer=ground.issuer,
        clock=ground.clock,
        entropy=ground.entropy,
    )


def _authorities(chosen: ClientChoices) -> CertificateTrust:
    """The authorities of client certificates. Raises `StartRefused` for a file that holds none."""
    if chosen.authorities is None:
        return CertificateTrust()
    try:
        return CertificateTrust.read(chosen.authorities.expanduser().read_bytes())
    except (OSError, UnfitCertificate) as unfit:
        raise StartRefused(
            f"`clients.authorities` is `{chosen.authorities}`, which holds no certificates in PEM",
            next_step="name a file with the authorities' certificates, or leave it out",
        ) from unfit


def _consenting(ground: Ground, options: AuthorityOptions) -> Consenting:
    work, entropy, tenant = ground.work, ground.entropy, ground.tenant
    return Consenting(
        consents=ConsentService(uow=work, entropy=entropy, tenant=tenant),
        tasks=TaskService(uow=work, keys=ground.keys, options=options, entropy=entropy, tenant=tenant),
        successors=ground.kek.subkey(purpose=Purpose.REFRESH, tenant=tenant),
    )


def _oauth(ground: Ground, options: AuthorityOptions, federation: Federation, fetches: GuardedHttp) -> OAuth:
    chosen = ground.settings
    return OAuth.build(
        options=OAuthOptions(
            issuer=options.issuer,
            trust_domain=options.trust_domain,
            access_token_life=options.lifetimes.access_token,
            bearer_token_life=chosen.authority.bearer_token,
            require_nonce=chosen.oauth.require_nonce,
            strict_assertion_type=chosen.oauth.strict_assertion_type,
            workloads=True,
            saml=chosen.federation.saml,
            documents=chosen.clients.documents(),
            dynamic=chosen.clients.dynamic(),
            certificates=bool(chosen.http.certificate_proxies),
            authorities=chosen.clients.authorities is not None,
            status_lists=chosen.oauth.status_lists,
            devices=chosen.oauth.devices,
            domains=True,
            transactions=chosen.oauth.transaction_tokens,
        ),
        tenant=ground.tenant,
        uow=ground.work,
        keys=ground.keys,
        delegations=EnvelopeRegister(keys=ground.keys, options=options, entropy=ground.entropy),
        gate=NoObjection(),
        issuer_keys=federation.refresher,
        domain_keys=federation.refresher,
        views=SnapshotStandings(ground.snapshots),
        clock=ground.clock,
        entropy=ground.entropy,
        consenting=_consenting(ground, options),
        nonces=NonceBox(
            key=ground.kek.subkey(purpose=Purpose.DPOP_NONCE, tenant=ground.tenant), tenant=ground.tenant
        ),
        outbound=fetches,
        trust=_authorities(chosen.clients),
    )


def _gateway(
    ground: Ground,
    verifier: AccessTokenVerifier,
    decisions: DecisionService,
    approvals: ApprovalService,
    tools: ToolService,
    upstreams: UpstreamPool,
    vault: VaultServices,
    metrics: Metrics,
) -> McpApp:
    chosen = ground.settings.gateway
    registry = PinnedTools(snapshots=ground.snapshots, tools=tools, clock=ground.clock)
    decider = MeteredDecider(PipelineDecider(decisions), metrics)
    journal = CallJournal(work=ground.work, snapshots=ground.snapshots, entropy=ground.entropy)
    calls = MeteredCalls(journal, metrics)
    desk = ApprovalDesk(approvals=approvals, snapshots=ground.snapshots, issuer=ground.issuer)
    gateway = Gateway(
        gate=Gate(
            decider=decider,
            desk=desk,
            calls=calls,
            options=GateOptions(hold_seconds=chosen.hold.total_seconds()),
        ),
        decider=decider,
        calls=calls,
        explainer=PublicExplainer(ground.issuer),
        catalogue=Catalogue(
            registry=registry,
            upstreams=upstreams,
            clock=ground.clock,
            options=CatalogueOptions(freshness=chosen.freshness.total_seconds()),
        ),
        upstreams=upstreams,
        rounds=Rounds(
            box=SealedBox(
                key=ground.kek.subkey(purpose=Purpose.REQUEST_STATE, tenant=ground.tenant),
                entropy=ground.entropy,
            ),
            clock=ground.clock,
        ),
        clock=ground.clock,
        entropy=ground.entropy,
        credentials=GatewayCredentials(vault.desk),
        scoping=SnapshotScopes(ground.snapshots),
    )
    origin = origin_of(ground.issuer)
    return McpApp(
        gateway=ObservedGateway(gateway, metrics),
        registry=registry,
        verifier=Doorman(
            verifier=verifier,
            transactions=transactions_at(ground.settings, keys=ground.keys, clock=ground.clock),
        ),
        sessions=Sessions(options=SessionOptions(per_subject=chosen.sessions), entropy=ground.entropy),
        liveness=SnapshotLiveness(snapshots=ground.snapshots, clock=ground.clock),
        clock=ground.clock,
        options=AppOptions(
            issuer=ground.issuer,
            edge=Edge(hosts=frozenset({origin.partition("://")[2]}), origins=frozenset({origin})),
            streams=chosen.streams,
            transactions=ground.settings.oauth.transaction_tokens,
        ),
    )
