"""`remit policy enforce`, `rollback` and `verify`: what happens to versions after they are published."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from remit.surface.cli.exits import Exit
from remit.surface.cli.failures import Misused
from remit.surface.cli.options import OutputOption, duration
from remit.surface.cli.render import Output, show, visible
from remit.surface.cli.sources import Sources

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
    app.command()(replay)


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


def replay(
    files: Annotated[list[Path], typer.Argument(help="Cedar files; together they are the candidate.")],
    *,
    since: Annotated[str, typer.Option(help="How far back: 30m, 24h, 7d.")] = "7d",
    newest: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="Decisions at most, the newest.")
    ] = 100_000,
    output: OutputOption = Output.TABLE,
) -> None:
    """Say what a candidate would have answered to the decisions on record. Exit: 0 the same, 1 not."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — the HTTP client costs `--help` 0.4 s

    start = datetime.now(UTC) - duration(since, command="remit policy replay")
    begun = time.monotonic()
    with Client.open() as client:
        sources = Sources.read(files)
        asked = {"text": sources.text, "since": start.isoformat(), "limit": newest}
        found = client.patient().post("/policies/replay", asked)
    names = " ".join(map(str, files))
    hint = f"remit policy publish {names} --canary 10%" if found["changed"] else ""
    show(found, output=output, lines=_replayed(found, time.monotonic() - begun), hint=hint)
    raise typer.Exit(Exit.FAILED if found["changed"] else Exit.DONE)


def _replayed(found: dict[str, Any], seconds: float) -> list[str]:
    """In the form of a report: how many, then each transition with its agents and its largest."""
    lines = [f"{found['total']:,} decisions replayed in {seconds:.1f} s; {found['same']:,} same"]
    kinds = dict.fromkeys((row["before"], row["after"]) for row in found["rows"])
    for before, after in kinds:
        rows = [row for row in found["rows"] if (row["before"], row["after"]) == (before, after)]
        agents = ", ".join(f"{row['agent']} {row['count']}" for row in rows)
        most = rows[0]["largest"]
        example = " ".join(part for part in (most["action"], most["money"], f"({most['decision']})") if part)
        count = sum(row["count"] for row in rows)
        lines.append(visible(f"  {before} → {after}  {count:>5}   {agents}   largest: {example}"))
    lines += [f"  not replayed  {each['count']:>5}   {each['why']}" for each in found["lost"]]
    if found["more"]:
        lines.append("  older decisions of that time were left out")
    return lines
