"""What a call is refused for by rule, taken away where break glass is open for it (ADR 0056).

Only a refusal with a code that is named is taken away: whether everything lives, whether everybody's rights
reach so far, what the accounts hold, and what a person has refused stay.
"""

from collections.abc import Callable, Iterable
from typing import TypeAlias

from msgspec import structs

from remit.decision.answer.finding import Finding
from remit.decision.answer.response import Effect, Reason, Stage
from remit.decision.call.request import ActionRequest
from remit.decision.codes.catalogue import Code, reason
from remit.decision.facts.glass import LIFTABLE, Glass
from remit.decision.facts.snapshot import Snapshot
from remit.kernel.ids import BreakGlassId

Beneath: TypeAlias = Callable[[ActionRequest, Snapshot], Finding]
"""What policy would say if no rule forbade."""


def open_for(request: ActionRequest, snapshot: Snapshot, *, generation: int) -> tuple[Glass, ...]:
    """Those that count for a call, in the order of their ids."""
    if not snapshot.glasses:
        return ()
    found = (each for each in snapshot.glasses.values() if each.covers(request, generation=generation))
    return tuple(sorted(found, key=lambda each: each.id))


def spared(
    found: Finding,
    glasses: tuple[Glass, ...],
    request: ActionRequest,
    snapshot: Snapshot,
    beneath: Beneath,
) -> Finding:
    """The finding without the refusals that are lifted; what else speaks against the call stays.

    A rule that forbids hides what the others say: once it is lifted, they are asked (`beneath`).
    """
    if not glasses or found.effect is Effect.PERMIT:
        return found
    named = _named(glasses)
    lifted = tuple(said for said in found.reasons if said.effect is not Effect.PERMIT and said.code in named)
    if not lifted:
        return found
    if found.stage is Stage.POLICY and all(said.code == Code.FORBIDDEN for said in lifted):
        rest = spared(beneath(request, snapshot), glasses, request, snapshot, beneath)
        return _told(rest, lifted, named)
    return _told(_without(found, lifted), lifted, named)


def glasses_of(findings: Iterable[Finding]) -> tuple[BreakGlassId, ...]:
    """Those that made a difference."""
    used = (said.rule for found in findings for said in found.reasons if said.code == Code.GLASS_LIFTED)
    return tuple(dict.fromkeys(BreakGlassId(each) for each in used))


def _named(glasses: tuple[Glass, ...]) -> dict[str, Glass]:
    """Which one lifts what; codes that nothing lifts are not among them, whatever a row says."""
    return {code: glass for glass in reversed(glasses) for code in glass.lifts if code in LIFTABLE}


def _without(found: Finding, lifted: tuple[Reason, ...]) -> Finding:
    left = tuple(said for said in found.reasons if said not in lifted)
    effect = max((said.effect for said in left), key=lambda each: each.strength, default=Effect.PERMIT)
    stays = effect is not Effect.PERMIT
    return structs.replace(
        found,
        effect=effect,
        reasons=left,
        nearest_miss=found.nearest_miss if stays else (),
        approvers=found.approvers if effect is Effect.ASK else "",
        terms=found.terms if effect is Effect.ASK else None,
        step_up=found.step_up if effect is Effect.STEP_UP else None,
    )


def _told(rest: Finding, lifted: tuple[Reason, ...], named: dict[str, Glass]) -> Finding:
    said = [
        structs.replace(
            reason(Code.GLASS_LIFTED, rule=named[each.code].id, lifted=each.code, because=_rule(each)),
            stage=rest.stage,
        )
        for each in lifted
    ]
    return structs.replace(rest, reasons=(*rest.reasons, *dict.fromkeys(said)))


def _rule(said: Reason) -> str:
    return f" of rule `{said.rule}`" if said.rule else ""
