"""A whole installation in one process: real store, services and doors on a real port, and a world inside.

`composed(folder)` opens it; `populate(house)` puts the demonstration's people, agents, server, pinned tools
and policy into it through the services. `make_…` arguments let a twin leave a defence out.
"""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import httpx2
import msgspec
from mcp import Client
from starlette.types import ASGIApp

from remit.app.ground import Ground, open_ground, system_clock
from remit.app.jobs import jobs, subscriptions, sweeps
from remit.app.services import Services, build
from remit.identity.tool_service import Definition
from remit.identity.tools import ResourceMapping, ToolMapping
from remit.kernel.clock import Clock
from remit.platform.settings.load import load
from remit.platform.storage.clock_marks import ClockMark
from remit.platform.storage.jobs import JobRunner
from remit.platform.storage.migrate import migrate_sqlite
from remit.platform.storage.outbox import Dispatcher
from remit.platform.storage.recovery import recover
from remit.surface.web.assembly import application
from remit_demo.business.server import mappings
from support.gateway import TLS
from support.house import House
from support.ports import free_port
from support.stores import TEST_KEK
from support.upstreams import Scripted, business, serving


@asynccontextmanager
async def composed(
    folder: Path,
    *,
    make_clock: Callable[[ClockMark | None], Clock] = system_clock,
    make: Callable[[Ground], Services] = build,
    make_app: Callable[[Services], ASGIApp] = application,
    work_in_background: bool = False,
    port: int = 0,
    chosen: Mapping[str, Any] | None = None,
) -> AsyncIterator[House]:
    """Open an installation in `folder`, or the one that is there; its jobs run only if wanted.

    `chosen` are settings of its operator.
    """
    _lay_ground(folder)
    port = port or free_port()
    flags = {"http.port": port, "data": str(folder), "demo": False, **(chosen or {})}
    settings = load(file=None, environ={}, flags=flags)
    async with AsyncExitStack() as stack:
        ground = await open_ground(settings, kek=TEST_KEK, make_clock=make_clock)
        services = make(ground)
        stack.push_async_callback(services.close)
        await ground.work.commit(lambda tx: tx.ledger.open())
        await recover(ground.work, sweeps(services), at=ground.clock.now())
        following = [asyncio.create_task(ground.snapshots.follow())]
        if work_in_background:
            following.append(asyncio.create_task(_jobs(services).run_forever()))
        stack.push_async_callback(_end, following)
        app = make_app(services)
        await stack.enter_async_context(serving(app, lifespan="off", port=port))
        limits = httpx2.Limits(max_connections=200)
        http = await stack.enter_async_context(
            httpx2.AsyncClient(trust_env=False, timeout=30, verify=TLS, limits=limits)
        )
        yield House(services=services, app=app, port=port, http=http, stack=stack)


async def populate(house: House, *, check: bool = True) -> House:
    """The demonstration's world: user, lead, auditor, three agents of one blueprint, the business."""
    admin = await house.person("admin@company.com", roles="admin")
    await house.person("user@company.com")
    await house.person("lead@company.com", roles="approver", team="support-leads")
    office = await house.blueprint()
    for name in ("calendar-bot", "mail-bot", "support-bot"):
        await house.agent(name, blueprint=office)
    keys = house.services.ground.keys
    audience = f"{house.issuer}/mcp/business"
    house.upstream = await house.stack.enter_async_context(
        business(
            jwks=(lambda: dict(keys.jwks(at=house.now()))) if check else None,
            issuer=house.issuer,
            audience=audience,
        )
    )
    await house.server("business", house.upstream.url, await business_tools(house.upstream.url))
    text = files("remit_demo").joinpath("policies.cedar").read_text(encoding="utf-8")
    await house.policy(text.partition('@id("git.read")')[0])
    assert admin.id
    return house


@asynccontextmanager
async def populated(folder: Path, **how: Any) -> AsyncIterator[House]:
    """`composed` and `populate` in one."""
    async with composed(folder, **how) as house:
        yield await populate(house)


async def beside(house: House, upstream: Scripted) -> None:
    """Put a scripted server beside the business, as `slow`; from now on policy permits anything."""
    mapping = ToolMapping(
        action="rooms.read", resource=ResourceMapping(type="Calendar", fixed="rooms"), arguments=("/item",)
    )
    pinned = [Definition(name=entry["name"], definition=entry, mapping=mapping) for entry in upstream.tools]
    await house.server("slow", upstream.url, pinned)
    await house.policy('@id("all") permit (principal, action, resource);')


_DEFINITIONS: list[Definition] = []


async def business_tools(url: str) -> list[Definition]:
    """The business's tools as its server lists them, with the mappings that it ships."""
    if not _DEFINITIONS:
        async with Client(url) as client:
            listed = (await client.list_tools()).tools
        known = {entry["tool"]: entry for entry in mappings()}
        _DEFINITIONS.extend(
            Definition(
                name=tool.name,
                definition=tool.model_dump(by_alias=True, exclude_unset=True, mode="json"),
                mapping=msgspec.convert(known[tool.name]["mapping"], ToolMapping),
                consequential=known[tool.name]["consequential"],
                reversible=known[tool.name]["reversible"],
            )
            for tool in listed
            if tool.name in known
        )
    return _DEFINITIONS


def _lay_ground(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    if not (folder / "remit.db").exists():
        shutil.copyfile(_template(), folder / "remit.db")


@cache
def _template() -> Path:
    """A migrated, empty database, made once per process."""
    path = Path(tempfile.mkdtemp(prefix="remit-template-")) / "remit.db"
    migrate_sqlite(path)
    return path


def _jobs(services: Services) -> JobRunner:
    def failed(name: str, error: Exception) -> None:
        raise error

    dispatcher = Dispatcher(subscriptions(services), on_failure=failed)
    return JobRunner(
        services.ground.work,
        (*jobs(services), dispatcher.job()),
        holder=services.ground.store.node,
        clock=services.ground.clock,
        on_failure=failed,
    )


async def _end(tasks: Sequence["asyncio.Task[Any]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
