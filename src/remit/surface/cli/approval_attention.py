"""`remit approval inbox | fold | quality | budget | limit`: cards, and how much attention they take."""

from typing import Annotated, Any, Final

import typer

from remit.surface.cli.failures import Misused
from remit.surface.cli.options import CursorOption, LimitOption, OutputOption, YesOption
from remit.surface.cli.principal import confirm
from remit.surface.cli.render import Output, coloured, say, show, visible

_FOLD: Final = "fold"
_EVERYBODY: Final = "default"
_MEASURES: Final = (
    "name",
    "cards_per_day",
    "answers",
    "yes",
    "think",
    "hasty",
    "unseen",
)
ItemsArgument = Annotated[list[str], typer.Argument(help="Ids of the asks on one card (`apr_…`).")]
PersonArgument = Annotated[str, typer.Argument(help="Name or id of a person; `default` for everybody.")]


def add_attention(app: typer.Typer) -> None:
    """Give the noun its verbs about attention."""
    app.command("inbox")(inbox)
    app.command("fold")(fold)
    app.command("quality")(quality)
    app.command("repeats")(repeats)
    app.command("budget")(budget)
    app.command("limit")(limit)


def inbox(*, limit: LimitOption = 20, cursor: CursorOption = "", output: OutputOption = Output.TABLE) -> None:
    """What waits for you: alike asks on one card, the one that differs beside it."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — the HTTP client costs `--help` 0.4 s

    with Client.open() as client:
        found = client.get("/attention/inbox", limit=limit, cursor=cursor)
    cards = found["items"]
    lines = [each for card in cards for each in [*_brief(card), ""]] or ["nothing waits for you"]
    show(found, output=output, lines=lines, hint=_next(found))


def fold(
    items: ItemsArgument,
    *,
    deny: Annotated[bool, typer.Option("--deny", help="Say no to all of them.")] = False,
    yes: YesOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Answer all asks of one card at once, with your own key; each is settled by itself."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    answer = "deny" if deny else "approve"
    with Client.open() as client:
        card = _find(client, items)
        if not yes:
            for each in _whole(card):
                say(each)
            client.post("/attention/shown", {"items": items})
        what = f"you {answer} these {len(items)}, each once"
        confirm(what, f"remit approval fold {' '.join(items)}{' --deny' if deny else ''}", yes=yes)
        # The signature names the digest over every item that was shown; the server makes it anew.
        signature = client.sign_answer(approval=_FOLD, digest=card["digest"], answer=answer)
        done = client.post("/attention/answers", {"items": items, "signature": signature})
    lines = [f"{each['id']} is {coloured(each['state'])}" for each in done["settled"]]
    lines += [f"{each['id']} was {each['state']} already: left out" for each in done["left_out"]]
    show(done, output=output, lines=lines, hint="remit approval inbox")


def quality(
    *,
    person: Annotated[str, typer.Option("--person", help="Only this one.")] = "",
    limit: LimitOption = 50,
    cursor: CursorOption = "",
    output: OutputOption = Output.TABLE,
) -> None:
    """How people have answered over thirty days: how soon, how often yes, how many a day."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.get("/attention/quality", person=person, limit=limit, cursor=cursor)
    rows = [_measured(each) for each in found["items"]]
    alarms = [(each["name"], said) for each in found["items"] for said in each["alarms"]]
    if output is not Output.TABLE:
        show(found, output=output)
        return
    more = f"remit approval quality --cursor {found['next']}" if found.get("next") else ""
    show({"items": rows}, output=output, columns=_MEASURES, hint=more)
    for name, said in alarms:
        say(f"look at {visible(name)}: {said}")


def repeats(*, output: OutputOption = Output.TABLE) -> None:
    """Rules proposed from what people answered alike; you publish one, or nobody does."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.get("/attention/repeats")
    lines = [each for proposal in found for each in _proposed(proposal)] or ["nothing repeats enough yet"]
    show(found, output=output, lines=lines, hint="remit policy check FILE" if found else "")


def budget(person: PersonArgument = _EVERYBODY, *, output: OutputOption = Output.TABLE) -> None:
    """How much of a person's attention may be taken, and their quiet hours."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        found = client.get(f"/attention/budgets/{person}")
    show(found, output=output, lines=_limits(found), hint=f"remit approval limit {person} --per-day 30")


