"""The API's nouns, from the services that `app` composed."""

from datetime import datetime
from functools import partial

from remit.app.bindings.beside import CardDesk
from remit.app.bindings.cases import CaseDesk
from remit.app.bindings.directory import SnapshotDirectory
from remit.app.bindings.discovery import LiveTools
from remit.app.bindings.doors import PinnedTools
from remit.app.bindings.trials import GatewayReader
from remit.app.learning import LearningService
from remit.app.live import LiveLog
from remit.app.publishing import policy_service
from remit.app.replaying.service import ReplayService
from remit.app.retrieval.ground import decided_at, retrieval_desk, sources_of
from remit.app.services import Services
from remit.app.tenant_desk import TenantDesk
from remit.decision.relation_service import RelationService
from remit.decision.risk_service import RiskService
from remit.decision.trials.service import TrialService
from remit.enforcement.mcp.catalogue import Catalogue, CatalogueOptions
from remit.identity.credential_keys import CredentialKeys
from remit.kernel.ids import DecisionId
from remit.kernel.jose.keys import KeyClass
from remit.ledger.telling import tell_decision
from remit.oversight.approvals.answers import read_signed_answer
from remit.oversight.approvals.approval import Answer
from remit.oversight.approvals.scope import Choice
from remit.oversight.approvals.service import AnswerProof
from remit.surface.web.api_v1 import Nouns
from remit.surface.web.console_assembly import console_routes, inventory_routes
from remit.surface.web.governing import Governed
from remit.surface.web.governing_assembly import (
    administration_routes,
    change_routes,
    governed_by,
)
from remit.surface.web.rehearsal import SnapshotRehearsal
from remit.surface.web.routes.approvals import ApprovalRoutes
from remit.surface.web.routes.attention import AttentionRoutes
from remit.surface.web.routes.authority import AuthorityRoutes
from remit.surface.web.routes.breakglass import BreakGlassRoutes
from remit.surface.web.routes.capabilities import CapabilityRoutes
from remit.surface.web.routes.cases import CaseRoutes
from remit.surface.web.routes.channels import ChannelRoutes
from remit.surface.web.routes.clients import ClientRoutes
from remit.surface.web.routes.connections import ConnectionRoutes
from remit.surface.web.routes.decisions import DecisionRoutes
from remit.surface.web.routes.directory import DirectoryRoutes
from remit.surface.web.routes.domains import DomainRoutes, entry_named
from remit.surface.web.routes.entries import Entries
from remit.surface.web.routes.federation import FederationRoutes, agent_named
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


