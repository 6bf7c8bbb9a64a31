"""`remit decision`: decisions on record."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from remit.surface.cli.options import CursorOption, LimitOption, OutputOption, duration, group
from remit.surface.cli.render import Output, show
from remit.surface.cli.why import why

app = group("Decisions on record.")
app.command("show", help="Explain one decision: the same as `remit why`.")(why)


@app.command("list")
def list_(
    *,
    agent: Annotated[str, typer.Option("--agent", help="Only of this agent (id).")] = "",
    effect: Annotated[str, typer.Option("--effect", help="permit, ask, step_up or deny.")] = "",
    since: Annotated[str | None, typer.Option("--since", help="Not older than: 1h, 7d.")] = None,
    limit: LimitOption = 50,
    cursor: CursorOption = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """List decisions, newest first."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — the HTTP client costs `--help` 0.4 s

    start = (datetime.now(UTC) - duration(since, command="remit decision list")).isoformat() if since else ""
    with Client.open() as client:
        ident = client.get(f"/agents/{agent}")["id"] if agent and not agent.startswith("agt_") else agent
        found = client.get("/decisions", agent=ident, effect=effect, since=start, limit=limit, cursor=cursor)
    first = found["items"][0]["id"] if found["items"] else ""
    show(
        found,
        output=output,
        columns=("id", "effect", "agent_name", "action", "resource", "code"),
        hint=f"remit why {first}" if first else "",
    )
