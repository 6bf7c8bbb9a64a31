"""The signed form of a ceiling: what is odd is refused, whatever it is."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.authority.attenuation import covers
from remit.authority.ceiling_json import ceiling_from_json, ceiling_to_json
from remit.authority.rights import Ceiling, MalformedCeiling, Money
from remit.kernel.canonical import Json
from support.builders import BOOK, at_most, ceiling, one_of, right
from support.clock import NOON

FULL = ceiling(
    right(BOOK, {"2", "1"}, at_most("/amount", "10.50"), one_of("/currency", "EUR", "USD")),
    money=(Money(currency="EUR", minor=5),),
    purpose="booking",
)


def with_member(path: tuple[str | int, ...], value: Json) -> Json:
    body: Json = ceiling_to_json(FULL)
    here = body
    for step in path[:-1]:
        here = here[step]  # type: ignore[index]  # a path into a known document
    here[path[-1]] = value  # type: ignore[index]  # as above
    return body


@pytest.mark.attack("CA-19", "PD-02")
@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("extra",), 1),
        (("depth",), -1),
        (("depth",), 11),
        (("depth",), True),
        (("depth",), 1.5),
        (("depth",), "1"),
        (("purpose",), None),
        (("rights",), {}),
        (("rights",), None),
        (("rights", 0, "action"), ""),
        (("rights", 0, "resources"), "all"),
        (("rights", 0, "resources"), [1]),
        (("rights", 0, "constraints", 0, "at_most"), 10),
        (("rights", 0, "constraints", 0, "at_most"), "1e9"),
        (("rights", 0, "constraints", 0, "at_most"), "NaN"),
        (("rights", 0, "constraints", 0, "pattern"), ".*"),
        (("rights", 0, "constraints", 1, "one_of"), "EUR"),
        (("window", "start"), "now"),
        (("window", "end"), 1 << 60),
        (("window", "end"), 1.5),
        (("caps", "calls"), -1),
        (("caps", "calls"), True),
        (("caps", "rows"), 5),
        (("caps", "money"), {"EUR": -1}),
        (("caps", "limits"), {}),
        (("caps", "limits"), [{"of": "rows", "per": "day"}]),
        (("caps", "limits"), [{"of": "rows", "per": "day", "most": -1}]),
        (("caps", "limits"), [{"of": "rows", "per": "day", "most": True}]),
        (("caps", "limits"), [{"of": "rows", "per": "day", "most": 1e30}]),
        (("caps", "limits"), [{"of": "rows", "per": "week", "most": 1}]),
        (("caps", "limits"), [{"of": "cows", "per": "day", "most": 1}]),
        (("caps", "limits"), [{"of": "rate", "per": "day", "most": 1}]),
        (("caps", "limits"), [{"of": "money", "per": "day", "most": 1}]),
        (("caps", "limits"), [{"of": "rows", "per": "day", "currency": "EUR", "most": 1}]),
        (("caps", "limits"), [{"of": "rows", "most": 1}]),
        (("caps", "limits"), [{"of": "rows", "per": "day", "most": 1}] * 2),
        (("caps", "money"), {"euro": 1}),
        (("caps", "money"), []),
    ],
)
def test_what_we_would_not_write_is_refused(path: tuple[str | int, ...], value: Json) -> None:
    with pytest.raises(MalformedCeiling):
        ceiling_from_json(with_member(path, value))


@pytest.mark.parametrize("member", ["rights", "window", "caps", "depth", "purpose"])
def test_every_member_is_stated(member: str) -> None:
    body = ceiling_to_json(FULL)
    del body[member]
    with pytest.raises(MalformedCeiling):
        ceiling_from_json(body)


def test_a_window_is_rounded_inwards() -> None:
    odd = Ceiling(
        rights=FULL.rights,
        window=type(FULL.window)(
            start=NOON + timedelta(microseconds=1), end=NOON + timedelta(seconds=9, microseconds=999_999)
        ),
        caps=FULL.caps,
        depth=FULL.depth,
        purpose=FULL.purpose,
    )
    read = ceiling_from_json(ceiling_to_json(odd))
    assert covers(odd, read)
    assert (read.window.start, read.window.end) == (
        NOON + timedelta(seconds=1),
        NOON + timedelta(seconds=9),
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["rights", "window", "caps", "depth", "purpose", "start", "end", "x"]),
            inner,
            max_size=6,
        )
    ),
    max_leaves=12,
)


@pytest.mark.promise("P13")
@given(JSON)
def test_only_our_own_error_escapes(value: Json) -> None:
    with pytest.raises(MalformedCeiling):
        ceiling_from_json(value)
