"""`remit agent`: who acts, owned by whom, in which state."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from remit.surface.cli.failures import Misused
from remit.surface.cli.options import OutputOption, group
from remit.surface.cli.principal import NameArgument, add_verbs
from remit.surface.cli.render import Output, show, table

app = group("Agents: who acts, owned by whom, in which state.")
add_verbs(app, noun="agent", plural="agents")


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Name: a DNS label.")],
    *,
    purpose: Annotated[str, typer.Option("--purpose", help="What it is for.")],
    environment: Annotated[str, typer.Option("--environment", help="development, staging or production.")],
    blueprint: Annotated[str, typer.Option("--blueprint", help="What it is made from.")],
    owner: Annotated[str | None, typer.Option("--owner", help="Who answers for it; absent: you.")] = None,
    key: Annotated[Path | None, typer.Option("--key", help="Where its first key is written.")] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Register an agent, make its first instance with a new key, and activate it. No secret leaves here."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — the HTTP client costs `--help` 0.4 s
    from remit.surface.cli.devicekey import make_key  # noqa: PLC0415 — as above

    path = key or Path(f"{name}.key")
    if path.exists():
        raise Misused(f"`{path}` exists already", next_step=f"remit agent new {name} --key OTHER")
    stated: dict[str, Any] = {
        "name": name,
        "purpose": purpose,
        "environment": environment,
        "blueprint": blueprint,
    }
    with Client.open() as client:
        agent = client.post("/agents", stated | ({"owner": owner} if owner else {}))
        made = make_key()
        instance = client.post(f"/agents/{agent['id']}/instances", {"jwk": made.jwk})
        made.write(path, principal=instance["instance"]["id"], kid=instance["key"]["id"])
        active = client.post(f"/agents/{agent['id']}/activate")
    lines = [
        f"created {active['id']} ({active['state']}); key in {path}; no secret issued",
        f"instance {instance['instance']['id']}",
        f"spiffe   {instance['spiffe_id']}",
    ]
    shown = {"agent": active, "instance": instance, "key_file": str(path)}
    show(shown, output=output, lines=lines, hint=f"remit agent limit {name} ceiling.json")


@app.command()
def limit(
    name: NameArgument,
    ceiling: Annotated[Path, typer.Argument(help="Ceiling as JSON: rights, start, end, purpose, …")],
    *,
    output: OutputOption = Output.TABLE,
) -> None:
    """Set the most that an agent may ever do."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.put(f"/agents/{name}/ceiling", read_json(ceiling))
    show(found, output=output, lines=[f"ceiling of {found['name']} is set"])


@app.command()
def drift(name: NameArgument, *, output: OutputOption = Output.TABLE) -> None:
    """Show where an agent differs from its blueprint."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.get(f"/agents/{name}/drift")
    lines = table(found, ("field", "blueprint", "agent")) if found else [f"{name} is as its blueprint says"]
    show(found, output=output, lines=lines)


def read_json(path: Path) -> dict[str, Any]:
    """Read an object from a file that the operator named."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValueError) as broken:
        raise Misused(f"`{path}` cannot be read as JSON", next_step="name another file") from broken
    if not isinstance(found, dict):
        raise Misused(f"`{path}` holds no JSON object", next_step="name another file")
    return found
