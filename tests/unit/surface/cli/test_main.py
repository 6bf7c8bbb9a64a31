"""The entry point: exit codes, and no error without a next command."""

import ast
import re
from pathlib import Path

import pytest

import remit
from remit.kernel.errors import RemitError
from remit.surface.cli.commands import FIRST, Entry
from remit.surface.cli.exits import Exit
from remit.surface.cli.explained import exit_of_effect
from remit.surface.cli.failures import Misused, Refused, Unreachable, exit_of
from remit.surface.cli.main import run
from support.commands import every_command

SOURCE = Path(remit.__file__).parent


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nonsense"], Exit.USAGE, "no such command"),
        (["agent", "nonsense"], Exit.USAGE, "no such command"),
        (["why"], Exit.USAGE, "missing argument"),
        (["why", "dec_1", "--output", "xml"], Exit.USAGE, "invalid value"),
        (["agent", "list", "--limit", "201"], Exit.USAGE, "equal to 200"),
        (["can", "bot", "toolwithoutserver"], Exit.USAGE, "names no server"),
        (["can", "bot", "s/t", "--arg", "novalue"], Exit.USAGE, "not NAME=VALUE"),
        (["can", "bot", "s/t", "--arg", "a=1", "--arg", "a=2"], Exit.USAGE, "twice"),
        (["apply", "-f", "/nonexistent.toml"], Exit.USAGE, "cannot be read"),
        (["ledger", "verify", "/nonexistent.zip"], Exit.USAGE, "cannot be read"),
        (["policy", "check", "/nonexistent.cedar"], Exit.FAILED, "no server has run"),
        (["decision", "list", "--since", "yesterday"], Exit.USAGE, "no number with a unit"),
        (["agent", "list"], Exit.FAILED, "no server has run"),
        (["up", "--config", "/nonexistent.toml"], Exit.FAILED, "does not exist"),
        (["up", "--host", "0.0.0.0"], Exit.FAILED, "issuer_missing"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
@pytest.mark.req("N50")
def test_every_error_is_a_sentence_a_next_command_and_a_code(
    elsewhere: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: Exit, said: str
) -> None:
    assert run(arguments) == code
    told = capsys.readouterr()
    first, *_, last = told.err.strip().splitlines()
    assert said.lower() in told.err.lower()
    assert first.startswith("error: ")
    assert last.startswith("next: ")
    assert "Traceback" not in told.err
    assert told.out == ""


def test_words_without_arguments_show_their_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == Exit.USAGE
    assert "Usage: remit" in capsys.readouterr().err


def test_a_fault_of_ours_ends_with_a_sentence_too(capsys: pytest.CaptureFixture[str]) -> None:
    FIRST["broken"] = Entry("no_such_module", "A command that was forgotten.")
    try:
        assert run(["broken"]) == Exit.FAILED
    finally:
        del FIRST["broken"]
    *where, said, following = capsys.readouterr().err.strip().splitlines()
    assert any("main.py" in line for line in where)
    assert said.startswith("error: a fault in remit itself, not in what you typed: ModuleNotFoundError: ")
    assert following.startswith("next: report it")


def test_the_six_exit_codes_mean_six_things() -> None:
    assert [int(each) for each in Exit] == [0, 1, 2, 3, 4, 5]
    assert exit_of(Misused("x")) == Exit.USAGE
    assert exit_of(Unreachable("x")) == Exit.FAILED
    assert exit_of(Refused("x", problem_code="y", status=403, next_step="")) == Exit.DENIED
    assert exit_of(Refused("x", problem_code="y", status=401, next_step="")) == Exit.DENIED
    assert exit_of(Refused("x", problem_code="y", status=409, next_step="")) == Exit.FAILED
    assert exit_of(RemitError("x")) == Exit.FAILED
    codes = [exit_of_effect(effect) for effect in ("permit", "deny", "ask", "step_up")]
    assert codes == [Exit.DONE, Exit.DENIED, Exit.WAITING, Exit.WAITING]


def literals(tree: ast.AST) -> list[str]:
    """The text of every `next_step=` in a module; places in f-strings become `X`."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg == "next_step":
            found += [text for text in map(_text, ast.walk(node.value)) if text]
    return found


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


@pytest.mark.req("N50")
def test_every_next_command_that_any_error_names_exists() -> None:
    known = {" ".join(words) for words in every_command()}
    bare = {words[0] for words in every_command() if len(words) == 1} & set(FIRST)
    wrong = []
    for path in sorted(SOURCE.rglob("*.py")):
        for text in literals(ast.parse(path.read_text(encoding="utf-8"))):
            for command in re.findall(r"\bremit ([a-z]+(?: [a-z]+)?)", text):
                first = command.split()[0]
                if command not in known and first not in bare:
                    wrong.append(f"{path.relative_to(SOURCE)}: {text}")
    assert not wrong
