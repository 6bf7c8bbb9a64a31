"""`remit change`: administration that waits for a second person."""

from typing import Annotated, Any

import typer

from remit.surface.cli.options import CursorOption, LimitOption, OutputOption, group
from remit.surface.cli.render import Output, coloured, show, visible

app = group("Changes that take two: what waits for a second person.")
ChangeArgument = Annotated[str, typer.Argument(help="Its id (`chg_…`).")]


@app.command("list")
def list_(
    *,
    state: Annotated[
        str,
        typer.Option("--state", help="pending, confirmed, done, failed, refused, cancelled, expired."),
    ] = "",
    limit: LimitOption = 50,
    cursor: CursorOption = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """List changes, newest first."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — the HTTP client costs `--help` 0.4 s

    with Client.open() as client:
        found = client.get("/changes", state=state, limit=limit, cursor=cursor)
    waiting = next((each["id"] for each in found["items"] if each["state"] == "pending"), "")
    show(
        found,
        output=output,
        columns=("id", "state", "by_name", "says", "expires_at"),
        hint=f"remit change show {waiting}" if waiting else "",
    )


@app.command("show")
def show_(change: ChangeArgument, *, output: OutputOption = Output.TABLE) -> None:
    """Show one, with exactly what will be done."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.get(f"/changes/{change}")
    line = found["change"]
    pending = line["state"] == "pending"
    hint = f"remit change {'refuse' if found['mine'] else 'confirm'} {change}" if pending else ""
    show(found, output=output, lines=_lines(found), hint=hint)


@app.command()
def confirm(change: ChangeArgument, *, output: OutputOption = Output.TABLE) -> None:
    """Say where to confirm it: a passkey signs what the page shows, and nothing else does."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.get(f"/changes/{change}")
    line = found["change"]
    lines = [
        visible(line["says"]),
        f"  open {line['page']} as another person than {visible(line['by_name'])}",
    ]
    show(found, output=output, lines=lines, hint=f"remit change show {change}")


@app.command()
def refuse(
    change: ChangeArgument,
    *,
    reason: Annotated[str, typer.Option("--reason", help="Why; it goes on record.")] = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """Refuse it, or take back your own."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.post(f"/changes/{change}/refuse", {"reason": reason})
    show(found, output=output, lines=[f"{found['id']} is {coloured('refused')}"], hint="remit change list")


def _lines(found: dict[str, Any]) -> list[str]:
    line = found["change"]
    lines = [
        f"{coloured(line['state'])}  {line['id']}",
        f"  what       {visible(line['says'])}",
        f"  by         {visible(line['by_name'])}, {_when(line['proposed_at'])}",
        f"  until      {_when(line['expires_at'])}",
        f"  digest     {line['digest']}",
    ]
    if line.get("answered_at"):
        who = visible(line.get("answered_by_name", ""))
        lines.append(f"  answered   {who}, {_when(line['answered_at'])}")
    if line.get("because"):
        lines.append(f"  because    {visible(line['because'])}")
    lines += [f"  {name:<10} {visible(value)}" for name, value in found["path"].items()]
    return [
        *lines,
        *(["  body"] if found["body"] else []),
        *(f"    {visible(each)}" for each in _body(found)),
    ]


def _body(found: dict[str, Any]) -> list[str]:
    return str(found["body"]).splitlines()


def _when(at: str) -> str:
    return f"{at[:19].replace('T', ' ')} UTC"
