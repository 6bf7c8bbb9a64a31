"""Administration composed: its policy, the changes that take two, and their pages."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from remit.app.bindings.directory import SnapshotDirectory
from remit.app.publishing import policy_service
from remit.app.services import Services
from remit.decision.administration.service import AdministrationService
from remit.oversight.changes.service import ChangeService
from remit.surface.web.changing import Changing
from remit.surface.web.governing import Governed
from remit.surface.web.operation import Operation
from remit.surface.web.pages.changes import ChangePages
from remit.surface.web.pages.mine import Own
from remit.surface.web.routes.administration import AdministrationRoutes
from remit.surface.web.routes.changes import ChangeRoutes
from remit.surface.web.seconds import Seconds

Operations: TypeAlias = Callable[[], Sequence[Operation[Any, Any]]]


def administration(services: Services, governed: Governed) -> AdministrationService:
    """Who may administer."""
    ground = services.ground
    return AdministrationService(
        uow=ground.work,
        identity=services.identity,
        catalogue=governed.catalogue,
        entropy=ground.entropy,
        tenant=ground.tenant,
    )


def administration_routes(services: Services, governed: Governed) -> AdministrationRoutes:
    """Roles and rules."""
    return AdministrationRoutes(
        service=administration(services, governed), identity=services.identity, by_rank=governed.by_rank
    )


def change_routes(services: Services, governed: Governed) -> ChangeRoutes:
    """Changes that take two, over the API."""
    service = _changes(services)
    return ChangeRoutes(
        service=service,
        changing=_changing(services, service, lambda: governed.operations),
        name_of=SnapshotDirectory(services.ground.snapshots).name_of,
        home=services.people.desk.home,
    )


def change_pages(services: Services, own: Own, operations: Operations) -> ChangePages:
    """Changes that take two, on their pages."""
    service = _changes(services)
    return ChangePages(
        own=own,
        service=service,
        changing=_changing(services, service, operations),
        confirms=services.people.signing,
        name_of=own.name_of,
        now=services.ground.clock.now,
    )


def governed_by(
    services: Services, governed: Governed, operations: Sequence[Operation[Any, Any]]
) -> Sequence[Operation[Any, Any]]:
    """The operations, those of high risk with what a second person has to know."""
    seconds = Seconds(
        services=services,
        policies=policy_service(services.ground),
        administration=administration(services, governed),
    )
    return seconds.attach(operations)


def _changes(services: Services) -> ChangeService:
    ground = services.ground
    return ChangeService(
        uow=ground.work,
        clock=ground.clock,
        entropy=ground.entropy,
        tenant=ground.tenant,
        rule=ground.settings.administration.rule(),
    )


def _changing(services: Services, service: ChangeService, operations: Operations) -> Changing:
    ground = services.ground
    return Changing(
        service=service, operations=operations, uow=ground.work, clock=ground.clock, issuer=ground.issuer
    )
