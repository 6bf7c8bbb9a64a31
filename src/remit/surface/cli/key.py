"""`remit key`: signing keys of this installation."""

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
def rotate(*, yes: YesOption = False, output: OutputOption = Output.TABLE) -> None:
    """Take every step of rotation that is due; what was signed stays good until its end."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    confirm("keys move on as far as their age allows", "remit key rotate", yes=yes)
    with Client.open() as client:
        found = client.post("/keys/rotate")
    if found:
        show(found, output=output, columns=_COLUMNS)
    else:
        show(found, output=output, lines=["nothing is due"])
