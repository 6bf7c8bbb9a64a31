"""`remit blueprint`: what agents are minted from."""

from pathlib import Path
from typing import Annotated, Any

import typer

from remit.surface.cli.agent import read_json
from remit.surface.cli.options import OutputOption, group
from remit.surface.cli.principal import NameArgument, add_verbs
from remit.surface.cli.render import Output, show

app = group("Blueprints that agents are minted from, and drift from them.")
add_verbs(app, noun="blueprint", plural="blueprints")


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Name: a DNS label.")],
    *,
    purpose: Annotated[str, typer.Option("--purpose", help="What its agents are for.")],
    environment: Annotated[str, typer.Option("--environment", help="development, staging or production.")],
    owner: Annotated[str | None, typer.Option("--owner", help="Who answers for it; absent: you.")] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Register a blueprint and activate it."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — the HTTP client costs `--help` 0.4 s

    stated: dict[str, Any] = {"name": name, "purpose": purpose, "environment": environment}
    with Client.open() as client:
        entry = client.post("/blueprints", stated | ({"owner": owner} if owner else {}))
        found = client.post(f"/blueprints/{entry['id']}/activate")
    show(
        found,
        output=output,
        lines=[f"created {found['id']} ({found['state']})"],
        hint=f"remit blueprint limit {name} ceiling.json",
    )


@app.command()
def limit(
    name: NameArgument,
    ceiling: Annotated[Path, typer.Argument(help="Ceiling as JSON: rights, start, end, purpose, …")],
    *,
    output: OutputOption = Output.TABLE,
) -> None:
    """Set the most that agents of this blueprint may ever do."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.put(f"/blueprints/{name}/ceiling", read_json(ceiling))
    show(found, output=output, lines=[f"ceiling of {found['name']} is set"])
