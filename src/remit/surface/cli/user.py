"""`remit user`: owners, approvers, administrators."""

from pathlib import Path
from typing import Annotated, Any

import typer

from remit.surface.cli.options import OutputOption, group
from remit.surface.cli.principal import add_verbs
from remit.surface.cli.render import Output, show

app = group("People: owners, approvers, administrators.")
add_verbs(app, noun="user", plural="users")


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Name, as an address: user@company.com.")],
    *,
    role: Annotated[list[str] | None, typer.Option("--role", help="admin, approver or reader.")] = None,
    team: Annotated[list[str] | None, typer.Option("--team", help="Team, as policies name it.")] = None,
    key: Annotated[Path | None, typer.Option("--key", help="Where their device key is written.")] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Register a person with a new device key, and activate them. Hand the key file to them alone."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — the HTTP client costs `--help` 0.4 s
    from remit.surface.cli.devicekey import make_key  # noqa: PLC0415 — as above

    path = key or Path(f"{name}.key")
    attributes = {"roles": " ".join(role or []), "teams": " ".join(team or [])}
    stated: dict[str, Any] = {
        "name": name,
        "email": name if "@" in name else None,
        "attributes": {word: value for word, value in attributes.items() if value},
    }
    with Client.open() as client:
        person = client.post("/users", {word: value for word, value in stated.items() if value is not None})
        made = make_key()
        registered = client.post(f"/users/{person['id']}/keys", {"jwk": made.jwk})
        made.write(path, principal=person["id"], kid=registered["id"])
        found = client.post(f"/users/{person['id']}/activate")
    shown = {"user": found, "key": registered, "key_file": str(path)}
    show(shown, output=output, lines=[f"created {found['id']} ({found['state']}); key in {path}"])
