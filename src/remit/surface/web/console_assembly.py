"""The routes of an operator's screens, from the services that `app` composed."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from remit.app.console.behaviour import BehaviourReader
from remit.app.console.choices import choices
from remit.app.console.graph import GraphReader
from remit.app.console.inventory import Inventory
from remit.app.console.search import SearchDesk
from remit.app.console.standing import StandingReader
from remit.app.console.wall import WallReader
from remit.app.services import Services
from remit.authority.tasks import Task
from remit.surface.web.operation import Inbound, Nothing
from remit.surface.web.routes.console import ConsoleRoutes
from remit.surface.web.routes.entries import Entries
from remit.surface.web.routes.inventory import InventoryRoutes


def inventory_routes(services: Services) -> InventoryRoutes:
    """Lists of the directory."""
    return InventoryRoutes(
        inventory=Inventory(uow=services.ground.work, identity=services.identity),
        entries=Entries(identity=services.identity),
    )


def console_routes(
    services: Services, *, seen: Callable[[Inbound[Nothing, Any]], Awaitable[Task]]
) -> ConsoleRoutes:
    """Read models over several wings."""
    ground = services.ground
    return ConsoleRoutes(
        entries=Entries(identity=services.identity),
        behaviour=BehaviourReader(ground.work),
        standing=StandingReader(ground.work),
        graph=GraphReader(work=ground.work, snapshots=ground.snapshots),
        search=SearchDesk(work=ground.work, snapshots=ground.snapshots),
        wall=WallReader(ground.work),
        settings=partial(choices, ground.settings),
        task_seen=seen,
    )
