"""The pages that people see, from the services that `app` composed."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from starlette.routing import BaseRoute

from remit.app.bindings.beside import CardDesk
from remit.app.bindings.directory import SnapshotDirectory
from remit.app.services import Services
from remit.identity.upstream.provider import Language
from remit.kernel.jose.keys import KeyClass
from remit.kernel.tenancy import path_of
from remit.oversight.approvals.answers import issue_link, read_link
from remit.surface.web.console.built import read_built
from remit.surface.web.console.pages import ConsolePages
from remit.surface.web.governing_assembly import (
    Operations,
    change_pages,
)
from remit.surface.web.nouns_assembly import nouns
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
from remit.surface.web.routes.authorize import AuthorizeRoutes
from remit.surface.web.routes.device import DeviceRoutes
from remit.surface.web.routes.oidc import OpenIdRoutes
from remit.surface.web.session import SessionDoor


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
