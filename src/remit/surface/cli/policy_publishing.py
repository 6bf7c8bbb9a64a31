"""`remit policy enforce`, `rollback` and `verify`: what happens to versions after they are published."""

from typing import Annotated, Any

import typer

from remit.surface.cli.exits import Exit
from remit.surface.cli.failures import Misused
from remit.surface.cli.options import OutputOption
from remit.surface.cli.render import Output, show, visible

_ALL = 100
CanaryOption = Annotated[
    str | None, typer.Option("--canary", metavar="PERCENT", help="Try it on that part of tasks, as `10%`.")
]
AgentsOption = Annotated[
    list[str] | None, typer.Option("--agent", help="Try it on this agent; may be there several times.")
]
HoursOption = Annotated[
    int, typer.Option("--hours", min=1, max=720, help="How long it is tried; then it ends by itself.")
]


def attach(app: typer.Typer) -> None:
    """Give the noun its verbs."""
    app.command()(enforce)
    app.command()(rollback)
    app.command()(verify)


def share_of(canary: str | None, agents: list[str], hours: int) -> dict[str, Any]:
    """Who a version is tried on; empty where it is for all."""
    if canary is None and not agents:
        return {}
    number = (canary or "0").strip().removesuffix("%")
    if not number.isdecimal() or int(number) > _ALL:
        raise Misused(f"`{canary}` is no percentage", next_step="remit policy publish FILE --canary 10%")
    return {"percent": int(number), "agents": agents, "hours": hours}


def told_share(share: dict[str, Any]) -> str:
    """In words."""
    parts = [f"{share['percent']} % of tasks"] if share["percent"] else []
    if share["agents"]:
        parts.append(", ".join(visible(each) for each in share["agents"]))
    return f"{' and '.join(parts) or 'nobody'} for {share['hours']} h"


def enforce(
    version: Annotated[
        str, typer.Argument(help="Number; without one, the version that is tried on a part.")
    ] = "",
    *,
    output: OutputOption = Output.TABLE,
) -> None:
    """Put a version's text in force for all, as a new version."""
    _again("enforce", {"version": _number(version)} if version else {}, output)


def rollback(
    *,
    to: Annotated[str, typer.Option("--to", help="Number of the version whose text comes back.")] = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """Put the text that was in force before, or an older one, in force again, as a new version."""
    _again("rollback", {"to": _number(to)} if to else {}, output)


def verify(*, output: OutputOption = Output.TABLE) -> None:
    """Prove that every version is what was signed, and that none is missing. Exit: 0 all, 1 not."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — the HTTP client costs `--help` 0.4 s

    with Client.open() as client:
        found = client.post("/policies/verify", {})
    faults = [each for each in found["versions"] if each["fault"]]
    lines = [visible(f"v{each['version']}  {each['fault']}") for each in faults]
    summary = f"{len(found['versions']) - len(faults)} of {len(found['versions'])} versions are as signed"
    show(found, output=output, lines=[*lines, summary])
    raise typer.Exit(Exit.DONE if found["good"] else Exit.FAILED)


def _again(verb: str, stated: dict[str, Any], output: Output) -> None:
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.post(f"/policies/{verb}", stated)
    show(found, output=output, lines=[f"version {found['version']} is in force  {found['digest']}"])


def _number(given: str) -> int:
    number = given.removeprefix("v")
    if not number.isdecimal():
        raise Misused(f"`{given}` is no version", next_step="remit policy list")
    return int(number)
