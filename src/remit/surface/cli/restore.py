"""`remit restore`: a backup in place of a store that is gone, judged first, with what acts stopped."""

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from remit.surface.cli.failures import Misused
from remit.surface.cli.options import OutputOption, YesOption, word
from remit.surface.cli.principal import confirm
from remit.surface.cli.render import Output, show

app = word("Put a backup in place of a store that is gone; verify it first.")


@app.command()
def restore(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder that `remit backup` made.")],
    *,
    config: Annotated[Path | None, typer.Option("--config", help="Settings file (TOML).")] = None,
    data: Annotated[str | None, typer.Option("--data", help="Data directory, with the key.")] = None,
    held: Annotated[
        list[Path] | None,
        typer.Option("--held", help="Checkpoints that you kept: they show what is missing."),
    ] = None,
    accept_older: Annotated[
        bool, typer.Option("--accept-older", help="Restore although more was signed since.")
    ] = False,
    yes: YesOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Put a backup in place of a store that is gone; verify it first.

    Nothing is written over. Unless heads that were held show that nothing is missing, all agents are
    suspended and all tasks ended: what was stopped after the backup must not live again.
    """
    from remit.app.backup import restore as put_back  # noqa: PLC0415 — a second of imports `--help` need not pay
    from remit.platform.settings.load import load  # noqa: PLC0415 — as above

    settings = load(file=config, environ=os.environ, flags={"data": data})
    confirm(f"`{settings.directory}` gets the store of `{folder}`", f"remit restore {folder}", yes=yes)
    notes = [_read(each) for each in held or []]
    done = asyncio.run(
        put_back(settings, folder, held=notes, accept_older=accept_older, at=datetime.now(UTC))
    )
    lost = {each.shard: each.seen - each.has for each in done.missing}
    shown: dict[str, Any] = {
        "made_at": done.manifest.made_at,
        "issuer": done.manifest.issuer,
        "missing": lost,
        "proven": done.proven,
        "suspended": done.suspended,
        "ended": done.ended,
    }
    show(shown, output=output, lines=_told(shown), hint=f"remit up --issuer {done.manifest.issuer}")


def _told(shown: dict[str, Any]) -> list[str]:
    lines = [f"restored as of {shown['made_at'][:19]} UTC; the log is what was signed"]
    if shown["proven"]:
        return [*lines, "no signed record is missing, by the heads that were held: everything goes on"]
    lines += [f"log {log}: at least {count} records are lost" for log, count in shown["missing"].items()]
    if not shown["missing"]:
        lines.append("no held head says whether anything is missing")
    stopped = f"{shown['suspended']} agents are suspended, {shown['ended']} tasks ended"
    return [*lines, f"{stopped}: resume what may act, kill what was killed"]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as broken:
        raise Misused(f"`{path}` cannot be read", next_step="name another file") from broken
