"""Every command line that there is."""

from functools import cache

import typer.main
from typer.core import TyperGroup

from remit.surface.cli.commands import FIRST, NOUNS
from remit.surface.cli.main import LazyGroup, app


@cache
def every_command() -> tuple[tuple[str, ...], ...]:
    """The root, each word, each noun, each verb below it."""
    root = typer.main.get_command(app)
    assert isinstance(root, LazyGroup)
    found: list[tuple[str, ...]] = [()]
    for name in [*FIRST, *NOUNS]:
        found.append((name,))
        command = root.get_command(None, name)  # type: ignore[arg-type]  # our group reads no context
        if isinstance(command, TyperGroup):
            found += [(name, verb) for verb in command.commands]
    return tuple(found)
