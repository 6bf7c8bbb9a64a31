"""Inboxes, cards, and how people answer, as the API shows them."""

from datetime import datetime
from typing import Annotated, Final, Self

import msgspec

from remit.decision.budget.currency import amount_text
from remit.kernel.canonical import Json, canonical_json
from remit.oversight.approvals.approval import Approval, ApprovalState
from remit.oversight.approvals.visible import show
from remit.oversight.attention.budget import DEFAULT, MOST, ApproverBudget
from remit.oversight.attention.fold import ITEMS, Bundle, leaves_of
from remit.oversight.attention.proposal import Proposal
from remit.oversight.attention.quality import Quality
from remit.oversight.attention.service import Outcome
from remit.surface.web.paging import DEFAULT_PAGE, MAX_PAGE, Cursor
from remit.surface.web.schemas.oversight import CardLine, ShownText
from remit.surface.web.schemas.words import Ident, Jws

_CARDS: Final = 50
"""Cards of one page at most: each may hold as many asks."""
Asks = Annotated[list[Ident], msgspec.Meta(min_length=1, max_length=ITEMS)]
Cards = Annotated[int, msgspec.Meta(ge=0, le=MOST)]


class InboxQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which page of the caller's own inbox."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=_CARDS, description="cards per page")] = 20
    cursor: Cursor = ""


class QualityQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose measures: those of one person, or page by page those of everybody who was asked."""

    person: Annotated[str, msgspec.Meta(max_length=128)] = ""
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_PAGE, description="people per page")] = DEFAULT_PAGE
    cursor: Cursor = ""


class InboxItem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One ask on a card: what differs from the others, and the digest that an answer names."""

    id: str
    state: ApprovalState
    digest: str
    resource: ShownText
    user_name: ShownText
    task: str = ""
    amount: str = ""
    expires_at: datetime
    arguments: list[CardLine]
    """Of a card with several: the arguments in which they differ. Of one by itself: all of them."""

    @classmethod
    def of(cls, ask: Approval, pointers: tuple[str, ...]) -> Self:
        """From the domain; only these arguments."""
        values = leaves_of(ask)
        return cls(
            id=ask.id,
            state=ask.state,
            digest=ask.digest,
            resource=ShownText.of(show(ask.resource)),
            user_name=ShownText.of(show(ask.user_name)),
            task=ask.task or "",
            amount=amount_of(ask),
            expires_at=ask.expires_at,
            arguments=[line(pointer, values[pointer]) for pointer in pointers],
        )


