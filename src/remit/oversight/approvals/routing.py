"""Who may answer: resolved people, there now, and never the one who would gain (N16, N18, N20)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from remit.decision.policy.approvers import GRAMMAR, Seat, read_chain
from remit.identity.lifecycle import State
from remit.identity.principals import Kind, Principal
from remit.kernel.ids import PrincipalId
from remit.oversight.errors import UnknownApprovers

TEAMS: Final = "teams"


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """Who is on call on which roster, and who is away with which deputy, at the moment of the ask."""

    on_call: Mapping[str, Iterable[PrincipalId]] = field(default_factory=dict)
    away: Mapping[PrincipalId, PrincipalId | None] = field(default_factory=dict)


EVERYBODY_THERE: Final = Presence()


def eligible(
    rule: str,
    *,
    people: Iterable[Principal],
    requester: Principal | None,
    owner: PrincipalId | None,
    reversible: bool,
    companions: Iterable[Principal] = (),
    presence: Presence = EVERYBODY_THERE,
    own_benefit: bool = False,
) -> tuple[Principal, ...]:
    """Resolve one seat of the chain, in the words of `@approval`, to who may answer.

    The requester never answers for an irreversible action or for their own benefit, nor does another account
    of the same natural person; `self` means the requester, and nobody where they may not confirm it
    themselves. Nor do `companions`, for whom it is done too. A deputy stands in for whoever is away or not
    active; deputies do not chain. The result may be empty: the caller then goes on to the next seat, or
    refuses at once.
    """
    everyone = {person.id: person for person in people if person.kind is Kind.HUMAN}
    seat = _seat(rule)
    named = _named(seat, everyone, requester, owner, presence)
    there = [_present(person, everyone, presence) for person in named]
    barred = {natural_person(each) for each in companions}
    if requester is not None and not (seat.is_self and reversible and not own_benefit):
        barred.add(natural_person(requester))
    return tuple(
        sorted(
            {p.id: p for p in there if p is not None and natural_person(p) not in barred}.values(),
            key=lambda person: person.id,
        )
    )


def suffices(people: Iterable[Principal], seat: Seat) -> bool:
    """Whether they are as many different people as the seat needs; two accounts of one are one."""
    return len({natural_person(each) for each in people}) >= seat.need


def _seat(rule: str) -> Seat:
    chain = read_chain(rule)
    if chain is None or len(chain) != 1:
        raise UnknownApprovers(
            f"`{rule}` names no approvers; use {GRAMMAR}",
            next_step="remit policy show",
        )
    return chain[0]


def _named(
    seat: Seat,
    everyone: dict[PrincipalId, Principal],
    requester: Principal | None,
    owner: PrincipalId | None,
    presence: Presence,
) -> list[Principal]:
    if seat.is_self:
        return [requester] if requester is not None else []
    if seat.who == "owner":
        return [everyone[owner]] if owner in everyone else []
    kind, _, name = seat.who.partition(":")
    match kind:
        case "team":
            return [person for person in everyone.values() if name in _listed(person, TEAMS)]
        case "role":
            return [person for person in everyone.values() if name in _listed(person, "roles")]
        case "oncall":
            return [everyone[each] for each in presence.on_call.get(name, ()) if each in everyone]
        case _:
            return [person for person in everyone.values() if name in {person.id, person.email}]


def _listed(person: Principal, attribute: str) -> list[str]:
    """What an administrator gave somebody under an attribute, separated by spaces."""
    return dict(person.attributes).get(attribute, "").split()


def _present(
    person: Principal, everyone: dict[PrincipalId, Principal], presence: Presence
) -> Principal | None:
    """The person, or a deputy where the person is away; deputies do not chain."""
    if person.state is State.ACTIVE and person.id not in presence.away:
        return person
    named = presence.away.get(person.id) or person.deputy
    deputy = everyone.get(named) if named else None
    there = deputy is not None and deputy.state is State.ACTIVE and deputy.id not in presence.away
    return deputy if there else None


def natural_person(account: Principal) -> PrincipalId:
    """The natural person behind an account."""
    return account.person or account.id
