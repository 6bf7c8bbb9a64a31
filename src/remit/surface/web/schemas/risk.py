"""Risk as the API shows it."""

from datetime import datetime
from typing import Annotated, Self

import msgspec

from remit.decision.answer.assessment import Assessment, Part
from remit.decision.facts.signals import Signal
from remit.decision.risk_service import Assessed, Standing
from remit.surface.web.schemas.words import Ident, Instant, Line

SignalKind = Annotated[str, msgspec.Meta(max_length=64, pattern=r"^[a-z][a-z0-9_.-]{0,63}$")]
Level = Annotated[float, msgspec.Meta(ge=0, le=100)]


class NewSignal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a source says of somebody's risk: 0 none, 100 the worst."""

    subject: Ident
    """An agent by name or id; anybody else by id."""
    kind: SignalKind
    level: Level
    source: Line = "operator"
    until: Instant | None = None
    lapses: bool = False
    """Whether it is over at its end; else it counts as 100 from then on, until it is renewed or cleared."""


class ClearedSignal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A signal to take away."""

    subject: Ident
    kind: SignalKind


class SignalView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A signal in force."""

    subject: str
    kind: str
    level: float | None
    source: str
    at: datetime
    until: datetime | None = None
    lapses: bool = False

    @classmethod
    def of(cls, signal: Signal) -> Self:
        """From the domain."""
        return cls(
            subject=signal.subject,
            kind=signal.kind,
            level=signal.level,
            source=signal.source,
            at=signal.at,
            until=signal.expires_at,
            lapses=signal.lapses,
        )


class ContributionView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Points for one reason, and how many more or fewer than the time before."""

    part: str
    points: int
    change: int = 0
    because: str = ""


class RiskView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The risk of one call: contributions sum to the score."""

    score: int
    contributions: list[ContributionView] = []

    @classmethod
    def of(cls, found: Assessment, before: Assessment | None = None) -> Self:
        """From the domain; with the change against an earlier one."""
        return cls(
            score=found.score,
            contributions=[
                ContributionView(
                    part=part,
                    points=found.points(part),
                    change=0 if before is None else found.points(part) - before.points(part),
                    because=next((each.because for each in found.contributions if each.part is part), ""),
                )
                for part in Part
                if found.points(part) or (before is not None and before.points(part))
            ],
        )


class AssessedView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The risk of a decision on record."""

    decision: str
    at: datetime
    risk: RiskView

    @classmethod
    def of(cls, found: Assessed, before: Assessed | None = None) -> Self:
        """From the domain."""
        earlier = None if before is None else before.risk
        return cls(decision=found.decision, at=found.at, risk=RiskView.of(found.risk, earlier))


class StandingView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The risk of an agent: of its last decision, of the one before, and its signals."""

    agent: str
    name: str
    last: AssessedView | None = None
    before: AssessedView | None = None
    signals: list[SignalView] = []

    @classmethod
    def of(cls, agent: str, name: str, found: Standing) -> Self:
        """From the domain."""
        return cls(
            agent=agent,
            name=name,
            last=None if found.last is None else AssessedView.of(found.last, found.before),
            before=None if found.before is None else AssessedView.of(found.before),
            signals=[SignalView.of(each) for each in found.signals],
        )
