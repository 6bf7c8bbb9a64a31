"""`remit key`: signing keys of this installation."""

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


def _effect(purpose: str, *, compromised: bool) -> str:
    if compromised:
        return f"everything that the class `{purpose}` ever signed ends at once"
    return f"keys of class `{purpose}` change now" if purpose else "keys move on as far as their age allows"
