"""`remit connection`: credentials of other services, each for one person and one agent."""

from typing import Annotated

import typer

from remit.surface.cli.options import CursorOption, LimitOption, OutputOption, YesOption, group
from remit.surface.cli.principal import ReasonOption, confirm
from remit.surface.cli.provider import ScopeOption, secret_from_stdin
from remit.surface.cli.render import Output, show

app = group("Credentials of other services, each for one person and one agent.")
_COLUMNS = ("id", "provider", "agent_name", "user_name", "state", "expires_at")


@app.command("list")
def list_(*, limit: LimitOption = 50, cursor: CursorOption = "", output: OutputOption = Output.TABLE) -> None:
    """List your connections; administrators see everybody's, and nobody sees a credential."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — the HTTP client costs `--help` 0.4 s

    with Client.open() as client:
        found = client.get("/connections", limit=limit, cursor=cursor)
    first = next((each["id"] for each in found["items"]), "")
    hint = f"remit connection revoke {first}" if first else ""
    show(found, output=output, columns=_COLUMNS, hint=hint)


@app.command()
def revoke(
    connection: Annotated[str, typer.Argument(help="Id of the connection (`con_…`).")],
    *,
    reason: ReasonOption = "disconnected by operator",
    yes: YesOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Disconnect: nothing opens it any more, and the provider is told until it confirms."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    confirm(f"{connection} ends, here and there", f"remit connection revoke {connection}", yes=yes)
    with Client.open() as client:
        found = client.post(f"/connections/{connection}/revoke", {"reason": reason})
    show(found, output=output, lines=[f"{found['id']} is {found['state']}"], hint="remit connection list")


@app.command()
def seal(
    provider: Annotated[str, typer.Argument(help="Name of a provider of static keys.")],
    agent: Annotated[str, typer.Argument(help="Name of the agent.")],
    *,
    user: Annotated[str, typer.Option("--user", help="Person that the key is of; else the agent.")] = "",
    scope: ScopeOption = None,
    days: Annotated[int, typer.Option("--days", min=1, max=365, help="How long it may be used.")] = 90,
    output: OutputOption = Output.TABLE,
) -> None:
    """Seal a static key from standard input, or rotate the one that is there."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    stated = {
        "provider": provider,
        "agent": agent,
        "scopes": scope or [],
        "days": days,
        "secret": secret_from_stdin("remit connection seal"),
        **({"user": user} if user else {}),
    }
    with Client.open() as client:
        found = client.post("/connections", stated)
    shown = f"{found['id']} holds version {found['version']}, until {found['expires_at'][:10]}"
    show(found, output=output, lines=[shown], hint="remit connection list")
