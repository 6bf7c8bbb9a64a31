"""Forms are read in one way or not at all."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.authority.oauth.wire.errors import InvalidRequest, InvalidTarget
from remit.authority.oauth.wire.parameters import BODY_LIMIT, COUNT_LIMIT, parse_form


def test_values_are_decoded_once() -> None:
    form = parse_form(b"scope=a+b&x=%2520&empty=")
    assert (form.get("scope"), form.get("x"), form.get("empty")) == ("a b", "%20", "")


@pytest.mark.spec("RFC 6749", "3.2")
@pytest.mark.parametrize(
    "body",
    [
        b"scope=a&scope=a",
        b"scope=a&scope=",
        b"unknown=1&unknown=2",
        b"sco%70e=a&scope=b",
        b"grant_type",
        b"=x",
        b"a=%zz",
        b"a=%e",
        b"a=%",
        b"a=%ff",
        b"a=%00",
        b"a=\x80",
        b"a=1&&b=2",
        b"&",
        b"a=%0a",
    ],
)
def test_what_two_readers_could_read_differently_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        parse_form(body)


@pytest.mark.promise("P13")
def test_the_limits_hold_at_and_beyond() -> None:
    assert parse_form(b"a=" + b"x" * (BODY_LIMIT - 2)).get("a")
    assert parse_form(b"&".join(b"n%d=1" % n for n in range(COUNT_LIMIT))).get("n0")
    for body in (b"a=" + b"x" * (BODY_LIMIT - 1), b"&".join(b"n%d=1" % n for n in range(COUNT_LIMIT + 1))):
        with pytest.raises(InvalidRequest):
            parse_form(body)


def test_a_second_resource_is_no_target_of_ours() -> None:
    with pytest.raises(InvalidTarget):
        parse_form(b"resource=a&resource=b").only("resource")


@given(st.binary(max_size=200))
def test_nothing_but_a_refusal_escapes(body: bytes) -> None:
    with suppress(InvalidRequest):
        parse_form(body)
