"""One decision on record as evidence of a need, and why some decisions are none."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from remit.authority.rights import Money
from remit.decision.answer.response import Effect, Stage
from remit.decision.budget.cost import Settlement
from remit.decision.codes.names import Code
from remit.decision.stages.provenance import RULE as PROVENANCE
from remit.decision.trail.trace import StoredDecision
from remit.kernel.canonical import JsonObject

_OF_PROVENANCE: Final = frozenset({Code.ARGUMENT_UNTRUSTED, Code.ARGUMENT_REFUSED, Code.EFFECT_UNASKED})
_REFUSED: Final = frozenset({Code.APPROVAL_DENIED, Code.APPROVAL_EXPIRED, Code.APPROVAL_CANCELLED})


class Standing(StrEnum):
    """What a decision says about a need; only `GOOD` counts without a person."""

    GOOD = "permitted and carried out"
    DENIED = "denied"
    ASKED = "asked about; what came of it is a decision of its own"
    REFUSED = "asked about and not approved"
    NEVER_RAN = "permitted, and never carried out"
    UNTRUSTED = "an argument came from a source that is not trusted"
    FORESEEN = "a rule that is only observed would have denied it"
    STOPPED = "its task, agent or user was stopped later"
    UNREADABLE = "its arguments can't be read any more"


SUSPECT: Final = (Standing.UNTRUSTED, Standing.FORESEEN, Standing.STOPPED)
"""It was done, and a person has to say whether it was needed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """One call of one agent; `arguments` is None where they were erased or the tool has changed since."""

    decision: str
    at: datetime
    agent: str
    agent_name: str
    user: str
    task: str
    action: str
    resource_type: str
    resource: str
    arguments: JsonObject | None
    money: Money | None
    standing: Standing
    approved: bool = False
    """Whether a person said yes to it."""

    @property
    def run(self) -> str:
        """The task; a call outside any task is a run by itself."""
        return self.task or self.decision


def standing_of(stored: StoredDecision, stopped: Callable[[str], bool]) -> Standing:  # noqa: PLR0911 — one per way out
    """What one decision is evidence of; `stopped` says whether an id was killed or revoked since."""
    found = stored.explanation
    verdict = found.verdict
    if verdict.effect is not Effect.PERMIT:
        if any(said.code in _REFUSED for said in verdict.reasons):
            return Standing.REFUSED
        return Standing.DENIED if verdict.effect is Effect.DENY else Standing.ASKED
    if stored.outcome is Settlement.UNUSED:
        return Standing.NEVER_RAN
    parties = (found.agent, found.instance, found.task, found.user, *found.chain)
    if any(stopped(ident) for ident in parties if ident):
        return Standing.STOPPED
    if any(seen.rule == PROVENANCE for seen in verdict.observed) or _traced(stored):
        return Standing.UNTRUSTED
    if any(seen.effect is Effect.DENY for seen in verdict.observed):
        return Standing.FORESEEN
    return Standing.GOOD


def _traced(stored: StoredDecision) -> bool:
    """Whether provenance spoke, also where a person then said yes."""
    return any(
        said.code in _OF_PROVENANCE
        for finding in stored.explanation.stages
        if finding.stage is Stage.HISTORY
        for said in finding.reasons
    )


def left_out(uses: Iterable[Use]) -> dict[Standing, int]:
    """How many decisions are no evidence, by why, most first."""
    found = Counter(use.standing for use in uses if use.standing is not Standing.GOOD)
    return dict(found.most_common())
