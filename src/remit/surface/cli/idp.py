"""`remit idp`: identity providers that people sign in with, and who at them is whom here."""

from pathlib import Path
from typing import Annotated, Any

import typer

from remit.surface.cli.failures import Misused
from remit.surface.cli.issuer import saml_stated
from remit.surface.cli.options import OutputOption, YesOption, group
from remit.surface.cli.principal import ReasonOption, confirm
from remit.surface.cli.provider import secret_from_stdin
from remit.surface.cli.render import Output, details, show

app = group("Identity providers that people sign in with.")
NameArgument = Annotated[str, typer.Argument(help="Name or id of the provider.")]
_COLUMNS = ("name", "product", "protocol", "standing", "provisioning", "issuer")
_MARK_PARTS = 2


@app.command("list")
def list_(*, output: OutputOption = Output.TABLE) -> None:
    """List the providers."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — the HTTP client costs `--help` 0.4 s

    with Client.open() as client:
        found = client.get("/identity-providers")
    show(found, output=output, columns=_COLUMNS, hint="" if found else "remit idp connect --help")


@app.command("show")
def show_(name: NameArgument, *, output: OutputOption = Output.TABLE) -> None:
    """Show one provider, with the addresses to register there."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.get(f"/identity-providers/{name}")
    show(found, output=output, lines=details(found), hint=f"remit doctor idp {found['name']}")


