"""The HTTP surface of one installation: every route, from the services that `app` composed."""

from collections.abc import Sequence
from datetime import datetime
from functools import partial
from typing import Any

from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from remit.app.access.desk import AccessDesk
from remit.app.access.requests import AccessRequests
from remit.app.access.unasked import UnaskedLog
from remit.app.bindings.beside import CardDesk
from remit.app.bindings.cases import CaseDesk
from remit.app.bindings.desk import ApprovalDesk
from remit.app.bindings.directory import SnapshotDirectory
from remit.app.bindings.discovery import LiveTools
from remit.app.bindings.doors import PinnedTools
from remit.app.bindings.figures import count_state
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
from remit.identity.upstream.provider import Language
from remit.kernel.ids import DecisionId
from remit.kernel.jose.keys import KeyClass
from remit.kernel.tenancy import path_of
from remit.ledger.telling import tell_decision
from remit.oversight.approvals.answers import issue_link, read_link, read_signed_answer
from remit.oversight.approvals.approval import Answer
from remit.oversight.approvals.scope import Choice
from remit.oversight.approvals.service import AnswerProof
from remit.surface.web.api import Api
from remit.surface.web.api_v1 import Nouns
from remit.surface.web.app import build_app
from remit.surface.web.browsing import BrowserDoor
from remit.surface.web.console.built import read_built
from remit.surface.web.console.pages import ConsolePages
from remit.surface.web.console_assembly import console_routes, inventory_routes
from remit.surface.web.door import Door
from remit.surface.web.governing import Governed
from remit.surface.web.governing_assembly import (
    Operations,
    administration_routes,
    change_pages,
    change_routes,
    governed_by,
)
from remit.surface.web.idempotency import Idempotency
from remit.surface.web.openapi import document
from remit.surface.web.operation import Operation
from remit.surface.web.pages.approval import ApprovalPages
from remit.surface.web.pages.asks import AskPages
from remit.surface.web.pages.channels import channel_pages
from remit.surface.web.pages.connections import ConnectionPages
from remit.surface.web.pages.end_session import EndSessionPages
from remit.surface.web.pages.enrol import EnrolPages
from remit.surface.web.pages.grants import GrantPages
from remit.surface.web.pages.inbox import InboxPages
from remit.surface.web.pages.mine import Own
from remit.surface.web.pages.paper import Paper, assets
from remit.surface.web.pages.passkeys import PasskeyPages
from remit.surface.web.pages.sign_in import SignInPages
from remit.surface.web.pages.upstream import Providers, UpstreamPages
from remit.surface.web.probes import probes
from remit.surface.web.rehearsal import SnapshotRehearsal
from remit.surface.web.routes.access import AccessRoutes
from remit.surface.web.routes.access_direct import access_doors
from remit.surface.web.routes.access_requests import RequestRoutes
from remit.surface.web.routes.approvals import ApprovalRoutes
from remit.surface.web.routes.attention import AttentionRoutes
from remit.surface.web.routes.authority import AuthorityRoutes
from remit.surface.web.routes.authorize import AuthorizeRoutes
from remit.surface.web.routes.breakglass import BreakGlassRoutes
from remit.surface.web.routes.capabilities import PATH as CAPABILITIES
from remit.surface.web.routes.capabilities import CapabilityDoor, CapabilityRoutes
from remit.surface.web.routes.cases import CaseRoutes
from remit.surface.web.routes.channels import ChannelRoutes
from remit.surface.web.routes.clients import ClientRoutes
from remit.surface.web.routes.connections import ConnectionRoutes
from remit.surface.web.routes.decisions import DecisionRoutes
from remit.surface.web.routes.device import DeviceRoutes
from remit.surface.web.routes.directory import DirectoryRoutes
from remit.surface.web.routes.domains import DomainRoutes, entry_named
from remit.surface.web.routes.entries import Entries
from remit.surface.web.routes.federation import FederationRoutes, agent_named
from remit.surface.web.routes.fga import FgaRoutes
from remit.surface.web.routes.keys import KeyRoutes
from remit.surface.web.routes.kills import KillRoutes
from remit.surface.web.routes.learning import LearningRoutes
from remit.surface.web.routes.ledger import LedgerRoutes
from remit.surface.web.routes.me import MeRoutes
from remit.surface.web.routes.meta import MetaRoutes
from remit.surface.web.routes.oauth import OAuthRoutes
from remit.surface.web.routes.oidc import OpenIdRoutes
from remit.surface.web.routes.people import PeopleRoutes
from remit.surface.web.routes.publishing import PublishingRoutes
from remit.surface.web.routes.register import RegisterRoutes
from remit.surface.web.routes.relations import RelationRoutes
from remit.surface.web.routes.retrieval import RetrievalRoutes
from remit.surface.web.routes.risk import RiskRoutes
from remit.surface.web.routes.rosters import RosterRoutes
from remit.surface.web.routes.spiffe import SpiffeRoutes
from remit.surface.web.routes.stream import StreamRoutes
from remit.surface.web.routes.tenants import TenantRoutes
from remit.surface.web.routes.token import PATH as TOKEN
from remit.surface.web.routes.token import TokenDoor
from remit.surface.web.routes.tools import ToolRoutes
from remit.surface.web.routes.trials import TrialRoutes
from remit.surface.web.routes.unasked import UnaskedRoutes
from remit.surface.web.routes.upstream import UpstreamRoutes
from remit.surface.web.routes.usage import UsageRoutes
from remit.surface.web.session import SessionDoor
from remit.surface.web.tenants import TenantDoor


