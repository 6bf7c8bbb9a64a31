"""Why a policy text is not taken."""

from dataclasses import dataclass

from remit.kernel.errors import Conflict, Invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing wrong with a policy text. `policy` is the `@id`, or the place in the text as `policy 3`."""

    policy: str
    sentence: str
    line: int = 0
    """Of the text, from 1; 0 where the whole text is meant."""
    column: int = 0
    hint: str = ""
    """What was probably meant."""

    def told(self) -> str:
        """The sentence with its place and hint."""
        at = f" (line {self.line}, column {self.column})" if self.line else ""
        return f"{self.sentence}{at}{f'; {self.hint}' if self.hint else ''}"


class PolicyRefused(Invalid):
    """The text is malformed, breaks the schema, or uses an annotation wrongly; nothing of it is taken."""

    code = "policy_refused"

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        first = faults[0]
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        super().__init__(f"policy `{first.policy}`: {first.told()}{more}", next_step="remit policy check")
        self.faults = faults


class PolicyOutdated(Conflict):
    """A version that is not newer than the one in force: an old text never comes back by itself (PD-26)."""

    code = "policy_outdated"
