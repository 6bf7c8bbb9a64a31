"""What the pages tell to type exists: words, verbs, flags of `remit`, and targets of `make`."""

import re
import shlex
from functools import cache
from pathlib import Path

import pytest
import typer.main
from typer.core import TyperGroup

from remit.surface.cli.main import LazyGroup, app
from support.commands import every_command

ROOT = Path(__file__).parents[3]
GENERATED = ROOT / "docs" / "reference"
PAGES = [
    page
    for page in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
    if GENERATED not in page.parents and page.name != "clauses.md"
]
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`((?:remit|make) [^`]+)`")
TARGET = re.compile(r"^([a-z-]+):.*##", re.MULTILINE)


def typed(page: Path) -> list[str]:
    """Command lines that a page tells to type, in blocks and within sentences."""
    text = page.read_text("utf-8")
    lines = [line for block in BLOCK.findall(text) for line in block.splitlines()]
    lines += [line for line in INLINE.findall(text) if "<noun>" not in line and "<word>" not in line]
    return [line for line in lines if line.split("#")[0].split()[:1] in (["remit"], ["make"])]


@cache
def options(words: tuple[str, ...]) -> set[str]:
    """Flags that a command takes."""
    root = typer.main.get_command(app)
    assert isinstance(root, LazyGroup)
    if not words:
        return {"--help", "-h", "--version"}
    command = root.get_command(None, words[0])  # type: ignore[arg-type]  # our group reads no context
    if len(words) > 1:
        assert isinstance(command, TyperGroup)
        command = command.commands[words[1]]
    found = {flag for each in command.params for flag in (*each.opts, *each.secondary_opts)}
    return found | {"--help", "-h"}


def misused(line: str) -> str:
    """What in a command line does not exist; empty if all of it does."""
    program, *words = shlex.split(line.replace("…", "x"), comments=True)
    words = words[: words.index("--")] if "--" in words else words
    if program == "make":
        targets = {*TARGET.findall((ROOT / "Makefile").read_text("utf-8"))}
        return " ".join(word for word in words if "=" not in word and word not in targets)
    known = {*every_command()}
    command = tuple(words[:2]) if tuple(words[:2]) in known else tuple(words[:1])
    if not words or words[0].startswith("-"):
        command = ()
    elif command not in known or (len(words) > 1 and len(command) == 1 and _takes_verbs(command[0])):
        return " ".join(words[:2])
    flags = {word.partition("=")[0] for word in words if word.startswith("-")}
    return " ".join(sorted(flags - options(command)))


def _takes_verbs(word: str) -> bool:
    return any(len(each) > 1 and each[0] == word for each in every_command())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_that_a_page_names_exists(page: Path) -> None:
    assert {line: wrong for line in typed(page) if (wrong := misused(line))} == {}


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("remit agnt list", "agnt list"),
        ("remit agent lst", "agent lst"),
        ("remit agent list --stat draft", "--stat"),
        ("make tests", "tests"),
        ("remit kill support-bot --reason x", ""),
    ],
)
def test_a_command_that_does_not_exist_is_found(line: str, wrong: str) -> None:
    assert misused(line) == wrong


def test_the_readme_begins_with_the_two_commands() -> None:
    lines = BLOCK.search((ROOT / "README.md").read_text("utf-8"))
    assert lines is not None
    assert [line.split("#")[0].strip() for line in lines[1].splitlines()] == ["make up", "make test"]