def application(services: Services, *, browsing: type[BrowserDoor] = BrowserDoor) -> ASGIApp:
    """Everything that one port serves: the installation's own application, and each further tenant's."""
    make = partial(tenant_application, browsing=browsing)
    own, tenancy = make(services), services.tenancy
    if tenancy is None:
        return own
    return TenantDoor(own, tenants=tenancy.open, make=make, issuer=services.ground.issuer)


def tenant_application(services: Services, *, browsing: type[BrowserDoor] = BrowserDoor) -> ASGIApp:
    """Everything of one tenant, behind the doors that every request passes."""
    ground, metrics = services.ground, services.metrics
    found = nouns(services)
    operations = found.changes.changing.operations()
    door = Door(verifier=services.verifier, uow=ground.work, issuer=ground.issuer)
    once = Idempotency(uow=ground.work)
    api = Api(
        door=browser_door(services, tokens=door, kind=browsing),
        once=once,
        clock=ground.clock,
        changing=found.changes,
    )
    issuing = CapabilityDoor(
        issuer=services.capabilities, once=once, clock=ground.clock, address=ground.issuer
    )
    access = access_routes(services, door=door, once=once)
    routes: list[BaseRoute] = [
        *MetaRoutes(
            probes=probes(services),
            metrics=None if services.tenancy is None else metrics,
            count=partial(_count, services),
            document=partial(document, operations, issuer=ground.issuer),
            clock=ground.clock,
        ).routes(),
        *OAuthRoutes(services.oauth).routes(),
        *RegisterRoutes(services.oauth).routes(),
        *SpiffeRoutes(svids=services.federation.svids).routes(),
        *upstream_routes(services).routes(),
        *api.routes(operations),
        *access.routes(),
        *unasked_routes(services, door=door, once=once).routes(),
        *FgaRoutes(
            relations=relations(services), door=door, clock=ground.clock, issuer=ground.issuer
        ).routes(),
        *pages(services, lambda: operations),
    ]
    return build_app(
        routes,
        options=ground.settings.http,
        issuer=ground.issuer,
        metrics=metrics,
        entropy=ground.entropy,
        direct={
            CAPABILITIES: issuing,
            TOKEN: TokenDoor(services.oauth),
            **access_doors(access, entrance=door),
        },
        below={"/mcp": services.gateway},
    )


def browser_door(services: Services, *, tokens: Door, kind: type[BrowserDoor] = BrowserDoor) -> BrowserDoor:
    """The API's own door: people signed in here, then whoever has a token."""
    ground = services.ground
    return kind(
        tokens=tokens,
        sessions=session_door(services),
        uow=ground.work,
        clock=ground.clock,
        issuer=ground.issuer,
    )


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


def access_routes(services: Services, *, door: Door, once: Idempotency) -> AccessRoutes:
    """AuthZEN, with access requests where the operator wants them."""
    ground, desk = services.ground, access_desk(services)
    asking = RequestRoutes(
        requests=AccessRequests(
            desk=desk,
            decisions=services.decisions,
            opens=ApprovalDesk(
                approvals=services.approvals, snapshots=ground.snapshots, issuer=ground.issuer
            ),
            asks=services.approvals,
        ),
        door=door,
        once=once,
        clock=ground.clock,
        issuer=ground.issuer,
    )
    wanted = ground.settings.access.requests
    return AccessRoutes(desk=desk, door=door, issuer=ground.issuer, asking=asking if wanted else None)


def unasked_routes(services: Services, *, door: Door, once: Idempotency) -> UnaskedRoutes:
    """Where enforcement points tell what they let through while nobody could be asked."""
    ground = services.ground
    log = UnaskedLog(
        desk=access_desk(services),
        work=ground.work,
        clock=ground.clock,
        entropy=ground.entropy,
        tenant=ground.tenant,
    )
    return UnaskedRoutes(log=log, door=door, once=once, clock=ground.clock)


