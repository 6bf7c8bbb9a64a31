"""`remit provider`: services that agents' calls may need a credential of."""

import sys
from typing import Annotated, Any

import typer

from remit.surface.cli.failures import Misused
from remit.surface.cli.options import OutputOption, YesOption, group
from remit.surface.cli.principal import confirm
from remit.surface.cli.render import Output, details, show

app = group("Services that agents' calls may need a credential of.")
NameArgument = Annotated[str, typer.Argument(help="Name or id of the provider.")]
ScopeOption = Annotated[list[str] | None, typer.Option("--scope", help="A scope; repeat for more.")]


@app.command("list")
def list_(*, output: OutputOption = Output.TABLE) -> None:
    """List the providers."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — the HTTP client costs `--help` 0.4 s

    with Client.open() as client:
        show(client.get("/providers"), output=output, columns=("id", "name", "kind", "issuer"))


@app.command("show")
def show_(name: NameArgument, *, output: OutputOption = Output.TABLE) -> None:
    """Show one provider, with the redirect address to register there."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.get(f"/providers/{name}")
    show(found, output=output, lines=details(found))


@app.command()
def register(
    name: Annotated[str, typer.Argument(help="Name: a DNS label; people connect at `/connect/NAME`.")],
    *,
    issuer: Annotated[str, typer.Option("--issuer", help="Address of its authorization server.")] = "",
    client_id: Annotated[str, typer.Option("--client-id", help="What we are called there.")] = "",
    secret_stdin: Annotated[
        bool, typer.Option("--secret-stdin", help="Read our client secret there from standard input.")
    ] = False,
    secret_in_body: Annotated[
        bool, typer.Option("--secret-in-body", help="Send that secret in the form, not by HTTP Basic.")
    ] = False,
    static: Annotated[bool, typer.Option("--static", help="It knows static keys alone.")] = False,
    authorization: Annotated[
        str, typer.Option("--authorization-endpoint", help="Where its metadata names none.")
    ] = "",
    token: Annotated[str, typer.Option("--token-endpoint", help="Where its metadata names none.")] = "",
    revocation: Annotated[
        str, typer.Option("--revocation-endpoint", help="Where its metadata names none.")
    ] = "",
    header: Annotated[str, typer.Option("--header", help="Header that servers read.")] = "Authorization",
    scheme: Annotated[str, typer.Option("--scheme", help="Word before the credential.")] = "Bearer",
    output: OutputOption = Output.TABLE,
) -> None:
    """Register a provider; its endpoints come from its metadata."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    if not static and not (issuer and client_id):
        raise Misused(
            "a provider has `--issuer` and `--client-id`, or is `--static`",
            next_step="remit provider register --help",
        )
    stated: dict[str, Any] = {
        "name": name,
        "kind": "static" if static else "oauth",
        "issuer": issuer,
        "client_id": client_id,
        "authorization_endpoint": authorization,
        "token_endpoint": token,
        "revocation_endpoint": revocation,
        "header": header,
        "scheme": scheme,
    }
    if secret_stdin:
        stated["client_secret"] = secret_from_stdin("remit provider register")
        stated["auth"] = "client_secret_post" if secret_in_body else "client_secret_basic"
    with Client.open() as client:
        found = client.post("/providers", stated)
    shown = [f"registered {found['id']}"]
    if found.get("redirect_uri"):
        shown.append(f"redirect address to register there: {found['redirect_uri']}")
    show(found, output=output, lines=shown, hint=f"remit provider require {name} SERVER --scope …")


@app.command()
def require(
    name: NameArgument,
    server: Annotated[str, typer.Argument(help="Name of the MCP server.")],
    *,
    scope: ScopeOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Let a server's calls carry a credential of this provider, with exactly these scopes."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.post(f"/providers/{name}/servers", {"server": server, "scopes": scope or []})
    scopes = " ".join(found.get("scopes", [])) or "no scopes"
    show(found, output=output, lines=[f"calls of {found['server']} carry a credential of {name}: {scopes}"])


@app.command()
def release(
    name: NameArgument,
    server: Annotated[str, typer.Argument(help="Name of the MCP server.")],
    *,
    output: OutputOption = Output.TABLE,
) -> None:
    """Let a server's calls carry no credential any more."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.post(f"/providers/{name}/servers/{server}/release")
    show(found, output=output, lines=[f"calls of {found['server']} carry no credential"])


@app.command()
def retire(name: NameArgument, *, yes: YesOption = False, output: OutputOption = Output.TABLE) -> None:
    """End a provider and every connection to it, there and here."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    confirm(f"provider {name} ends with every connection to it", f"remit provider retire {name}", yes=yes)
    with Client.open() as client:
        found = client.post(f"/providers/{name}/retire")
    show(found, output=output, lines=[f"provider {found['name']} is retired"])


def secret_from_stdin(command: str) -> str:
    """A secret never stands in arguments, where every process of the machine reads it."""
    if sys.stdin.isatty():
        secret: str = typer.prompt("Secret", hide_input=True, err=True)
    else:
        secret = sys.stdin.readline().rstrip("\r\n")
    if not secret:
        raise Misused("no secret came on standard input", next_step=f"{command} --help")
    return secret
