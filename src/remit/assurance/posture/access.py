"""Rights against their use: which were used, when last, and which nobody would miss (R47)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from remit.assurance.posture.evidence import Evidence, evidence_of
from remit.assurance.posture.rhythm import Rhythm, rhythm_of
from remit.assurance.posture.use import SUSPECT, Standing, Use
from remit.authority.rights import Ceiling, Right


class Verdict(StrEnum):
    """What use says about a right."""

    USED = "used"
    PERIODIC = "periodic"
    """Not in the window, but regularly before, and the next time is not overdue."""
    UNUSED = "unused"
    NEVER = "never used"


@dataclass(frozen=True, slots=True, kw_only=True)
class RightUse:
    """One right with its use. `evidence` cites calls of all the time that was looked at."""

    right: Right
    verdict: Verdict
    uses: int
    """In the window."""
    evidence: Evidence | None
    rhythm: Rhythm | None
    unused_resources: tuple[str, ...]
    """Resources that the right names and no call touched in the window; empty where it names none."""


def access(ceiling: Ceiling, uses: Sequence[Use], *, at: datetime, window: timedelta) -> tuple[RightUse, ...]:
    """Hold each right of a ceiling against the calls that were carried out, newest window first."""
    done = [use for use in uses if use.standing is Standing.GOOD or use.standing in SUSPECT]
    rights = sorted(ceiling.rights, key=lambda right: (right.action, right.resource_type))
    return tuple(_of_right(right, _by(right, done), at, window) for right in rights)


def _by(right: Right, done: Iterable[Use]) -> list[Use]:
    """The calls that need this right: its arguments are left aside, for old ones may be erased."""
    return [
        use
        for use in done
        if use.action == right.action
        and use.resource_type == right.resource_type
        and (right.resources == "any" or use.resource in right.resources)
    ]


def _of_right(right: Right, uses: Sequence[Use], at: datetime, window: timedelta) -> RightUse:
    recent = [use for use in uses if use.at >= at - window]
    rhythm = rhythm_of((use.at.date() for use in uses), at.date())
    if recent:
        verdict = Verdict.USED
    elif not uses:
        verdict = Verdict.NEVER
    else:
        verdict = Verdict.PERIODIC if rhythm is not None else Verdict.UNUSED
    touched = {use.resource for use in recent}
    named = () if right.resources == "any" else tuple(sorted(right.resources - touched))
    return RightUse(
        right=right,
        verdict=verdict,
        uses=len(recent),
        evidence=evidence_of(uses) if uses else None,
        rhythm=rhythm,
        unused_resources=named if recent else (),
    )


def periodic(found: Iterable[RightUse]) -> tuple[Right, ...]:
    """The rights that stay although the window has no use of them."""
    return tuple(each.right for each in found if each.verdict is Verdict.PERIODIC)