class InboxCard(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One card: an ask, or several alike ones that one answer may settle, each by itself."""

    digest: str
    """Over the digests of all its items: what an answer to the whole card signs."""
    rank: int
    """0 can't be undone, 1 stands out or moves money, 2 the rest."""
    apart: str = ""
    """Why this one is not on a card with its like."""
    agent: str
    agent_name: ShownText
    action: str
    effect: ShownText
    reversible: bool
    rule: str
    reason: ShownText
    approvers: str
    expires_at: datetime
    same: list[CardLine]
    """The arguments that all items have alike."""
    items: list[InboxItem]

    @classmethod
    def of(cls, card: Bundle) -> Self:
        """From the domain."""
        first = card.items[0]
        values = leaves_of(first)
        several = len(card.items) > 1
        own = card.varying if several else tuple(values)
        return cls(
            digest=card.digest,
            rank=card.rank,
            apart=card.apart,
            agent=first.agent,
            agent_name=ShownText.of(show(first.agent_name)),
            action=first.action,
            effect=ShownText.of(show(first.effect)),
            reversible=first.reversible,
            rule=first.rule,
            reason=ShownText.of(show(first.reason)),
            approvers=first.approvers,
            expires_at=card.expires_at,
            same=[line(pointer, values[pointer]) for pointer in values if pointer not in own],
            items=[InboxItem.of(each, own) for each in card.items],
        )


class InboxPage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One page of cards; `next` is absent on the last one."""

    items: list[InboxCard]
    next: str = ""


class ShownAsks(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the caller has before them now."""

    items: Asks


class CardAnswer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The asks of one card, and the person's signature over its digest.

    A `remit-approval+jwt` with `apr` = `fold`.
    """

    items: Asks
    signature: Jws


class SettledItem(msgspec.Struct, frozen=True, kw_only=True):
    """One ask as it stands now."""

    id: str
    state: ApprovalState


class CardOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What one answer did to each item."""

    answer: str
    settled: list[SettledItem]
    left_out: list[SettledItem]
    """What had ended meanwhile: the answer changed nothing about it."""

    @classmethod
    def of(cls, outcome: Outcome) -> Self:
        """From the domain."""
        return cls(
            answer=outcome.answer,
            settled=[SettledItem(id=each.id, state=each.state) for each in outcome.settled],
            left_out=[SettledItem(id=each.id, state=each.state) for each in outcome.left_out],
        )


class QualityView(msgspec.Struct, frozen=True, kw_only=True):
    """How one person has answered since a moment."""

    person: str
    name: str
    since: datetime
    asks: int
    cards: int
    cards_per_day: float
    answers: int
    approval_rate: float | None
    hasty: int
    """Yeses within two seconds of the card being shown."""
    unseen: int
    """Yeses to cards that were never shown by Remit."""
    think_seconds: float | None
    """Median time from card to answer."""
    alarms: list[str]

    @classmethod
    def of(cls, quality: Quality, name: str) -> Self:
        """From the domain."""
        return cls(
            person=quality.person,
            name=name,
            since=quality.since,
            asks=quality.asks,
            cards=quality.cards,
            cards_per_day=round(quality.cards_per_day, 2),
            answers=quality.answers,
            approval_rate=quality.approval_rate,
            hasty=quality.hasty,
            unseen=quality.unseen,
            think_seconds=quality.think_median,
            alarms=list(quality.alarms),
        )


class RepeatQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many proposals at most."""

    limit: Annotated[int, msgspec.Meta(ge=1, le=50)] = 20


class RepeatProposal(msgspec.Struct, frozen=True, kw_only=True):
    """A rule that would have answered what people answered alike; a person publishes it, or nobody does."""

    rule: str
    """The rule that asks now."""
    agent_name: str
    action: str
    answered: int
    approved: int
    bounds: list[str]
    permit: str
    exception: str
    """Goes to the end of the rule that asks now, before its `;`."""
    review_by: str
    evidence: list[str]

    @classmethod
    def of(cls, proposal: Proposal) -> Self:
        """From the domain."""
        return cls(
            rule=proposal.rule,
            agent_name=proposal.agent_name,
            action=proposal.action,
            answered=proposal.answered,
            approved=proposal.approved,
            bounds=list(proposal.bounds),
            permit=proposal.permit,
            exception=proposal.exception,
            review_by=proposal.review_by.isoformat(),
            evidence=list(proposal.evidence),
        )


class ApproverBudgetBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much of somebody's attention may be taken; what is left out is as in the built-in default."""

    per_hour: Cards = ApproverBudget().per_hour
    per_day: Cards = ApproverBudget().per_day
    per_agent_per_day: Cards = ApproverBudget().per_agent_per_day
    quiet_from: Annotated[str, msgspec.Meta(max_length=5)] = ""
    quiet_to: Annotated[str, msgspec.Meta(max_length=5)] = ""
    zone: Annotated[str, msgspec.Meta(max_length=64)] = "UTC"

    def budget(self, name: str) -> ApproverBudget:
        """As the domain takes it."""
        return ApproverBudget(
            name=name,
            per_hour=self.per_hour,
            per_day=self.per_day,
            per_agent_per_day=self.per_agent_per_day,
            quiet_from=self.quiet_from,
            quiet_to=self.quiet_to,
            zone=self.zone,
        )


class ApproverBudgetView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What holds for somebody; `own` says whether it was set for them."""

    person: str
    own: bool
    per_hour: int
    per_day: int
    per_agent_per_day: int
    quiet_from: str = ""
    quiet_to: str = ""
    zone: str

    @classmethod
    def of(cls, budget: ApproverBudget, person: str) -> Self:
        """From the domain."""
        return cls(
            person=person,
            own=budget.name == person and person != DEFAULT,
            per_hour=budget.per_hour,
            per_day=budget.per_day,
            per_agent_per_day=budget.per_agent_per_day,
            quiet_from=budget.quiet_from,
            quiet_to=budget.quiet_to,
            zone=budget.zone,
        )


def line(pointer: str, value: Json) -> CardLine:
    """One argument, whole."""
    text = value if isinstance(value, str) else canonical_json(value).decode()
    return CardLine(pointer=show(pointer).text, value=ShownText.of(show(text)))


def amount_of(ask: Approval) -> str:
    """The money that moves, as people write it; empty where none does."""
    return "" if ask.amount is None else f"{amount_text(ask.amount, ask.currency)} {ask.currency}"
