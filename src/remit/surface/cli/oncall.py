"""`remit oncall`: who answers on which roster, from when until when."""

from typing import Annotated, Any

import typer

from remit.surface.cli.options import OutputOption, group
from remit.surface.cli.render import Output, show

app = group("Who is on call, from when until when.")
RosterArgument = Annotated[str, typer.Argument(help="Roster, as policies name it: `oncall:payments`.")]
_COLUMNS = ("id", "roster", "name", "starts_at", "ends_at", "now")


@app.command("list")
def list_(*, output: OutputOption = Output.TABLE) -> None:
    """List shifts of all rosters that are not over, the earliest first."""
    _show("", output)


@app.command("show")
def show_(roster: RosterArgument, *, output: OutputOption = Output.TABLE) -> None:
    """Show one roster: who is on call now, and who comes next."""
    _show(roster, output)


@app.command("set")
def set_(
    roster: RosterArgument,
    *,
    person: Annotated[str, typer.Option("--person", help="Who: user@company.com, or an id.")],
    since: Annotated[str, typer.Option("--from", help="When they take over: 2026-05-15T18:00Z.")],
    until: Annotated[str, typer.Option("--until", help="When they hand over: 2026-05-16T06:00Z.")],
    output: OutputOption = Output.TABLE,
) -> None:
    """Put somebody on call on a roster for a while."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — the HTTP client costs `--help` 0.4 s
    from remit.surface.cli.moments import moment  # noqa: PLC0415 — as above

    stated = {
        "roster": roster,
        "person": person,
        "starts_at": moment(since, command="remit oncall set"),
        "ends_at": moment(until, command="remit oncall set"),
    }
    with Client.open() as client:
        found = client.post("/oncall", stated)
    lines = [f"{found['name']} is on call for {roster}: {found['starts_at']} to {found['ends_at']}"]
    show(found, output=output, lines=lines, hint=f"remit oncall show {roster}")


@app.command()
def remove(
    shift: Annotated[str, typer.Argument(help="Id of the shift: shf_…")],
    *,
    output: OutputOption = Output.TABLE,
) -> None:
    """Take a shift off its roster."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.post(f"/oncall/{shift}/remove")
    lines = [f"{found['name']} is off {found['roster']} from {found['starts_at']} to {found['ends_at']}"]
    show(found, output=output, lines=lines, hint=f"remit oncall show {found['roster']}")


def _show(roster: str, output: Output) -> None:
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found: list[dict[str, Any]] = client.get("/oncall", roster=roster)
    hint = "" if found else f"remit oncall set {roster or 'NAME'} --person … --from … --until …"
    show(found, output=output, columns=_COLUMNS, hint=hint)
