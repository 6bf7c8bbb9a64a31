"""The decision point and the gateway of one tenant, bound to what they stand on."""

import os
from pathlib import Path

from remit.app.bindings.calls import CallJournal
from remit.app.bindings.desk import ApprovalDesk
from remit.app.bindings.domains import transactions_at
from remit.app.bindings.doors import (
    Doorman,
    PinnedTools,
    PipelineDecider,
    PublicExplainer,
    SnapshotLiveness,
)
from remit.app.bindings.figures import MeteredCalls, MeteredDecider, ObservedGateway
from remit.app.bindings.issuing import CapabilityIssuer
from remit.app.bindings.minter import CapabilityPress
from remit.app.bindings.provenance import watch_of, weighing_of
from remit.app.bindings.risk import lookout_of, steps_of
from remit.app.bindings.scoping import SnapshotScopes
from remit.app.bindings.tenancy import NoPrograms
from remit.app.bindings.usage import STEPS, Metered, NothingToMint, UsageMeter
from remit.app.bindings.vault import GatewayCredentials, VaultServices
from remit.app.ground import Ground
from remit.app.retrieval.ground import print_key_of, retrieval_desk
from remit.authority.lifetimes import Lifetimes
from remit.authority.oauth.proving.verifier import AccessTokenVerifier
from remit.decision.answer.response import Handing
from remit.decision.provenance.watch import Watch
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
from remit.identity.tool_service import ToolService
from remit.kernel.derivation import Purpose
from remit.kernel.sealed import SealedBox
from remit.kernel.tenancy import DEFAULT_TENANT, origin_of
from remit.oversight.approvals.service import ApprovalService
from remit.platform.outbound import GuardedHttp
from remit.platform.settings.model import Settings
from remit.platform.settings.options import GatewayChoices
from remit.platform.settings.refusals import StartRefused
from remit.platform.stdio import ChildProcesses
from remit.platform.telemetry.metrics import Metrics


def decision_point(ground: Ground, lifetimes: Lifetimes) -> DecisionService:
    """Judges every call, and mints the capabilities of those that may run."""
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
        print_key=print_key_of(ground),
        steps=steps_of(ground.settings.risk),
        lookout=lookout_of(ground.settings.risk, _watch(ground)),
        weighing=weighing_of(ground.settings.gateway),
        generation=ground.clock.generation,
    )


def usage_meter(ground: Ground, approvals: ApprovalService) -> UsageMeter:
    """Decides what programs use of models: as of a tool that is ours, without rights and policies."""
    snapshots = Metered(ground.snapshots)
    return UsageMeter(
        decisions=DecisionService(
            uow=ground.work,
            snapshots=snapshots,
            capabilities=NothingToMint(),
            entropy=ground.entropy,
            node=ground.store.node,
            steps=STEPS,
        ),
        snapshots=ground.snapshots,
        desk=ApprovalDesk(approvals=approvals, snapshots=snapshots, issuer=ground.issuer),
        work=ground.work,
        entropy=ground.entropy,
    )


def capability_issuer(
    ground: Ground,
    verifier: AccessTokenVerifier,
    decisions: DecisionService,
    approvals: ApprovalService,
    tools: ToolService,
    metrics: Metrics,
) -> CapabilityIssuer:
    """Gives a capability to an agent that calls a server by itself, and says when it was used."""
    journal = _journal(ground)
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


def gateway_of(
    ground: Ground,
    verifier: AccessTokenVerifier,
    decisions: DecisionService,
    approvals: ApprovalService,
    tools: ToolService,
    upstreams: UpstreamPool,
    vault: VaultServices,
    metrics: Metrics,
) -> McpApp:
    """The MCP servers of one tenant as agents see them: each call authenticated, decided, and on record."""
    chosen = ground.settings.gateway
    registry = PinnedTools(snapshots=ground.snapshots, tools=tools, clock=ground.clock)
    decider = MeteredDecider(PipelineDecider(decisions), metrics)
    journal = _journal(ground)
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
        shelf=retrieval_desk(ground),
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


def upstream_pool(ground: Ground, exits: GuardedHttp) -> UpstreamPool:
    """The servers behind the gateway; further tenants start no programs."""
    chosen = ground.settings
    spawner: Spawner = _children(chosen) if ground.tenant == DEFAULT_TENANT else NoPrograms()
    return UpstreamPool(http=exits, spawner=spawner, timeouts=_timeouts(chosen.gateway))


def _watch(ground: Ground) -> Watch | None:
    return watch_of(ground.settings.gateway, kek=ground.kek, tenant=ground.tenant)


def _journal(ground: Ground) -> CallJournal:
    """Records how calls ended, and notes for their tasks what they read and wrote."""
    return CallJournal(
        work=ground.work,
        snapshots=ground.snapshots,
        entropy=ground.entropy,
        watch=_watch(ground),
        print_key=print_key_of(ground),
    )


def _timeouts(chosen: GatewayChoices) -> Timeouts:
    return Timeouts(
        connect=chosen.connect_timeout.total_seconds(),
        first_byte=chosen.first_byte_timeout.total_seconds(),
        total=chosen.total_timeout.total_seconds(),
    )


def _children(settings: Settings) -> ChildProcesses:
    """Starts servers over stdio: as another user, if one is chosen, who can't enter our directory (MC-23)."""
    user = settings.gateway.child_user
    if user is not None and os.geteuid() != 0:
        raise StartRefused(
            f"`gateway.child_user` is {user}, but only root may start programs as somebody else",
            next_step="start as root, or leave `gateway.child_user` out",
        )
    return ChildProcesses(directory=settings.directory if user is None else Path("/"), user=user)
