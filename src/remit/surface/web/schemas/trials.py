"""Policies tried out, as the API shows it."""

from typing import Annotated, Any, Self

import msgspec

from remit.decision.trials.reading import TEXT_LIMIT
from remit.decision.trials.running import Result
from remit.surface.web.schemas.decision import PolicyText

BookText = Annotated[str, msgspec.Meta(max_length=TEXT_LIMIT)]


class TrialBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Scenarios (YAML), and the policy set to judge them by; without one, the set in force."""

    scenarios: BookText
    text: PolicyText | None = None


class TrialResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one scenario or variation."""

    name: str
    line: int
    passed: bool
    wanted: str
    found: str
    rules: list[str]
    faults: list[str]

    @classmethod
    def of(cls, result: Result) -> Self:
        """From the domain."""
        return cls(
            name=result.name,
            line=result.line,
            passed=result.passed,
            wanted=result.wanted,
            found=result.found,
            rules=list(result.rules),
            faults=list(result.faults),
        )


class TrialsView(msgspec.Struct, frozen=True, kw_only=True):
    """Whether all is as the scenarios want it."""

    good: bool
    results: list[TrialResult]

    @classmethod
    def of(cls, results: tuple[Result, ...]) -> Self:
        """From the domain."""
        return cls(
            good=all(each.passed for each in results), results=[TrialResult.of(each) for each in results]
        )


class PolicySchema(msgspec.Struct, frozen=True, kw_only=True):
    """What policies can name in this installation, in Cedar's JSON schema format."""

    schema: dict[str, Any]
