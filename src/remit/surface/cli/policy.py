"""`remit policy`: check, publish, list."""

from pathlib import Path
from typing import Annotated, Any

import typer

from remit.surface.cli import policy_analysis, policy_learning, policy_publishing, policy_trials
from remit.surface.cli.exits import Exit
from remit.surface.cli.options import CursorOption, LimitOption, OutputOption, group
from remit.surface.cli.policy_publishing import (
    AgentsOption,
    CanaryOption,
    HoursOption,
    share_of,
    told_share,
)
from remit.surface.cli.render import Output, show, visible
from remit.surface.cli.sources import Sources, fault_line

app = group("Policies: check, test, compare, publish, list.")
FilesArgument = Annotated[list[Path], typer.Argument(help="Cedar files; together they are one policy set.")]


@app.command("list")
def list_(*, limit: LimitOption = 20, cursor: CursorOption = "", output: OutputOption = Output.TABLE) -> None:
    """List published versions, newest first, and which is in force or tried on a part."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — the HTTP client costs `--help` 0.4 s

    with Client.open() as client:
        found = client.get("/policies", limit=limit, cursor=cursor)
    show(
        found, output=output, columns=("version", "state", "published_at", "published_by", "signed", "digest")
    )


@app.command("show")
def show_(
    version: Annotated[str, typer.Argument(help="Number, or `current`.")] = "current",
    *,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show the text of a version."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.get(f"/policies/{version}")
    lines = [visible(line) for line in str(found["text"]).splitlines()]
    show(found, output=output, lines=[f"// version {found['version']}", *lines])


@app.command()
def check(files: FilesArgument, *, output: OutputOption = Output.TABLE) -> None:
    """Say everything that publishing would find wrong. Exit: 0 good, 1 not."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        sources = Sources.read(files)
        found = client.post("/policies/check", {"text": sources.text})
    found["faults"] = [sources.placed(each) for each in found["faults"]]
    lines = [fault_line(each) for each in found["faults"]]
    names = " ".join(map(str, files))
    hint = f"remit policy publish {names}" if found["good"] else f"mend it, then remit policy check {names}"
    show(found, output=output, lines=lines or ["good"], hint=hint)
    raise typer.Exit(Exit.DONE if found["good"] else Exit.FAILED)


@app.command()
def publish(
    files: FilesArgument,
    *,
    version: Annotated[
        int | None, typer.Option("--version", help="The number that you mean to make.")
    ] = None,
    canary: CanaryOption = None,
    agent: AgentsOption = None,
    hours: HoursOption = 24,
    output: OutputOption = Output.TABLE,
) -> None:
    """Put a policy set in force, for every decision from now on, or try it on a part first."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    stated: dict[str, Any] = {"text": read_policies(files)}
    if version is not None:
        stated["version"] = version
    share = share_of(canary, agent or [], hours)
    if share:
        stated["canary"] = share
    with Client.open() as client:
        found = client.post("/policies", stated)
    told = f"is tried on {told_share(share)}" if share else "is in force"
    hint = "remit policy enforce, or remit policy rollback" if share else ""
    show(found, output=output, lines=[f"version {found['version']} {told}  {found['digest']}"], hint=hint)


def read_policies(files: list[Path]) -> str:
    """The texts of all files, in the order of their names; a folder stands for its `.cedar` files."""
    return Sources.read(files).text


policy_publishing.attach(app)
policy_trials.attach(app)
policy_analysis.attach(app)
policy_learning.attach(app)
