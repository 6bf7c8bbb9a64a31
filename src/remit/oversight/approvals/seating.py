"""Which seat of the chain is asked, and who sits there now."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from remit.decision.answer.terms import Silence
from remit.decision.policy.approvers import Seat
from remit.identity.principals import Kind, Principal
from remit.kernel.ids import PrincipalId
from remit.oversight.approvals.approval import Approval, Control
from remit.oversight.approvals.repository import ApprovalTransaction
from remit.oversight.approvals.routing import Presence, eligible, suffices

_PAGE: Final = 500
Admit: TypeAlias = Callable[[Approval, Sequence[Principal]], Sequence[Principal]]
"""Whom of those who may answer to ask now."""


def presence_at(tx: ApprovalTransaction, seats: Sequence[Seat], at: datetime) -> Presence:
    """Who is on call on the rosters of these seats, and who is away."""
    names = {name for seat in seats for kind, _, name in [seat.who.partition(":")] if kind == "oncall"}
    return Presence(
        on_call={name: tuple(tx.rosters.on_call(name, at)) for name in sorted(names)},
        away={each.person: each.deputy for each in tx.rosters.away(at)},
    )


def seated(
    tx: ApprovalTransaction,
    approval: Approval,
    *,
    owner: PrincipalId | None,
    first: int,
    at: datetime,
    admit: Admit = lambda _, people: people,
) -> Approval | None:
    """Put an ask to the first seat from `first` on that has people enough now; None if none has.

    `admit` says whom of them to ask now. Raises what it raises.
    """
    seats = approval.seats
    requester = tx.principals.get(PrincipalId(approval.user)) if approval.user else None
    people, presence = humans(tx), presence_at(tx, seats, at)
    for place, seat in enumerate(seats[first:], first):
        found = eligible(
            seat.who,
            people=people,
            requester=requester,
            owner=owner,
            reversible=approval.reversible,
            companions=companions(tx, approval),
            presence=presence,
            own_benefit=approval.own_benefit,
        )
        if not suffices(found, seat):
            continue
        put = replace(
            approval,
            seat=place,
            quorum=seat.need,
            control=Control.SELF_CONFIRMATION if seat.is_self else Control.FOUR_EYES,
            asked=tuple(person.id for person in found),
            said=(),
            choice=None,
        )
        now = admit(put, found)
        if suffices(now, seat):
            return replace(put, asked=tuple(person.id for person in now))
    return None


def timed(approval: Approval, *, at: datetime, lifetime: timedelta, patience: timedelta) -> Approval:
    """Set the clocks of a new ask: when it ends, and when silence moves it on before that."""
    left = len(approval.seats) - approval.seat
    match approval.silence:
        case Silence.WAIT:
            return replace(approval, requested_at=at, expires_at=at + patience)
        case Silence.ESCALATE if left > 1:
            return replace(approval, requested_at=at, expires_at=at + left * lifetime, due_at=at + lifetime)
        case _:
            return replace(approval, requested_at=at, expires_at=at + lifetime)


def moved_on(
    tx: ApprovalTransaction, approval: Approval, *, at: datetime, lifetime: timedelta
) -> Approval | None:
    """Nobody of this seat has answered: put it to the next, with its own clock; None where there is none.

    The end of the ask stays where it was, so that what is signed stays the same.
    """
    if approval.silence is not Silence.ESCALATE or at >= approval.expires_at:
        return None
    agent = tx.principals.get(approval.agent)
    owner = agent.owner if agent is not None else None
    found = seated(tx, approval, owner=owner, first=approval.seat + 1, at=at)
    if found is None:
        return None
    more = found.seat + 1 < len(found.seats)
    return replace(
        found,
        asked_before=tuple(dict.fromkeys((*approval.asked_before, *approval.asked))),
        due_at=min(at + lifetime, found.expires_at) if more else None,
    )


def humans(tx: ApprovalTransaction) -> list[Principal]:
    """Everybody, page by page; who may answer is a handful among them."""
    found: list[Principal] = []
    while page := tx.principals.page(kind=Kind.HUMAN, after=found[-1].id if found else "", limit=_PAGE):
        found += page
    return found


def companions(tx: ApprovalTransaction, approval: Approval) -> list[Principal]:
    """Who else it is done for."""
    found = (tx.principals.get(PrincipalId(each)) for each in approval.companions)
    return [each for each in found if each is not None]
