"""`remit kill`: stop something everywhere at once, after saying what it will stop."""

import sys
from enum import StrEnum
from typing import Annotated, Any

import typer

from remit.surface.cli.exits import Exit
from remit.surface.cli.failures import Misused
from remit.surface.cli.options import OutputOption, YesOption, word
from remit.surface.cli.render import Output, coloured, say, show, visible

app = word("Stop an agent, workload, task, user, blueprint or tool everywhere at once.")


class Kind(StrEnum):
    """What can be stopped."""

    AGENT = "agent"
    INSTANCE = "instance"
    TASK = "task"
    CHAIN = "chain"
    USER = "user"
    BLUEPRINT = "blueprint"
    TOOL = "tool"
    WORKLOAD = "workload"


_PREFIXES = {
    "ins_": Kind.INSTANCE,
    "tsk_": Kind.TASK,
    "usr_": Kind.USER,
    "blu_": Kind.BLUEPRINT,
    "tol_": Kind.TOOL,
    "svc_": Kind.WORKLOAD,
    "spn_": Kind.WORKLOAD,
    "bot_": Kind.WORKLOAD,
    "cip_": Kind.WORKLOAD,
    "wkl_": Kind.WORKLOAD,
}


@app.command()
def kill(
    target: Annotated[
        str | None, typer.Argument(help="Name or id; an agent unless `--kind` says else.")
    ] = None,
    *,
    kind: Annotated[Kind | None, typer.Option("--kind", help="What the name is of.")] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why; it goes on record.")] = "stopped by operator",
    shown: Annotated[str | None, typer.Option("--show", help="Show a past kill (`kil_…`).")] = None,
    listed: Annotated[bool, typer.Option("--list", help="List past kills.")] = False,
    yes: YesOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Stop an agent, workload, task, user, blueprint or tool everywhere at once.

    Exit: 0 every plane confirmed, 5 some have not yet.
    """
    from remit.surface.cli.client import Client  # noqa: PLC0415 — the HTTP client costs `--help` 0.4 s

    with Client.open() as client:
        if listed:
            show(client.get("/kills"), output=output, columns=("id", "state", "at", "reason"))
            return
        if shown is not None:
            _tell(client.get(f"/kills/{shown}"), output)
        if target is None:
            raise Misused("what shall be stopped?", next_step="remit agent list")
        aim = {"kind": kind or _kind_of(target), "target": target}
        if not yes:
            _confirm(client.post("/kills/preview", aim), target)
        _tell(client.post("/kills", {**aim, "reason": reason}), output)


def _kind_of(target: str) -> Kind:
    return _PREFIXES.get(target[:4], Kind.AGENT)


def _confirm(reach: dict[str, Any], target: str) -> None:
    """Say what stops, and go on only if the name is typed once more."""
    below = len([each for each in reach["principals"] if each != reach["target"]])
    tasks = len(reach["tasks"])
    running = "1 running task" if tasks == 1 else f"{tasks} running tasks"
    say(f"{visible(target)} and {below} below it. This stops {running}.", to=sys.stderr)
    if not sys.stdin.isatty():
        raise Misused("nobody is there to confirm", next_step=f"remit kill {target} --yes")
    typed = typer.prompt(f"Type the name to go on ({target})", err=True)
    if typed != target:
        raise Misused(
            f"`{visible(typed)}` is not `{target}`: nothing was stopped", next_step="remit kill --help"
        )


def _tell(found: dict[str, Any], output: Output) -> None:
    show(found, output=output, lines=_lines(found), hint=_next(found))
    raise typer.Exit(Exit.DONE if found["state"] == "done" else Exit.INCOMPLETE)


def _lines(found: dict[str, Any]) -> list[str]:
    stopped = found["stopped"]
    name = visible(stopped["name"] or stopped["target"])
    lines = [f"{coloured('killed')} {stopped['kind']} {name}  {found['id']}"]
    for plane in found["planes"]:
        detail = (
            visible(plane["detail"])[:60]
            if plane["confirmed"]
            else f"NOT CONFIRMED: {visible(plane['detail'])}"
        )
        lines.append(f"  {plane['plane']:<14} {detail:<60} {plane['seconds']:>7.3f} s")
    if found["in_flight"]:
        lines.append(f"in flight, outcome unknown: {len(found['in_flight'])} calls")
        lines += [f"  {call}" for call in found["in_flight"]]
    return lines


def _next(found: dict[str, Any]) -> str:
    """A kill is final, so there is no way back to name; what it did is shown again, or for the first time."""
    return f"remit kill --show {found['id']}"
