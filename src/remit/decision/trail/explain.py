"""What a person or a program can do about an answer, and the answer told in plain words."""

from collections.abc import Sequence
from typing import Final

from remit.decision.answer.response import Effect, NearestMiss, Reason, Remedy, RemedyAction
from remit.decision.codes.catalogue import TABLE, Code
from remit.decision.trail.trace import Explanation

_POLL_S: Final = 5
_SAME_CALL: Final = frozenset({RemedyAction.REQUEST_APPROVAL, RemedyAction.WAIT, RemedyAction.RETRY_AT})
_DEPENDS: Final = frozenset(
    {
        Code.FORBIDDEN,
        Code.HISTORY_FORBIDS,
        Code.CONDITION_FAILED,
        Code.RESOURCE_OUTSIDE,
        Code.ARGUMENT_OUTSIDE,
        Code.WINDOW_CLOSED,
        Code.CALLS_EXHAUSTED,
        Code.MONEY_EXHAUSTED,
    }
)
"""Codes whose remedy follows from what was nearest: other arguments, another time, or nothing."""
_FINAL: Final = frozenset({Code.FORBIDDEN, Code.HISTORY_FORBIDS})


def remedy_for(said: Reason, misses: Sequence[NearestMiss]) -> Remedy:
    """The one next step for the reason that decided."""
    code = Code(said.code)
    action = _nearest_action(code, misses) if code in _DEPENDS else TABLE[code].remedy
    return Remedy(
        action=action,
        retry="same_call" if action in _SAME_CALL else "",
        tell_user=TABLE[code].tell,
        poll_after_s=_POLL_S if said.effect is Effect.ASK else 0,
    )


def _nearest_action(code: Code, misses: Sequence[NearestMiss]) -> RemedyAction:
    if any(miss.never for miss in misses) or not misses:
        # What no other argument and no other time would change, only other rights or rules do.
        return RemedyAction.NONE if code in _FINAL else _beyond(code)
    if all(miss.at is not None for miss in misses):
        return RemedyAction.RETRY_AT
    return RemedyAction.NARROW_ARGUMENTS


def _beyond(code: Code) -> RemedyAction:
    budget = code in {Code.CALLS_EXHAUSTED, Code.MONEY_EXHAUSTED}
    return RemedyAction.CONTACT_OWNER if budget else RemedyAction.REQUEST_ACCESS


def tell(explanation: Explanation) -> str:
    """The answer in plain words: who, for whom, why, what decided (R140)."""
    verdict = explanation.verdict
    people = [f"`{name}`" for name in (explanation.user_name, *explanation.companion_names) if name]
    behalf = f", acting for {' and '.join(people)}" if people else ""
    purpose = f" for purpose `{explanation.purpose}`" if explanation.purpose else ""
    because = "; ".join(said.sentence for said in verdict.reasons) or "every stage agreed"
    return (
        f"`{explanation.agent_name}`{behalf} wanted `{explanation.action}` on "
        f"`{explanation.resource}`{purpose} at {explanation.at.isoformat()}: "
        f"{verdict.effect}, because {because} "
        f"(policy {verdict.policy_version}, revision {verdict.revision})"
    )
