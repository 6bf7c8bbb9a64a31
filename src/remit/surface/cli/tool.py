"""`remit tool`: pinned definitions, mappings, quarantine."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from remit.surface.cli.agent import read_json
from remit.surface.cli.options import OutputOption, YesOption, group
from remit.surface.cli.principal import ReasonOption, confirm
from remit.surface.cli.render import Output, show, visible

app = group("Tools: pinned definitions, mappings, quarantine.")
_COLUMNS = ("id", "name", "pin", "consequential", "action")
ToolArgument = Annotated[str, typer.Argument(help="`SERVER.TOOL` or id.")]


@app.command("list")
def list_(
    server: Annotated[str | None, typer.Argument(help="Only this server's.")] = None,
    *,
    changed: Annotated[bool, typer.Option("--changed", help="Only quarantined ones.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """List tools, quarantined ones included."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — the HTTP client costs `--help` 0.4 s

    with Client.open() as client:
        servers = [server] if server else [each["name"] for each in client.get("/servers")]
        found = [tool for name in servers for tool in client.get(f"/servers/{name}/tools")]
    shown = [tool for tool in found if not changed or tool["pin"] == "quarantined"]
    rows = [tool | {"action": (tool.get("mapping") or {}).get("action", "")} for tool in shown]
    waiting = next((tool["id"] for tool in shown if tool["pin"] == "quarantined"), "")
    hint = f"remit tool show {waiting}" if waiting else ""
    show(rows if output is Output.TABLE else shown, output=output, columns=_COLUMNS, hint=hint)


@app.command("show")
def show_(name: ToolArgument, *, output: OutputOption = Output.TABLE) -> None:
    """Show a tool: the pinned definition, and what the server sent last if it differs."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.get(f"/tools/{name}")
    quarantined = found["pin"] == "quarantined"
    hint = (
        f"remit tool approve {found['id']} --definition {found['definition_digest']}" if quarantined else ""
    )
    show(found, output=output, lines=_lines(found), hint=hint)


@app.command()
def approve(
    name: ToolArgument,
    *,
    definition: Annotated[str, typer.Option("--definition", help="SHA-256 of the definition that you read.")],
    output: OutputOption = Output.TABLE,
) -> None:
    """Lift a quarantine for exactly the definition that you read."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        ident = client.get(f"/tools/{name}")["id"]
        found = client.post(f"/tools/{ident}/approve", {"definition": definition})
    show(found, output=output, lines=[f"tool {found['name']} is {found['pin']}"])


@app.command()
def quarantine(
    name: ToolArgument,
    *,
    reason: ReasonOption = "quarantined by operator",
    yes: YesOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Take a tool out of use until a person approves it again."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    confirm(f"calls of {name} are refused from now on", f"remit tool quarantine {name}", yes=yes)
    with Client.open() as client:
        ident = client.get(f"/tools/{name}")["id"]
        found = client.post(f"/tools/{ident}/quarantine", {"reason": reason})
    show(found, output=output, lines=[f"tool {found['name']} is {found['pin']}"])


@app.command()
def pin(
    server: Annotated[str, typer.Argument(help="Server, by name or id.")],
    file: Annotated[Path, typer.Argument(help='JSON: {"tools": [{"name", "mapping", …}]}.')],
    *,
    output: OutputOption = Output.TABLE,
) -> None:
    """Pin tools with their mappings; a tool without `definition` is taken as the server sent it last."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.post(f"/servers/{server}/tools", read_json(file))
    show(found, output=output, columns=("id", "name", "pin", "consequential"))


def _lines(found: dict[str, Any]) -> list[str]:
    lines = [
        f"{found['name']}  {found['pin']}  {'consequential' if found['consequential'] else 'harmless'}",
        f"pinned   {visible(json.dumps(found['definition'], ensure_ascii=False))}",
    ]
    if found.get("seen"):
        lines.append(f"sent now {visible(json.dumps(found['seen'], ensure_ascii=False))}")
    if found.get("mapping"):
        lines.append(f"mapping  {visible(json.dumps(found['mapping'], ensure_ascii=False))}")
    return lines
