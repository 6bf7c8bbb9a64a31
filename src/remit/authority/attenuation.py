"""The lattice of authority: `meet` narrows, `covers` compares; `permission.permits` applies the result.

INVARIANT: `meet` is the only way to build a ceiling out of others, so a child never exceeds its parent
(P6). It is idempotent, commutative and associative; `covers(outer, inner)` is `meet(outer, inner) ==
normal(inner)`, spelled out. Two spellings of one authority may still compare as different (a set of
values against an interval over the same values); then `covers` says no: the error is on the safe side.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce
from itertools import product

from remit.authority.arguments import amount_of
from remit.authority.limits import meet_limits
from remit.authority.rights import ANY_PURPOSE, Caps, Ceiling, Constraint, Money, Right, Window


def meet(one: Ceiling, other: Ceiling) -> Ceiling:
    """The most that both allow: what is in one of them alone is gone."""
    return Ceiling(
        rights=_meet_rights(one.rights, other.rights),
        window=Window(
            start=max(one.window.start, other.window.start), end=min(one.window.end, other.window.end)
        ),
        caps=_meet_caps(one.caps, other.caps),
        depth=min(one.depth, other.depth),
        purpose=_meet_purpose(one.purpose, other.purpose),
    )


def meet_all(first: Ceiling, *others: Ceiling) -> Ceiling:
    """The most that every one of them allows, in normal form."""
    return reduce(meet, others, normal(first))


def normal(ceiling: Ceiling) -> Ceiling:
    """The one spelling of a ceiling: no right inside another, one constraint per argument, sorted."""
    return meet(ceiling, ceiling)


def covers(outer: Ceiling, inner: Ceiling) -> bool:
    """Whether `outer` allows whatever `inner` does: actions, resources, arguments, time, caps, depth."""
    return (
        _covers_rights(outer.rights, inner.rights)
        and outer.window.start <= inner.window.start
        and inner.window.end <= outer.window.end
        and _meet_caps(outer.caps, inner.caps) == _meet_caps(inner.caps, inner.caps)
        and inner.depth <= outer.depth
        and _meet_purpose(outer.purpose, inner.purpose) == inner.purpose
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Atom:
    """A right on one resource, or on any one of its type: what rights are compared by."""

    action: str
    resource_type: str
    resource: str | None
    """None is every resource of the type."""
    constraints: tuple[Constraint, ...]


def _atoms(rights: Iterable[Right]) -> set[_Atom]:
    """Take rights apart; what can't be satisfied (no resource, contradicting bounds) is no atom."""
    found = set()
    for right in rights:
        constraints = _normal_constraints(right.constraints)
        if constraints is None:
            continue
        resources = (None,) if right.resources == "any" else right.resources
        for resource in resources:
            found.add(
                _Atom(
                    action=right.action,
                    resource_type=right.resource_type,
                    resource=resource,
                    constraints=constraints,
                )
            )
    return found


def _meet_rights(one: frozenset[Right], other: frozenset[Right]) -> frozenset[Right]:
    met = {atom for left, right in product(_atoms(one), _atoms(other)) if (atom := _meet_atoms(left, right))}
    return _gather(_maximal(met))


def _meet_atoms(one: _Atom, other: _Atom) -> _Atom | None:
    if (one.action, one.resource_type) != (other.action, other.resource_type):
        return None
    if one.resource is not None and other.resource is not None and one.resource != other.resource:
        return None
    constraints = _normal_constraints(one.constraints + other.constraints)
    if constraints is None:
        return None
    return _Atom(
        action=one.action,
        resource_type=one.resource_type,
        resource=other.resource if one.resource is None else one.resource,
        constraints=constraints,
    )


def _maximal(atoms: set[_Atom]) -> set[_Atom]:
    """Drop each atom that lies inside another: the antichain is the same for every spelling."""
    return {atom for atom in atoms if not any(_covers_atom(other, atom) for other in atoms if other != atom)}


