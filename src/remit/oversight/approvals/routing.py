"""Who may answer: resolved people, alive, and never the one who would gain (N16, N18, N20)."""

from collections.abc import Iterable
from typing import Final

from remit.identity.lifecycle import State
from remit.identity.principals import Kind, Principal
from remit.kernel.ids import PrincipalId
from remit.oversight.errors import UnknownApprovers

TEAMS: Final = "teams"


def eligible(
    rule: str,
    *,
    people: Iterable[Principal],
    requester: Principal | None,
    owner: PrincipalId | None,
    reversible: bool,
    companions: Iterable[Principal] = (),
) -> tuple[Principal, ...]:
    """Resolve `team:<name>`, `role:<name>`, `user:<id or e-mail>`, `owner` or `self` to who may answer.

    The requester never answers for an irreversible action, nor does another account of the same natural
    person; `self` means the requester and is empty unless the action is reversible. Nor do `companions`, for
    whom it is done too. A deputy stands in for an asked person who is not active. The result may be empty:
    the caller then refuses at once.
    """
    everyone = {person.id: person for person in people if person.kind is Kind.HUMAN}
    named = _named(rule, everyone, requester, owner)
    present = [_present(person, everyone) for person in named]
    barred = {natural_person(each) for each in companions}
    if requester is not None and not (reversible and rule == "self"):
        barred.add(natural_person(requester))
    return tuple(
        sorted(
            {p.id: p for p in present if p is not None and natural_person(p) not in barred}.values(),
            key=lambda person: person.id,
        )
    )


def _named(
    rule: str,
    everyone: dict[PrincipalId, Principal],
    requester: Principal | None,
    owner: PrincipalId | None,
) -> list[Principal]:
    if rule == "self":
        return [requester] if requester is not None else []
    if rule == "owner":
        return [everyone[owner]] if owner in everyone else []
    kind, _, name = rule.partition(":")
    if kind == "team" and name:
        return [person for person in everyone.values() if name in _teams(person)]
    if kind == "role" and name:
        return [person for person in everyone.values() if name in _roles(person)]
    if kind == "user" and name:
        return [person for person in everyone.values() if name in {person.id, person.email}]
    raise UnknownApprovers(
        f"`{rule}` names no approvers; use `team:<name>`, `role:<name>`, `user:<id>`, `owner` or `self`",
        next_step="remit policy show",
    )


def _teams(person: Principal) -> list[str]:
    """The teams that an administrator put somebody into: the attribute `teams`, separated by spaces."""
    return dict(person.attributes).get(TEAMS, "").split()


def _roles(person: Principal) -> list[str]:
    """The roles that an administrator gave somebody: the attribute `roles`, separated by spaces."""
    return dict(person.attributes).get("roles", "").split()


def _present(person: Principal, everyone: dict[PrincipalId, Principal]) -> Principal | None:
    """The person, or a deputy where the person is away; deputies do not chain."""
    if person.state is State.ACTIVE:
        return person
    deputy = everyone.get(person.deputy) if person.deputy else None
    return deputy if deputy is not None and deputy.state is State.ACTIVE else None


def natural_person(account: Principal) -> PrincipalId:
    """The natural person behind an account."""
    return account.person or account.id