def limit(
    person: PersonArgument,
    *,
    per_hour: Annotated[int | None, typer.Option("--per-hour", help="Cards in an hour.")] = None,
    per_day: Annotated[int | None, typer.Option("--per-day", help="Cards in a day.")] = None,
    per_agent: Annotated[int | None, typer.Option("--per-agent", help="Cards of one agent in a day.")] = None,
    quiet: Annotated[
        str | None, typer.Option("--quiet", help="Quiet hours, as 22:00-07:00; `none` for none.")
    ] = None,
    zone: Annotated[str | None, typer.Option("--zone", help="Time zone of the quiet hours.")] = None,
    clear: Annotated[bool, typer.Option("--clear", help="Let the default hold again.")] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Say how much of a person's attention may be taken; what is not named stays as it is."""
    from remit.surface.cli.client import Client  # noqa: PLC0415 — as above

    with Client.open() as client:
        if clear:
            found = client.delete(f"/attention/budgets/{person}")
        else:
            known = client.get(f"/attention/budgets/{person}")
            changed = {"per_hour": per_hour, "per_day": per_day, "per_agent_per_day": per_agent, "zone": zone}
            body = {
                **{name: known[name] for name in changed},
                **{name: known.get(name, "") for name in ("quiet_from", "quiet_to")},
                **{name: value for name, value in changed.items() if value is not None},
                **_quiet(quiet),
            }
            found = client.put(f"/attention/budgets/{person}", body)
    show(found, output=output, lines=_limits(found), hint=f"remit approval budget {person}")


def _find(client: Any, items: list[str]) -> dict[str, Any]:
    """The card that holds exactly these, as the server laid it."""
    cursor = ""
    while True:
        page = client.get("/attention/inbox", limit=50, cursor=cursor)
        for card in page["items"]:
            if {each["id"] for each in card["items"]} == set(items):
                return dict(card)
        cursor = page.get("next", "")
        if not cursor:
            raise Misused("these are not the asks of one card of yours", next_step="remit approval inbox")


def _brief(card: dict[str, Any]) -> list[str]:
    items = card["items"]
    count = f"{len(items)} alike: " if len(items) > 1 else ""
    first = items[0]
    what = visible(card["action"]) if count else f"{visible(card['action'])} on {_text(first['resource'])}"
    final = "" if card["reversible"] else "   CAN'T BE UNDONE"
    lines = [
        f"{count}{what}{final}",
        f"  {_text(card['agent_name'])}, rule {visible(card['rule'])}: {_text(card['reason'])}",
        f"  until {card['expires_at']}",
    ]
    if card.get("apart"):
        lines.append(f"  by itself: {visible(card['apart'])}")
    if count:
        return [*lines, *_rows(card), f"  remit approval fold {' '.join(each['id'] for each in items)}"]
    return [*lines, f"  remit approval show {first['id']}"]


def _whole(card: dict[str, Any]) -> list[str]:
    same = [f"  {visible(each['pointer'])}  {_text(each['value'])}" for each in card["same"]]
    return [
        *_brief(card)[:-1],
        *(["  the same in all:"] if same else []),
        *same,
        f"  digest {card['digest']}",
    ]


def _rows(card: dict[str, Any]) -> list[str]:
    found = []
    for item in card["items"]:
        values = "  ".join(f"{visible(each['pointer'])} {_text(each['value'])}" for each in item["arguments"])
        amount = f"  {item['amount']}" if item.get("amount") else ""
        who = _text(item["user_name"])
        found.append(f"    {_text(item['resource'])}{amount}  for {who}  {values}")
    return found


def _text(shown: dict[str, Any]) -> str:
    warnings = f"  [{'; '.join(shown['warnings'])}]" if shown.get("warnings") else ""
    return visible(shown["text"]) + warnings


def _measured(row: dict[str, Any]) -> dict[str, Any]:
    rate, think = row["approval_rate"], row["think_seconds"]
    return {
        **row,
        "yes": "-" if rate is None else f"{rate:.0%}",
        "think": "-" if think is None else f"{think:.1f} s",
    }


def _limits(found: dict[str, Any]) -> list[str]:
    whose = found["person"] if found["own"] else f"{found['person']} (as for everybody)"
    quiet = (
        f"{found['quiet_from']}-{found['quiet_to']} {found['zone']}" if found.get("quiet_from") else "none"
    )
    return [
        f"cards for {visible(whose)}",
        f"  in an hour          {found['per_hour']}",
        f"  in a day            {found['per_day']}",
        f"  of one agent a day  {found['per_agent_per_day']}",
        f"  quiet hours         {visible(quiet)}",
    ]


def _proposed(found: dict[str, Any]) -> list[str]:
    whose = f"{visible(found['agent_name'])}, {visible(found['action'])}"
    return [
        f"{found['approved']} of {found['answered']} alike approved: {whose}",
        *(f"  bound       {visible(each)}" for each in found["bounds"]),
        f"  review by   {found['review_by']}",
        f"  evidence    {', '.join(found['evidence'][:3])}, …",
        "  add this policy:",
        *(f"    {visible(each)}" for each in found["permit"].splitlines()),
        f"  and to the end of rule `{visible(found['rule'])}`, before its `;`:",
        f"    {visible(found['exception'])}",
        "",
    ]


def _quiet(said: str | None) -> dict[str, str]:
    if said is None:
        return {}
    if said == "none":
        return {"quiet_from": "", "quiet_to": ""}
    begin, dash, end = said.partition("-")
    if not dash:
        raise Misused(f"`{visible(said)}` is not HH:MM-HH:MM", next_step="--quiet 22:00-07:00")
    return {"quiet_from": begin.strip(), "quiet_to": end.strip()}


def _next(found: dict[str, Any]) -> str:
    if found.get("next"):
        return f"remit approval inbox --cursor {found['next']}"
    cards = found["items"]
    if not cards:
        return ""
    items = [each["id"] for each in cards[0]["items"]]
    return f"remit approval {'fold' if len(items) > 1 else 'show'} {' '.join(items)}"
