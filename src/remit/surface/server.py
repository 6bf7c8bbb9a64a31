"""One process with its doors: what `app` runs, served over HTTP on one port."""

import asyncio
import gc
import os
import sys
from asyncio.subprocess import Process
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from signal import SIGINT, SIGTERM
from socket import AF_INET, AF_INET6, create_server, socket
from typing import Final

import uvicorn

from remit.app.bootstrap import prepare_directory
from remit.app.greeting import BY_COMMAND, first_passkey_link, lacking_passkey
from remit.app.run import running
from remit.app.services import Services
from remit.kernel.errors import Unavailable
from remit.platform.settings.model import Settings
from remit.platform.settings.operator import ServerAddress, write_server
from remit.platform.settings.options import LogLevel
from remit.platform.telemetry.logging import configure_logging
from remit.surface.web.assembly import application
from remit.surface.web.connection import bounded_protocol

_DRAIN_SECONDS: Final = 5
_BACKLOG: Final = 2048
_YOUNG: Final = 20_000
"""Objects, net, that are made before the collector looks through the young; CPython's own is 700."""
_OLDER: Final = 20
"""Collections of one age before the next older is looked through."""
_STOPS: Final = (SIGINT, SIGTERM)


class AddressTaken(Unavailable):
    """Somebody else listens on the address, or we may not."""

    code = "address_taken"


def serve(settings: Settings) -> None:
    """Serve until told to stop (SIGINT, SIGTERM); raises what forbids a start."""
    chosen = settings.telemetry
    configure_logging(replace(chosen, log_level=LogLevel.DEBUG) if settings.debug else chosen)
    listener = _listen(settings)
    prepare_directory(settings)
    with asyncio.Runner(loop_factory=_loop) as runner, suppress(KeyboardInterrupt):
        # Ctrl-C is how a person stops it: also before it listens, when nobody else hears it yet.
        runner.run(_serve(settings, listener))


def _listen(settings: Settings) -> socket:
    """Take the address before anything else is touched: a taken one is the commonest reason not to start."""
    host, port = settings.http.host, settings.http.port
    try:
        return create_server((host, port), family=AF_INET6 if ":" in host else AF_INET, backlog=_BACKLOG)
    except OSError as taken:
        raise AddressTaken(
            f"cannot listen on `{host}:{port}`: {os.strerror(taken.errno or 0).lower()}",
            next_step=f"remit doctor, or name another port: remit up --port {port + 1}",
        ) from taken


def _loop() -> asyncio.AbstractEventLoop:
    import uvloop  # noqa: PLC0415 — the command line's other words need no loop

    return uvloop.new_event_loop()


async def _serve(settings: Settings, listener: socket) -> None:
    async with running(settings) as services:
        server = _Server(_config(settings, services))
        # What was composed stays: a full collection over it would stall every caller for tens of ms. None is
        # made first either: of 190,000 objects 3,000 are garbage, no page of memory is won by finding them.
        gc.freeze()
        # What a request makes lives until its commit: looking for garbage more often only finds it again.
        gc.set_threshold(_YOUNG, _OLDER, _OLDER)
        gc.enable()
        host = asyncio.create_task(_announce(settings, server, services))
        try:
            await server.serve(sockets=[listener])
        finally:
            host.cancel()
            with suppress(asyncio.CancelledError):
                await host


def _config(settings: Settings, services: Services) -> uvicorn.Config:
    return uvicorn.Config(
        application(services),
        host=settings.http.host,
        port=settings.http.port,
        http=bounded_protocol(
            header_seconds=settings.http.header_timeout.total_seconds(),
            idle_seconds=settings.http.idle_timeout.total_seconds(),
            most_connections=settings.http.max_connections,
        ),
        log_config=None,
        access_log=False,  # SAFETY: paths may hold the secret of an approval link
        server_header=False,
        date_header=False,
        proxy_headers=False,
        lifespan="off",
        timeout_graceful_shutdown=_DRAIN_SECONDS,
        h11_max_incomplete_event_size=settings.http.max_headers + settings.http.max_url,
    )


class _Server(uvicorn.Server):
    """Says when it listens, and ends in order."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Bind, then tell whoever waits."""
        await super().startup(sockets)
        self.listening.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Finish what runs, on SIGINT and SIGTERM alike.

        uvicorn raises the signal once more afterwards: SIGTERM would then end the process before the store,
        the upstreams and their children were let go of.
        """
        loop = asyncio.get_running_loop()
        for number in _STOPS:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in _STOPS:
                loop.remove_signal_handler(number)


async def _announce(settings: Settings, server: _Server, services: Services) -> None:
    """Once it listens: write down where, tell the person, and host the demonstration if it is wanted."""
    await server.listening.wait()
    address = ServerAddress(url=settings.issuer_url, issuer=settings.issuer_url, pid=os.getpid())
    write_server(settings.directory, address)
    _tell(f"Remit on {settings.issuer_url}   data in {settings.directory}")
    await _welcome(services)
    if not settings.demo:
        _tell("next: remit doctor      stop: Ctrl-C")
        return
    environment = {**os.environ, "REMIT_DATA": str(settings.directory), "REMIT_URL": settings.issuer_url}
    child = await asyncio.create_subprocess_exec(sys.executable, "-m", "remit_demo", env=environment)
    try:
        await child.wait()
    finally:
        await _end(child)


async def _welcome(services: Services) -> None:
    """Tell the first administrator how to sign in; the link itself only where a person is looking."""
    person = await lacking_passkey(services)
    if person is None:
        return
    # SAFETY: what is no terminal is somebody's log, and the link is a secret.
    way = await first_passkey_link(services, person) if sys.stdout.isatty() else BY_COMMAND
    _tell(f"  make yourself admin (passkey, once):  {way}")


async def _end(child: Process) -> None:
    if child.returncode is None:
        child.terminate()
        await child.wait()


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
