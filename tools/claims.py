"""What the tests say that they prove: the markers with ids in their source, read without running them."""

import ast
from collections import defaultdict
from dataclasses import dataclass

from tools.markdown import ROOT


@dataclass(frozen=True, slots=True)
class Claim:
    """One marker on one test: what it says it proves."""

    marker: str
    ident: str
    test: str

    @property
    def short(self) -> str:
        """The test as pages name it: below `tests/`."""
        return self.test.removeprefix("tests/")


def claims() -> list[Claim]:
    """Every claim; markers of a class or module count for their tests."""
    found: list[Claim] = []
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        shared = [mark for node in tree.body if isinstance(node, ast.Assign) for mark in _module_marks(node)]
        found += _claims_in(tree.body, str(path.relative_to(ROOT)), shared)
    return found


def by_ident(found: list[Claim], marker: str) -> dict[str, list[str]]:
    """Id → the tests that bear it under this marker, sorted."""
    tests: dict[str, set[str]] = defaultdict(set)
    for claim in found:
        if claim.marker == marker:
            tests[claim.ident].add(claim.short)
    return {ident: sorted(names) for ident, names in tests.items()}


def _module_marks(node: ast.Assign) -> list[ast.expr]:
    if not any(isinstance(target, ast.Name) and target.id == "pytestmark" for target in node.targets):
        return []
    return list(node.value.elts) if isinstance(node.value, ast.List | ast.Tuple) else [node.value]


def _claims_in(body: list[ast.stmt], place: str, shared: list[ast.expr]) -> list[Claim]:
    found: list[Claim] = []
    for node in body:
        if isinstance(node, ast.ClassDef):
            found += _claims_in(node.body, f"{place}::{node.name}", shared + node.decorator_list)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
            found += [
                Claim(marker, ident, f"{place}::{node.name}")
                for mark in shared + node.decorator_list
                for marker, ident in _ids(mark)
            ]
    return found


def _ids(mark: ast.expr) -> list[tuple[str, str]]:
    if not (isinstance(mark, ast.Call) and isinstance(mark.func, ast.Attribute)):
        return []
    words = [arg.value for arg in mark.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
    if mark.func.attr == "spec":
        # The first word is the document, each further one a section of it.
        return [("spec", f"{words[0]} §{section}") for section in words[1:]] or [("spec", words[0])]
    return [(mark.func.attr, word) for word in words]
