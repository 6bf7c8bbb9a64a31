"""Break glass as the API shows it."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Self

import msgspec

from remit.oversight.breakglass.glass import BreakGlass, GlassState
from remit.oversight.breakglass.repository import GlassUse
from remit.oversight.breakglass.service import Wanted
from remit.surface.web.paging import PageQuery
from remit.surface.web.schemas.words import Line

_Action = Annotated[str, msgspec.Meta(max_length=200, pattern=r"^[A-Za-z0-9._/-]*$")]


class BreakGlassBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody asks for: at least one of agent, task and action; all that are named must fit a call."""

    agent: Annotated[str, msgspec.Meta(max_length=128)] = ""
    task: Annotated[str, msgspec.Meta(max_length=128)] = ""
    action: _Action = ""
    lifts: Annotated[list[Annotated[str, msgspec.Meta(max_length=64)]], msgspec.Meta(max_length=32)]
    minutes: int
    reason: Line

    def wanted(self) -> Wanted:
        """As the domain takes it."""
        return Wanted(
            agent=self.agent,
            task=self.task,
            action=self.action,
            lifts=tuple(self.lifts),
            minutes=self.minutes,
            reason=self.reason,
        )


class ReviewBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What whoever looked at it has found."""

    sentence: Line


class BreakGlassQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which ones."""

    state: GlassState | None = None


class BreakGlassLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One in a list. `state` is `ended` from its time on, and `ended` means that its review is open."""

    id: str
    state: GlassState
    agent: str = ""
    agent_name: str = ""
    task: str = ""
    action: str = ""
    lifts: list[str]
    minutes: int
    reason: str
    by: str
    second: str = ""
    approval: str = ""
    asked_at: datetime
    opened_at: datetime | None = None
    until: datetime | None = None
    ended_at: datetime | None = None
    ended_by: str = ""
    because: str = ""
    reviewed_by: str = ""
    reviewed_at: datetime | None = None
    review: str = ""
    names: dict[str, str] = {}
    """What people call those who are named by id."""

    @classmethod
    def of(cls, glass: BreakGlass, at: datetime, name_of: Callable[[str], str]) -> Self:
        """From the domain, at this moment."""
        people = (glass.by, glass.second, glass.ended_by, glass.reviewed_by)
        return cls(
            id=glass.id,
            state=_state(glass, at),
            agent=glass.agent,
            agent_name=glass.agent_name,
            task=glass.task,
            action=glass.action,
            lifts=list(glass.lifts),
            minutes=glass.minutes,
            reason=glass.reason,
            by=glass.by,
            second=glass.second or "",
            approval=glass.approval or "",
            asked_at=glass.asked_at,
            opened_at=glass.opened_at,
            until=glass.until,
            ended_at=glass.ended_at,
            ended_by=glass.ended_by,
            because=glass.because,
            reviewed_by=glass.reviewed_by or "",
            reviewed_at=glass.reviewed_at,
            review=glass.review,
            names={each: name_of(each) for each in people if each and each.startswith("usr_")},
        )


class GlassUseView(msgspec.Struct, frozen=True, kw_only=True):
    """One decision that it made a difference to."""

    decision: str
    effect: str
    at: datetime

    @classmethod
    def of(cls, use: GlassUse) -> Self:
        """From the domain."""
        return cls(decision=use.decision, effect=use.effect, at=use.at)


class BreakGlassView(msgspec.Struct, frozen=True, kw_only=True):
    """One, how many decisions it made a difference to, and the first of them."""

    glass: BreakGlassLine
    used: int
    uses: list[GlassUseView]


def _state(glass: BreakGlass, at: datetime) -> GlassState:
    over = glass.state is GlassState.OPEN and glass.until is not None and at >= glass.until
    return GlassState.ENDED if over else glass.state
