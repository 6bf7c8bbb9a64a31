"""`remit task`: one run of an agent, for whom, until when."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from remit.surface.cli.agent import read_json
from remit.surface.cli.budget import limit_of, spent
from remit.surface.cli.options import CursorOption, LimitOption, OutputOption, duration, group
from remit.surface.cli.render import Output, details, show

app = group("Tasks: one run of an agent, for whom, until when.")
TaskArgument = Annotated[str, typer.Argument(help="Id of the task (`tsk_…`).")]
_COLUMNS = ("id", "state", "purpose", "deadline")


@app.command("list")
def list_(*, limit: LimitOption = 50, cursor: CursorOption = "", output: OutputOption = Output.TABLE) -> None:
    """List tasks: yours, unless you may see all."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — the HTTP client costs `--help` 0.4 s

    with Client.open() as client:
        found = client.get("/tasks", limit=limit, cursor=cursor)
    more = f"remit task list --cursor {found['next']}" if found.get("next") else ""
    show(found, output=output, columns=_COLUMNS, hint=more)


@app.command("show")
def show_(task: TaskArgument, *, output: OutputOption = Output.TABLE) -> None:
    """Show one task with its delegations."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.get(f"/tasks/{task}")
        found["delegations"] = client.get(f"/tasks/{task}/delegations")
        found["budget"] = client.get(f"/tasks/{task}/budget")
    told = {key: value for key, value in found.items() if key not in {"ceiling", "delegations", "budget"}}
    lines = details({**told, **_company(found)})
    lines += [f"delegation  {each['id']}  {len(each['hops'])} hops" for each in found["delegations"]]
    lines += [f"budget      {spent(each)}" for each in found["budget"]]
    show(found, output=output, lines=lines, hint=f"remit ledger search {task}")


def _company(task: dict[str, Any]) -> dict[str, str]:
    """Who else it is for, each with their own consent, on one line."""
    found = [f"{each['user']} ({each['grant']})" for each in task.get("with", ())]
    return {"with": ", ".join(found)} if found else {}


@app.command()
def start(
    agent: Annotated[str, typer.Argument(help="Agent, by name or id.")],
    goal: Annotated[str, typer.Argument(help="What you want, in your words.")],
    *,
    purpose: Annotated[str, typer.Option("--purpose", help="For which purpose.")],
    within: Annotated[str, typer.Option("--for", help="How long it may run: 20m, 2h.")] = "1h",
    ceiling: Annotated[
        Path | None, typer.Option("--ceiling", help="Narrower than your consent (JSON).")
    ] = None,
    limits: Annotated[
        list[str] | None,
        typer.Option(
            "--limit", help="At most, and above what you are asked: rows=1000, tokens/hour=5000:4000."
        ),
    ] = None,
    others: Annotated[
        list[str] | None,
        typer.Option("--with", help="Who else it is for, by name or id; only what they allow too is done."),
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Ask an agent for something, within your consent; prints the root envelope, once."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    deadline = (datetime.now(UTC) + duration(within, command="remit task start")).replace(microsecond=0)
    stated: dict[str, Any] = {
        "agent": agent,
        "goal": goal,
        "purpose": purpose,
        "deadline": deadline.isoformat(),
    }
    if ceiling is not None:
        stated["ceiling"] = read_json(ceiling)
    if limits:
        stated["limits"] = [limit_of(each, command="remit task start") for each in limits]
    if others:
        stated["with"] = [{"user": each} for each in others]
    with Client.open() as client:
        found = client.post("/tasks", stated)
    ident = found["task"]["id"]
    lines = [f"started {ident} until {found['task']['deadline']}", f"envelope {found['envelope']}"]
    show(found, output=output, lines=lines, hint=f"remit task show {ident}")


@app.command()
def end(task: TaskArgument, *, output: OutputOption = Output.TABLE) -> None:
    """End a task, with all that exists only for it."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.post(f"/tasks/{task}/end")
    show(found, output=output, lines=[f"task {found['id']} is {found['state']}"])


@app.command()
def sources(
    task: TaskArgument,
    *,
    decision: Annotated[
        str, typer.Option("--decision", help="Only what was there when this was decided (`dec_…`).")
    ] = "",
    limit: LimitOption = 50,
    cursor: CursorOption = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """List the documents and results in a task's context, oldest first, with digests and labels."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.get(f"/tasks/{task}/sources", decision=decision, limit=limit, cursor=cursor)
    more = f"remit task sources {task} --cursor {found['next']}" if found.get("next") else ""
    if output is Output.TABLE:
        found = {
            **found,
            "items": [
                {**each, "labels": " ".join(each["labels"]), "digest": each["digest"][:16]}
                for each in found["items"]
            ],
        }
    show(found, output=output, columns=("at", "origin", "name", "action", "labels", "digest"), hint=more)
