"""`remit risk`: how risky an agent's calls are, and what others say of that."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from remit.surface.cli.options import CursorOption, LimitOption, OutputOption, duration, group
from remit.surface.cli.render import Output, show, visible

app = group("Risk: how risky calls are, from what, and what others say of it.")
_SUBJECT = Annotated[str, typer.Argument(help="Agent by name or id; anybody else by id (`usr_…`, `ins_…`).")]
_KIND = Annotated[str, typer.Argument(help="Kind of signal: device.compromised, edr, leaked-key.")]
_COLUMNS = ("subject", "kind", "level", "source", "until", "lapses")


@app.command("show")
def show_(
    agent: Annotated[str, typer.Argument(help="Agent, by name or id.")],
    *,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show the risk of the agent's last call, what changed since the one before, and its signals."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — the HTTP client costs `--help` 0.4 s

    with Client.open() as client:
        found: dict[str, Any] = client.get(f"/risk/agents/{agent}")
    last = found.get("last")
    signals = found.get("signals", [])
    lines = [
        visible(_scored(last, found.get("before")) if last else "no call of it was assessed yet"),
        *(visible(_part(each)) for each in (last["risk"].get("contributions", []) if last else [])),
        *(visible(_signal(each)) for each in signals),
    ]
    show(found, output=output, lines=lines, hint=f"remit why {last['decision']}" if last else "")


@app.command("list")
def list_(*, limit: LimitOption = 50, cursor: CursorOption = "", output: OutputOption = Output.TABLE) -> None:
    """List what others say of anybody's risk."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.get("/risk/signals", limit=limit, cursor=cursor)
    more = f"remit risk list --cursor {found['next']}" if found.get("next") else ""
    show(found["items"] if output is Output.TABLE else found, output=output, columns=_COLUMNS, hint=more)


@app.command("set")
def set_(
    subject: _SUBJECT,
    kind: _KIND,
    level: Annotated[float, typer.Argument(min=0, max=100, help="0 none, 100 the worst.")],
    *,
    source: Annotated[str, typer.Option("--source", help="Who says so.")] = "operator",
    life: Annotated[
        str, typer.Option("--for", help="How long it holds: 90s, 20m, 8h, 7d; else until cleared.")
    ] = "",
    lapses: Annotated[
        bool, typer.Option("--lapses", help="It is over then; else it counts as 100 until renewed.")
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Say how risky somebody is, in place of the last word of that kind."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    stated: dict[str, Any] = {
        "subject": subject, "kind": kind, "level": level, "source": source, "lapses": lapses,
    }  # fmt: skip
    if life:
        until = datetime.now(UTC) + duration(life, command="remit risk set")
        stated["until"] = until.isoformat()
    with Client.open() as client:
        found = client.put("/risk/signals", stated)
    show(found, output=output, lines=[visible(_signal(found))], hint=f"remit risk show {subject}")


@app.command()
def clear(subject: _SUBJECT, kind: _KIND, *, output: OutputOption = Output.TABLE) -> None:
    """Take a signal away. One that settings demand then counts as 100."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.post("/risk/signals/clear", {"subject": subject, "kind": kind})
    show(found, output=output, lines=[visible(f"{found['kind']} of {found['subject']} is cleared")])


def _scored(last: Mapping[str, Any], before: Mapping[str, Any] | None) -> str:
    """`62 (was 20): new class +24, hour +11`."""
    risk = last["risk"]
    was = f" (was {before['risk']['score']})" if before else ""
    parts = risk.get("contributions", [])
    moved = [f"{_words(each['part'])} {each['change']:+}" for each in parts if each.get("change")]
    return f"{risk['score']}{was}" + (f": {', '.join(moved)}" if moved else "")


def _part(each: Mapping[str, Any]) -> str:
    because = f"  {each['because']}" if each.get("because") else ""
    return f"  {_words(each['part']):<16} {each['points']:>3}{because}"


def _signal(each: Mapping[str, Any]) -> str:
    end = (
        f", until {each['until']}{' (then over)' if each.get('lapses') else ''}" if each.get("until") else ""
    )
    return (
        f"signal {each['kind']} of {each['subject']}: {each.get('level') or 0:g}, says {each['source']}{end}"
    )


def _words(part: str) -> str:
    return part.replace("_", " ")
