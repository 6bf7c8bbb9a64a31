"""Needs as a ceiling: the present one met with what was learned, so it can only shrink."""

from collections.abc import Sequence
from typing import Final

from remit.assurance.posture.bounds import Among, Between, UpTo
from remit.assurance.posture.extent import Reach
from remit.assurance.posture.learning import Learned, Need
from remit.authority.attenuation import meet
from remit.authority.ceiling_json import CONSTRAINTS_LIMIT, RESOURCES_LIMIT
from remit.authority.rights import Ceiling, Constraint, Right

_NAMES: Final = RESOURCES_LIMIT


def narrowed(present: Ceiling, learned: Learned) -> Ceiling:
    """The ceiling that use supports; what is used seldom but regularly stays as it is."""
    wanted = frozenset(map(_right, learned.needs)) | frozenset(learned.periodic)
    return meet(
        present,
        Ceiling(
            rights=wanted,
            window=present.window,
            caps=present.caps,
            depth=present.depth,
            purpose=present.purpose,
        ),
    )


def _right(need: Need) -> Right:
    few = need.extent.reach is Reach.FEW and len(need.extent.names) <= _NAMES
    return Right(
        action=need.action,
        resource_type=need.resource_type,
        resources=need.extent.names if few else "any",
        constraints=tuple(_constraints(need))[:CONSTRAINTS_LIMIT],
    )


def _constraints(need: Need) -> Sequence[Constraint]:
    """The bounds that a ceiling has words for: it refuses an absent argument, so none that may be absent."""
    found: list[Constraint] = []
    for bound in need.bounds:
        match bound:
            case Between(absent=False):
                found.append(Constraint(pointer=bound.pointer, at_least=bound.low, at_most=bound.high))
            case UpTo(amount=amount, pointer=pointer) if amount is not None:
                found.append(Constraint(pointer=pointer, at_most=amount))
            case Among(absent=False, extent=extent) if extent.reach is Reach.FEW:
                found.append(Constraint(pointer=bound.pointer, one_of=extent.names))
            case _:
                pass
    return found
