"""Options that many commands share, said once."""

from datetime import timedelta
from typing import Annotated

import typer

from remit.surface.cli.failures import Misused
from remit.surface.cli.render import Output

OutputOption = Annotated[Output, typer.Option("--output", "-o", help="How the result is written.")]
LimitOption = Annotated[int, typer.Option("--limit", min=1, max=200, help="Items at most.")]
CursorOption = Annotated[str, typer.Option("--cursor", help="`next` of the last page.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
SETTINGS = {"max_content_width": 100, "help_option_names": ["-h", "--help"]}
"""Context settings of every group: help in 100 columns."""


def group(text: str) -> typer.Typer:
    """A noun with verbs below it."""
    return typer.Typer(
        help=text,
        add_completion=False,
        no_args_is_help=True,
        rich_markup_mode=None,
        context_settings=SETTINGS,
    )


def word(text: str) -> typer.Typer:
    """A bare word: one command, no verbs."""
    return typer.Typer(help=text, add_completion=False, rich_markup_mode=None, context_settings=SETTINGS)


def duration(text: str, *, command: str) -> timedelta:
    """Read `90s`, `20m`, `1h` or `7d`; what is none of them sends the reader to the command's help."""
    from remit.platform.settings.units import BadUnit, parse_duration  # noqa: PLC0415 — `--help` reads none

    try:
        return parse_duration(text)
    except BadUnit as misread:
        raise Misused(misread.hint, next_step=f"{command} --help") from misread
