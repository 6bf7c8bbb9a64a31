"""`remit client`: who may ask people for anything, as an instance of which agent."""

from pathlib import Path
from typing import Annotated, Any

import typer

from remit.surface.cli.failures import Misused
from remit.surface.cli.options import (
    CursorOption,
    LimitOption,
    OutputOption,
    YesOption,
    duration,
    group,
)
from remit.surface.cli.principal import ReasonOption, confirm
from remit.surface.cli.render import Output, details, show

app = group("Clients that people sign in with: register, list, revoke.")
_COLUMNS = ("client_id", "name", "kind", "auth_method", "state")
_COVERED = ("name", "state", "client_id", "requires", "owner")
LifetimeOption = Annotated[str, typer.Option("--lifetime", help="Until people are asked again: 8h, 7d.")]
IdleOption = Annotated[str, typer.Option("--idle", help="How long a session may rest unused: 30m, 12h.")]
SessionsOption = Annotated[
    int | None, typer.Option("--sessions", min=1, help="Sessions of one person at one time.")
]
RefreshesOption = Annotated[
    int | None, typer.Option("--refreshes", min=0, help="How often one session is renewed.")
]
RequireOption = Annotated[
    list[str] | None,
    typer.Option("--require", help="What a sign-in must be: mfa, managed_device or passkey; repeatable."),
]
ClientArgument = Annotated[str, typer.Argument(help="Client id, or the id of its instance.")]
AgentOption = Annotated[str | None, typer.Option("--agent", help="Agent that it is an instance of.")]


