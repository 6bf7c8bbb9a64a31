"""`remit can`: what a call would be answered, without making it."""

import json
from typing import Annotated, Any

import typer

from remit.surface.cli.exits import Exit
from remit.surface.cli.explained import exit_of_effect, explained
from remit.surface.cli.failures import Misused
from remit.surface.cli.options import OutputOption, word
from remit.surface.cli.render import Output, show

_PERSON = "user:"
app = word("Ask what a call would be answered, without making it.")


@app.command()
def can(
    agent: Annotated[str, typer.Argument(help="Agent, by name or id; or a person, as `user:ADDRESS`.")],
    tool: Annotated[
        str, typer.Argument(help="`SERVER/TOOL`, as in `business/book_room`; of a person `admin/NOUN.VERB`.")
    ],
    *,
    arg: Annotated[
        list[str] | None,
        typer.Option(
            "--arg", help="`NAME=VALUE`; a value that is JSON is taken as such, `NAME:=TEXT` never."
        ),
    ] = None,
    task: Annotated[str | None, typer.Option("--task", help="Task; absent: the newest running one.")] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Ask what a call would be answered, without making it.

    Exit: 0 permit, 3 denied, 4 a person must approve first.
    """
    if agent.startswith(_PERSON):
        from remit.surface.cli.role import may  # noqa: PLC0415 — another question, under the same word

        raise typer.Exit(Exit.DONE if may(agent.removeprefix(_PERSON), tool, output) else Exit.DENIED)
    from remit.surface.cli.client import Client  # noqa: PLC0415 — the HTTP client costs `--help` 0.4 s

    server, slash, name = tool.partition("/")
    if not slash:
        raise Misused(f"`{tool}` names no server", next_step=f"remit can {agent} SERVER/{tool}")
    question = {"agent": agent, "server": server, "tool": name, "arguments": _arguments(arg or [])}
    with Client.open() as client:
        found = client.post("/decisions/explain", question | ({"task": task} if task else {}))
    show(found, output=output, lines=explained(found))
    raise typer.Exit(exit_of_effect(str(found["effect"])))


def _arguments(given: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in given:
        name, equals, text = each.partition("=")
        if not equals or not name.rstrip(":"):
            raise Misused(f"`{each}` is not NAME=VALUE", next_step="remit can --help")
        if name.rstrip(":") in found:
            raise Misused(f"argument `{name.rstrip(':')}` is there twice", next_step="remit can --help")
        found[name.rstrip(":")] = text if name.endswith(":") else _value(text)
    return found


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
