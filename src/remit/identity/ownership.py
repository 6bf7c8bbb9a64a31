"""Who answers for a thing: a chain of owners that always ends at one living human (R100)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from remit.identity.errors import OwnerLoop, OwnerMissing, OwnerUnfit
from remit.identity.lifecycle import State
from remit.identity.principals import Kind, Principal
from remit.kernel.ids import PrincipalId

OWNING_KINDS: Final = frozenset({Kind.HUMAN, Kind.BUSINESS_UNIT, Kind.APPLICATION})
"""R100: an owner is one of these."""

DEEPEST: Final = 25
"""Owners between a thing and the human who answers; more of them answer for nothing (PD-10)."""

Find = Callable[[PrincipalId], Principal | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """From the owner that is written down to the human who answers; a human owns itself."""

    chain: tuple[PrincipalId, ...]
    human: Principal
    by_deputy: bool = False
    """Whether the human stands in for one who no longer lives in the directory."""


def accountable(principal: Principal, find: Find) -> Ownership:
    """Follow the owners to a living human, or to that human's living deputy.

    Raises `OwnerMissing`, `OwnerLoop` or `OwnerUnfit`. The chain is finite: no id is passed twice, and no
    more than 25 are.
    """
    chain: list[PrincipalId] = []
    present = principal
    while present.kind is not Kind.HUMAN:
        present = _owner_of(present, find)
        if present.id in chain or present.id == principal.id:
            raise OwnerLoop(f"the owners of `{principal.id}` come back to `{present.id}`")
        if len(chain) >= DEEPEST:
            raise OwnerLoop(f"the owners of `{principal.id}` do not end within {DEEPEST}")
        chain.append(present.id)
    return _living(tuple(chain), present, find)


def _owner_of(owned: Principal, find: Find) -> Principal:
    owner = find(owned.owner) if owned.owner is not None else None
    if owner is None:
        raise OwnerMissing(f"`{owned.id}` has no owner that exists")
    if owner.kind not in OWNING_KINDS:
        raise OwnerUnfit(f"`{owner.id}` is of kind `{owner.kind}`, which can't own anything")
    if owner.kind is not Kind.HUMAN and owner.state is not State.ACTIVE:
        raise OwnerMissing(f"`{owner.id}` owns `{owned.id}` and is `{owner.state}`")
    return owner


def _living(chain: tuple[PrincipalId, ...], human: Principal, find: Find) -> Ownership:
    if human.state is State.ACTIVE:
        return Ownership(chain=chain, human=human)
    deputy = find(human.deputy) if human.deputy is not None else None
    if deputy is None or deputy.kind is not Kind.HUMAN or deputy.state is not State.ACTIVE:
        raise OwnerMissing(f"`{human.id}` is `{human.state}` and has no active deputy")
    return Ownership(chain=(*chain, deputy.id), human=deputy, by_deputy=True)
