"""`remit policy analyze`: what a policy set can and cannot say, each finding with a request that shows it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from remit.surface.cli.exits import Exit
from remit.surface.cli.failures import CommandFailed, Misused
from remit.surface.cli.options import OutputOption
from remit.surface.cli.policy_trials import book_of, sources_of
from remit.surface.cli.render import Output, show, visible
from remit.surface.cli.sources import Sources

if TYPE_CHECKING:
    from remit.decision.policy.analysis.report import Found, Report

_CLASSES = (
    "always_allows", "never_satisfied", "shadowed", "ineffective", "widened", "narrowed", "changed",
)  # fmt: skip


def attach(app: typer.Typer) -> None:
    """Give the noun its verb."""
    app.command()(analyze)


def analyze(
    files: Annotated[list[Path], typer.Argument(help="Cedar files; together they are one policy set.")],
    *,
    against: Annotated[
        str, typer.Option(help="What it would replace: a file, a version, or `current`.")
    ] = "",
    fail_on: Annotated[
        list[str] | None,
        typer.Option(help=f"Fail on these findings alone: {', '.join(_CLASSES)}. Several times."),
    ] = None,
    given: Annotated[
        Path | None,
        typer.Option(help="Scenarios whose `given` is the directory; else the server's."),
    ] = None,
    seconds: Annotated[int, typer.Option(min=1, max=86_400, help="Time for all questions.")] = 300,
    output: OutputOption = Output.TABLE,
) -> None:
    """Find rules that say nothing or too much, and what a change lets through.

    Exit: 0 nothing found, 1 found, 5 not everything could be decided. Needs the extra `analysis`.
    """
    if unknown := set(fail_on or ()) - set(_CLASSES):
        raise Misused(f"`{unknown.pop()}` is no finding; they are {', '.join(_CLASSES)}")
    new = Sources.read(files)
    old = sources_of(against) if against else None
    reports = _reports(new, old, given, seconds)
    found = [each for report in reports for each in report.findings]
    undecided = [each for report in reports for each in report.undecided]
    lines = [line for each in found for line in _told(each)] or ["nothing found"]
    lines += [visible(f"not decided: {each}") for each in undecided]
    result = {"findings": [_plain(each) for each in found], "undecided": undecided}
    show(result, output=output, lines=lines)
    raise typer.Exit(_exit(found, undecided, fail_on))


def _exit(found: "list[Found]", undecided: list[str], fail_on: list[str] | None) -> Exit:
    wanted = set(fail_on or _CLASSES)
    if any(each.kind in wanted for each in found):
        return Exit.FAILED
    return Exit.INCOMPLETE if undecided else Exit.DONE


def _reports(new: Sources, old: Sources | None, given: Path | None, seconds: int) -> "list[Report]":
    try:
        from remit.decision.policy.analysis.comparison import compare  # noqa: PLC0415 — `z3` is an extra
        from remit.decision.policy.analysis.findings import analyze as find  # noqa: PLC0415 — as above
    except ModuleNotFoundError as absent:
        if absent.name != "z3":
            raise
        raise CommandFailed(
            "analysis needs the solver z3, which is not installed", next_step="pip install 'remit[analysis]'"
        ) from absent
    from remit.decision.policy.admission import admit, version_of  # noqa: PLC0415 — Cedar costs `--help` 0.1 s
    from remit.decision.policy.analysis.report import Patience  # noqa: PLC0415 — as above

    patience = Patience(total_s=float(seconds))
    texts = [new.text, *([old.text] if old else [])]
    with new.faults_placed():
        schema = _schema(texts, given)
        admit(new.text, version=version_of(new.text, 0), schema=schema)
    reports = [find(new.text, schema, patience=patience)]
    if old is not None:
        with old.faults_placed():
            reports.append(compare(new.text, old.text, schema, patience=patience))
    return reports


def _schema(texts: list[str], given: Path | None) -> Any:
    """What policies can name, with the time zones and the marks of every text."""
    if given is None:
        return _merged([_asked(text) for text in texts])
    from remit.decision.policy.admission import parse  # noqa: PLC0415 — as above
    from remit.decision.trials.fixtures import cast_of  # noqa: PLC0415 — as above

    rules = [rule for text in texts for rule in parse(text)[0].values()]
    return cast_of(book_of(given)[0].given).schema(rules)


def _asked(text: str) -> dict[str, Any]:
    from remit.surface.cli.client import Client  # noqa: PLC0415 — the HTTP client costs `--help` 0.4 s

    with Client.open() as client:
        found: dict[str, Any] = client.post("/policies/schema", {"text": text})["schema"]
    return found


def _merged(schemas: list[dict[str, Any]]) -> dict[str, Any]:
    """Schemas of one directory differ in time zones and marks alone: those of all."""
    first = schemas[0]
    for name, action in first["Remit"]["actions"].items():
        if "appliesTo" not in action:
            continue
        own: dict[str, Any] = action["appliesTo"]["context"]["attributes"]
        for other in schemas[1:]:
            theirs: Mapping[str, Any] = other["Remit"]["actions"].get(name, action)
            for each in ("local", "past"):
                more = theirs["appliesTo"]["context"]["attributes"].get(each)
                if more is not None:
                    known = own.setdefault(each, {"type": "Record", "attributes": {}})
                    known["attributes"] = {**more["attributes"], **known["attributes"]}
    return first


def _plain(found: "Found") -> dict[str, Any]:
    return {
        "finding": found.kind,
        "rule": found.rule,
        "sentence": found.sentence,
        "request": found.request,
        "answer": found.answer,
        "before": found.before,
    }


def _told(found: "Found") -> list[str]:
    before = f", was {found.before}" if found.before else ""
    answer = [f"    answer   {found.answer}{before}"] if found.answer else []
    request = [f"    request  {json.dumps(found.request, ensure_ascii=False)}"] if found.request else []
    rule = f" {found.rule}" if found.rule else ""
    return [visible(each) for each in (f"{found.kind}{rule}: {found.sentence}", *answer, *request)]
