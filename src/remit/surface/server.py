"""One process: store, services, jobs and HTTP, started in this order and stopped in the other."""

import asyncio
import os
import secrets
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Final

import structlog
import uvicorn

from remit.app.bootstrap import first_administrator, open_kek, prepare_directory
from remit.app.jobs import jobs, subscriptions, sweeps
from remit.app.services import Services, build, open_ground
from remit.kernel.errors import RemitError
from remit.platform.settings.model import Settings
from remit.platform.settings.operator import ServerAddress, write_server
from remit.platform.storage.jobs import JobRunner
from remit.platform.storage.outbox import Dispatcher
from remit.platform.storage.recovery import recover
from remit.platform.telemetry.logging import configure_logging
from remit.platform.telemetry.metrics import Metrics
from remit.surface.web.assembly import application
from remit.surface.web.connection import bounded_protocol

_log = structlog.stdlib.get_logger("remit.server")
_DRAIN_SECONDS: Final = 5
_FENCED: Final = 70


def serve(settings: Settings) -> None:
    """Serve until told to stop (SIGINT, SIGTERM); raises what forbids a start."""
    configure_logging(settings.telemetry)
    prepare_directory(settings)
    with asyncio.Runner(loop_factory=_loop) as runner:
        runner.run(_serve(settings))


def _loop() -> asyncio.AbstractEventLoop:
    import uvloop  # noqa: PLC0415 — the command line's other words need no loop

    return uvloop.new_event_loop()


async def _serve(settings: Settings) -> None:
    async with running(settings) as services:
        server = _Server(_config(settings, services))
        async with _demonstration(settings, server):
            await server.serve()


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Services]:
    """Everything but HTTP: opened, recovered, with its jobs and its snapshot following."""
    kek = open_kek(settings, entropy=secrets.token_bytes)
    ground = await open_ground(settings, kek=kek, on_fence=_stop_at_once)
    services = build(ground)
    try:
        for swept in await recover(ground.work, sweeps(services), at=ground.clock.now()):
            if swept.settled:
                _log.warning("recovered", sweep=swept.name, settled=swept.settled)
        if await first_administrator(services, at=ground.clock.now()):
            _log.info("first_start", data=str(settings.directory))
        async with _background(services):
            yield services
    finally:
        await services.close()


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
    tasks = [asyncio.create_task(runner.run_forever()), asyncio.create_task(ground.snapshots.follow())]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _failed(name: str, error: Exception) -> None:
    detail = error.hint if isinstance(error, RemitError) else type(error).__name__
    _log.error("work_failed", work=name, error=detail)


def _stop_at_once(error: RemitError) -> None:
    """Fail stop (F04): this node may not write any more, so it may not answer either."""
    sys.stderr.write(f"remit: stopping at once: {error.hint}\n")
    sys.stderr.flush()
    os._exit(_FENCED)


def _config(settings: Settings, services: Services) -> uvicorn.Config:
    return uvicorn.Config(
        application(services, metrics=Metrics()),
        host=settings.http.host,
        port=settings.http.port,
        http=bounded_protocol(header_seconds=settings.http.header_timeout.total_seconds()),
        log_config=None,
        access_log=False,  # SAFETY: paths may hold the secret of an approval link
        server_header=False,
        date_header=False,
        proxy_headers=False,
        lifespan="off",
        limit_concurrency=settings.http.max_connections,
        timeout_keep_alive=int(settings.http.idle_timeout.total_seconds()),
        timeout_graceful_shutdown=_DRAIN_SECONDS,
        h11_max_incomplete_event_size=settings.http.max_headers + settings.http.max_url,
    )


class _Server(uvicorn.Server):
    """Says where it listens once it does."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list | None = None) -> None:  # type: ignore[type-arg]
        """Bind, then tell whoever waits."""
        await super().startup(sockets)
        self.listening.set()


@asynccontextmanager
async def _demonstration(settings: Settings, server: _Server) -> AsyncIterator[None]:
    """Write down where we are, print it, and start the demonstration if it is wanted."""
    watcher = asyncio.create_task(_announce(settings, server))
    child: list[Process] = []
    watcher.add_done_callback(
        lambda done: child.extend(done.result() or []) if not done.cancelled() else None
    )
    try:
        yield
    finally:
        watcher.cancel()
        with suppress(asyncio.CancelledError):
            await watcher
        for process in child:
            with suppress(ProcessLookupError):
                process.terminate()
            await process.wait()


async def _announce(settings: Settings, server: _Server) -> list[Process]:
    await server.listening.wait()
    address = ServerAddress(url=settings.issuer_url, issuer=settings.issuer_url, pid=os.getpid())
    write_server(settings.directory, address)
    print(f"Remit on {settings.issuer_url}   data in {settings.directory}", flush=True)  # noqa: T201 — told to a person
    if not settings.demo:
        print("next: remit doctor      stop: Ctrl-C", flush=True)  # noqa: T201 — as above
        return []
    environment = {**os.environ, "REMIT_DATA": str(settings.directory), "REMIT_URL": settings.issuer_url}
    return [
        await asyncio.create_subprocess_exec(
            sys.executable, "-m", "remit_demo", env=environment, start_new_session=False
        )
    ]
