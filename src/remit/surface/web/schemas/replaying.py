"""A candidate policy on decisions that were made, as the API shows it."""

from typing import Annotated, Self

import msgspec

from remit.app.replaying import LIMIT, Replayed
from remit.decision.currency import amount_text
from remit.decision.replay import Change
from remit.surface.web.schemas.decision import PolicyText
from remit.surface.web.schemas.words import Instant


class ReplayBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The candidate, and from when on; the newest decisions first, as many as `limit`."""

    text: PolicyText
    since: Instant
    limit: Annotated[int, msgspec.Meta(ge=1, le=LIMIT)] = LIMIT


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
    """What the candidate changes; rules about the past are not asked again."""

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
        grouped: dict[tuple[str, str, str], list[Change]] = {}
        for each in found.changes:
            grouped.setdefault((each.before, each.after, each.agent), []).append(each)
        ordered = sorted(grouped.items(), key=lambda row: (row[0][:2], -len(row[1]), row[0][2]))
        return cls(
            total=found.total,
            same=found.same,
            changed=len(found.changes),
            lost=[LostView(why=why.value, count=count) for why, count in found.lost.most_common()],
            rows=[
                ReplayRow(
                    before=before, after=after, agent=agent, count=len(changes), largest=_largest(changes)
                )
                for (before, after, agent), changes in ordered
            ],
            more=replayed.more,
        )


def _largest(changes: list[Change]) -> ReplayExample:
    largest = max(changes, key=lambda each: each.money.minor if each.money else -1)
    money = largest.money
    return ReplayExample(
        decision=largest.decision,
        action=largest.action,
        resource=largest.resource,
        rule=largest.rule,
        money=f"{money.currency} {amount_text(money.minor, money.currency)}" if money else "",
    )
