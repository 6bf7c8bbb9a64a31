"""The HTTP surface of one installation: every route, from the services that `app` composed."""

from functools import partial

from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from remit.app.access.desk import AccessDesk
from remit.app.access.requests import AccessRequests
from remit.app.access.unasked import UnaskedLog
from remit.app.bindings.desk import ApprovalDesk
from remit.app.bindings.figures import count_state
from remit.app.services import Services
from remit.surface.web.api import Api
from remit.surface.web.app import build_app
from remit.surface.web.browsing import BrowserDoor
from remit.surface.web.door import Door
from remit.surface.web.idempotency import Idempotency
from remit.surface.web.nouns_assembly import nouns, relations, upstream_routes
from remit.surface.web.openapi import document
from remit.surface.web.pages_assembly import pages, session_door
from remit.surface.web.probes import probes
from remit.surface.web.routes.access import AccessRoutes
from remit.surface.web.routes.access_direct import access_doors
from remit.surface.web.routes.access_requests import RequestRoutes
from remit.surface.web.routes.capabilities import PATH as CAPABILITIES
from remit.surface.web.routes.capabilities import CapabilityDoor
from remit.surface.web.routes.fga import FgaRoutes
from remit.surface.web.routes.meta import MetaRoutes
from remit.surface.web.routes.oauth import OAuthRoutes
from remit.surface.web.routes.register import RegisterRoutes
from remit.surface.web.routes.spiffe import SpiffeRoutes
from remit.surface.web.routes.token import PATH as TOKEN
from remit.surface.web.routes.token import TokenDoor
from remit.surface.web.routes.unasked import UnaskedRoutes
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


async def _count(services: Services) -> None:
    """Bring the present counts up to date."""
    await services.ground.work.read(lambda tx: count_state(tx, services.metrics))
