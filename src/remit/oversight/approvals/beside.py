"""What stands beside a card: what was asked like it, whom it reaches, what its agent had read (R70, N21).

Facts of ours, each from what is on record. Names among them come from outside: they are shown as text that
nobody vouches for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from remit.decision.answer.assessment import Assessment
from remit.decision.budget.currency import amount_text
from remit.decision.sources.source import Source
from remit.decision.trail.trace import StoredDecision
from remit.oversight.approvals.approval import Approval, ApprovalState
from remit.oversight.approvals.visible import Shown, show

SPAN: Final = timedelta(days=30)
"""How far back a card compares."""
COMPARED: Final = 200
"""How many answers of one agent a card compares with, the newest first."""
NAMED: Final = 10
"""How many of the things that an agent had read stand on the card itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Earlier asks of the same agent for the same action, by how they ended."""

    approved: int
    denied: int
    unanswered: int
    same_resource: int
    """How many of them were about this very resource."""
    largest: str = ""
    """`EUR 390.00`: the most that was approved; empty where no money of this currency moved."""
    whole: bool = True
    """Whether all answers within `SPAN` were looked at."""

    @property
    def times(self) -> int:
        """How many there were."""
        return self.approved + self.denied + self.unanswered


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """Something that its agent had read when it asked, and the labels that came with it."""

    name: Shown
    action: Shown
    labels: tuple[Shown, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """All of it. `more` says that the agent had read more than what is named."""

    compared: Compared
    money: str = ""
    outside: tuple[Shown, ...] = ()
    """Whom the arguments reach outside the house, where a rule looked at that."""
    labels: tuple[Shown, ...] = ()
    risk: Assessment | None = None
    read: tuple[Heard, ...] = ()
    more: bool = False


def compare(approval: Approval, earlier: Sequence[Approval]) -> Compared:
    """Count how asks like this one ended; `earlier` are answers of its agent, newest first."""
    since = approval.requested_at - SPAN
    alike = [
        each
        for each in earlier
        if each.action == approval.action
        and each.id != approval.id
        and since < each.requested_at < approval.requested_at
    ]
    approved = [each for each in alike if each.state is ApprovalState.APPROVED]
    denied = sum(each.state is ApprovalState.DENIED for each in alike)
    return Compared(
        approved=len(approved),
        denied=denied,
        unanswered=len(alike) - len(approved) - denied,
        same_resource=sum(each.resource == approval.resource for each in alike),
        largest=_largest(approved, approval.currency),
        whole=len(earlier) < COMPARED or earlier[-1].requested_at <= since,
    )


def beside(
    approval: Approval,
    *,
    earlier: Sequence[Approval],
    decision: StoredDecision | None,
    sources: Sequence[Source],
) -> Beside:
    """Lay out what is known; `sources` are what the agent had read before it asked, the first ones."""
    why = decision.explanation if decision is not None else None
    return Beside(
        compared=compare(approval, earlier),
        money=_money(approval),
        outside=tuple(map(show, why.outward)) if why else (),
        labels=tuple(map(show, why.labels)) if why else (),
        risk=why.risk if why else None,
        read=tuple(_heard(each) for each in sources[:NAMED]),
        more=len(sources) > NAMED,
    )


def _largest(approved: Sequence[Approval], currency: str) -> str:
    amounts = [each.amount for each in approved if each.amount is not None and each.currency == currency]
    return f"{currency} {amount_text(max(amounts), currency)}" if amounts else ""


def _money(approval: Approval) -> str:
    if approval.amount is None:
        return ""
    return f"{approval.currency} {amount_text(approval.amount, approval.currency)}"


def _heard(source: Source) -> Heard:
    return Heard(
        name=show(source.name), action=show(source.action), labels=tuple(show(each) for each in source.labels)
    )
