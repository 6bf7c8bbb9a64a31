"""One ceiling against one attempt: each violation has its own part, and the nearest right is named."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from remit.authority.permission import Allowed, Attempt, Part, Violated, permits
from remit.authority.rights import Ceiling, Constraint, MalformedCeiling, Right
from remit.kernel.canonical import Json, JsonObject, parse_object
from support.builders import BOOK, HOUR, READ, at_most, ceiling, one_of, right
from support.clock import NOON

HELD = ceiling(
    right(BOOK, {"401", "402"}, at_most("/amount", "100"), one_of("/currency", "EUR")),
    right(READ),
    purpose="booking",
)


def attempt(
    arguments: JsonObject | None = None,
    *,
    action: str = BOOK,
    resource: str = "401",
    purpose: str = "booking",
) -> Attempt:
    return Attempt(
        action=action,
        resource_type="Room",
        resource=resource,
        arguments={"amount": 99, "currency": "EUR"} if arguments is None else arguments,
        at=NOON,
        purpose=purpose,
    )


def parts(wanted: Attempt, held: Ceiling = HELD) -> list[Part]:
    found = permits(held, wanted)
    return [miss.part for miss in found.misses] if isinstance(found, Violated) else []


@pytest.mark.req("R28", "R45")
def test_what_fits_is_allowed_and_says_by_which_right() -> None:
    found = permits(HELD, attempt())
    assert isinstance(found, Allowed)
    assert found.right.action == BOOK


@pytest.mark.req("R28")
@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (attempt(action="business/rooms.cancel"), [Part.ACTION]),
        (replace(attempt(), resource_type="Customer"), [Part.RESOURCE_TYPE]),
        (attempt(resource="403"), [Part.RESOURCE]),
        (attempt({"amount": 101, "currency": "EUR"}), [Part.ARGUMENT]),
        (attempt({"amount": 99, "currency": "USD"}), [Part.ARGUMENT]),
        (attempt({"currency": "EUR"}), [Part.ARGUMENT]),
        (attempt({}), [Part.ARGUMENT, Part.ARGUMENT]),
        (replace(attempt(), at=NOON + 8 * HOUR), [Part.WINDOW]),
        (replace(attempt(), at=NOON - HOUR - timedelta(seconds=1)), [Part.WINDOW]),
        (attempt(purpose="marketing"), [Part.PURPOSE]),
        (attempt(purpose=""), [Part.PURPOSE]),
        (
            replace(attempt(action="x/y"), at=NOON + 9 * HOUR, purpose="x"),
            [Part.ACTION, Part.WINDOW, Part.PURPOSE],
        ),
    ],
)
def test_each_violation_has_its_own_part(wanted: Attempt, expected: list[Part]) -> None:
    assert parts(wanted) == expected


@pytest.mark.req("R28", "N10")
def test_an_empty_ceiling_allows_nothing_and_says_so() -> None:
    assert parts(attempt(), replace(HELD, rights=frozenset())) == [Part.RIGHTS]
    nothing_of = replace(HELD, rights=frozenset({right(BOOK, ())}))
    assert parts(attempt(), nothing_of) == [Part.RESOURCE]


def test_the_window_is_half_open() -> None:
    assert parts(replace(attempt(), at=HELD.window.start)) == []
    assert parts(replace(attempt(), at=HELD.window.end - timedelta(microseconds=1))) == []
    assert parts(replace(attempt(), at=HELD.window.end)) == [Part.WINDOW]


def test_the_nearest_right_is_the_one_with_least_to_change() -> None:
    held = ceiling(right(BOOK, {"9"}), right(BOOK, {"401"}, at_most("/amount", "50")), purpose="booking")
    found = permits(held, attempt())
    assert isinstance(found, Violated)
    (miss,) = found.misses
    assert miss.constraint is not None
    assert (miss.part, miss.constraint.at_most, miss.present) == (Part.ARGUMENT, Decimal(50), True)


@pytest.mark.attack("CA-07", "PD-02")
@pytest.mark.parametrize(
    ("value", "allowed"),
    [
        (100, True),
        (100.0, True),
        ("100", True),
        ("100.00", True),
        ("-5", True),
        (100.01, False),
        ("100.01", False),
        (True, False),
        (None, False),
        ("NaN", False),
        ("-Infinity", False),
        ("1e1", False),
        (" 5", False),
        ("+5", False),
        ("05", False),
        ("\u0665", False),
        ("1_0", False),
        ("5" * 33, False),
        ("", False),
        ([5], False),
        ({"x": 5}, False),
    ],
)
def test_a_number_is_a_number_or_a_plain_decimal(value: Json, allowed: bool) -> None:
    wanted = attempt({"amount": value, "currency": "EUR"})
    assert (parts(wanted) == []) is allowed


@pytest.mark.attack("CA-09")
@pytest.mark.parametrize("key", ["__proto__", "a.b", "a/b", "a~b", "", "a~1b", "constructor", "~01"])
def test_keys_are_literal(key: str) -> None:
    pointer = "/" + key.replace("~", "~0").replace("/", "~1")
    held = ceiling(right(READ, "any", one_of(pointer, "yes")), purpose="booking")
    assert parts(attempt({key: "yes"}, action=READ), held) == []
    assert parts(attempt({key: "no"}, action=READ), held) == [Part.ARGUMENT]
    nested: JsonObject = {"a": {"b": "yes"}, "x": {key: "yes"}}
    assert parts(attempt(nested, action=READ), held) == [Part.ARGUMENT]


def test_a_pointer_reaches_into_lists_by_canonical_index_only() -> None:
    held = ceiling(right(READ, "any", one_of("/to/0", "ada")), purpose="booking")
    assert parts(attempt({"to": ["ada", "bob"]}, action=READ), held) == []
    assert parts(attempt({"to": []}, action=READ), held) == [Part.ARGUMENT]
    for pointer in ("/to/00", "/to/-", "/to/-1", "/to/99999999999"):
        odd = ceiling(right(READ, "any", one_of(pointer, "ada")), purpose="booking")
        assert parts(attempt({"to": ["ada"]}, action=READ), odd) == [Part.ARGUMENT]


def test_a_present_value_of_any_shape_satisfies_a_bare_constraint() -> None:
    held = ceiling(right(READ, "any", Constraint(pointer="/note")), purpose="booking")
    values: tuple[Json, ...] = (None, [], {}, "", 0, False)
    for value in values:
        assert parts(attempt({"note": value}, action=READ), held) == []
    assert parts(attempt({}, action=READ), held) == [Part.ARGUMENT]


@pytest.mark.attack("CA-07")
def test_number_twins_read_as_one_value() -> None:
    held = ceiling(right(READ, "any", one_of("/n", "1")), purpose="booking")
    for text in (b'{"n":1}', b'{"n":1.0}', b'{"n":1e0}', b'{"n":"1"}'):
        assert parts(attempt(parse_object(text), action=READ), held) == []
    for text in (b'{"n":1.5}', b'{"n":true}', b'{"n":"1.0"}', b'{"n":"01"}'):
        assert parts(attempt(parse_object(text), action=READ), held) == [Part.ARGUMENT]


@pytest.mark.parametrize("pointer", ["", "amount", "/a~2", "/~", "a/b"])
def test_a_constraint_names_an_argument(pointer: str) -> None:
    with pytest.raises(MalformedCeiling):
        Constraint(pointer=pointer)


@pytest.mark.attack("CA-19")
@pytest.mark.parametrize("bound", ["NaN", "Infinity", "-Infinity", "sNaN"])
def test_no_bound_is_without_end(bound: str) -> None:
    with pytest.raises(MalformedCeiling):
        Constraint(pointer="/a", at_most=Decimal(bound))


def test_a_right_names_action_and_type() -> None:
    for action, kind in (("", "Room"), (BOOK, "")):
        with pytest.raises(MalformedCeiling):
            Right(action=action, resource_type=kind, resources="any")
