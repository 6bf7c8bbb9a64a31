"""`remit policy learn`: least privilege from use, seen by a person before anything of it is in force."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from remit.surface.cli.exits import Exit
from remit.surface.cli.failures import Misused
from remit.surface.cli.options import OutputOption, YesOption, duration
from remit.surface.cli.policy_publishing import CanaryOption, HoursOption, share_of, told_share
from remit.surface.cli.principal import confirm
from remit.surface.cli.render import Output, say, show, visible

_SHOWN = 40
NamesOption = Annotated[list[str] | None, typer.Option("--agent", help="Learn this agent; several times.")]


def attach(app: typer.Typer) -> None:
    """Give the noun its verb."""
    app.command()(learn)


def learn(
    *,
    agent: NamesOption = None,
    blueprint: Annotated[
        list[str] | None, typer.Option(help="Learn all agents made from it, as one; several times.")
    ] = None,
    since: Annotated[str, typer.Option(help="How far back: 24h, 30d, 90d.")] = "30d",
    tasks: Annotated[int, typer.Option(min=1, max=1000, help="Tasks from which on it is a habit.")] = 3,
    days: Annotated[int, typer.Option(min=1, max=1000, help="Days from which on it is a habit.")] = 2,
    take: Annotated[
        list[str] | None, typer.Option(help="Take in what this question is about; `all`: every other one.")
    ] = None,
    leave: Annotated[
        list[str] | None, typer.Option(help="Leave out what this question is about; `all`: as above.")
    ] = None,
    write: Annotated[Path | None, typer.Option(help="Write the whole policy with it to this file.")] = None,
    accept: Annotated[bool, typer.Option("--accept", help="Put it in force.")] = False,
    canary: CanaryOption = None,
    hours: HoursOption = 24,
    yes: YesOption = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Propose the least that agents need, from what they did. Without --accept nothing is changed.

    Exit: 0 done, 1 nothing to propose or refused, 4 questions are open.
    """
    from remit.surface.cli.client import Client  # noqa: PLC0415 — the HTTP client costs `--help` 0.4 s

    share = share_of(canary, [], hours)
    if share and not accept:
        raise Misused("`--canary` belongs to `--accept`", next_step="remit policy learn --help")
    now = datetime.now(UTC)
    wish = {
        "agents": agent or [],
        "blueprints": blueprint or [],
        "since": (now - duration(since, command="remit policy learn")).isoformat(),
        "until": now.isoformat(),
        "tasks": tasks,
        "days": days,
        "take": take or [],
        "leave": leave or [],
    }
    with Client.open() as client:
        found = client.patient().post("/policies/learn", wish)
        if write is not None:
            write.write_text(found["text"], encoding="utf-8")
        if not accept or not found["text"] or _open(found):
            _tell(found, output, write)
        if output is Output.TABLE:
            for line in _lines(found):
                say(line)
        confirm("the agents that were learned can do nothing else from now on", "remit policy learn", yes=yes)
        done = client.post(
            "/policies/learned",
            {**wish, "digest": found["digest"], **({"canary": share} if share else {})},
        )
    told = f"is tried on {told_share(share)}" if share else "is in force"
    lines = [f"version {done['version']} {told}  {done['digest']}"]
    lines += [f"ceiling of {visible(name)} is narrowed" for name in done["narrowed"]]
    show(done, output=output, lines=lines, hint="remit policy rollback, if something is missed")


def _tell(found: dict[str, Any], output: Output, write: Path | None) -> None:
    """Show it, and end: nothing is put in force."""
    show(found, output=output, lines=_lines(found), hint=_next(found, write))
    if not found["text"]:
        raise typer.Exit(Exit.FAILED)
    raise typer.Exit(Exit.WAITING if _open(found) else Exit.DONE)


def _open(found: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for each in found["questions"] if not each["settled"]]


def _next(found: dict[str, Any], write: Path | None) -> str:
    if _open(found):
        return "say --take ID or --leave ID to each question (`--leave all`: to every other one)"
    if not found["text"]:
        return ""
    if write is not None:
        return f"remit policy replay {write} --since 30d"
    return "the same with --write draft.cedar, or --accept"


def _lines(found: dict[str, Any]) -> list[str]:
    """The report: how much, each rule with its evidence, each question, what was left out, how sure it is."""
    asked = _open(found)
    judged = f"; {len(asked)} need{'s' if len(asked) == 1 else ''} your judgement" if asked else ""
    rules, calls = _many(len(found["rules"]), "rule"), _many(found["calls"], "call")
    lines = [f"proposed {rules} from {calls}{judged}"]
    for rule in found["rules"]:
        lines += _rule(rule)
    lines += [line for each in found["questions"][:_SHOWN] for line in _question(each)]
    if len(found["questions"]) > _SHOWN:
        lines.append(f"  and {len(found['questions']) - _SHOWN} more questions (--output json)")
    lines += [f"  not counted  {each['count']:>6,}   {each['why']}" for each in found["left_out"]]
    lines += [_forward(each) for each in found["forward"]]
    lines += [_ceiling(each) for each in found["ceilings"]]
    lines += [f"  {visible(each)}: nothing that is a habit, nothing is proposed" for each in found["idle"]]
    if found["more"]:
        lines.append("  older decisions of that time were left out")
    return lines


def _rule(rule: dict[str, Any]) -> list[str]:
    """All that stays open to a subject, each with its evidence; the rules of its actions say the same."""
    if not rule["around"]:
        return []
    return [
        visible(f"  {rule['subject']}: nothing but these {len(rule['open'])}"),
        *(
            line
            for told, seen in zip(rule["open"], rule["evidence"], strict=True)
            for line in (visible(f"    {told}"), *_evidence(seen))
        ),
    ]


def _evidence(seen: dict[str, Any]) -> list[str]:
    first, last = seen["first"][:10], seen["last"][:10]
    span = first if first == last else f"{first} to {last}"
    unseen = f"otherwise in at most {seen['otherwise_at_most']:.1%} of tasks (95 % sure)"
    return [f"      {_seen(seen)}, {span}", f"      {unseen}; {seen['examples'][-1]}"]


def _seen(seen: dict[str, Any]) -> str:
    parts = (_many(seen["uses"], "call"), _many(seen["tasks"], "task"), _many(seen["days"], "day"))
    return f"{parts[0]} in {parts[1]} on {parts[2]}"


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _question(each: dict[str, Any]) -> list[str]:
    said = "taken in" if each["taken"] else "left out"
    mark = said if each["settled"] else f"? {said} unless you say"
    seen = each["evidence"]
    return [
        visible(f"  {each['id']}  {each['action']} {each['about']}"),
        f"      {each['why']} ({mark})",
        f"      {_seen(seen)}; {seen['examples'][-1]}",
    ]


def _forward(each: dict[str, Any]) -> str:
    stopped = f"{each['stopped']} of the last {_many(each['tasks'], 'task')}"
    sure = f"at most {each['at_most']:.1%}, 95 % sure"
    return visible(f"  {each['subject']}: learned from the first 80 %, it would stop {stopped} ({sure})")


def _ceiling(each: dict[str, Any]) -> str:
    if each["ceiling"] is None:
        return visible(f"  ceiling of {each['subject']}: as it is")
    return visible(f"  ceiling of {each['subject']}: {each['before']} rights, narrowed to {each['rights']}")
