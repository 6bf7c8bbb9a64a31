"""`remit up`: read the settings, refuse what is unsafe, serve."""

import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from remit.surface.cli.options import word

app = word("Start the server and keep serving.")


@app.command()
def up(
    *,
    config: Annotated[Path | None, typer.Option("--config", help="Settings file (TOML).")] = None,
    data: Annotated[str | None, typer.Option("--data", help="Data directory.")] = None,
    host: Annotated[str | None, typer.Option("--host", help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option("--port", help="Port to listen on.")] = None,
    issuer: Annotated[str | None, typer.Option("--issuer", help="Address that clients use.")] = None,
    postgres: Annotated[str | None, typer.Option("--postgres", help="Keep state in PostgreSQL.")] = None,
    demo: Annotated[bool | None, typer.Option("--demo/--no-demo", help="Run the demonstration.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Throw an earlier demonstration away.")] = False,
) -> None:
    """Start the server and keep serving.

    Settings come from the file, then the environment, then these options; an unsafe whole is refused.
    """
    flags: dict[str, object] = {
        "data": data,
        "http.host": host,
        "http.port": port,
        "issuer": issuer,
        "store.url": postgres,
        "demo": demo,
    }
    # What a start makes stays for good: looking through it for garbage took a tenth of the time to be ready.
    # `serve` switches this on again once it is composed.
    gc.disable()
    try:
        _serve(config, flags, fresh=fresh)
    finally:
        gc.enable()


def _serve(config: Path | None, flags: dict[str, object], *, fresh: bool) -> None:
    from remit.platform.settings.load import load  # noqa: PLC0415 — as below
    from remit.platform.settings.refusals import LocalDisk, refuse_unsafe  # noqa: PLC0415 — as below

    settings = load(file=config, environ=os.environ, flags=flags)
    if fresh:
        with _absent("rich"):
            from remit.app.bootstrap import start_over  # noqa: PLC0415 — as below

        start_over(settings)
    refuse_unsafe(settings, LocalDisk())
    with _absent("rich"):
        from remit.surface.server import serve  # noqa: PLC0415 — a second of imports that `--help` need not pay

    serve(settings)


@contextmanager
def _absent(package: str) -> Iterator[None]:
    """Import as if a package were not installed.

    structlog takes rich, and pygments with it, wherever it finds them, to draw tracebacks in colour; our logs
    hold none, and the two are a tenth of what a start loads.
    """
    found = {package: sys.modules[package]} if package in sys.modules else {}
    # The import system's own word for "not there":
    sys.modules[package] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[package]
        sys.modules.update(found)
