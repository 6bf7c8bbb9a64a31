"""The one entry point: finds the command, runs it, turns every error into a sentence and an exit code."""

import importlib
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any, cast

import typer
import typer.main
from typer.core import TyperGroup

from remit.kernel.errors import RemitError
from remit.surface.cli.commands import FIRST, NOUNS, Entry
from remit.surface.cli.exits import Exit
from remit.surface.cli.failures import exit_of
from remit.surface.cli.render import say


class LazyGroup(TyperGroup):
    """Knows all commands by name and imports only the one that is used."""

    def list_commands(self, ctx: typer.Context) -> list[str]:  # type: ignore[override]  # noqa: ARG002 — typer's signature
        """Bare words first, then nouns."""
        return [*FIRST, *NOUNS]

    def get_command(self, ctx: typer.Context, cmd_name: str) -> Any:  # type: ignore[override]  # noqa: ARG002 — as above
        """Import the command's module and give its `app`."""
        entry = FIRST.get(cmd_name) or NOUNS.get(cmd_name)
        if entry is None:
            return None
        module = importlib.import_module(f"remit.surface.cli.{entry.module}")
        command = typer.main.get_command(cast("typer.Typer", module.app))
        command.name = cmd_name
        return command

    def format_commands(self, ctx: typer.Context, formatter: Any) -> None:  # type: ignore[override]  # noqa: ARG002 — as above
        """Two sections of names and lines, without importing one of them."""
        for title, entries in (("Commands", FIRST), ("Nouns", NOUNS)):
            with formatter.section(title):
                formatter.write_dl(_rows(entries))


def _rows(entries: dict[str, Entry]) -> list[tuple[str, str]]:
    return [(name, entry.help) for name, entry in entries.items()]


app = typer.Typer(
    cls=LazyGroup,
    name="remit",
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Identity and access management for AI agents.",
    epilog="Exit: 0 done or permit, 1 failed, 2 usage, 3 denied, 4 waiting for approval, 5 incomplete.",
    context_settings={"max_content_width": 100, "help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:  # noqa: FBT001 — typer calls it with the flag's value
    if asked:
        from importlib.metadata import version  # noqa: PLC0415 — 20 ms that --help need not pay

        say(version("remit"))
        raise typer.Exit


@app.callback()
def root(
    *,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """Identity and access management for AI agents."""


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; each error is a sentence and a next step."""
    try:
        ended = app(args=list(arguments), prog_name="remit", standalone_mode=False)
    except RemitError as error:
        return _tell(error)
    except typer.TyperException as misuse:
        return _tell_misuse(misuse)
    except (typer.Abort, KeyboardInterrupt):
        say("stopped", to=sys.stderr)
        return Exit.FAILED
    except BrokenPipeError:
        # SAFETY: the reader is gone; without this the interpreter complains once more at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.FAILED
    except Exception as fault:  # noqa: BLE001 — a fault of ours still ends with a sentence and what to do
        return _tell_fault(fault)
    return ended if isinstance(ended, int) else Exit.DONE


def main() -> None:
    """What the `remit` script calls."""
    sys.exit(run(sys.argv[1:]))


def _tell(error: RemitError) -> int:
    say(f"error: {error.hint}", to=sys.stderr)
    say(f"next: {error.next_step or 'remit doctor'}", to=sys.stderr)
    return exit_of(error)


def _tell_fault(fault: Exception) -> int:
    """Where it happened, for whoever mends it; values of variables stay out of it."""
    import traceback  # noqa: PLC0415 — only a fault needs it

    say("".join(traceback.format_tb(fault.__traceback__)).rstrip(), to=sys.stderr)
    say(
        f"error: a fault in remit itself, not in what you typed: {type(fault).__name__}: {fault}",
        to=sys.stderr,
    )
    say("next: report it with the lines above, and see what remit doctor says", to=sys.stderr)
    return Exit.FAILED


def _tell_misuse(misuse: typer.TyperException) -> int:
    if type(misuse).__name__ == "NoArgsIsHelpError":  # the help itself is the message
        say(str(misuse), to=sys.stderr)
        return Exit.USAGE
    context = getattr(misuse, "ctx", None)
    message = getattr(misuse, "format_message", misuse.__str__)()
    path = context.command_path if context is not None else "remit"
    say(f"error: {message[:1].lower()}{message[1:].rstrip('.')}", to=sys.stderr)
    say(f"next: {path} --help", to=sys.stderr)
    return Exit.USAGE
