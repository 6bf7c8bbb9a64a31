"""The lattice of ceilings: laws over tens of thousands of random ones, and that nothing ever widens."""

import random
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from functools import reduce

import pytest

from remit.authority.attenuation import covers, meet, normal
from remit.authority.ceiling_json import ceiling_from_json, ceiling_to_json
from remit.authority.limits import Dimension, Limit, Per
from remit.authority.permission import Allowed, Attempt, permits
from remit.authority.rights import Any_, Caps, Ceiling, Constraint, Money, Right, Window
from remit.kernel.canonical import Json, JsonObject, canonical_json, parse_json
from support.clock import NOON

ROUNDS = 2500
ACTIONS = ("business/rooms.book", "business/rooms.read")
TYPES = ("Room", "Customer")
RESOURCES = ("1", "2", "3")
POINTERS = ("/amount", "/room", "/a~1b")
VALUES: tuple[Json, ...] = ("1", "2", "abc", 1, 2, 2.5, 7, True, None, [1], {"x": 1})


def ceilings(seed: int, rounds: int, count: int) -> Iterator[tuple[Ceiling, ...]]:
    """Small worlds, so that ceilings often overlap."""
    dice = random.Random(seed)  # noqa: S311 - a repeatable generator, no secret
    for _ in range(rounds):
        yield tuple(a_ceiling(dice) for _ in range(count))


def a_ceiling(dice: random.Random) -> Ceiling:
    start = NOON + timedelta(minutes=dice.randrange(4))
    return Ceiling(
        rights=frozenset(a_right(dice) for _ in range(dice.choice((0, 1, 2, 3, 3)))),
        window=Window(start=start, end=start + timedelta(minutes=dice.randrange(9))),
        caps=Caps(
            calls=dice.choice((None, 1, 5)),
            per_minute=dice.choice((None, 2)),
            money=tuple(
                Money(currency=name, minor=dice.choice((0, 100, 200)))
                for name in ("EUR", "USD")
                if dice.random() < 0.4
            ),
            limits=tuple(
                Limit(
                    of=Dimension.ROWS, per=per, most=dice.choice((3, 5)), ask_above=dice.choice((None, 1, 4))
                )
                for per in (Per.WHOLE, Per.DAY)
                if dice.random() < 0.3
            ),
        ),
        depth=dice.randrange(4),
        purpose=dice.choice(("any", "any", "booking", "booking", "refund", "")),
    )


def a_right(dice: random.Random) -> Right:
    resources: frozenset[str] | Any_ = (
        "any" if dice.random() < 0.3 else frozenset(dice.sample(RESOURCES, dice.randrange(3)))
    )
    constraints = tuple(a_constraint(dice) for _ in range(dice.choice((0, 0, 1, 2))))
    return Right(
        action=dice.choice(ACTIONS),
        resource_type=dice.choice(TYPES),
        resources=resources,
        constraints=constraints,
    )


def a_constraint(dice: random.Random) -> Constraint:
    numbers = (None, Decimal("0.5"), Decimal(1), Decimal("2.5"))
    return Constraint(
        pointer=dice.choice(POINTERS),
        one_of=frozenset(dice.sample(("1", "2", "abc", "2.5"), dice.randrange(4)))
        if dice.random() < 0.5
        else None,
        at_least=dice.choice(numbers),
        at_most=dice.choice(numbers),
    )


def an_attempt(dice: random.Random) -> Attempt:
    arguments: JsonObject = {
        name: dice.choice(VALUES) for name in ("amount", "room", "a/b") if dice.random() < 0.8
    }
    return Attempt(
        action=dice.choice(ACTIONS),
        resource_type=dice.choice(TYPES),
        resource=dice.choice(RESOURCES),
        arguments=arguments,
        at=NOON + timedelta(minutes=dice.randrange(2, 7)),
        purpose=dice.choice(("booking", "booking", "refund")),
    )


def allows(ceiling: Ceiling, attempt: Attempt) -> bool:
    return isinstance(permits(ceiling, attempt), Allowed)


@pytest.mark.req("N10")
@pytest.mark.promise("P6")
def test_meet_is_a_semilattice() -> None:
    for one, two, three in ceilings(1, ROUNDS, 3):
        both = meet(one, two)
        assert both == meet(two, one)
        assert meet(both, three) == meet(one, meet(two, three))
        assert meet(both, both) == both
        assert meet(normal(one), one) == normal(one)


@pytest.mark.promise("P6")
def test_covers_is_the_order_of_meet() -> None:
    for one, two in ceilings(2, 2 * ROUNDS, 2):
        assert covers(one, two) == (meet(one, two) == normal(two))


@pytest.mark.req("N10", "R8")
@pytest.mark.promise("P6")
def test_a_meet_never_widens_and_is_monotone() -> None:
    for one, two, three in ceilings(3, ROUNDS, 3):
        both = meet(one, two)
        assert covers(one, both)
        assert covers(two, both)
        if covers(one, two):
            assert covers(meet(one, three), meet(two, three))


@pytest.mark.req("N10", "R28")
@pytest.mark.promise("P6")
def test_a_meet_allows_exactly_what_every_factor_allows() -> None:
    dice = random.Random(4)  # noqa: S311 - a repeatable generator, no secret
    allowed = 0
    for factors in ceilings(5, 2 * ROUNDS, 2):
        left = reduce(meet, factors)
        for _ in range(5):
            attempt = an_attempt(dice)
            wanted = all(allows(factor, attempt) for factor in factors)
            assert allows(left, attempt) == wanted
            allowed += wanted
    assert allowed > 30  # the worlds are small enough that both answers occur


@pytest.mark.promise("P6")
def test_what_a_covered_ceiling_allows_the_outer_one_allows() -> None:
    dice = random.Random(6)  # noqa: S311 - a repeatable generator, no secret
    covered = 0
    for outer, loose in ceilings(7, ROUNDS, 2):
        inner = loose if covers(outer, loose) else meet(outer, loose)
        covered += 1
        for _ in range(5):
            attempt = an_attempt(dice)
            assert allows(outer, attempt) or not allows(inner, attempt)
    assert covered == ROUNDS


@pytest.mark.req("R28")
def test_an_emptied_factor_leaves_nothing() -> None:
    dice = random.Random(8)  # noqa: S311 - a repeatable generator, no secret
    for one, two in ceilings(9, 500, 2):
        empty = Ceiling(
            rights=frozenset(), window=two.window, caps=two.caps, depth=two.depth, purpose=two.purpose
        )
        assert not meet(one, empty).rights
        assert not allows(empty, an_attempt(dice))


def test_the_signed_form_reads_back_as_the_normal_form() -> None:
    for (one,) in ceilings(10, ROUNDS, 1):
        written = canonical_json(ceiling_to_json(one))
        read = ceiling_from_json(parse_json(written))
        assert read == normal(one)
        assert canonical_json(ceiling_to_json(read)) == written


def forgetful_meet(one: Ceiling, other: Ceiling) -> Ceiling:
    """The meet without its heart: constraints of the second are lost."""
    bare = frozenset(
        Right(action=right.action, resource_type=right.resource_type, resources=right.resources)
        for right in other.rights
    )
    return meet(
        one,
        Ceiling(rights=bare, window=other.window, caps=other.caps, depth=other.depth, purpose=other.purpose),
    )


@pytest.mark.twin("P6")
def test_the_laws_catch_a_meet_that_forgets_constraints() -> None:
    assert any(not covers(two, forgetful_meet(one, two)) for one, two in ceilings(11, 500, 2))
