"""`remit approval`: asks that wait for a person, and their answers."""

from typing import Annotated, Any

import typer

from remit.surface.cli.approval_attention import add_attention
from remit.surface.cli.failures import Misused
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
        str, typer.Option("--state", help="pending, approved, denied, expired, cancelled, revoked.")
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
        columns=("id", "state", "agent_name", "action", "resource", "moves_at"),
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
    approval: ApprovalArgument,
    *,
    calls: Annotated[int, typer.Option("--calls", help="For so many calls, where the rule allows it.")] = 0,
    minutes: Annotated[int, typer.Option("--minutes", help="For so long, with --calls.")] = 0,
    limit: Annotated[
        list[str] | None, typer.Option("--limit", help="An argument that may differ: /amount=100, /note=any.")
    ] = None,
    resource: Annotated[
        list[str] | None, typer.Option("--resource", help="A further resource: Order:8812.")
    ] = None,
    yes: YesOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Say yes to exactly what is shown, once or to as much as you say, with your own key."""
    scope = _scope(calls, minutes, limit or [], resource or [])
    _answer(approval, "approve", yes=yes, output=output, scope=scope)


@app.command()
def deny(approval: ApprovalArgument, *, yes: YesOption = False, output: OutputOption = Output.TABLE) -> None:
    """Say no, with your own key."""
    _answer(approval, "deny", yes=yes, output=output)


@app.command()
def revoke(
    approval: ApprovalArgument, *, yes: YesOption = False, output: OutputOption = Output.TABLE
) -> None:
    """Take a yes back: it covers no call that is decided from now on."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    confirm(f"you take back {approval}", f"remit approval revoke {approval}", yes=yes)
    with Client.open() as client:
        found = client.post(f"/approvals/{approval}/revoke")
    show(found, output=output, lines=[f"{found['id']} is {coloured(found['state'])}"])


