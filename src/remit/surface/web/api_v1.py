"""Every operation of `/api/v1`, from the routes of each noun: one readable list."""

from dataclasses import dataclass
from typing import Any

from remit.surface.web.operation import Operation
from remit.surface.web.routes.administration import AdministrationRoutes
from remit.surface.web.routes.approvals import ApprovalRoutes
from remit.surface.web.routes.attention import AttentionRoutes
from remit.surface.web.routes.authority import AuthorityRoutes
from remit.surface.web.routes.breakglass import BreakGlassRoutes
from remit.surface.web.routes.capabilities import CapabilityRoutes
from remit.surface.web.routes.cases import CaseRoutes
from remit.surface.web.routes.changes import ChangeRoutes
from remit.surface.web.routes.channels import ChannelRoutes
from remit.surface.web.routes.clients import ClientRoutes
from remit.surface.web.routes.connections import ConnectionRoutes
from remit.surface.web.routes.console import ConsoleRoutes
from remit.surface.web.routes.decisions import DecisionRoutes
from remit.surface.web.routes.directory import DirectoryRoutes
from remit.surface.web.routes.domains import DomainRoutes
from remit.surface.web.routes.federation import FederationRoutes
from remit.surface.web.routes.inventory import InventoryRoutes
from remit.surface.web.routes.keys import KeyRoutes
from remit.surface.web.routes.kills import KillRoutes
from remit.surface.web.routes.learning import LearningRoutes
from remit.surface.web.routes.ledger import LedgerRoutes
from remit.surface.web.routes.me import MeRoutes
from remit.surface.web.routes.people import PeopleRoutes
from remit.surface.web.routes.publishing import PublishingRoutes
from remit.surface.web.routes.relations import RelationRoutes
from remit.surface.web.routes.retrieval import RetrievalRoutes
from remit.surface.web.routes.risk import RiskRoutes
from remit.surface.web.routes.rosters import RosterRoutes
from remit.surface.web.routes.spiffe import SpiffeRoutes
from remit.surface.web.routes.stream import StreamRoutes
from remit.surface.web.routes.tenants import TenantRoutes
from remit.surface.web.routes.tools import ToolRoutes
from remit.surface.web.routes.trials import TrialRoutes
from remit.surface.web.routes.upstream import UpstreamRoutes
from remit.surface.web.routes.usage import UsageRoutes


@dataclass(frozen=True, slots=True, kw_only=True)
class Nouns:
    """The routes of every noun, each built from the services that it needs."""

    directory: DirectoryRoutes
    tools: ToolRoutes
    authority: AuthorityRoutes
    clients: ClientRoutes
    decisions: DecisionRoutes
    trials: TrialRoutes
    publishing: PublishingRoutes
    learning: LearningRoutes
    approvals: ApprovalRoutes
    attention: AttentionRoutes
    cases: CaseRoutes
    rosters: RosterRoutes
    breakglass: BreakGlassRoutes
    channels: ChannelRoutes
    kills: KillRoutes
    ledger: LedgerRoutes
    keys: KeyRoutes
    capabilities: CapabilityRoutes
    connections: ConnectionRoutes
    people: PeopleRoutes
    stream: StreamRoutes
    federation: FederationRoutes
    spiffe: SpiffeRoutes
    tenants: TenantRoutes
    domains: DomainRoutes
    upstream: UpstreamRoutes
    relations: RelationRoutes
    retrieval: RetrievalRoutes
    usage: UsageRoutes
    risk: RiskRoutes
    me: MeRoutes
    inventory: InventoryRoutes
    console: ConsoleRoutes
    administration: AdministrationRoutes
    changes: ChangeRoutes

    def operations(self) -> list[Operation[Any, Any]]:
        """All of them; names and (method, path) pairs are unique, which a test demands."""
        return [
            *self.directory.operations(),
            *self.tools.operations(),
            *self.authority.operations(),
            *self.clients.operations(),
            *self.decisions.operations(),
            *self.trials.operations(),
            *self.publishing.operations(),
            *self.learning.operations(),
            *self.approvals.operations(),
            *self.attention.operations(),
            *self.cases.operations(),
            *self.rosters.operations(),
            *self.breakglass.operations(),
            *self.channels.operations(),
            *self.kills.operations(),
            *self.ledger.operations(),
            *self.keys.operations(),
            *self.capabilities.operations(),
            *self.connections.operations(),
            *self.people.operations(),
            *self.stream.operations(),
            *self.federation.operations(),
            *self.spiffe.operations(),
            *self.tenants.operations(),
            *self.domains.operations(),
            *self.upstream.operations(),
            *self.relations.operations(),
            *self.retrieval.operations(),
            *self.usage.operations(),
            *self.risk.operations(),
            *self.me.operations(),
            *self.inventory.operations(),
            *self.console.operations(),
            *self.administration.operations(),
            *self.changes.operations(),
        ]
