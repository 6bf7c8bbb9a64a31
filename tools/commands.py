"""The page of the command line: the help of every command, as `--help` prints it."""

import contextlib
import io
import os

import typer.main
from tools.markdown import page, table
from typer.core import TyperGroup

from remit.surface.cli.commands import FIRST, NOUNS
from remit.surface.cli.exits import Exit
from remit.surface.cli.main import LazyGroup, app, run


def every_command() -> list[tuple[str, ...]]:
    """Each word, each noun, each verb below it."""
    root = typer.main.get_command(app)
    if not isinstance(root, LazyGroup):
        raise TypeError("the root of the command line is not the lazy group")
    found: list[tuple[str, ...]] = []
    for name in [*FIRST, *NOUNS]:
        found.append((name,))
        command = root.get_command(None, name)  # type: ignore[arg-type]  # our group reads no context
        if isinstance(command, TyperGroup):
            found += [(name, verb) for verb in command.commands]
    return found


def help_of(words: tuple[str, ...]) -> str:
    """What `remit WORDS --help` prints, in a hundred columns."""
    os.environ["COLUMNS"] = "100"
    told = io.StringIO()
    with contextlib.redirect_stdout(told):
        run([*words, "--help"])
    return "\n".join(line.rstrip() for line in told.getvalue().splitlines()).strip()


def cli_page() -> str:
    """Every command with its help."""
    intro = """`remit <word>` for the first hour, emergencies and operations; `remit <noun> <verb>` for the
rest. Every command that shows something takes `--output table|json|yaml`. `REMIT_DATA` names the data
directory in which the address of the server and the operator's key are found; `REMIT_URL` and `REMIT_KEY`
name another server and another key. `remit doctor` tells what a command would use."""
    codes = table(("code", "name"), [(str(int(code)), code.name.lower()) for code in Exit])
    parts = [
        f"## {' '.join(('remit', *words))}\n\n```text\n{help_of(words)}\n```" for words in every_command()
    ]
    return page("Command line", intro, "## Exit codes", codes, *parts)