@app.command()
def verify(approval: ApprovalArgument, *, output: OutputOption = Output.TABLE) -> None:
    """Verify on this machine what people signed: each signature, over exactly this ask's digest."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above
    from remit.surface.cli.signatures import verified  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.get(f"/approvals/{approval}/evidence")
    told = verified(found)
    show(told.shown, output=output, lines=told.lines, hint=f"remit ledger search {approval}")
    if not told.held:
        raise typer.Exit(code=1)


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
        f"{_text(shown['headline'])}   {coloured(found['state'])}{_until(found)}",
        f"  Effect     {_text(shown['effect'])}",
        f"  Asked by   {visible(found['agent_name'])}{visible(_for(found))}",
        f"  Why you    {visible(found['reason'])} (rule {visible(found['rule'])})",
        *_control(found),
        *(f"  {visible(line['pointer']):<10} {_text(line['value'])}" for line in shown["arguments"]),
        *known(found.get("beside")),
        *_width(found),
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


_CONTROLS = {
    "self_confirmation": "self-confirmation: you confirm what is done for you; nobody else is asked",
    "four_eyes": "four eyes: another person than the one it is for",
}
_SILENCES = {
    "wait": "it waits",
    "deny": "this call is refused from then on",
    "escalate": "it goes on to the next, or ends",
    "read_only": "the task only reads from then on",
}


def _until(found: dict[str, Any]) -> str:
    return f", until {_moment(found['moves_at'])}" if found["state"] == "pending" else ""


def _control(found: dict[str, Any]) -> list[str]:
    """Which control it is, who is asked in which order, what silence means."""
    chain = " > ".join(f"[{who}]" if who == found["seat"] else who for who in found["chain"])
    said = f"; {len(found.get('said_yes', ()))} of {found.get('needed', 1)} people have said yes"
    lines = [
        f"  Control    {_CONTROLS[found['control']]}",
        f"  Asked of   {visible(chain)}{said if found.get('needed', 1) > 1 else ''}",
        f"  Silence    {_SILENCES[found['silence']]}",
    ]
    if found.get("own_benefit"):
        lines.append("  Benefit    whoever it is done for gains by it: they don't confirm it themselves")
    return lines


def _width(found: dict[str, Any]) -> list[str]:
    """How wide a yes may be, or how wide it is and what has become of it."""
    scope = found.get("scope")
    if scope is None:
        bound = found.get("bound")
        widest = f"once, or bounded: at most {bound['sentence']}" if bound else "once, and no more"
        return [f"  Scope      {visible(widest)}"]
    lines = [
        f"  Scope      {visible(scope['sentence'])}",
        f"  Left       {scope['left']} of {scope['calls']} calls, until {_moment(scope['until'])}",
    ]
    return lines + [f"    {_moment(use['at'])}  {use['decision']}" for use in scope["uses"]]


def _moment(text: str) -> str:
    return f"{text[:19].replace('T', ' ')} UTC"


def _scope(calls: int, minutes: int, limits: list[str], resources: list[str]) -> dict[str, Any] | None:
    """What was chosen instead of one call; None where nothing was."""
    if not (calls or minutes or limits or resources):
        return None
    if not (calls and minutes):
        raise Misused(
            "a yes for more than one call says how many and how long: --calls 5 --minutes 30",
            next_step="remit approval approve --help",
        )
    return {
        "calls": calls,
        "minutes": minutes,
        "limits": [_limit(each) for each in limits],
        "resources": resources,
    }


def _limit(text: str) -> dict[str, str]:
    pointer, _, most = text.partition("=")
    if not pointer.startswith("/") or not most:
        raise Misused(
            f"`{visible(text)}` is no limit: /amount=100, or /note=any",
            next_step="remit approval approve --help",
        )
    return {"pointer": pointer} if most == "any" else {"pointer": pointer, "at_most": most}


def _for(found: dict[str, Any]) -> str:
    """For whom, where that is somebody else."""
    people = _people(found)
    return "" if people == found["agent_name"] else f" for {people}"


def _people(found: dict[str, Any]) -> str:
    """Everybody for whom it would be done."""
    return " and ".join([found.get("user_name") or "-", *found.get("with", ())])


def _answer(
    approval: str, answer: str, *, yes: bool, output: Output, scope: dict[str, Any] | None = None
) -> None:
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.get(f"/approvals/{approval}")
        if not yes:
            for line in card(found):
                say(line)
            client.post("/attention/shown", {"items": [found["id"]]})
        word, wide = _signed_word(answer, scope)
        confirm(f"you {answer} exactly this{wide}", f"remit approval {answer} {approval}", yes=yes)
        # The signature names the digest of what was shown a moment ago; the server compares it again.
        signature = client.sign_answer(approval=found["id"], digest=found["digest"], answer=word)
        body: dict[str, Any] = {"signature": signature, **({"scope": scope} if scope else {})}
        settled = client.post(f"/approvals/{approval}/answer", body)
    show(settled, output=output, lines=_outcome(settled))


def _signed_word(answer: str, scope: dict[str, Any] | None) -> tuple[str, str]:
    """What is signed as the answer, and what it means in words."""
    if scope is None:
        return answer, ""
    import msgspec  # noqa: PLC0415 — as above

    from remit.oversight.approvals.scope import word  # noqa: PLC0415 — as above
    from remit.surface.web.schemas.oversight import ScopeBody  # noqa: PLC0415 — as above

    choice = msgspec.convert(scope, ScopeBody).choice()
    return word(answer, choice), f", {choice.sentence}"


def _outcome(settled: dict[str, Any]) -> list[str]:
    lines = [f"{settled['id']} is {coloured(settled['state'])}"]
    if settled["state"] == "pending":
        left = settled.get("needed", 1) - len(settled.get("said_yes", ()))
        lines.append(f"  {left} more of {visible(settled['seat'])} must say yes")
    if settled.get("scope"):
        lines.append(f"  {visible(settled['scope']['sentence'])}")
    return lines


def _text(shown: dict[str, Any]) -> str:
    warnings = f"  [{'; '.join(shown['warnings'])}]" if shown.get("warnings") else ""
    return visible(shown["text"]) + warnings