def _gather(atoms: set[_Atom]) -> frozenset[Right]:
    groups: dict[tuple[str, str, tuple[Constraint, ...]], set[str | None]] = {}
    for atom in atoms:
        groups.setdefault((atom.action, atom.resource_type, atom.constraints), set()).add(atom.resource)
    return frozenset(
        Right(
            action=action,
            resource_type=resource_type,
            resources="any"
            if None in resources
            else frozenset(name for name in resources if name is not None),
            constraints=constraints,
        )
        for (action, resource_type, constraints), resources in groups.items()
    )


def _covers_rights(outer: frozenset[Right], inner: frozenset[Right]) -> bool:
    wide = _atoms(outer)
    return all(any(_covers_atom(candidate, atom) for candidate in wide) for atom in _atoms(inner))


def _covers_atom(outer: _Atom, inner: _Atom) -> bool:
    if (outer.action, outer.resource_type) != (inner.action, inner.resource_type):
        return False
    if outer.resource is not None and outer.resource != inner.resource:
        return False
    bounds = {bound.pointer: bound for bound in inner.constraints}
    return all(_tightens(bounds.get(bound.pointer), bound) for bound in outer.constraints)


def _tightens(inner: Constraint | None, outer: Constraint) -> bool:
    """Whether the inner bound allows no value that the outer one forbids; both in normal form."""
    return inner is not None and _meet_constraints(inner, outer) == inner


def _normal_constraints(constraints: Iterable[Constraint]) -> tuple[Constraint, ...] | None:
    """One constraint per argument, sorted by pointer; None if no value could satisfy them."""
    found: dict[str, Constraint] = {}
    for constraint in constraints:
        known = found.get(constraint.pointer, constraint)
        merged = _meet_constraints(known, constraint)
        if merged is None:
            return None
        found[constraint.pointer] = merged
    return tuple(found[pointer] for pointer in sorted(found))


def _meet_constraints(one: Constraint, other: Constraint) -> Constraint | None:
    """Both bounds on one argument, or None if they contradict each other.

    A bound is a finite set of texts, or an interval, or "present": sets swallow intervals, so that each
    set of lawful values has one spelling.
    """
    at_least = _largest(one.at_least, other.at_least)
    at_most = _smallest(one.at_most, other.at_most)
    if one.one_of is None and other.one_of is None:
        if at_least is not None and at_most is not None and at_least > at_most:
            return None
        return Constraint(pointer=one.pointer, at_least=at_least, at_most=at_most)
    named = [values for values in (one.one_of, other.one_of) if values is not None]
    inside = frozenset(value for value in frozenset.intersection(*named) if _within(value, at_least, at_most))
    return Constraint(pointer=one.pointer, one_of=inside) if inside else None


def _within(text: str, at_least: Decimal | None, at_most: Decimal | None) -> bool:
    if at_least is None and at_most is None:
        return True
    number = amount_of(text)
    if number is None:
        return False
    return (at_least is None or at_least <= number) and (at_most is None or number <= at_most)


def _largest(*bounds: Decimal | None) -> Decimal | None:
    return max((bound for bound in bounds if bound is not None), default=None)


def _smallest(*bounds: Decimal | None) -> Decimal | None:
    return min((bound for bound in bounds if bound is not None), default=None)


def _meet_caps(one: Caps, other: Caps) -> Caps:
    """The smaller of each limit; a limit that one of them leaves open is the other's."""
    minor: dict[str, int] = {}
    for money in one.money + other.money:
        minor[money.currency] = min(money.minor, minor.get(money.currency, money.minor))
    return Caps(
        calls=_fewest(one.calls, other.calls),
        per_minute=_fewest(one.per_minute, other.per_minute),
        money=tuple(Money(currency=currency, minor=minor[currency]) for currency in sorted(minor)),
        limits=meet_limits(*one.limits, *other.limits),
    )


def _fewest(*limits: int | None) -> int | None:
    return min((limit for limit in limits if limit is not None), default=None)


def _meet_purpose(one: str, other: str) -> str:
    """Equal purposes stay, `any` yields to the other, and two different ones leave none."""
    if one == ANY_PURPOSE:
        return other
    return one if other in {one, ANY_PURPOSE} else ""
