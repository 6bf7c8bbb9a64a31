"""`remit case`: what agents ask people inside their tasks, and the answers."""

from typing import Annotated, Any

import typer

from remit.surface.cli.options import CursorOption, LimitOption, OutputOption, YesOption, group
from remit.surface.cli.principal import confirm
from remit.surface.cli.render import Output, coloured, say, show, visible

app = group("Cases: what agents ask people inside their tasks.")
CaseArgument = Annotated[str, typer.Argument(help="Id of the case (`cas_…`).")]


@app.command("list")
def list_(
    *,
    mine: Annotated[bool, typer.Option("--mine", help="Only those that you were asked.")] = False,
    state: Annotated[str, typer.Option("--state", help="open, answered, expired, withdrawn.")] = "",
    limit: LimitOption = 50,
    cursor: CursorOption = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """List cases, newest first."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — the HTTP client costs `--help` 0.4 s

    with Client.open() as client:
        found = client.get("/cases", state=state, mine="true" if mine else "", limit=limit, cursor=cursor)
    rows = [{**each, "question": each["question"]["text"]} for each in found["items"]]
    first = next((each["id"] for each in rows if each["state"] == "open"), "")
    more = f"remit case list --cursor {found['next']}" if found.get("next") else ""
    show(
        found if output is not Output.TABLE else {"items": rows},
        output=output,
        columns=("id", "state", "agent_name", "to", "question"),
        hint=f"remit case show {first}" if first else more,
    )


@app.command("show")
def show_(case: CaseArgument, *, output: OutputOption = Output.TABLE) -> None:
    """Show one case, whole."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.get(f"/cases/{case}")
    hint = f"remit case answer {case} '…'" if found["state"] == "open" else ""
    show(found, output=output, lines=_lines(found), hint=hint)


@app.command()
def answer(
    case: CaseArgument,
    words: Annotated[str, typer.Argument(help="Your answer; the agent reads it as your own words.")],
    *,
    yes: YesOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Answer in your own words; they grant the agent nothing."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.get(f"/cases/{case}")
        if not yes:
            for line in _lines(found):
                say(line)
        confirm("you answer this", f"remit case answer {case} '…'", yes=yes)
        told = client.post(f"/cases/{case}/answer", {"answer": words})
    show(told, output=output, lines=[f"{told['id']} is {coloured(told['state'])}"])


def _lines(found: dict[str, Any]) -> list[str]:
    warnings = found["question"].get("warnings", [])
    lines = [
        f"{coloured(found['state'])}   {found['id']}, until {found['expires_at']}",
        f"  Asked by   {visible(found['agent_name'])} for {visible(found.get('user_name') or '-')}",
        f"  Task       {found['task']}",
        f"  It says    “{visible(found['question']['text'])}”",
        *(f"  WARNING    the text {visible(each)}" for each in warnings),
    ]
    if found.get("answer"):
        lines.append(
            f"  Answer     “{visible(found['answer'])}” ({found['answered_by']}, {found['provenance']})"
        )
    return lines
