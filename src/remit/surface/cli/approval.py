"""`remit approval`: asks that wait for a person, and their answers."""

from typing import Annotated, Any

import typer

from remit.surface.cli.approval_attention import add_attention
from remit.surface.cli.options import CursorOption, LimitOption, OutputOption, YesOption, group
from remit.surface.cli.principal import confirm
from remit.surface.cli.render import Output, coloured, say, show, visible

app = group("Asks that wait for a person, and their answers.")
add_attention(app)
ApprovalArgument = Annotated[str, typer.Argument(help="Id of the ask (`apr_…`).")]


@app.command("list")
def list_(
    *,
    mine: Annotated[bool, typer.Option("--mine", help="Only those that you were asked.")] = False,
    state: Annotated[
        str, typer.Option("--state", help="pending, approved, denied, expired, cancelled.")
    ] = "",
    limit: LimitOption = 50,
    cursor: CursorOption = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """List asks, newest first."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — the HTTP client costs `--help` 0.4 s

    with Client.open() as client:
        found = client.get("/approvals", state=state, mine="true" if mine else "", limit=limit, cursor=cursor)
    first = next((each["id"] for each in found["items"] if each["state"] == "pending"), "")
    show(
        found,
        output=output,
        columns=("id", "state", "agent_name", "action", "resource", "expires_at"),
        hint=f"remit approval show {first}" if first else "",
    )


@app.command("show")
def show_(approval: ApprovalArgument, *, output: OutputOption = Output.TABLE) -> None:
    """Show one ask, whole: every argument that would run."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.get(f"/approvals/{approval}")
    # What opens something of our own is approved on the page alone, with a passkey.
    how = "link" if found["action"].startswith("remit/") else "approve"
    hint = f"remit approval {how} {approval}" if found["state"] == "pending" else ""
    show(found, output=output, lines=card(found), hint=hint)


@app.command()
def approve(
    approval: ApprovalArgument, *, yes: YesOption = False, output: OutputOption = Output.TABLE
) -> None:
    """Say yes to exactly the bytes that are shown, with your own key."""
    _answer(approval, "approve", yes=yes, output=output)


@app.command()
def deny(approval: ApprovalArgument, *, yes: YesOption = False, output: OutputOption = Output.TABLE) -> None:
    """Say no, with your own key."""
    _answer(approval, "deny", yes=yes, output=output)


@app.command()
def link(approval: ApprovalArgument, *, output: OutputOption = Output.TABLE) -> None:
    """Print the one-time address of the approval page, for you alone."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.post(f"/approvals/{approval}/link")
    show(found, output=output, lines=[found["url"]])


def card(found: dict[str, Any]) -> list[str]:
    """What a person must see before a yes: the stored bytes, laid out; the agent's words quoted last."""
    shown = found["card"]
    lines = [
        f"{_text(shown['headline'])}   {coloured(found['state'])}, expires {found['expires_at']}",
        f"  Effect     {_text(shown['effect'])}",
        f"  Asked by   {visible(found['agent_name'])}{visible(_for(found))}",
        f"  Why you    {visible(found['reason'])} (rule {visible(found['rule'])})",
        *(f"  {visible(line['pointer']):<10} {_text(line['value'])}" for line in shown["arguments"]),
        *known(found.get("beside")),
        f"  Digest     {found['digest']}",
    ]
    if not shown["inspectable"]:
        lines.append("  WARNING    a part of this cannot be inspected")
    return lines


def known(beside: dict[str, Any] | None) -> list[str]:
    """What is known about an ask besides its own bytes."""
    if beside is None:
        return []
    lines = [f"  Compared   {_compared(beside['compared'])}"]
    if beside.get("outside"):
        lines.insert(0, f"  Reaches    outside: {', '.join(map(_text, beside['outside']))}")
    if beside.get("risk") is not None:
        parts = [f"{each['part']} +{each['points']}" for each in beside.get("contributions", ())]
        lines.append(f"  Risk       {beside['risk']} of 100{': ' if parts else ''}{', '.join(parts)}")
    read = [_text(each["name"]) for each in beside.get("read", ())]
    more = ", and more" if beside.get("more") else ""
    return [*lines, f"  Had read   {', '.join(read) + more if read else 'nothing before it asked'}"]


def _compared(compared: dict[str, Any]) -> str:
    times = compared["approved"] + compared["denied"] + compared["unanswered"]
    if not times:
        return "its agent has not asked for this in 30 days"
    most = f"; at most {compared['largest']} approved" if compared.get("largest") else ""
    part = "" if compared.get("whole", True) else " (of its newest answers only)"
    ended = ", ".join(
        f"{compared[end]} {word}"
        for end, word in (("approved", "yes"), ("denied", "no"), ("unanswered", "unanswered"))
    )
    here = f"{compared['same_resource'] or 'none'} about this resource"
    return f"{times} alike in 30 days: {ended}{most}; {here}{part}"


def _for(found: dict[str, Any]) -> str:
    """For whom, where that is somebody else."""
    people = _people(found)
    return "" if people == found["agent_name"] else f" for {people}"


def _people(found: dict[str, Any]) -> str:
    """Everybody for whom it would be done."""
    return " and ".join([found.get("user_name") or "-", *found.get("with", ())])


def _answer(approval: str, answer: str, *, yes: bool, output: Output) -> None:
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.get(f"/approvals/{approval}")
        if not yes:
            for line in card(found):
                say(line)
            client.post("/attention/shown", {"items": [found["id"]]})
        confirm(f"you {answer} exactly this", f"remit approval {answer} {approval}", yes=yes)
        # The signature names the digest of what was shown a moment ago; the server compares it again.
        signature = client.sign_answer(approval=found["id"], digest=found["digest"], answer=answer)
        settled = client.post(f"/approvals/{approval}/answer", {"signature": signature})
    show(settled, output=output, lines=[f"{settled['id']} is {coloured(settled['state'])}"])


def _text(shown: dict[str, Any]) -> str:
    warnings = f"  [{'; '.join(shown['warnings'])}]" if shown.get("warnings") else ""
    return visible(shown["text"]) + warnings
