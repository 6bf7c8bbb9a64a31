"""`remit backup`: a copy of the store as of one moment, while the server goes on."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from remit.surface.cli.options import OutputOption, word
from remit.surface.cli.render import Output, show

app = word("Copy the store while the server runs, without the key that opens it.")


@app.command()
def backup(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to make; it must be empty.")],
    *,
    config: Annotated[Path | None, typer.Option("--config", help="Settings file (TOML).")] = None,
    data: Annotated[str | None, typer.Option("--data", help="Data directory.")] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Copy the store while the server runs, without the key that opens it.

    The log in the copy is verified, and its heads stand in the manifest. Keep the key-encryption key apart.
    """
    from remit.app.backup import back_up  # noqa: PLC0415 — a second of imports that `--help` need not pay
    from remit.platform.settings.load import load  # noqa: PLC0415 — as above

    settings = load(file=config, environ=os.environ, flags={"data": data})
    made = back_up(settings, folder, at=datetime.now(UTC))
    shown = {
        "folder": str(folder),
        "made_at": made.made_at,
        "issuer": made.issuer,
        "kek": made.kek,
        "sha256": made.sha256,
        "logs": {log.shard: log.size for log in made.logs},
    }
    logs = [f"log {log.shard}: {log.size} records, verified" for log in made.logs]
    lines = [f"{folder}: as of {made.made_at[:19]} UTC", *logs, f"opened by key-encryption key {made.kek}"]
    show(shown, output=output, lines=lines, hint=f"remit restore {folder}, in an empty data directory")
