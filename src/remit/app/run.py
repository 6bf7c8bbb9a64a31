"""A process without its doors: everything opened, recovered, its jobs running and its snapshot following."""

import asyncio
import os
import secrets
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

import structlog

from remit.app.bootstrap import first_administrator, open_kek
from remit.app.ground import open_ground
from remit.app.jobs import jobs, subscriptions, sweeps
from remit.app.rekey import open_settled
from remit.app.services import Services, build
from remit.kernel.errors import RemitError
from remit.kernel.uow import Lane
from remit.platform.settings.model import Settings
from remit.platform.storage.damage import naming_damage
from remit.platform.storage.jobs import JobRunner
from remit.platform.storage.outbox import Dispatcher
from remit.platform.storage.recovery import recover

_log = structlog.stdlib.get_logger("remit.run")
_PAUSE_SECONDS: Final = 0.5
_FENCED: Final = 70
"""Exit code of a node that may not write any more."""


def stop_at_once(error: RemitError) -> None:
    """Fail stop (F04): this node may not write any more, so it may not answer either."""
    sys.stderr.write(f"remit: stopping at once: {error.hint}\n")
    sys.stderr.flush()
    os._exit(_FENCED)


@asynccontextmanager
async def running(
    settings: Settings, *, on_fence: Callable[[RemitError], None] = stop_at_once
) -> AsyncIterator[Services]:
    """Open, recover, run; on leaving, stop in the other order. Raises what forbids a start.

    `on_fence` is told, from the writer, that this process may not write any more.
    """
    kek = open_kek(settings, entropy=secrets.token_bytes)
    with naming_damage():
        ground = await open_settled(
            settings, kek, lambda key: open_ground(settings, kek=key, on_fence=on_fence)
        )
    services = build(ground)
    try:
        with naming_damage():
            await _recovered(services)
        async with _background(services), _tenants(services):
            yield services
    finally:
        await services.close()


async def _recovered(services: Services) -> None:
    """Bring everything into order, and see to it that somebody administers."""
    await settled(services)
    ground = services.ground
    if await first_administrator(services, at=ground.clock.now()):
        _log.info("first_start", data=str(ground.settings.directory))


async def settled(services: Services) -> None:
    """Judge the logs of one tenant, and settle what a dead process left."""
    ground = services.ground
    for lane in Lane:  # each writer has a log of its own, judged now rather than at its first record
        await ground.work.commit(lambda tx: tx.ledger.open(), lane=lane)
    for swept in await recover(ground.work, sweeps(services), at=ground.clock.now()):
        if swept.settled:
            _log.warning("recovered", sweep=swept.name, settled=swept.settled)


@asynccontextmanager
async def _tenants(services: Services) -> AsyncIterator[None]:
    """Serve the further tenants, each with jobs of its own, for as long as the installation is."""
    if services.tenancy is None:
        raise RuntimeError("the installation itself has a register of tenants")
    async with services.tenancy.open.kept(attended, failed=_failed):
        yield


@asynccontextmanager
async def attended(services: Services) -> AsyncIterator[None]:
    """One tenant in order, with everything that runs by itself."""
    await settled(services)
    async with _background(services):
        yield


@asynccontextmanager
async def _background(services: Services) -> AsyncIterator[None]:
    ground = services.ground
    dispatcher = Dispatcher(subscriptions(services), on_failure=_failed)
    runner = JobRunner(
        ground.work,
        (*jobs(services), dispatcher.job()),
        holder=ground.store.node,
        clock=ground.clock,
        on_failure=_failed,
    )
    loop = asyncio.get_running_loop()

    def told(revision: int) -> None:
        """A commit of this process shows at once; those of other nodes show by polling."""
        loop.call_soon_threadsafe(ground.snapshots.hint, revision)

    unheard = ground.store.listen(told, tenant=ground.tenant)
    works = (runner.run_forever(), _follow(services), _follow_keys(services))
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield
    finally:
        unheard()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _follow(services: Services) -> None:
    """Carry the snapshot along for as long as the process lives, whatever the store does meanwhile."""
    while True:
        try:
            await services.ground.snapshots.follow()
        except RemitError as failed:
            _failed("snapshot.follow", failed)
            await asyncio.sleep(_PAUSE_SECONDS)


async def _follow_keys(services: Services) -> None:
    """Believe no key for longer than another node does."""
    ground, second = services.ground, asyncio.get_running_loop().time
    while True:
        await asyncio.sleep(_PAUSE_SECONDS)
        try:
            await ground.keys.keep_up(ground.snapshots.current().epoch, second=second())
        except RemitError as failed:
            _failed("keys.follow", failed)


def _failed(name: str, error: Exception) -> None:
    detail = error.hint if isinstance(error, RemitError) else type(error).__name__
    _log.error("work_failed", work=name, error=detail)
