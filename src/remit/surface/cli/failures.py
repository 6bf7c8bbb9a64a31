"""Errors of the command line: a sentence, the next command, an exit code."""

from remit.kernel.errors import RemitError
from remit.surface.cli.exits import Exit


class CommandFailed(RemitError):
    """The command could not do what was asked."""

    code = "command_failed"


class Unreachable(CommandFailed):
    """The server can't be reached; never phrased as a refusal."""

    code = "server_unreachable"


class Refused(CommandFailed):
    """The server answered with a problem (RFC 9457)."""

    code = "refused"

    def __init__(self, detail: str, *, problem_code: str, status: int, next_step: str) -> None:
        super().__init__(detail, next_step=next_step)
        self.problem_code = problem_code
        self.status = status

    @property
    def exit_code(self) -> Exit:
        """Denied, if it is a matter of who asks; failed for anything else."""
        return Exit.DENIED if self.status in {401, 403} else Exit.FAILED


class Waiting(CommandFailed):
    """Done only once another person has confirmed it."""

    code = "waits_for_second_person"


class Misused(CommandFailed):
    """The arguments do not fit together."""

    code = "usage"


def exit_of(error: RemitError) -> Exit:
    """What the process ends with after this error."""
    if isinstance(error, Refused):
        return error.exit_code
    if isinstance(error, Waiting):
        return Exit.WAITING
    return Exit.USAGE if isinstance(error, Misused) else Exit.FAILED
