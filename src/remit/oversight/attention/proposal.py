"""Repeats become a proposed rule: bounded by what was approved, told with evidence, published by people."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from remit.kernel.canonical import Digest
from remit.kernel.ids import ApprovalId
from remit.oversight.approvals.approval import Approval, ApprovalState

ENOUGH: Final = 10
"""Answers below which nothing is a habit."""
_SHARE: Final = 0.9
_RESOURCES: Final = 20
"""The most resources that a rule without an amount names; more is no bound."""
_REVIEW: Final = timedelta(days=90)
WINDOW: Final = timedelta(days=30)
"""The answers that are looked at."""
EVIDENCE: Final = 100
"""The most of them, the last ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A rule that would have answered what people answered alike. It changes nothing by itself.

    `permit` is a policy of its own; `exception` goes to the end of the rule that asks now, before its `;`,
    for a rule that asks a person beats any plain permit.
    """

    alike: Digest
    rule: str
    agent_name: str
    action: str
    answered: int
    approved: int
    bounds: tuple[str, ...]
    permit: str
    exception: str
    review_by: date
    evidence: tuple[ApprovalId, ...]


def propose(key: Digest, answered: Sequence[Approval], *, at: datetime) -> Proposal | None:
    """Propose a rule for alike asks that were answered, or None.

    1 all can be undone   2 there are enough of them, and nearly all were a yes
    3 a bound exists within which every answer was a yes: an amount, else a few resources
    4 no name in it could end a text of the policy.
    """
    if any(not each.reversible or each.passkey for each in answered):
        return None
    yes = [each for each in answered if each.state is ApprovalState.APPROVED]
    no = [each for each in answered if each.state is ApprovalState.DENIED]
    if len(yes) < ENOUGH or len(yes) < _SHARE * (len(yes) + len(no)):
        return None
    bound = _amounts(yes, no) if yes[0].amount is not None else _resources(yes, no)
    first = yes[0]
    names = (first.agent_name, first.action, first.purpose, first.rule, *(each.resource for each in yes))
    if bound is None or not all(name.isprintable() for name in names):
        return None
    limit, said = bound
    purposes = {each.purpose for each in yes}
    condition = limit if len(purposes) > 1 else f"{limit} && context.purpose == {_quoted(first.purpose)}"
    who = f"principal == Remit::Agent::{_quoted(first.agent_name)}"
    what = f"action == Remit::Action::{_quoted(first.action)}"
    kind = f"resource is Remit::{first.resource.partition(':')[0]}"
    review = (at + _REVIEW).date()
    told = f"{len(yes)} of {len(yes) + len(no)} alike were approved; review by {review.isoformat()}"
    return Proposal(
        alike=key,
        rule=first.rule,
        agent_name=first.agent_name,
        action=first.action,
        answered=len(yes) + len(no),
        approved=len(yes),
        bounds=(said, *((f"purpose {first.purpose}",) if len(purposes) == 1 else ())),
        permit=f'@id("repeat.{key[:8]}")\n@source({_quoted(told)})\npermit ({who}, {what}, {kind})\n'
        f"when {{ {condition} }};",
        exception=f"unless {{ {who} && {what} && {kind} && {condition} }}",
        review_by=review,
        evidence=tuple(each.id for each in [*yes, *no]),
    )


def _amounts(yes: Sequence[Approval], no: Sequence[Approval]) -> tuple[str, str] | None:
    """The largest amount up to which every answer was a yes."""
    denied = min((each.amount or 0 for each in no), default=None)
    fine = [each.amount or 0 for each in yes if denied is None or (each.amount or 0) < denied]
    if len(fine) < ENOUGH:
        return None
    currency, most = yes[0].currency, max(fine)
    condition = (
        f"context has money && context.money.currency == {_quoted(currency)} && context.money.minor <= {most}"
    )
    return condition, f"amount at most {most} minor units of {currency}"


def _resources(yes: Sequence[Approval], no: Sequence[Approval]) -> tuple[str, str] | None:
    """The resources for which every answer was a yes, if they are few."""
    named = sorted({each.resource for each in yes} - {each.resource for each in no})
    if not named or len(named) > _RESOURCES:
        return None
    entities = ", ".join(
        f"Remit::{kind}::{_quoted(ident)}" for kind, _, ident in (each.partition(":") for each in named)
    )
    return f"resource in [{entities}]", f"{len(named)} resources: {', '.join(named)}"


def _quoted(text: str) -> str:
    """A text as Cedar writes it; names with what can't be seen were left out before."""
    return json.dumps(text, ensure_ascii=False)
