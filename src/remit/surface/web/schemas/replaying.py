"""A candidate policy on decisions that were made, as the API shows it."""

from typing import Annotated, Self

import msgspec

from remit.app.replaying.service import LIMIT, USUAL, Replayed
from remit.decision.budget.currency import amount_text
from remit.decision.replaying.replay import Change
from remit.surface.web.schemas.decision import PolicyText
from remit.surface.web.schemas.words import Instant


class ReplayBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The candidate, and from when on; the newest decisions first, as many as `limit`."""

    text: PolicyText
    since: Instant
    limit: Annotated[int, msgspec.Meta(ge=1, le=LIMIT)] = USUAL


class ReplayExample(msgspec.Struct, frozen=True, kw_only=True):
    """One decision that would be another; `remit why` shows it."""

    decision: str
    action: str
    resource: str
    rule: str
    money: str


class ReplayRow(msgspec.Struct, frozen=True, kw_only=True):
    """What would be otherwise for one agent, with the largest of them."""

    before: str
    after: str
    agent: str
    count: int
    largest: ReplayExample


class LostView(msgspec.Struct, frozen=True, kw_only=True):
    """Decisions that could not be made again from what is on record."""

    why: str
    count: int


class ReplayView(msgspec.Struct, frozen=True, kw_only=True):
    """What the candidate changes, also by rules about the past, which begins with the replay."""

    total: int
    same: int
    changed: int
    lost: list[LostView]
    rows: list[ReplayRow]
    more: bool

    @classmethod
    def of(cls, replayed: Replayed) -> Self:
        """From the service."""
        found = replayed.found
        ordered = sorted(found.alterations.items(), key=lambda row: (row[0][:2], -row[1].count, row[0][2]))
        return cls(
            total=found.total,
            same=found.same,
            changed=found.changed,
            lost=[LostView(why=why.value, count=count) for why, count in found.lost.most_common()],
            rows=[
                ReplayRow(
                    before=before, after=after, agent=agent, count=each.count, largest=_shown(each.largest)
                )
                for (before, after, agent), each in ordered
            ],
            more=replayed.more,
        )


def _shown(largest: Change) -> ReplayExample:
    money = largest.money
    return ReplayExample(
        decision=largest.decision,
        action=largest.action,
        resource=largest.resource,
        rule=largest.rule,
        money=f"{money.currency} {amount_text(money.minor, money.currency)}" if money else "",
    )
