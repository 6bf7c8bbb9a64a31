"""Strict JSON: the fast reader says what the slow, obvious one says."""

import json
from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.kernel.canonical import (
    JsonLimits,
    JsonTooLarge,
    MalformedJson,
    canonical_json,
    parse_json,
)
from remit.kernel.errors import RemitError

LIMITS = JsonLimits(size=400, depth=4, members=6, string=20, number=8)

fragments = st.sampled_from(
    [
        *(
            "{",
            "}",
            "[",
            "]",
            ",",
            ":",
            '"a"',
            '"b"',
            '"',
            "\\",
            "\\u0061",
            '"\\ud800"',
            '"\\ud83d\\ude00"',
            " ",
        ),
        *("1", "-0", "1.5", "1e3", "1e999", "123456789", "9007199254740993", "true", "null", "NaN", "é"),
        *(f'"{"x" * 21}"', '{"a":1,"a":2}', '[[[["a"]]]]'),
    ]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=15,
)
texts = st.lists(fragments, max_size=14).map("".join) | values.map(json.dumps)


class Refused(Exception):
    pass


def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise Refused
    return dict(pairs)


def no_constant(name: str) -> NoReturn:
    raise Refused


def number(digits: str) -> float:
    value = json.loads(digits)
    whole = isinstance(value, int)
    if len(digits) > LIMITS.number or (abs(value) >= 2**53 if whole else abs(value) == float("inf")):
        raise Refused
    return value  # type: ignore[no-any-return]  # json is untyped


def walk(value: Any, depth: int) -> None:
    if isinstance(value, str):
        value.encode()
        if len(value) > LIMITS.string:
            raise Refused
    if isinstance(value, dict | list):
        if depth == LIMITS.depth:
            raise Refused
        for inner in [*value, *(value.values() if isinstance(value, dict) else ())]:
            walk(inner, depth + 1)


def slow_read(raw: bytes) -> Any:
    """Judge a document after reading it whole: each rule in one plain line."""
    if len(raw) > LIMITS.size:
        raise Refused
    value = json.loads(
        raw.decode(),
        object_pairs_hook=members,
        parse_constant=no_constant,
        parse_int=number,
        parse_float=number,
    )
    walk(value, 0)
    return value


@given(texts)
def test_the_fast_reader_accepts_exactly_what_the_slow_one_does(text: str) -> None:
    raw = text.encode()
    try:
        expected = slow_read(raw)
    except (Refused, ValueError):
        with pytest.raises(RemitError):
            parse_json(raw, limits=LIMITS)
        return
    # The fast reader bounds members by counting separators, so it may refuse more, but only then.
    if raw.count(b",") + raw.count(b":") <= LIMITS.members:
        assert parse_json(raw, limits=LIMITS) == expected


@given(st.binary(max_size=60))
def test_only_our_errors_leave_the_reader(raw: bytes) -> None:
    try:
        parse_json(raw)
    except RemitError:
        return


@given(values)
def test_the_canonical_form_is_read_back_and_written_the_same(value: Any) -> None:
    canonical = canonical_json(value)
    assert parse_json(canonical) == value
    assert canonical_json(parse_json(canonical)) == canonical


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":1,"a":1}',
        b'{"a":1,"\\u0061":1}',
        b'{"x":{"a":1,"a":2}}',
        b'"\\ud800"',
        b'{"\\udfff":1}',
        b"\xed\xa0\x80",
        b'"\xed\xa0\x80"',
        b"NaN",
        b"[Infinity]",
        b"1e400",
        b"9007199254740992",
        b"1" * 5000,
        b"{} {}",
        b"\xef\xbb\xbf{}",
        b'{"a":1,}',
        b"{'a':1}",
        b'"\n"',
        b"",
        b"01",
        b"+1",
        b".5",
    ],
)
def test_what_two_readers_could_read_differently_is_malformed(raw: bytes) -> None:
    with pytest.raises(MalformedJson):
        parse_json(raw)


@pytest.mark.parametrize("opening", ["[", '{"a":', '[{"a":'])
def test_depth_is_bounded_at_the_limit_one_past_it_and_far_beyond(opening: str) -> None:
    closing = {"[": "]", '{"a":': "}", '[{"a":': "}]"}[opening]
    per_step = len(closing)
    for steps, refused in ((32 // per_step, False), (32 // per_step + 1, True), (200_000, True)):
        raw = (opening * steps + "0" + closing * steps).encode()
        if refused:
            with pytest.raises(JsonTooLarge):
                parse_json(raw, limits=JsonLimits(size=len(raw)))
        else:
            parse_json(raw)


def test_brackets_inside_strings_do_not_nest() -> None:
    deep = "[" * 1000
    assert parse_json(f'{{"a":"{deep}","b":"\\"{deep}"}}'.encode()) == {"a": deep, "b": f'"{deep}'}
