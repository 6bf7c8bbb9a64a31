"""Pages that tests tell: coverage of the catalogues, and clauses of standards."""

import csv
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Final

from tools.claims import Claim, by_ident
from tools.markdown import ROOT, page, table

CATALOGUE: Final = ROOT / "tests" / "catalogue"
_KINDS: Final = (
    ("Requirements", "requirements.csv", "req"),
    ("Promises", "promises.csv", "promise"),
    ("Attacks", "attacks.csv", "attack"),
    ("Faults", "faults.csv", "fault"),
)
_INTRO: Final = """An id is shown by the tests beside it, which CI runs on each change; *twin* marks the
same attack or fault with its defence left out by the test, which must succeed. A test shows what its name
says, not always the whole of the row: what is known to be open stands in the last column. Rows without a
test are listed at the end of each part; nothing is claimed for them."""


def coverage_page(found: list[Claim]) -> str:
    """Every id of the catalogues with the tests that bear it, and what is open."""
    notes = {row["id"]: row["open"] for row in _rows("open.csv")}
    parts = [_part(*kind, found, notes) for kind in _KINDS]
    summary = table(("", "in the catalogue", "with tests"), [part[0] for part in parts])
    return page("Coverage", _INTRO, summary, *(part[1] for part in parts))


def standards_page(found: list[Claim]) -> str:
    """Every clause of a standard that a test bears, document by document."""
    tests = by_ident(found, "spec")
    documents: dict[str, list[str]] = defaultdict(list)
    for clause in tests:
        documents[clause.partition(" §")[0]].append(clause)
    parts = [
        f"## {document}\n\n"
        + table(
            ("clause", "tests"),
            [
                (clause.removeprefix(document).strip() or "whole", _listed(tests[clause]))
                for clause in sorted(documents[document], key=_natural)
            ],
        )
        for document in sorted(documents, key=_natural)
    ]
    return page("Clauses of standards, and the tests that bear them", *parts)


def _part(
    title: str, file: str, marker: str, found: list[Claim], notes: dict[str, str]
) -> tuple[tuple[str, str, str], str]:
    tests, twins = by_ident(found, marker), by_ident(found, "twin")
    known = {row["id"]: list(row.values())[1] for row in _rows(file)}
    shown = [ident for ident in known if ident in tests]
    rows = [(ident, known[ident], _shown(ident, tests, twins), notes.get(ident, "")) for ident in shown]
    text = f"## {title}\n\n" + table(("id", "what", "shown by", "open"), rows)
    rest = [(ident, known[ident], notes.get(ident, "")) for ident in known if ident not in tests]
    if rest:
        text += f"\n### {title} that no test shows yet\n\n" + table(("id", "what", "note"), rest)
    return (title, str(len(known)), str(len(shown))), text


def _shown(ident: str, tests: dict[str, list[str]], twins: dict[str, list[str]]) -> str:
    twin = [f"{test} (twin)" for test in twins.get(ident, [])]
    plain = [test for test in tests.get(ident, []) if test not in twins.get(ident, [])]
    return _listed([*plain, *twin])


def _listed(tests: list[str]) -> str:
    """Tests under their file, which is named once."""
    files: dict[str, list[str]] = defaultdict(list)
    for test in tests:
        file, _, name = test.partition("::")
        files[file].append(name)
    return "<br>".join(f"`{file}`: {', '.join(_plain(names))}" for file, names in sorted(files.items()))


def _plain(names: list[str]) -> Iterator[str]:
    for name in names:
        bare, twin, _ = name.partition(" (twin)")
        yield f"`{bare.removeprefix('test_')}`{' (twin)' if twin else ''}"


def _natural(text: str) -> list[tuple[int, str]]:
    """Order in which `§4.10` comes after `§4.9`."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", text)]


def _rows(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader((CATALOGUE / name).open(encoding="utf-8")))