@app.command()
def register(
    name: Annotated[str, typer.Argument(help="Name, as people see it.")],
    *,
    redirect_uri: Annotated[
        list[str] | None, typer.Option("--redirect-uri", help="Where people come back to.")
    ] = None,
    agent: AgentOption = None,
    device: Annotated[
        bool, typer.Option("--device", help="It has no browser: people type a code elsewhere (RFC 8628).")
    ] = False,
    ciba: Annotated[
        bool, typer.Option("--ciba", help="It asks people behind the scenes (CIBA); needs `--keys`.")
    ] = False,
    ping: Annotated[
        str, typer.Option("--ping", help="Where it is told that a person has answered; with `--ciba`.")
    ] = "",
    push: Annotated[
        str, typer.Option("--push", help="Where it is brought its tokens; in place of `--ping`.")
    ] = "",
    native: Annotated[
        bool, typer.Option("--native", help="It runs on a person's machine; any loopback port will do.")
    ] = False,
    keys: Annotated[Path | None, typer.Option("--keys", help="File with its public keys (JWKS).")] = None,
    bearer: Annotated[
        bool, typer.Option("--bearer", help="Allow tokens bound to no key; shorter, and asked more often.")
    ] = False,
    logout_uri: Annotated[
        list[str] | None, typer.Option("--logout-uri", help="Where people may go on to after signing out.")
    ] = None,
    backchannel: Annotated[
        str, typer.Option("--backchannel-logout-uri", help="Where it is told that a session has ended.")
    ] = "",
    id_token_alg: Annotated[
        str, typer.Option("--id-token-alg", help="ES256, or RS256 for one that knows nothing else.")
    ] = "ES256",  # noqa: S107 — the name of an algorithm
    lifetime: LifetimeOption = "",
    idle: IdleOption = "",
    sessions: SessionsOption = None,
    refreshes: RefreshesOption = None,
    require: RequireOption = None,
    par: Annotated[bool, typer.Option("--par", help="Refuse requests that were not pushed before.")] = False,
    signed: Annotated[bool, typer.Option("--signed", help="Refuse requests that it did not sign.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Register a client. Without `--agent` it is an application that only signs people in; no secret."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — the HTTP client costs `--help` 0.4 s

    metadata: dict[str, Any] = {
        "client_name": name,
        "redirect_uris": redirect_uri or [],
        "grant_types": _grant_types(
            codes=bool(redirect_uri) or not (device or ciba), device=device, ciba=ciba
        ),
        "require_signed_request_object": signed,
        "application_type": "native" if native else "web",
        "require_pushed_authorization_requests": par,
        "token_endpoint_auth_method": "private_key_jwt" if keys else "none",
    }
    if keys is not None:
        metadata["jwks"] = _jwks(keys)
    metadata["id_token_signed_response_alg"] = id_token_alg
    metadata["post_logout_redirect_uris"] = logout_uri or []
    if backchannel:
        metadata["backchannel_logout_uri"] = backchannel
    metadata |= _delivery(ping=ping, push=push)
    limits = _limits("remit client register", lifetime, idle, sessions, refreshes)
    stated: dict[str, Any] = {"metadata": metadata, "bearer": bearer, "requires": require or []}
    if limits:
        stated["limits"] = limits
    with Client.open() as client:
        found = client.post("/clients", stated | ({"agent": agent} if agent else {}))
    lines = [f"registered {found['client_id']} ({found['auth_method']}); no secret issued"]
    show(found, output=output, lines=lines, hint=f"remit client show {found['id']}")


@app.command("list")
def list_(
    *,
    kind: Annotated[str, typer.Option("--kind", help="pre_registered, metadata_document or dynamic.")] = "",
    limit: LimitOption = 50,
    cursor: CursorOption = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """List clients, by id."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.get("/clients", kind=kind, limit=limit, cursor=cursor)
    more = f"remit client list --cursor {found['next']}" if found.get("next") else ""
    show(found, output=output, columns=_COLUMNS, hint=more)


@app.command("show")
def show_(client_id: ClientArgument, *, output: OutputOption = Output.TABLE) -> None:
    """Show one client, with where it may send people back to."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.get(f"/clients/{client_id}")
    show(found, output=output, lines=details(found))


@app.command()
def terms(
    client_id: ClientArgument,
    *,
    lifetime: LifetimeOption = "",
    idle: IdleOption = "",
    sessions: SessionsOption = None,
    refreshes: RefreshesOption = None,
    require: RequireOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Set how long sessions last and what a sign-in must be; what is left out stays, except `--require`."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    changed = _limits("remit client terms", lifetime, idle, sessions, refreshes)
    with Client.open() as client:
        present = client.get(f"/clients/{client_id}")
        stated = {"limits": {**present["limits"], **changed}, "requires": require or []}
        found = client.put(f"/clients/{client_id}/terms", stated)
    show(found, output=output, lines=details(found))


@app.command()
def mention(
    name: Annotated[str, typer.Argument(help="Name, as people know it.")],
    *,
    purpose: Annotated[str, typer.Option("--purpose", help="What people use it for.")],
    environment: Annotated[str, typer.Option("--environment", help="development, staging or production.")] = (
        "production"
    ),
    output: OutputOption = Output.TABLE,
) -> None:
    """Name an application that people sign in to elsewhere: it counts as ungoverned."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.post("/applications", {"name": name, "purpose": purpose, "environment": environment})
    show(found, output=output, lines=[f"mentioned {found['id']}"], hint="remit client coverage")


@app.command()
def coverage(*, output: OutputOption = Output.TABLE) -> None:
    """Show which applications people sign in to here, and which are ungoverned."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.get("/clients/coverage")
    hint = "remit client register NAME --redirect-uri URI" if found["ungoverned"] else ""
    show(found, output=output, columns=_COVERED, hint=hint)


@app.command()
def keys(
    client_id: ClientArgument,
    file: Annotated[Path, typer.Argument(help="File with its public keys (JWKS).")],
    *,
    yes: YesOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Replace the keys of a client; those that are left out are dead at once."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    jwks = _jwks(file)
    confirm("keys that are not in the file are dead at once", f"remit client keys {client_id}", yes=yes)
    with Client.open() as client:
        found = client.put(f"/clients/{client_id}/keys", {"jwks": jwks})
    show(found, output=output, lines=[f"client {found['client_id']} has {len(jwks['keys'])} key(s)"])


@app.command()
def revoke(
    client_id: ClientArgument,
    *,
    reason: ReasonOption,
    yes: YesOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """End a client for good, with everything that people gave to it."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    confirm("everything that was given to it ends", f"remit client revoke {client_id}", yes=yes)
    with Client.open() as client:
        found = client.post(f"/clients/{client_id}/revoke", {"reason": reason})
    show(found, output=output, lines=[f"client {found['client_id']} is {found['state']}"])


@app.command()
def invite(
    *,
    agent: Annotated[str, typer.Option("--agent", help="Agent that the clients are instances of.")],
    uses: Annotated[int, typer.Option("--uses", min=1, max=100, help="How many clients.")] = 1,
    lifetime: Annotated[str, typer.Option("--for", help="How long: 10m, 1h, 7d.")] = "1d",
    output: OutputOption = Output.TABLE,
) -> None:
    """Make an initial access token, by which clients register themselves; it is shown this once."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    seconds = int(duration(lifetime, command="remit client invite").total_seconds())
    with Client.open() as client:
        found = client.post(
            "/clients/invitations", {"agent": agent, "uses": uses, "lifetime_seconds": seconds}
        )
    show(found, output=output, lines=[found["initial_access_token"]])


def _limits(
    command: str, lifetime: str, idle: str, sessions: int | None, refreshes: int | None
) -> dict[str, int]:
    spans = {"lifetime_seconds": lifetime, "idle_seconds": idle}
    counts = {"concurrency": sessions, "refresh_count": refreshes}
    seconds = {
        name: int(duration(text, command=command).total_seconds()) for name, text in spans.items() if text
    }
    return seconds | {name: count for name, count in counts.items() if count is not None}


def _delivery(*, ping: str, push: str) -> dict[str, str]:
    """How it learns of answers, where that is not by asking again and again (CIBA Core §4)."""
    if ping and push:
        raise Misused("say either `--ping` or `--push`", next_step="remit client register --help")
    mode = {"backchannel_token_delivery_mode": "push" if push else "ping"}
    place = ping or push
    return mode | {"backchannel_client_notification_endpoint": place} if place else {}


def _grant_types(*, codes: bool, device: bool, ciba: bool) -> list[str]:
    """By the names of RFC 7591; refresh tokens go with each."""
    own = ["authorization_code"] if codes else []
    elsewhere = {
        "urn:ietf:params:oauth:grant-type:device_code": device,
        "urn:openid:params:grant-type:ciba": ciba,
    }
    return [*own, *(grant for grant, wanted in elsewhere.items() if wanted), "refresh_token"]


def _jwks(path: Path) -> dict[str, Any]:
    from remit.surface.cli.agent import read_json  # noqa: PLC0415 — as above

    found = read_json(path)
    if not isinstance(found.get("keys"), list):
        raise Misused(f"`{path}` holds no `keys`", next_step="name a file with a JWK Set")
    return found
