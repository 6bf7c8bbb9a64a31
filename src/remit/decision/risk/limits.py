"""From which score on a call is asked about or refused, by how much its action can do.

INVARIANT: neither a higher score nor a graver class is ever controlled less (R64); limits that would do so
are refused when they are set.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from typing import Final

from remit.decision.answer.assessment import WORST
from remit.decision.answer.response import Effect, Mode, StepUp
from remit.decision.call.request import ActionRequest
from remit.identity.sessions import ACR_PASSKEY_UV
from remit.kernel.errors import Invalid

_FORM: Final = re.compile(r"(step_up|ask|deny)=(\d{1,3})")


class LimitsInvalid(Invalid):
    """Limits that can't be read, or that would control more risk less."""

    code = "risk_limits_invalid"


class Class(StrEnum):
    """How much an action can do, least first."""

    READS = "reads"
    CHANGES = "changes"
    IRREVERSIBLE = "irreversible"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The lowest score of each control; None: never."""

    step_up: int | None = None
    ask: int | None = None
    deny: int | None = None

    def effect(self, score: int) -> Effect:
        """The strongest control whose limit is reached."""
        for limit, effect in (
            (self.deny, Effect.DENY),
            (self.ask, Effect.ASK),
            (self.step_up, Effect.STEP_UP),
        ):
            if limit is not None and score >= limit:
                return effect
        return Effect.PERMIT

    def limit_of(self, effect: Effect) -> int:
        """From which score on a control applies; 0 for a permit."""
        found = {Effect.DENY: self.deny, Effect.ASK: self.ask, Effect.STEP_UP: self.step_up}.get(effect)
        return found or 0


def read_limits(text: str) -> Limits:
    """Read `step_up=60 ask=80 deny=95`, any of them, in this order of strength; raises `LimitsInvalid`."""
    found: dict[str, int] = {}
    for word in text.split():
        each = _FORM.fullmatch(word)
        if each is None or each[1] in found or int(each[2]) > WORST:
            raise LimitsInvalid(
                f"`{text}` is no list of limits like `step_up=60 ask=80 deny=95`, up to {WORST}"
            )
        found[each[1]] = int(each[2])
    inorder = [found[name] for name in ("step_up", "ask", "deny") if name in found]
    if any(low > high for low, high in pairwise(inorder)):
        raise LimitsInvalid(f"`{text}` lets a stronger control begin below a weaker one")
    return Limits(**found)


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskRule:
    """What an installation does about risk."""

    mode: Mode = Mode.ENFORCE
    """`observe` and `warn` only note what would have been."""
    reads: Limits = field(default_factory=lambda: Limits(ask=95))
    changes: Limits = field(default_factory=lambda: Limits(ask=80))
    irreversible: Limits = field(default_factory=lambda: Limits(ask=80))
    approvers: str = "owner"
    step_up: StepUp = field(default_factory=lambda: StepUp(acr=ACR_PASSKEY_UV))

    def __post_init__(self) -> None:
        """Hold the invariant over classes: at no score a graver one is controlled less."""
        for score in range(WORST + 1):
            strengths = [self.of(each).effect(score).strength for each in Class]
            if strengths != sorted(strengths):
                raise LimitsInvalid(f"at risk {score}, a graver class of actions would be controlled less")

    def of(self, kind: Class) -> Limits:
        """The limits of a class."""
        match kind:
            case Class.READS:
                return self.reads
            case Class.CHANGES:
                return self.changes
            case Class.IRREVERSIBLE:
                return self.irreversible


def class_of(request: ActionRequest) -> Class:
    """By what the pinned tool does, never by its name; a call without a tool only reads."""
    tool = request.tool
    if not request.call.consequential and not (tool is not None and tool.consequential):
        return Class.READS
    return Class.CHANGES if tool is not None and tool.reversible else Class.IRREVERSIBLE
