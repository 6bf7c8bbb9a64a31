"""Options that many commands share, said once."""

from typing import Annotated

import typer

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
