"""One break glass: what it lifts, for what, why, who opened it with whom, and how it ended (PD-28)."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from remit.decision.facts.glass import LIFTABLE, Glass
from remit.kernel.canonical import Json
from remit.kernel.ids import ApprovalId, BreakGlassId, PrincipalId, TenantId
from remit.oversight.errors import BreakGlassRefused, BreakGlassTooLong, NotBreakGlassNow

CAP: Final = timedelta(hours=1)
"""The longest that one may be open (security 5)."""
REASON: Final = 10
"""Characters that a reason, and the sentence of a review, have at least: a word explains nothing."""


class GlassState(StrEnum):
    """Where it is in its life. It is in force only while `open`, and only until its time."""

    ASKED = "asked"
    OPEN = "open"
    REFUSED = "refused"
    """The second person said no, or nobody answered: it was never in force."""
    ENDED = "ended"
    """Over, and nobody has reviewed it yet."""
    REVIEWED = "reviewed"


class End(StrEnum):
    """Why one ended."""

    TIME = "time"
    HAND = "hand"
    KILL = "kill"


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakGlass:
    """What two persons opened, or one asks for. All of agent, task and action that it names must fit."""

    id: BreakGlassId
    tenant: TenantId
    state: GlassState
    agent: str
    agent_name: str
    task: str
    action: str
    lifts: tuple[str, ...]
    minutes: int
    reason: str
    by: PrincipalId
    asked_at: datetime
    approval: ApprovalId | None = None
    second: PrincipalId | None = None
    opened_at: datetime | None = None
    until: datetime | None = None
    generation: int = 0
    """That of the clock when it was opened."""
    ended_at: datetime | None = None
    ended_by: str = ""
    because: str = ""
    """`time`, `hand` or `kill`; for a refused one the outcome of the ask."""
    reviewed_by: PrincipalId | None = None
    reviewed_at: datetime | None = None
    review: str = ""

    @property
    def target(self) -> tuple[str, str, str]:
        """What it is for: two of one target are never open beside each other."""
        return self.agent, self.task, self.action

    def terms(self) -> dict[str, Json]:
        """What the second person agrees to, whole."""
        named = (("agent", self.agent_name or self.agent), ("task", self.task), ("action", self.action))
        return {
            "for": {name: value for name, value in named if value},
            "lifts": list(self.lifts),
            "minutes": self.minutes,
            "reason": self.reason,
        }

    def as_decided_on(self) -> Glass | None:
        """As decisions see it; None unless it is open."""
        if self.state is not GlassState.OPEN or self.opened_at is None or self.until is None:
            return None
        return Glass(
            id=self.id,
            lifts=frozenset(self.lifts),
            agent=self.agent,
            task=self.task,
            action=self.action,
            opened_at=self.opened_at,
            until=self.until,
            generation=self.generation,
        )


def check(glass: BreakGlass) -> BreakGlass:
    """Refuse one that is open-ended, for everything, for nothing that can be lifted, or without a reason."""
    longest = int(CAP.total_seconds() // 60)
    if not 1 <= glass.minutes <= longest:
        raise BreakGlassTooLong(
            f"{glass.minutes} minutes: break glass lasts 1 to {longest}", next_step="--minutes 30"
        )
    if not any(glass.target):
        raise BreakGlassRefused("it is for no agent, task or action", next_step="--for agent:NAME")
    strange = sorted(set(glass.lifts) - LIFTABLE)
    if strange or not glass.lifts:
        known = ", ".join(sorted(LIFTABLE))
        what = f"`{strange[0]}` can't be lifted" if strange else "it lifts nothing"
        raise BreakGlassRefused(f"{what}: break glass lifts rules, not rights", next_step=f"one of {known}")
    if len(glass.reason.strip()) < REASON:
        raise BreakGlassRefused(f"a reason has at least {REASON} characters", next_step="--reason '…'")
    return glass


def opened(glass: BreakGlass, *, by: PrincipalId, at: datetime, generation: int) -> BreakGlass:
    """Put it in force, from now for as long as was asked."""
    return replace(
        glass,
        state=GlassState.OPEN,
        second=by,
        opened_at=at,
        until=at + timedelta(minutes=glass.minutes),
        generation=generation,
    )


def ended(glass: BreakGlass, *, because: End, by: str, at: datetime) -> BreakGlass:
    """End it; raises `NotBreakGlassNow` for one that is not open."""
    if glass.state is not GlassState.OPEN:
        raise NotBreakGlassNow(f"`{glass.id}` is {glass.state}, not open", next_step=_show(glass))
    return replace(glass, state=GlassState.ENDED, ended_at=at, ended_by=by, because=because)


def reviewed(glass: BreakGlass, *, by: PrincipalId, sentence: str, at: datetime) -> BreakGlass:
    """Close its review with a sentence."""
    if glass.state is not GlassState.ENDED:
        raise NotBreakGlassNow(
            f"`{glass.id}` is {glass.state}, there is nothing to review", next_step=_show(glass)
        )
    if len(sentence.strip()) < REASON:
        raise BreakGlassRefused(f"a review has at least {REASON} characters", next_step=_show(glass))
    return replace(glass, state=GlassState.REVIEWED, reviewed_by=by, reviewed_at=at, review=sentence.strip())


def _show(glass: BreakGlass) -> str:
    return f"remit breakglass show {glass.id}"
