"""`remit policy test` and `remit policy diff`: what a text would do, before it does."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from remit.surface.cli.exits import Exit
from remit.surface.cli.failures import Misused
from remit.surface.cli.options import OutputOption
from remit.surface.cli.render import Output, show, visible
from remit.surface.cli.sources import Sources

if TYPE_CHECKING:
    from remit.decision.policy.diff import RuleChange

BooksArgument = Annotated[
    list[Path], typer.Argument(help="Files of scenarios (YAML); a folder stands for its own.")
]
PolicyOption = Annotated[
    list[Path] | None,
    typer.Option("--policy", help="Cedar files to judge by, instead of those that the scenarios name."),
]


def attach(app: typer.Typer) -> None:
    """Give the noun its verbs."""
    app.command("test")(judge)
    app.command()(diff)
    app.command()(pack)


def judge(
    books: BooksArgument,
    *,
    policy: PolicyOption = None,
    server: Annotated[
        bool,
        typer.Option(
            "--on-server", help="On the installation: its directory; without --policy, the set in force."
        ),
    ] = False,
    output: OutputOption = Output.TABLE,
) -> None:
    """Judge scenarios by policies, here or on the server. Exit: 0 all as wanted, 1 not."""
    files = [part for book in books for part in (sorted(book.glob("*.yaml")) if book.is_dir() else [book])]
    if not files:
        raise Misused(
            "there is no scenario file there", next_step="remit policy test FILE.yaml --policy FILE.cedar"
        )
    run = _on_server if server else _here
    results = [each for file in files for each in run(file, policy or [])]
    failed = [each for each in results if not each["passed"]]
    summary = f"{len(results) - len(failed)} of {len(results)} scenarios are answered as wanted"
    lines = [*(_told(each) for each in failed), summary]
    show({"good": not failed, "results": results}, output=output, lines=lines)
    raise typer.Exit(Exit.FAILED if failed else Exit.DONE)


def _told(result: dict[str, Any]) -> str:
    place = f"{result['file']}:{result['line']}"
    return "\n".join(
        [visible(f"{place}: {result['name']}"), *(visible(f"    {each}") for each in result["faults"])]
    )


def _here(file: Path, given: list[Path]) -> list[dict[str, Any]]:
    """Offline: the book gives the directory."""
    from remit.app.bindings.trials import GatewayReader  # noqa: PLC0415 — Cedar and the domain cost `--help` 0.4 s
    from remit.decision.trials.fixtures import cast_of  # noqa: PLC0415 — as above
    from remit.decision.trials.running import run  # noqa: PLC0415 — as above
    from remit.decision.trials.service import bundle_of  # noqa: PLC0415 — as above

    book, lines = book_of(file)
    sources = Sources.read(given or [file.parent / name for name in book.policies])
    if not sources.files:
        raise Misused(
            f"`{file}` names no policies", next_step=f"remit policy test {file} --policy FILE.cedar"
        )
    cast = cast_of(book.given)
    with sources.faults_placed():
        bundle = bundle_of(sources.text, cast)
    return [_plain(file, each) for each in run(book, lines, bundle, cast, GatewayReader())]


def _on_server(file: Path, given: list[Path]) -> list[dict[str, Any]]:
    from remit.surface.cli.client import Client  # noqa: PLC0415 — the HTTP client costs `--help` 0.4 s

    body = {"scenarios": Sources.read([file]).text} | ({"text": Sources.read(given).text} if given else {})
    with Client.open() as client:
        found = client.post("/policies/test", body)
    return [{"file": str(file), **each} for each in found["results"]]


def book_of(file: Path) -> Any:
    """A book of scenarios and the lines of them; raises `Misused` with file, line and column."""
    from remit.decision.trials.reading import BookRefused, read_book  # noqa: PLC0415 — as above

    try:
        return read_book(Sources.read([file]).text)
    except BookRefused as refused:
        place = f"{file}:{refused.line}:{refused.column}" if refused.line else str(file)
        raise Misused(
            f"{place}: {refused.sentence}", next_step=f"mend it, then remit policy test {file}"
        ) from refused


def _plain(file: Path, result: Any) -> dict[str, Any]:
    return {
        "file": str(file),
        "name": result.name,
        "line": result.line,
        "passed": result.passed,
        "wanted": result.wanted,
        "found": result.found,
        "rules": list(result.rules),
        "faults": list(result.faults),
    }


def diff(
    before: Annotated[str, typer.Argument(help="A Cedar file or folder, a version's number, or `current`.")],
    after: Annotated[str, typer.Argument(help="What it is compared with, likewise.")],
    *,
    output: OutputOption = Output.TABLE,
) -> None:
    """Compare two policy sets rule by rule. Exit: 0 the same rules, 1 not."""
    from remit.decision.policy.diff import compare  # noqa: PLC0415 — Cedar costs `--help` 0.1 s

    old, new = sources_of(before), sources_of(after)
    for each in (old, new):
        with each.faults_placed():
            compare(each.text, each.text)
    changes = compare(old.text, new.text)
    listed = [_change(each) for each in changes]
    lines = [line for each in changes for line in _shown(each)] or ["the same rules"]
    show({"same": not changes, "changes": listed}, output=output, lines=lines)
    raise typer.Exit(Exit.FAILED if changes else Exit.DONE)


def sources_of(name: str) -> Sources:
    """A policy set by file, folder, or published version."""
    if Path(name).exists():
        return Sources.read([Path(name)])
    number = name.removeprefix("v")
    if name != "current" and not number.isdigit():
        raise Misused(f"`{name}` is no file, no version and not `current`", next_step="remit policy list")
    from remit.surface.cli.client import Client  # noqa: PLC0415 — the HTTP client costs `--help` 0.4 s

    with Client.open() as client:
        found = client.get(f"/policies/{number}")
    return Sources(files=((Path(f"v{found['version']}"), str(found["text"])),))


def _change(change: "RuleChange") -> dict[str, Any]:
    return {
        "rule": change.rule,
        "change": change.change,
        "parts": list(change.parts),
        "before": change.before,
        "after": change.after,
    }


_SIGNS = {"added": "+", "removed": "-", "changed": "~"}


def _shown(change: "RuleChange") -> list[str]:
    parts = f": {', '.join(change.parts)}" if change.parts else ""
    return [
        visible(f"{_SIGNS[change.change]} {change.rule}  {change.change}{parts}"),
        *(visible(f"    - {line}") for line in change.before.splitlines()),
        *(visible(f"    + {line}") for line in change.after.splitlines()),
    ]


def pack(
    name: Annotated[str, typer.Argument(help="Which one; without a name they are listed.")] = "",
    *,
    to: Annotated[Path | None, typer.Option(help="Folder to write its policies and scenarios into.")] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Show or write policies for a kind of work: agents of the segment that bears its name."""
    from remit.decision.policy.packs import PACKS  # noqa: PLC0415 — the domain costs `--help` time
    from remit.decision.policy.packs import pack as pack_named  # noqa: PLC0415 — as above

    if name and name not in PACKS:
        raise Misused(
            f"there is no pack `{name}`; there are {', '.join(PACKS)}", next_step="remit policy pack"
        )
    chosen = [pack_named(each) for each in ([name] if name else PACKS)]
    if to is not None:
        written = [_write(to, each.name, each.policies, each.scenarios) for each in chosen]
        hint = f"remit policy test {to}, then remit policy publish with what is in force"
        show({"written": written}, output=output, lines=written, hint=hint)
    elif name:
        show({"name": name, "text": chosen[0].policies}, output=output, lines=chosen[0].policies.splitlines())
    else:
        items = [{"name": each.name, "about": each.about} for each in chosen]
        show({"items": items}, output=output, columns=("name", "about"))


def _write(folder: Path, name: str, policies: str, scenarios: str) -> str:
    """Both files, beside each other; never over a file that is there."""
    own = folder / f"{name}.cedar"
    for file, text in ((own, policies), (folder / f"{name}.yaml", f"policies: [{name}.cedar]\n{scenarios}")):
        if file.exists():
            raise Misused(f"`{file}` is there already", next_step="write into an empty folder")
        folder.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return str(own)