def nouns(services: Services) -> Nouns:
    """The API's nouns over the services."""
    ground = services.ground
    policies = policy_service(ground)
    governed = Governed()
    authority = AuthorityRoutes(
        tasks=services.tasks,
        consent=services.consent,
        delegations=services.delegations,
        identity=services.identity,
    )
    found = Nouns(
        usage=UsageRoutes(usage=services.usage, seen=authority.seen),
        directory=DirectoryRoutes(
            identity=services.identity,
            credentials=services.credentials,
            consent=services.consent,
            trust_domain=ground.settings.trust_domain,
        ),
        tools=ToolRoutes(
            service=services.tools,
            live=_live_tools(services),
            identity=services.identity,
            entropy=ground.entropy,
        ),
        authority=authority,
        retrieval=RetrievalRoutes(
            desk=retrieval_desk(ground),
            seen=authority.seen,
            decided_at=partial(decided_at, services.decisions),
            sources=partial(sources_of, ground),
        ),
        clients=ClientRoutes(service=services.clients, identity=services.identity),
        decisions=DecisionRoutes(
            service=services.decisions,
            policies=policies,
            rehearsal=SnapshotRehearsal(
                decisions=services.decisions,
                snapshots=ground.snapshots,
                clock=ground.clock,
                issuer=ground.issuer,
            ),
            tell=partial(_tell, services),
        ),
        trials=TrialRoutes(
            trials=TrialService(snapshots=ground.snapshots, reader=GatewayReader()), policies=policies
        ),
        publishing=PublishingRoutes(policies=policies, replays=ReplayService(ground, policies)),
        learning=LearningRoutes(
            lessons=LearningService(ground, policies, services.consent), identity=services.identity
        ),
        approvals=ApprovalRoutes(
            service=services.approvals,
            cards=CardDesk(ground.work),
            read_answer=partial(_read_answer, services),
            link_signer=partial(ground.keys.signer, KeyClass.APPROVAL_LINK),
            issuer=ground.issuer,
            entropy=ground.entropy,
        ),
        cases=CaseRoutes(desk=CaseDesk(service=services.cases, snapshots=ground.snapshots)),
        attention=AttentionRoutes(
            service=services.attention,
            read_answer=partial(_read_answer, services),
            entries=Entries(identity=services.identity),
            name_of=SnapshotDirectory(ground.snapshots).name_of,
        ),
        rosters=RosterRoutes(
            service=services.rosters,
            identity=services.identity,
            name_of=SnapshotDirectory(ground.snapshots).name_of,
        ),
        breakglass=BreakGlassRoutes(
            service=services.breakglass, name_of=SnapshotDirectory(ground.snapshots).name_of
        ),
        channels=ChannelRoutes(
            service=services.reaching.service,
            identity=services.identity,
            tenant=ground.tenant,
            name_of=SnapshotDirectory(ground.snapshots).name_of,
        ),
        kills=KillRoutes(service=services.containment),
        ledger=LedgerRoutes(
            uow=ground.work,
            tenant=ground.tenant,
            sign=services.heads.sign,
            known_keys=services.log.known_keys,
            directory=SnapshotDirectory(ground.snapshots),
        ),
        keys=KeyRoutes(box=ground.keys),
        capabilities=CapabilityRoutes(spender=services.spender),
        connections=ConnectionRoutes(
            providers=services.vault.providers,
            connections=services.vault.connections,
            identity=services.identity,
            name_of=SnapshotDirectory(ground.snapshots).name_of,
            issuer=ground.issuer,
        ),
        people=PeopleRoutes(
            identity=services.identity,
            passkeys=services.people.passkeys,
            sessions=services.people.sessions,
            enrolments=services.people.enrolments,
            lifetime=ground.settings.people.enrolment,
            origin=services.people.desk.home,
        ),
        stream=StreamRoutes(live=_live(services)),
        federation=FederationRoutes(
            service=services.federation.service,
            refresher=services.federation.refresher,
            agent=partial(agent_named, services.identity),
        ),
        spiffe=SpiffeRoutes(svids=services.federation.svids),
        tenants=TenantRoutes(
            desk=None if services.tenancy is None else TenantDesk(services, services.tenancy)
        ),
        domains=DomainRoutes(service=services.domains, named=partial(entry_named, services.identity)),
        upstream=upstream_routes(services),
        relations=RelationRoutes(relations=relations(services)),
        risk=RiskRoutes(
            service=RiskService(uow=ground.work, entropy=ground.entropy, tenant=ground.tenant),
            identity=services.identity,
        ),
        me=MeRoutes(directory=SnapshotDirectory(ground.snapshots)),
        inventory=inventory_routes(services),
        console=console_routes(services, seen=authority.seen),
        administration=administration_routes(services, governed),
        changes=change_routes(services, governed),
    )
    governed.operations = governed_by(services, governed, found.operations())
    return found


def relations(services: Services) -> RelationService:
    """Who is related to what."""
    ground = services.ground
    return RelationService(
        uow=ground.work, snapshots=ground.snapshots, entropy=ground.entropy, tenant=ground.tenant
    )


def upstream_routes(services: Services) -> UpstreamRoutes:
    """People's other providers: the API's noun, and the address at which they sign people out."""
    return UpstreamRoutes(
        providers=services.upstream.providers,
        links=services.upstream.links,
        logout=services.upstream.logout,
        identity=services.identity,
        home=services.people.desk.home,
        examiner=(services.saml or services.upstream).examiner,
        saml=None if services.saml is None else services.saml.providers,
    )


def _live(services: Services) -> LiveLog:
    ground = services.ground
    return LiveLog(
        work=ground.work,
        clock=ground.clock,
        commits=lambda: ground.store.commits,
        alone=not ground.settings.store.url,
    )


def _live_tools(services: Services) -> LiveTools:
    ground = services.ground
    registry = PinnedTools(snapshots=ground.snapshots, tools=services.tools, clock=ground.clock)
    catalogue = Catalogue(
        registry=registry,
        upstreams=services.upstreams,
        clock=ground.clock,
        options=CatalogueOptions(freshness=0),
    )
    return LiveTools(registry=registry, catalogue=catalogue)


async def _tell(services: Services, decision: DecisionId) -> str:
    """The sentence of one action, from the log."""
    ground = services.ground
    directory = SnapshotDirectory(ground.snapshots)
    return await ground.work.read(lambda tx: tell_decision(tx.ledger, decision, directory))


async def _read_answer(
    services: Services, token: str, at: datetime, choice: Choice | None = None
) -> tuple[Answer, AnswerProof]:
    """Verify a person's signed answer with the keys of one consistent view of the directory."""
    ground = services.ground
    return await ground.work.read(
        lambda tx: read_signed_answer(
            token,
            keys=CredentialKeys(tx.credentials, tx.principals),
            audience=ground.issuer,
            at=at,
            choice=choice,
        )
    )
