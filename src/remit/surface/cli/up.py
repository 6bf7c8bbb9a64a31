"""`remit up`: read the settings, refuse what is unsafe, serve."""

import os
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
    from remit.platform.settings.load import load  # noqa: PLC0415 — as above
    from remit.platform.settings.refusals import LocalDisk, refuse_unsafe  # noqa: PLC0415 — as above
    from remit.surface.server import serve  # noqa: PLC0415 — a second of imports that `--help` need not pay

    flags = {
        "data": data,
        "http.host": host,
        "http.port": port,
        "issuer": issuer,
        "store.url": postgres,
        "demo": demo,
    }
    settings = load(file=config, environ=os.environ, flags=flags)
    if fresh:
        from remit.app.bootstrap import start_over  # noqa: PLC0415 — as above

        start_over(settings)
    refuse_unsafe(settings, LocalDisk())
    serve(settings)