def access_desk(services: Services) -> AccessDesk:
    """Answers to enforcement points of others."""
    ground = services.ground
    return AccessDesk(
        judge=services.decisions,
        snapshots=ground.snapshots,
        issuer=ground.issuer,
        clock=ground.clock,
        entropy=ground.entropy,
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


async def _count(services: Services) -> None:
    """Bring the present counts up to date."""
    await services.ground.work.read(lambda tx: count_state(tx, services.metrics))


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


def session_door(services: Services) -> SessionDoor:
    """Who is signed in, for every page."""
    return SessionDoor(
        sessions=services.people.sessions,
        issuer=services.ground.issuer,
        origins=services.people.desk.origins,
        entropy=services.ground.entropy,
    )


def paper_of(services: Services) -> Paper:
    """What every page is drawn on."""
    return Paper(issuer=services.ground.issuer, origin=services.people.desk.home)


def pages(services: Services, operations: Operations | None = None) -> list[BaseRoute]:
    """Pages of people, and what they are dressed in; `operations` are those that pages may do."""

    def governed() -> Sequence[Operation[Any, Any]]:
        return operations() if operations else nouns(services).changes.changing.operations()

    paper, door = paper_of(services), session_door(services)
    flow, devices = services.oauth.code_flow, services.oauth.devices
    return [
        assets(),
        *([] if flow is None else AuthorizeRoutes(services.oauth, flow, door=door, paper=paper).routes()),
        *([] if flow is None else OpenIdRoutes(services.oauth, flow).routes()),
        *([] if devices is None else DeviceRoutes(services.oauth, devices, door=door, paper=paper).routes()),
        *_approval_pages(services, paper, door).routes(),
        *_own_pages(services, paper, door, governed),
    ]


def _own_pages(services: Services, paper: Paper, door: SessionDoor, governed: Operations) -> list[BaseRoute]:
    people, now = services.people, services.ground.clock.now
    name_of = SnapshotDirectory(services.ground.snapshots).name_of
    own = Own(paper=paper, door=door, name_of=name_of)
    upstream, backchannel = services.upstream, services.oauth.backchannel
    further = () if services.saml is None else (services.saml.logout,)
    elsewhere = Providers(providers=upstream.providers, ways=(upstream.logout, *further))
    sign_in = SignInPages(
        paper=paper,
        door=door,
        signing=people.signing,
        sessions=people.sessions,
        name_of=name_of,
        elsewhere=elsewhere,
    )
    return [
        *sign_in.routes(),
        *ConsolePages(own=own, built=read_built(), base=path_of(services.ground.issuer)).routes(),
        *_elsewhere(services, own),
        *EnrolPages(paper=paper, door=door, enrolments=people.enrolments).routes(),
        *PasskeyPages(own=own, passkeys=people.passkeys, sessions=people.sessions).routes(),
        *InboxPages(
            own=own,
            attention=services.attention,
            confirms=people.signing,
            tenant=services.ground.tenant,
            now=now,
        ).routes(),
        *GrantPages(
            own=own,
            consent=services.consent,
            sign_ons=services.openid.sign_ons,
            name_of=name_of,
            now=now,
        ).routes(),
        *([] if backchannel is None else AskPages(own=own, flow=backchannel, now=now).routes()),
        *channel_pages(own, services.reaching),
        *change_pages(services, own, governed).routes(),
        *EndSessionPages(
            own=own,
            sessions=people.sessions,
            endpoint=services.openid.end_session,
            clock=services.ground.clock,
            elsewhere=elsewhere,
        ).routes(),
        *ConnectionPages(
            own=own,
            connections=services.vault.connections,
            providers=services.vault.providers,
            name_of=name_of,
        ).routes(),
    ]


def _elsewhere(services: Services, own: Own) -> list[BaseRoute]:
    """Pages around providers that people come from, in every protocol that is spoken here."""
    upstream, saml, issuer = services.upstream, services.saml, services.ground.issuer
    pages = partial(
        UpstreamPages,
        own=own,
        signing=upstream.signing,
        providers=upstream.providers,
        links=upstream.links,
        now=services.ground.clock.now,
    )
    if saml is None:
        return pages().routes()
    from remit.surface.web.pages.saml import SamlPages, SamlWay  # noqa: PLC0415 — an XML reader that few need
    from remit.surface.web.pages.saml_logout import SamlLogoutPages  # noqa: PLC0415 — an XML reader that few need

    way = SamlWay(own=own, signing=saml.signing, issuer=issuer)
    whole = pages(others={Language.SAML: way.leave})
    back = SamlPages(own=own, signing=saml.signing, way=way, upstream=whole, issuer=issuer)
    return [*back.routes(), *SamlLogoutPages(own=own, logout=saml.logout).routes(), *whole.routes()]


def _approval_pages(services: Services, paper: Paper, door: SessionDoor) -> ApprovalPages:
    ground = services.ground
    return ApprovalPages(
        asks=services.approvals,
        read_link=lambda token, at: read_link(token, keys=ground.keys, issuer=ground.issuer, at=at),
        own_link=lambda approval, to: issue_link(
            approval,
            to=to,
            signer=ground.keys.signer(KeyClass.APPROVAL_LINK),
            issuer=ground.issuer,
            at=ground.clock.now(),
            entropy=ground.entropy,
        ),
        confirms=services.people.signing,
        cards=CardDesk(ground.work),
        door=door,
        paper=paper,
        now=ground.clock.now,
        name_of=SnapshotDirectory(ground.snapshots).name_of,
    )
