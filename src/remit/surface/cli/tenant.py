"""`remit tenant`: who shares this installation, each with an issuer and keys of its own."""

from pathlib import Path
from typing import Annotated

import typer

from remit.surface.cli.options import OutputOption, YesOption, group
from remit.surface.cli.principal import ReasonOption, confirm
from remit.surface.cli.render import Output, details, show

app = group("Tenants: who shares this installation, each with an issuer and keys of its own.")
_NameArgument = Annotated[str, typer.Argument(help="Name of the tenant.")]
_KeyOption = Annotated[Path | None, typer.Option("--key", help="Where their device key is written.")]


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Name: a-z, 0-9, hyphens; its address is `/t/NAME`.")],
    *,
    admin: Annotated[str, typer.Option("--admin", help="Who administers it: user@company.com.")],
    key: _KeyOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Enter a tenant with its first administrator. Hand key file and link to them alone."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — the HTTP client costs `--help` 0.4 s
    from remit.surface.cli.devicekey import make_key  # noqa: PLC0415 — as above

    path, made = key or Path(f"{name}-{admin}.key"), make_key()
    with Client.open() as client:
        found = client.post("/tenants", {"name": name, "admin": admin, "jwk": made.jwk})
    told = found["administrator"]
    made.write(path, principal=told["user"], kid=told["key"])
    issuer = found["tenant"]["issuer"]
    lines = [f"tenant {name} at {issuer}", *_told(told, path)]
    show(found, output=output, lines=lines, hint=f"REMIT_URL={issuer} REMIT_KEY={path} remit user list")


@app.command("list")
def list_(*, output: OutputOption = Output.TABLE) -> None:
    """List the tenants, retired ones too."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.get("/tenants")
    hint = "" if found else "remit tenant new --help"
    show(found, output=output, columns=("name", "state", "issuer", "changed_at"), hint=hint)


@app.command("show")
def show_(name: _NameArgument, *, output: OutputOption = Output.TABLE) -> None:
    """Show one tenant: issuer, trust domain, state."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.get(f"/tenants/{name}")
    show(found, output=output, lines=details(found))


@app.command()
def appoint(
    name: _NameArgument,
    admin: Annotated[str, typer.Argument(help="Who is to administer it too: user@company.com.")],
    *,
    key: _KeyOption = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Register one more administrator there; the tenant sees on its record that you did."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above
    from remit.surface.cli.devicekey import make_key  # noqa: PLC0415 — as above

    path, made = key or Path(f"{name}-{admin}.key"), make_key()
    with Client.open() as client:
        found = client.post(f"/tenants/{name}/administrators", {"admin": admin, "jwk": made.jwk})
    made.write(path, principal=found["user"], kid=found["key"])
    show(found, output=output, lines=_told(found, path))


@app.command()
def suspend(
    name: _NameArgument,
    *,
    reason: ReasonOption = "suspended by operator",
    output: OutputOption = Output.TABLE,
) -> None:
    """Stop serving a tenant; all of it comes back with `resume`."""
    _move(name, "suspend", reason, output, f"remit tenant resume {name}")


@app.command()
def resume(
    name: _NameArgument,
    *,
    reason: ReasonOption = "resumed by operator",
    output: OutputOption = Output.TABLE,
) -> None:
    """Serve a suspended tenant again."""
    _move(name, "resume", reason, output, f"remit tenant show {name}")


@app.command()
def retire(
    name: _NameArgument,
    *,
    reason: ReasonOption = "retired by operator",
    yes: YesOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """End a tenant for good: its data and private keys are deleted, its log stays."""
    confirm(f"everything of {name} but its log is deleted", f"remit tenant retire {name}", yes=yes)
    _move(name, "retire", reason, output, "remit tenant list")


def _move(name: str, verb: str, reason: str, output: Output, hint: str) -> None:
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.post(f"/tenants/{name}/{verb}", {"reason": reason})
    show(found, output=output, lines=[f"tenant {found['name']} is {found['state']}"], hint=hint)


def _told(admin: dict[str, str], path: Path) -> list[str]:
    lines = [f"administrator {admin['user']}; key in {path}"]
    if admin.get("link"):
        lines += [f"for a passkey, open once, until {admin['expires_at']}:", admin["link"]]
    return lines
