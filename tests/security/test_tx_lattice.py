"""TX-01 at the rule itself: random rights, random wishes; the result never exceeds its parent."""

import json
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from remit.authority.attenuation import covers
from remit.authority.ceiling_json import ceiling_from_json, ceiling_to_json
from remit.authority.oauth.wire import rar
from remit.authority.oauth.wire.errors import InvalidAuthorizationDetails, InvalidScope
from remit.authority.oauth.wire.scopes import Scope, narrow
from remit.authority.rights import Caps, Ceiling, Constraint, Money, Right, Window
from support.effort import rounds

COUNT = rounds(2_500, long=100_000)
START = datetime(2026, 5, 15, tzinfo=UTC)


def dice(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 — a search that can be repeated, no secret


def some_ceiling(chance: random.Random) -> Ceiling:
    def right() -> Right:
        def values() -> frozenset[str]:
            return frozenset(chance.sample(["1", "2", "3", "4", "5"], chance.randint(1, 4)))

        constraints = {
            pointer: Constraint(
                pointer=pointer,
                one_of=frozenset(chance.sample(["1", "2", "3", "4", "5"], chance.randint(1, 4)))
                if chance.random() < 0.4
                else None,
                at_most=Decimal(chance.randint(1, 5)) if chance.random() < 0.4 else None,
            )
            for pointer in chance.sample(["/amount", "/room"], chance.randint(0, 2))
        }
        named = frozenset(chance.sample(["r1", "r2", "r3"], chance.randint(1, 3)))
        return Right(
            action=chance.choice(["s/read", "s/write", "t/read"]),
            resource_type=chance.choice(["Room", "Order"]),
            resources="any" if chance.random() < 0.3 else named,
            constraints=tuple(constraints.values()),
        )

    begin = chance.randint(0, 5)
    return Ceiling(
        rights=frozenset(right() for _ in range(chance.randint(1, 3))),
        window=Window(
            start=START + timedelta(hours=begin), end=START + timedelta(hours=begin + chance.randint(1, 8))
        ),
        caps=Caps(
            calls=chance.choice([None, 1, 5]),
            per_minute=chance.choice([None, 2]),
            money=(Money(currency="EUR", minor=chance.choice([100, 500])),) if chance.random() < 0.5 else (),
        ),
        depth=chance.randint(0, 4),
        purpose=chance.choice(["any", "booking", "refunds"]),
    )


def some_wish(chance: random.Random, parent: Ceiling) -> str:
    """A request near the parent: its own form, a few members replaced by another's, or left out."""
    body: dict[str, Any] = {"type": "remit_action", **ceiling_to_json(parent)}
    other = ceiling_to_json(some_ceiling(chance))
    for name in ("rights", "window", "caps", "depth", "purpose"):
        luck = chance.random()
        if luck < 0.2:
            body[name] = other[name]
        elif luck < 0.4:
            del body[name]
    return json.dumps([body])


@pytest.mark.attack("TX-01")
@pytest.mark.req("R28")
@pytest.mark.promise("P6")
def test_no_wish_gets_more_than_its_parent() -> None:
    chance = dice(8693)
    granted = 0
    for _ in range(COUNT):
        parent = ceiling_from_json(ceiling_to_json(some_ceiling(chance)))
        try:
            narrowed = rar.narrow(some_wish(chance, parent), parent)
        except InvalidAuthorizationDetails:
            continue
        granted += 1
        assert covers(parent, narrowed)
        if granted % 10 == 0:
            assert covers(parent, rar.ceiling_of(rar.details_of(narrowed)))
    assert granted > COUNT // 20, "the generator must also make lawful wishes"


@pytest.mark.twin("TX-01")
def test_the_search_finds_a_rule_that_forgets_to_compare() -> None:
    chance = dice(8693)
    widened = 0
    for _ in range(500):
        parent = some_ceiling(chance)
        try:
            asked = rar._asked(some_wish(chance, parent), parent)
        except InvalidAuthorizationDetails:
            continue
        widened += not covers(parent, asked)
    assert widened > 0


@pytest.mark.attack("TX-01")
def test_no_wish_for_scopes_gets_more_than_is_allowed() -> None:
    chance = dice(8707)
    every = sorted(Scope)
    for _ in range(COUNT):
        allowed = frozenset(chance.sample(every, chance.randint(0, len(every))))
        asked = frozenset(chance.sample(every, chance.randint(0, 3)))
        try:
            granted = narrow(asked, allowed)
        except InvalidScope:
            assert not allowed or not asked <= allowed
            continue
        assert granted
        assert granted <= allowed
        assert not asked or granted == asked


@pytest.mark.spec("RFC 9396", "5")
@pytest.mark.parametrize(
    "details",
    [
        "",
        "{}",
        "[]",
        "null",
        "[1]",
        "[{}]",
        '[{"type":"payment"}]',
        '[{"type":"remit_action"}]',
        '[{"type":"remit_action","rights":[],"x":1}]',
        '[{"type":"remit_action","rights":"any"}]',
        '[{"type":"remit_action","rights":[]}]',
        '[{"type":"remit_action","rights":[{"action":"s/read"}]}]',
        '[{"type":"remit_action","rights":[],"rights":[]}]',
        '[{"type":"remit_action","rights":[]},{"type":"remit_action","rights":[]}]',
        '[{"type":"remit_action","rights":[],"depth":1.5}]',
        '[{"type":"remit_action","rights":[],"depth":true}]',
        "[" * 200,
        "[" + '{"type":"remit_action"},' * 20 + '{"type":"remit_action"}]',
        '[{"type":"remit_action","rights":"' + "a" * 20_000 + '"}]',
    ],
)
def test_unknown_or_malformed_details_are_refused(details: str) -> None:
    parent = some_ceiling(dice(1))
    if not details:
        assert rar.narrow(details, parent) == rar.narrow("", parent)
        return
    with pytest.raises(InvalidAuthorizationDetails):
        rar.narrow(details, parent)


def test_absent_and_empty_differ() -> None:
    parent = some_ceiling(dice(1))
    assert rar.narrow("", parent).rights
    with pytest.raises(InvalidAuthorizationDetails):
        rar.narrow('[{"type":"remit_action","rights":[]}]', parent)