@app.command()
def connect(
    name: Annotated[str, typer.Argument(help="Name: people sign in at `/sign-in/with/NAME`.")],
    *,
    product: Annotated[
        str, typer.Option("--product", help="okta, auth0, entra, ping, onelogin, keycloak, google, generic.")
    ] = "generic",
    issuer: Annotated[str, typer.Option("--issuer", help="Its issuer, byte for byte.")] = "",
    client_id: Annotated[str, typer.Option("--client-id", help="What we are called there.")] = "",
    secret_stdin: Annotated[
        bool, typer.Option("--secret-stdin", help="Read our client secret there from standard input.")
    ] = False,
    auth: Annotated[
        str,
        typer.Option("--auth", help="private_key_jwt, client_secret_basic or client_secret_post."),
    ] = "",
    create: Annotated[
        bool, typer.Option("--create", help="Enter whoever comes into the directory, without any role.")
    ] = False,
    require: Annotated[
        list[str] | None, typer.Option("--require", help="CLAIM=VALUE that everybody must have; repeat.")
    ] = None,
    mark: Annotated[
        list[str] | None, typer.Option("--mark", help="mfa=CLAIM:VALUE or managed_device=CLAIM:VALUE.")
    ] = None,
    subject: Annotated[
        str, typer.Option("--subject", help="Claim that names a person for ever; absent: the product's.")
    ] = "",
    trust_email: Annotated[
        bool, typer.Option("--trust-email", help="The company itself assigns the addresses there.")
    ] = False,
    acr: Annotated[list[str] | None, typer.Option("--acr", help="What to ask for a fresh proof.")] = None,
    saml_metadata: Annotated[
        str, typer.Option("--saml-metadata", help="A SAML provider's metadata: file or https address.")
    ] = "",
    encrypted: Annotated[
        bool, typer.Option("--encrypted", help="SAML: take assertions only if encrypted to our key.")
    ] = False,
    metadata_signer: Annotated[
        Path | None, typer.Option("--metadata-signer", help="SAML: PEM of who must have signed the metadata.")
    ] = None,
    name_format: Annotated[
        str, typer.Option("--name-format", help="SAML: take NameID of this format (persistent, …).")
    ] = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """Let people sign in with a provider; endpoints and keys come from its discovery document or metadata."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    common: dict[str, Any] = {
        "name": name,
        "product": product,
        "provisioning": "create" if create else "linked_only",
        "require": _required(require or []),
        "marks": [_mark(each) for each in mark or []],
        "subject": subject,
        "email_trusted": trust_email,
    }
    if saml_metadata:
        said: dict[str, Any] = {
            **common,
            **saml_stated(saml_metadata),
            "entity": issuer,
            "name_format": name_format,
        }
        said["encrypted"] = encrypted
        if metadata_signer is not None:
            said["metadata_signers"] = _pem(metadata_signer)
        with Client.open() as client:
            _connected_saml(client.post("/identity-providers/saml", said), output)
        return
    if not issuer or not client_id:
        raise Misused("a provider has `--issuer` and `--client-id`", next_step="remit idp connect --help")
    stated: dict[str, Any] = {
        **common,
        "issuer": issuer,
        "client_id": client_id,
        "acr_values": acr or [],
        **({"auth": auth} if auth else {}),
    }
    if secret_stdin:
        stated["client_secret"] = secret_from_stdin("remit idp connect")
    with Client.open() as client:
        found = client.post("/identity-providers", stated)
    lines = [
        f"connected {found['name']} ({found['id']})",
        f"redirect address to register there: {found['redirect_uri']}",
        f"back-channel logout address to register there: {found['logout_uri']}",
    ]
    show(found, output=output, lines=lines, hint=f"remit idp link {name} USER SUBJECT")


def _connected_saml(found: dict[str, Any], output: Output) -> None:
    lines = [
        f"connected {found['name']} ({found['id']})",
        f"our metadata and entity id to register there: {found['metadata_uri']}",
        f"address for its answers (ACS) to register there: {found['acs_uri']}",
        *(f"address for single logout to register there: {url}" for url in (found.get("logout_uri"),) if url),
    ]
    show(found, output=output, lines=lines, hint=f"remit idp link {found['name']} USER SUBJECT")


@app.command()
def suspend(name: NameArgument, *, yes: YesOption = False, output: OutputOption = Output.TABLE) -> None:
    """Let nobody come from a provider for now; whoever came from it is signed out."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    confirm(f"whoever came from {name} is signed out", f"remit idp suspend {name}", yes=yes)
    with Client.open() as client:
        found = client.post(f"/identity-providers/{name}/suspend")
    show(found, output=output, lines=[f"{found['name']} is suspended"], hint=f"remit idp resume {name}")


@app.command()
def resume(name: NameArgument, *, output: OutputOption = Output.TABLE) -> None:
    """Let people come from a provider again."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.post(f"/identity-providers/{name}/resume")
    show(found, output=output, lines=[f"{found['name']} is active"])


@app.command()
def retire(name: NameArgument, *, yes: YesOption = False, output: OutputOption = Output.TABLE) -> None:
    """End a provider for good, and every session that came from it."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    confirm(f"nobody comes from {name} any more", f"remit idp retire {name}", yes=yes)
    with Client.open() as client:
        found = client.post(f"/identity-providers/{name}/retire")
    show(found, output=output, lines=[f"{found['name']} is retired"])


@app.command()
def link(
    name: NameArgument,
    user: Annotated[str, typer.Argument(help="Name or id of the person here.")],
    subject: Annotated[str, typer.Argument(help="What the provider's tokens call them, for ever.")],
    *,
    output: OutputOption = Output.TABLE,
) -> None:
    """Say who somebody at a provider is here; never by an e-mail address."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.post(f"/identity-providers/{name}/links", {"user": user, "subject": subject})
    show(found, output=output, lines=[f"{found['subject']} at {name} is {user} ({found['id']})"])


@app.command()
def links(
    user: Annotated[str, typer.Argument(help="Name or id of the person.")],
    *,
    output: OutputOption = Output.TABLE,
) -> None:
    """List the accounts elsewhere that sign a person in here."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.get(f"/users/{user}/links")
    show(found, output=output, columns=("id", "provider", "subject", "by", "linked_at"))


@app.command()
def unlink(
    user: Annotated[str, typer.Argument(help="Name or id of the person.")],
    link: Annotated[str, typer.Argument(help="Id of the link: `remit idp links USER`.")],
    *,
    reason: ReasonOption = "unlinked by operator",
    yes: YesOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """End a link, with the sessions that stand on it; nobody is made anew of it."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    confirm(f"{link} signs {user} in no more", f"remit idp unlink {user} {link}", yes=yes)
    with Client.open() as client:
        found = client.post(f"/users/{user}/links/{link}/end", {"reason": reason})
    show(found, output=output, lines=[f"{found['id']} is ended"])


def _pem(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as failed:
        raise Misused(f"`{path}` can't be read as PEM", next_step="check the file") from failed


def _required(pairs: list[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in pairs:
        claim, mark, value = each.partition("=")
        if not mark or not claim or not value:
            raise Misused(f"`{each[:64]}` is no CLAIM=VALUE", next_step="remit idp connect --help")
        found.setdefault(claim, []).append(value)
    return found


def _mark(text: str) -> dict[str, Any]:
    mark, equals, rest = text.partition("=")
    parts = rest.split(":", 1)
    if not equals or len(parts) != _MARK_PARTS or not all(parts):
        raise Misused(f"`{text[:64]}` is no MARK=CLAIM:VALUE", next_step="remit idp connect --help")
    return {"mark": mark, "claim": parts[0], "values": [parts[1]]}
