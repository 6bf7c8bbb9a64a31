"""`remit breakglass`: lift named rules for a short while, with a second person's yes; then review it."""

from shlex import quote
from typing import Annotated, Any

import typer

from remit.surface.cli.failures import Misused
from remit.surface.cli.options import CursorOption, LimitOption, OutputOption, YesOption, group
from remit.surface.cli.principal import confirm
from remit.surface.cli.render import Output, coloured, say, show, visible

app = group("Break glass: lift named rules for a short while, with a second person's yes.")
GlassArgument = Annotated[str, typer.Argument(help="Its id (`bgl_…`).")]
_USUAL = "no_permit,condition_failed,forbidden,approval_required"
_KINDS = ("agent", "task", "action")


@app.command("open")
def open_(
    *,
    target: Annotated[
        list[str], typer.Option("--for", help="agent:NAME, task:ID or action:SERVER/NAME; all must fit.")
    ],
    minutes: Annotated[int, typer.Option("--minutes", help="How long, 1 to 60.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; it goes on record, and is reviewed.")],
    lift: Annotated[
        str, typer.Option("--lift", help="Codes of the refusals to lift, separated by commas.")
    ] = _USUAL,
    yes: YesOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Ask for break glass; it opens when a second person says yes with a passkey."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — the HTTP client costs `--help` 0.4 s

    body: dict[str, Any] = {
        **_targets(target),
        "lifts": [each.strip() for each in lift.split(",") if each.strip()],
        "minutes": minutes,
        "reason": reason,
    }
    if not yes:
        say(f"For {minutes} minutes, {', '.join(body['lifts'])} will not stop {', '.join(target)}.")
    confirm(
        "you ask for break glass",
        f"remit breakglass open --for {' --for '.join(target)} --minutes {minutes} --reason {quote(reason)}",
        yes=yes,
    )
    with Client.open() as client:
        found = client.post("/breakglass", body)
    lines = [
        f"{coloured('asked')}  {found['id']}: a second person opens it with a passkey",
        f"  they run   remit approval link {found.get('approval', '')}",
    ]
    show(found, output=output, lines=lines, hint=f"remit breakglass show {found['id']}")


@app.command("list")
def list_(
    *,
    state: Annotated[
        str, typer.Option("--state", help="asked, open, refused, ended (to be reviewed), reviewed.")
    ] = "",
    limit: LimitOption = 50,
    cursor: CursorOption = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """List break glass, newest first."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.get("/breakglass", state=state, limit=limit, cursor=cursor)
    waiting = next((each["id"] for each in found["items"] if each["state"] == "ended"), "")
    show(
        found,
        output=output,
        columns=("id", "state", "agent_name", "task", "action", "until", "reason"),
        hint=f"remit breakglass show {waiting}" if waiting else "",
    )


@app.command("show")
def show_(glass: GlassArgument, *, output: OutputOption = Output.TABLE) -> None:
    """Show one, with what was decided under it."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.get(f"/breakglass/{glass}")
    show(found, output=output, lines=_lines(found), hint=_next(found["glass"]))


@app.command()
def end(glass: GlassArgument, *, yes: YesOption = False, output: OutputOption = Output.TABLE) -> None:
    """End it at once."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    confirm(f"you end {glass}", f"remit breakglass end {glass}", yes=yes)
    with Client.open() as client:
        found = client.post(f"/breakglass/{glass}/end")
    show(found, output=output, lines=[f"{found['id']} is {coloured('ended')}"], hint=_next(found))


@app.command()
def close(
    glass: GlassArgument,
    *,
    sentence: Annotated[str, typer.Option("--sentence", help="What you found; it goes on record.")],
    output: OutputOption = Output.TABLE,
) -> None:
    """Close its review; not for whoever asked for it."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.post(f"/breakglass/{glass}/review", {"sentence": sentence})
    show(found, output=output, lines=[f"{found['id']} is {coloured('reviewed')}"])


def _targets(named: list[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in named:
        kind, _, name = each.partition(":")
        if kind not in _KINDS or not name or kind in found:
            raise Misused(
                f"`{visible(each)}` is not one of agent:NAME, task:ID, action:SERVER/NAME, each once",
                next_step="remit breakglass open --help",
            )
        found[kind] = name
    return found


def _lines(found: dict[str, Any]) -> list[str]:
    glass = found["glass"]
    target = [f"{kind} {visible(glass[field])}" for kind, field in _NAMED if glass.get(field)]
    lines = [
        f"{coloured(glass['state'])}   {glass['id']}  for {', '.join(target)}",
        f"  lifts      {', '.join(glass['lifts'])}, for {glass['minutes']} minutes",
        f"  reason     {visible(glass['reason'])}",
        f"  asked      {_who(glass, 'by')}, {_when(glass, 'asked_at')}",
    ]
    if glass.get("opened_at"):
        moments = f"{_when(glass, 'opened_at')}, until {_when(glass, 'until')}"
        lines.append(f"  opened     {_who(glass, 'second')}, {moments}")
    if glass.get("ended_at"):
        lines.append(f"  over       {_when(glass, 'ended_at')}, {_who(glass, 'ended_by')}: {_because(glass)}")
    if glass.get("reviewed_by"):
        lines.append(f"  review     {_who(glass, 'reviewed_by')}: {visible(glass['review'])}")
    lines.append(f"  decisions  {found['used']} that it made a difference to")
    lines += [f"    {use['at'][:19]}  {use['effect']:<8} {use['decision']}" for use in found["uses"]]
    return lines


def _who(glass: dict[str, Any], member: str) -> str:
    """Somebody by the name that people know."""
    return visible(str(glass.get("names", {}).get(glass[member], glass[member])))


def _when(glass: dict[str, Any], member: str) -> str:
    return f"{str(glass[member])[:19].replace('T', ' ')} UTC"


def _because(glass: dict[str, Any]) -> str:
    return visible(str(glass.get("because", "")))


_NAMED = (("agent", "agent_name"), ("task", "task"), ("action", "action"))


def _next(glass: dict[str, Any]) -> str:
    match glass["state"]:
        case "asked" if glass.get("approval"):
            return f"remit approval link {glass['approval']}"
        case "open":
            return f"remit breakglass end {glass['id']}"
        case "ended":
            return f"remit breakglass close {glass['id']} --sentence '…'"
        case _:
            return ""
