"""`remit user`: owners, approvers, administrators."""

from pathlib import Path
from typing import Annotated, Any

import typer

from remit.surface.cli.options import OutputOption, duration, group
from remit.surface.cli.principal import NameArgument, ReasonOption, add_verbs
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


@app.command()
def enrol(
    name: NameArgument,
    *,
    within: Annotated[str, typer.Option("--within", help="How long the link works: 30m, at most 24h.")] = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """Make a link by which a person makes a passkey, once. Hand it to them alone; older links end."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    span = duration(within, command="remit user enrol") if within else None
    with Client.open() as client:
        stated = {} if span is None else {"seconds": int(span.total_seconds())}
        found = client.post(f"/users/{name}/enrolments", stated)
    show(found, output=output, lines=[f"open once, until {found['expires_at']}:", found["url"]])


@app.command()
def passkeys(name: NameArgument, *, output: OutputOption = Output.TABLE) -> None:
    """List a person's passkeys."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.get(f"/users/{name}/passkeys")
    columns = ("id", "name", "state", "created_at", "used_at")
    show(found, output=output, columns=columns, hint="" if found else f"remit user enrol {name}")


@app.command("revoke-passkey")
def revoke_passkey(
    name: NameArgument,
    passkey: Annotated[str, typer.Argument(help="Id of the passkey: psk_…")],
    *,
    reason: ReasonOption = "revoked by operator",
    output: OutputOption = Output.TABLE,
) -> None:
    """Revoke a person's passkey, with the sessions that it opened."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.post(f"/users/{name}/passkeys/{passkey}/revoke", {"reason": reason})
    show(found, output=output, lines=[f"passkey {found['id']} ({found['name']}) is {found['state']}"])


@app.command()
def sessions(name: NameArgument, *, output: OutputOption = Output.TABLE) -> None:
    """List where a person is signed in."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.get(f"/users/{name}/sessions")
    show(found, output=output, columns=("id", "begun_at", "seen_at", "expires_at", "client"))


@app.command("sign-out")
def sign_out(
    name: NameArgument,
    *,
    reason: ReasonOption = "signed out by operator",
    output: OutputOption = Output.TABLE,
) -> None:
    """End every session of a person; passkeys and device keys stay."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.post(f"/users/{name}/sessions/end", {"reason": reason})
    show(found, output=output, lines=[f"{found['ended']} sessions of {name} ended"])


@app.command()
def away(
    name: NameArgument,
    *,
    until: Annotated[str, typer.Option("--until", help="When they are back: 2026-05-29, or with a time.")],
    since: Annotated[str, typer.Option("--from", help="From when on; now, if none is said.")] = "",
    deputy: Annotated[str, typer.Option("--deputy", help="Who is asked in their place.")] = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """Say that somebody is away: whoever would ask them asks their deputy."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above
    from remit.surface.cli.moments import moment  # noqa: PLC0415 — as above

    stated: dict[str, Any] = {"until": moment(until, command="remit user away")}
    if since:
        stated["starts_at"] = moment(since, command="remit user away")
    if deputy:
        stated["deputy"] = deputy
    with Client.open() as client:
        found = client.post(f"/users/{name}/absence", stated)
    instead = found.get("deputy_name") or "nobody"
    lines = [f"{found['name']} is away until {found['ends_at']}; {instead} is asked in their place"]
    show(found, output=output, lines=lines, hint=f"remit user back {name}")


@app.command()
def back(name: NameArgument, *, output: OutputOption = Output.TABLE) -> None:
    """Say that somebody is back."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        client.post(f"/users/{name}/absence/end")
    show({"user": name, "away": False}, output=output, lines=[f"{name} is back"])


@app.command()
def absences(*, output: OutputOption = Output.TABLE) -> None:
    """List who is away, or will be, and who stands in for them."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.get("/absences")
    show(found, output=output, columns=("name", "starts_at", "ends_at", "deputy_name"))
