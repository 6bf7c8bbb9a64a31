"""`remit server`: MCP servers behind the gateway."""

from typing import Annotated, Any

import typer

from remit.surface.cli.failures import Misused
from remit.surface.cli.options import OutputOption, YesOption, group
from remit.surface.cli.principal import ReasonOption, confirm
from remit.surface.cli.render import Output, details, show

app = group("MCP servers behind the gateway.")
_COLUMNS = ("id", "name", "transport", "url", "argv")


@app.command("list")
def list_(*, output: OutputOption = Output.TABLE) -> None:
    """List the servers."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — the HTTP client costs `--help` 0.4 s

    with Client.open() as client:
        show(client.get("/servers"), output=output, columns=_COLUMNS)


@app.command("show")
def show_(
    name: Annotated[str, typer.Argument(help="Name or id.")], *, output: OutputOption = Output.TABLE
) -> None:
    """Show one server."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.get(f"/servers/{name}")
    show(found, output=output, lines=details(found), hint=f"remit tool list {found['name']}")


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Name: a DNS label; clients use `/mcp/NAME`.")],
    command: Annotated[
        list[str] | None, typer.Argument(help="Command and arguments of a stdio server.")
    ] = None,
    *,
    purpose: Annotated[str, typer.Option("--purpose", help="What it is for.")],
    environment: Annotated[str, typer.Option("--environment", help="development, staging or production.")],
    url: Annotated[str, typer.Option("--url", help="Address of an HTTP server.")] = "",
    env: Annotated[list[str] | None, typer.Option("--env", help="NAME=VALUE for a stdio server.")] = None,
    legacy: Annotated[bool, typer.Option("--legacy", help="Serve clients of MCP 2025-11-25 too.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Put a server behind the gateway: `--url` for HTTP, or `-- COMMAND ARG…` for stdio."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    if bool(url) == bool(command):
        raise Misused("a server has either `--url` or a command", next_step="remit server new --help")
    stated: dict[str, Any] = {
        "name": name,
        "transport": "http" if url else "stdio",
        "url": url,
        "argv": list(command or []),
        "env": dict(_pair(each) for each in env or []),
        "purpose": purpose,
        "environment": environment,
        "allow_legacy": legacy,
    }
    with Client.open() as client:
        found = client.post("/servers", stated)
    show(found, output=output, lines=[f"created {found['id']}"], hint=f"remit tool list {name}")


@app.command()
def retire(
    name: Annotated[str, typer.Argument(help="Name or id.")],
    *,
    reason: ReasonOption = "retired by operator",
    yes: YesOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Take a server away for ever, with its tools."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    confirm(f"server {name} ends for ever, with its tools", f"remit server retire {name}", yes=yes)
    with Client.open() as client:
        found = client.post(f"/servers/{name}/retire", {"reason": reason})
    show(found, output=output, lines=[f"server {found['name']} is retired"])


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise Misused(f"`{text}` is not NAME=VALUE", next_step="remit server new --help")
    return name, value
