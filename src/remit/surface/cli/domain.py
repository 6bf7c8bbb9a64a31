"""`remit domain`: which authorization servers of others are trusted, for whom, and how far."""

from pathlib import Path
from typing import Annotated, Any

import typer

from remit.surface.cli.agent import read_json
from remit.surface.cli.options import OutputOption, YesOption, group
from remit.surface.cli.principal import ReasonOption, confirm
from remit.surface.cli.render import Output, details, show

app = group("Other authorization servers: whose grants count here, and who may go there.")
_COLUMNS = ("id", "name", "direction", "state", "issuer")
_NAME = Annotated[str, typer.Argument(help="Name or id of the domain.")]
_CEILING = Annotated[
    Path | None, typer.Option("--ceiling", help="Ceiling (JSON); outbound in that domain's own words.")
]
_SCOPES = Annotated[list[str] | None, typer.Option("--scope", help="Scope there; repeat it.")]
_TENANT = Annotated[str, typer.Option("--tenant", help="Their `tenant`, where their issuer has several.")]


@app.command("list")
def list_(*, output: OutputOption = Output.TABLE) -> None:
    """List the domains, also those that are trusted no longer."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — the HTTP client costs `--help` 0.4 s

    with Client.open() as client:
        found = client.get("/domains")
    show(found, output=output, columns=_COLUMNS, hint="" if found else "remit domain trust --help")


@app.command("show")
def show_(name: _NAME, *, output: OutputOption = Output.TABLE) -> None:
    """Show one domain, its rules, its people."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.get(f"/domains/{name}")
    lines = [
        *details({each: value for each, value in found["domain"].items() if each != "ceiling"}),
        *(
            f"rule    {each['id']}  {each['who']}  {each['client']}  {each['text']}"
            for each in found["rules"]
        ),
        *(f"person  {each['subject']}  is  {each['user']}" for each in found["people"]),
    ]
    show(found, output=output, lines=lines, hint=f"remit domain allow {name} --help")


@app.command()
def trust(
    name: Annotated[str, typer.Argument(help="Name for it: a DNS label.")],
    *,
    issuer: Annotated[str, typer.Option("--issuer", help="Its `iss`, byte for byte.")],
    direction: Annotated[str, typer.Option("--direction", help="`inbound`: it signs; `outbound`: we do.")],
    address: Annotated[str, typer.Option("--address", help="Inbound: address of its keys (jwks_uri).")] = "",
    keys: Annotated[Path | None, typer.Option("--keys", help="Inbound: its JWK Set, pinned.")] = None,
    scope: _SCOPES = None,
    ceiling: _CEILING = None,
    bound: Annotated[bool, typer.Option("--bound", help="Only grants that are bound to a key.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Trust a domain in one direction. Nobody goes anywhere before a rule says who."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    stated: dict[str, Any] = {
        "name": name,
        "issuer": issuer,
        "direction": direction,
        "address": address,
        "bound": bound,
        **_bounds(scope, ceiling),
        **({} if keys is None else {"keys": read_json(keys)}),
    }
    with Client.open() as client:
        found = client.post("/domains", stated)
    lines = [f"trusting {found['issuer']} as {found['name']} ({found['id']}), {found['direction']}"]
    show(found, output=output, lines=lines, hint=f"remit domain allow {name} --help")


@app.command()
def allow(
    name: _NAME,
    *,
    client_id: Annotated[str, typer.Option("--client", help="Agent, or client, of ours.")],
    reason: Annotated[str, typer.Option("--because", help="Why; people read it in place of a consent page.")],
    who: Annotated[
        str, typer.Option("--who", help="Person's id, `team:NAME`, or `everybody`.")
    ] = "everybody",
    there: Annotated[str, typer.Option("--there", help="Outbound: the client's id over there.")] = "",
    scope: _SCOPES = None,
    ceiling: _CEILING = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Say who may use which client across the border, and up to what."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    stated: dict[str, Any] = {
        "who": who,
        "client": client_id,
        "text": reason,
        "there": there,
        **_bounds(scope, ceiling),
    }
    with Client.open() as client:
        found = client.post(f"/domains/{name}/rules", stated)
    lines = [f"rule {found['id']}: {found['who']} may use {found['client']}"]
    show(found, output=output, lines=lines, hint=f"remit domain show {name}")


@app.command()
def disallow(
    rule: Annotated[str, typer.Argument(help="Id of the rule.")],
    *,
    reason: ReasonOption = "withdrawn by operator",
    yes: YesOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Take a rule back: every task that began by it ends at once."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    confirm(f"tasks that began by {rule} end at once", f"remit domain disallow {rule}", yes=yes)
    with Client.open() as client:
        found = client.post(f"/domains/rules/{rule}/withdraw", {"reason": reason})
    show(found, output=output, lines=[f"rule {found['id']} is {found['state']}"])


@app.command()
def link(
    name: _NAME,
    subject: Annotated[str, typer.Argument(help="`sub` over there, byte for byte; never an address.")],
    user: Annotated[str, typer.Argument(help="Person here: name or id.")],
    *,
    tenant: _TENANT = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """Say who a subject of an inbound domain is here."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.post(f"/domains/{name}/people", {"subject": subject, "user": user, "tenant": tenant})
    show(found, output=output, lines=[f"{found['subject']} of {name} is {found['user']}"])


@app.command()
def unlink(
    name: _NAME,
    subject: Annotated[str, typer.Argument(help="`sub` over there.")],
    *,
    tenant: _TENANT = "",
    yes: YesOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Forget who a subject is: that person's tasks from that domain end at once."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    confirm(f"tasks of {subject} from {name} end at once", f"remit domain unlink {name} {subject}", yes=yes)
    with Client.open() as client:
        found = client.post(f"/domains/{name}/people/unlink", {"subject": subject, "tenant": tenant})
    show(found, output=output, lines=[f"{found['subject']} of {name} is nobody here"])


@app.command()
def revoke(
    name: _NAME,
    *,
    reason: ReasonOption = "revoked by operator",
    yes: YesOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Trust a domain no longer: its rules, tasks and tokens end at once."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    confirm(f"all tasks that came from {name} end at once", f"remit domain revoke {name}", yes=yes)
    with Client.open() as client:
        found = client.post(f"/domains/{name}/revoke", {"reason": reason})
    show(found, output=output, lines=[f"{found['name']} is {found['state']}"])


def _bounds(scope: list[str] | None, ceiling: Path | None) -> dict[str, Any]:
    said: dict[str, Any] = {"scopes": scope or []}
    return said if ceiling is None else {**said, "ceiling": read_json(ceiling)}
