"""`remit server`: MCP servers behind the gateway."""

import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from remit.surface.cli.agent import read_json
from remit.surface.cli.failures import CommandFailed, Misused
from remit.surface.cli.options import OutputOption, YesOption, group
from remit.surface.cli.principal import ReasonOption, confirm
from remit.surface.cli.render import Output, details, say, show

app = group("MCP servers behind the gateway.")
_COLUMNS = ("id", "name", "transport", "url", "argv", "standing")
_LEVELS = {
    "outside": "no field of what {name} answers is believed by itself",
    "mixed": "records of {name} are believed where the user's words select them",
    "members": "messages that were asked for reach any handle that {name} lists, unasked",
    "records": "every field of every answer of {name} is believed and may steer payments and rights",
}
_FOUND = ("name", "standing", "pin", "action", "cause")


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
    documents: Annotated[
        Path | None,
        typer.Option("--documents", help="Of a retrieval server: relation and data sets (JSON)."),
    ] = None,
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
        **({"documents": read_json(documents)} if documents is not None else {}),
    }
    with Client.open() as client:
        found = client.post("/servers", stated)
    show(found, output=output, lines=[f"created {found['id']}"], hint=f"remit server discover {name}")


@app.command()
def discover(
    name: Annotated[str, typer.Argument(help="Name or id.")],
    *,
    pin: Annotated[
        bool, typer.Option("--pin", help="Pin what is new or changed, once you have read it.")
    ] = False,
    write: Annotated[
        Path | None, typer.Option("--write", help="Write those pins to a file, to edit first.")
    ] = None,
    yes: YesOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Ask a server for its tools now: which are new, changed or gone against the pins.

    What differs is out of use until somebody pins or approves it. A proposed mapping is the plainest: every
    argument counts, the server is the resource, and no policy permits it before you write one.
    """
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above
    from remit.surface.cli.discovery import described, proposals, rows  # noqa: PLC0415 — as above

    with Client.open() as client:
        server = client.get(f"/servers/{name}")["name"]
        found = client.post(f"/servers/{server}/discover")
        pins = proposals(server, found)
        if write is not None and pins:
            _write(write, pins)
        if pin and pins:
            for line in [line for each in pins for line in described(each)] if not yes else []:
                say(line, to=sys.stderr)
            effect = f"{len(pins)} tools of {server} are pinned exactly so"
            confirm(effect, f"remit server discover {server} --pin", yes=yes)
            client.post(f"/servers/{server}/tools", {"tools": pins})
            found = client.post(f"/servers/{server}/discover")
            pins = proposals(server, found)
    shown = rows(found) if output is Output.TABLE else found
    show(shown, output=output, columns=_FOUND, hint=_after(server, write, pins))


@app.command()
def trust(
    name: Annotated[str, typer.Argument(help="Name or id.")],
    *,
    level: Annotated[
        str,
        typer.Option(
            "--level",
            help="outside: strangers write all of it; mixed: records are its own (default); "
            "members: whom it names by a handle is one of the house; records: no outsider can write it.",
        ),
    ],
    reason: ReasonOption = "declared by operator",
    yes: YesOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Say how far a server's answers are believed, where values of calls are traced to their source."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    if level not in _LEVELS:
        raise Misused(f"`{level}` is not one of {', '.join(_LEVELS)}", next_step="remit server trust --help")
    confirm(_LEVELS[level].format(name=name), f"remit server trust {name} --level {level}", yes=yes)
    with Client.open() as client:
        found = client.post(f"/servers/{name}/standing", {"standing": level, "reason": reason})
    show(found, output=output, lines=[f"{found['name']} is believed as {level} from now on"])


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


def _write(path: Path, pins: list[dict[str, Any]]) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            json.dump({"tools": pins}, file, indent=2, ensure_ascii=False)
            file.write("\n")
    except FileExistsError as there:
        raise Misused(f"`{path}` is there already", next_step="name another file with --write") from there
    except OSError as unfit:
        raise CommandFailed(
            f"`{path}` cannot be written: {os.strerror(unfit.errno or 0).lower()}",
            next_step="name another file with --write",
        ) from unfit


def _after(server: str, written: Path | None, open_pins: list[dict[str, Any]]) -> str:
    if not open_pins:
        return f"remit tool list {server}"
    if written is not None:
        return f"edit {written}, then remit tool pin {server} {written}"
    return f"remit server discover {server} --write {server}-tools.json"


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise Misused(f"`{text}` is not NAME=VALUE", next_step="remit server new --help")
    return name, value
