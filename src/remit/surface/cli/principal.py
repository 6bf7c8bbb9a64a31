"""The verbs that agents, blueprints and users share: list, show, activate, suspend, resume, retire."""

import sys
from typing import Annotated, Final

import typer

from remit.surface.cli.failures import Misused
from remit.surface.cli.options import CursorOption, LimitOption, OutputOption, YesOption
from remit.surface.cli.render import Output, details, show

COLUMNS: Final = ("id", "name", "state", "environment", "purpose")
NameArgument = Annotated[str, typer.Argument(help="Name or id.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Why; it goes on record.")]


def add_verbs(app: typer.Typer, *, noun: str, plural: str) -> None:
    """Give a noun the verbs that all entries of the directory have."""
    _add_reading(app, noun=noun, plural=plural)
    _add_endings(app, noun=noun, plural=plural)


def _add_reading(app: typer.Typer, *, noun: str, plural: str) -> None:
    @app.command("list", help=f"List {plural}, by id.")
    def list_(
        *,
        state: Annotated[str, typer.Option("--state", help="Only those in this state.")] = "",
        limit: LimitOption = 50,
        cursor: CursorOption = "",
        output: OutputOption = Output.TABLE,
    ) -> None:
        from remit.surface.cli.client import Client  # noqa: PLC0415 — the HTTP client costs `--help` 0.4 s

        with Client.open() as client:
            found = client.get(f"/{plural}", state=state, limit=limit, cursor=cursor)
        more = f"remit {noun} list --cursor {found['next']}" if found.get("next") else ""
        show(found, output=output, columns=COLUMNS, hint=more)

    @app.command("show", help=f"Show one {noun}, with its keys.")
    def show_(name: NameArgument, *, output: OutputOption = Output.TABLE) -> None:
        from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

        with Client.open() as client:
            found = client.get(f"/{plural}/{name}")
            found["keys"] = client.get(f"/{plural}/{name}/keys")
        lines = [
            *details({key: value for key, value in found.items() if key != "keys"}),
            *(f"key  {key['id']}  {key['algorithm']}  {key['state']}" for key in found["keys"]),
        ]
        show(found, output=output, lines=lines)

    @app.command("activate", help=f"Let a draft {noun} act; refused without owner, purpose and key.")
    def activate(name: NameArgument, *, output: OutputOption = Output.TABLE) -> None:
        from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

        with Client.open() as client:
            found = client.post(f"/{plural}/{name}/activate")
        show(found, output=output, lines=[f"{noun} {found['name']} is {found['state']}"])


def _add_endings(app: typer.Typer, *, noun: str, plural: str) -> None:
    def end(verb: str, name: str, reason: str, output: Output) -> None:
        from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

        with Client.open() as client:
            found = client.post(f"/{plural}/{name}/{verb}", {"reason": reason})
        show(found, output=output, lines=[f"{noun} {found['name']} is {found['state']}"])

    @app.command("suspend", help=f"Stop one {noun} until it is resumed.")
    def suspend(
        name: NameArgument,
        *,
        reason: ReasonOption = "suspended by operator",
        output: OutputOption = Output.TABLE,
    ) -> None:
        end("suspend", name, reason, output)

    @app.command("resume", help=f"Let a suspended {noun} act again.")
    def resume(
        name: NameArgument,
        *,
        reason: ReasonOption = "resumed by operator",
        output: OutputOption = Output.TABLE,
    ) -> None:
        end("resume", name, reason, output)

    @app.command("retire", help=f"End one {noun} for ever; its name may be used again, its id never.")
    def retire(
        name: NameArgument,
        *,
        reason: ReasonOption = "retired by operator",
        yes: YesOption = False,
        output: OutputOption = Output.TABLE,
    ) -> None:
        confirm(
            f"{noun} {name} ends for ever, with its keys and tokens", f"remit {noun} retire {name}", yes=yes
        )
        end("retire", name, reason, output)


def confirm(effect: str, command: str, *, yes: bool) -> None:
    """State what can't be undone and ask; without a terminal, `--yes` is needed."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise Misused(f"{effect}; nobody is there to confirm", next_step=f"{command} --yes")
    if not typer.confirm(f"{effect}. Go on?", err=True):
        raise Misused("nothing was changed", next_step=f"{command} --yes")
