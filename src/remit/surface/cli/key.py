"""`remit key`: signing keys of this installation."""

import os
from dataclasses import replace as with_changes
from pathlib import Path
from typing import Annotated

import typer

from remit.surface.cli.failures import Misused
from remit.surface.cli.options import OutputOption, YesOption, group
from remit.surface.cli.principal import confirm
from remit.surface.cli.render import Output, show

app = group("Signing keys of this installation: list, rotate.")
_COLUMNS = ("kid", "purpose", "state", "algorithm", "not_before")


@app.command("list")
def list_(*, output: OutputOption = Output.TABLE) -> None:
    """List the keys; private halves never leave the server."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — the HTTP client costs `--help` 0.4 s

    with Client.open() as client:
        show(client.get("/keys"), output=output, columns=_COLUMNS)


@app.command()
def rotate(
    purpose: Annotated[
        str, typer.Argument(metavar="[CLASS]", help="Change this class now: `access_token`, `ledger`, …")
    ] = "",
    *,
    compromised: Annotated[
        bool, typer.Option("--compromised", help="Believe nothing any more that the class ever signed.")
    ] = False,
    yes: YesOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Take every step of rotation that is due, or change one class of keys before its time.

    What was signed stays good until its end, unless it is compromised: then it ends at once.
    """
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    if compromised and not purpose:
        raise Misused("`--compromised` needs the class of keys", next_step="remit key rotate access_token")
    confirm(_effect(purpose, compromised=compromised), "remit key rotate", yes=yes)
    with Client.open() as client:
        if purpose:
            found = client.post(f"/keys/{purpose}/rotate", {"compromised": compromised})
        else:
            found = client.post("/keys/rotate")
    if found:
        show(found, output=output, columns=_COLUMNS)
    else:
        show(found, output=output, lines=["nothing is due"])


@app.command("rotate-kek")
def rotate_kek(
    *,
    config: Annotated[Path | None, typer.Option("--config", help="Settings file (TOML).")] = None,
    data: Annotated[str | None, typer.Option("--data", help="Data directory.")] = None,
    postgres: Annotated[str | None, typer.Option("--postgres", help="Where state is kept.")] = None,
    yes: YesOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Put everything that is sealed under a new key-encryption key, while the server is stopped.

    Works on the store itself, so it needs the data directory, and the device key of an administrator.
    """
    import asyncio  # noqa: PLC0415 — as above
    import secrets  # noqa: PLC0415 — as above

    from remit.app.rekey import rotate_kek as change  # noqa: PLC0415 — as above
    from remit.platform.settings.load import load  # noqa: PLC0415 — as above
    from remit.platform.settings.operator import (  # noqa: PLC0415 — as above
        KEY_FILE,
        SERVER_FILE,
        read_operator,
        read_server,
    )

    settings = load(file=config, environ=os.environ, flags={"data": data, "store.url": postgres})
    if not settings.issuer and (settings.directory / SERVER_FILE).exists():
        # A port that was given to `remit up` is part of the issuer, and stands nowhere else.
        settings = with_changes(settings, issuer=read_server(settings.directory).issuer)
    confirm("backups made until now need the old key", "remit key rotate-kek", yes=yes)
    operator = read_operator(Path(os.environ.get("REMIT_KEY") or settings.directory / KEY_FILE).expanduser())
    done = asyncio.run(change(settings, by=operator, entropy=secrets.token_bytes))
    counts = done.resealed
    shown = {
        "kek": str(settings.kek_file),
        "old": str(done.old),
        "keys": counts.keys,
        "subjects": counts.subjects,
        "answers": counts.answers,
    }
    told = f"{counts.keys} keys, {counts.subjects} subjects and {counts.answers} answers are under a new key"
    lines = [told, f"the old one is {done.old}: keep it apart, as long as a backup needs it"]
    show(shown, output=output, lines=lines, hint="remit up")


def _effect(purpose: str, *, compromised: bool) -> str:
    if compromised:
        return f"everything that the class `{purpose}` ever signed ends at once"
    return f"keys of class `{purpose}` change now" if purpose else "keys move on as far as their age allows"
