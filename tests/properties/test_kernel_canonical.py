"""Strict JSON: the fast reader says what the slow, obvious one says."""

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.kernel.canonical import (
    JsonLimits,
    JsonTooLarge,
    MalformedJson,
    b64u,
    b64u_decode,
    canonical_json,
    framed_digest,
    parse_json,
    read_strictly,
    write_strictly,
)
from remit.kernel.errors import Invalid, RemitError

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


def test_many_brackets_side_by_side_are_no_depth_for_either_reader() -> None:
    many = [{"a": [{"b": "]}{["}], "c": {}} for _ in range(200)]
    for text in (json.dumps(many), json.dumps(many, separators=(",", ":"))):
        assert parse_json(text.encode()) == read_strictly(text.encode(), JsonLimits()) == many
    deep = json.dumps([many, json.loads("[" * 32 + "]" * 32)], separators=(",", ":")).encode()
    for read in (parse_json, lambda raw: read_strictly(raw, JsonLimits())):
        with pytest.raises(JsonTooLarge):
            read(deep)


@given(
    st.text(alphabet='[]{}"\\,:0 ', max_size=60),
    st.sampled_from([JsonLimits(depth=3, members=5), JsonLimits()]),
)
def test_brackets_in_any_order_say_the_same_to_both_readers(text: str, limits: JsonLimits) -> None:
    raw = text.encode()
    assert outcome(lambda: parse_json(raw, limits=limits)) == outcome(lambda: read_strictly(raw, limits))


reread = st.one_of(
    values.map(lambda value: json.dumps(value, separators=(",", ":"), ensure_ascii=False)),
    values.map(lambda value: json.dumps(value, separators=(",", ":"))),
    st.floats().map(json.dumps),
    st.integers().map(str),
    st.lists(fragments, max_size=8).map("".join),
    st.sampled_from(
        [
            *("true", "1", "1.0", "1e3", "1e16", "1E3", "-0", "-0.0", "0.1", "1e-7", "5e-324", "1e400", "-1"),
            *("NaN", "Infinity", "null", '""', '"\\u0001"', '"\\u001f"', '"\\/"', '"\x7f"', '"\\n"', '"\\b"'),
            *("999999999999999", "9007199254740991", "9007199254740992", "-9007199254740992", "1" * 40),
            *(
                "\ufeff{}",
                "{} ",
                " {}",
                "[1,true]",
                '{"1":1}',
                '{"a":1,"a":1}',
                '{"":{"":{}}}',
                '"\ud83d\ude00"',
            ),
        ]
    ),
)


def outcome(read: Callable[[], Any]) -> tuple[str, str]:
    """Value with types (`repr` tells 1, 1.0, True and -0.0 apart and keeps the order), or error with hint."""
    try:
        return "", repr(read())
    except RemitError as refused:
        return type(refused).__name__, refused.hint


@given(
    reread,
    st.sampled_from([LIMITS, JsonLimits(size=60, depth=3, members=5, string=12), JsonLimits()]),
)
def test_reading_and_writing_back_never_says_anything_but_the_strict_reader(
    text: str, limits: JsonLimits
) -> None:
    raw = text.encode("utf-8", "surrogatepass")
    if len(raw) <= limits.size:
        assert outcome(lambda: parse_json(raw, limits=limits)) == outcome(lambda: read_strictly(raw, limits))


@given(st.binary(max_size=30), st.sampled_from(["", '"', "[", '{"a":']))
def test_bytes_that_are_no_text_are_judged_by_the_strict_reader(raw: bytes, around: str) -> None:
    document = around.encode() + raw + {"": b"", '"': b'"', "[": b"]", '{"a":': b"}"}[around]
    assert outcome(lambda: parse_json(document)) == outcome(lambda: read_strictly(document, JsonLimits()))


def slow_base64url(text: str) -> bytes | None:
    """The definition: some bytes that are written as this text."""
    try:
        data = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (ValueError, UnicodeEncodeError):
        return None
    return data if base64.urlsafe_b64encode(data).rstrip(b"=").decode() == text else None


@given(
    st.binary(max_size=12).map(b64u) | st.text(alphabet='ABQgwEIMz09-_+/=. \n\x00é"\\u', max_size=9),
    st.sampled_from(["", "A", "Q", "g", "w", "B", "E", "=", "=="]),
)
def test_base64url_is_read_as_its_definition_says(text: str, end: str) -> None:
    expected = slow_base64url(text + end)
    try:
        assert b64u_decode(text + end) == expected
    except Invalid:
        assert expected is None


@given(st.binary(max_size=40))
def test_base64url_is_written_as_the_library_writes_it(data: bytes) -> None:
    assert b64u(data) == base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@given(st.text(max_size=5), st.lists(st.binary(max_size=9), max_size=4))
def test_a_framed_digest_is_the_digest_of_each_length_and_part(label: str, parts: list[bytes]) -> None:
    hasher = hashlib.sha256()
    for part in (label.encode(), *parts):
        hasher.update(len(part).to_bytes(8, "big"))
        hasher.update(part)
    assert framed_digest(label, parts) == hasher.hexdigest()


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**55), 2**55)
    | st.floats()
    | st.text(st.characters(exclude_categories=()), max_size=6)
    | st.sampled_from(
        [2**53 - 1, 2**53, -(2**53), "\ud800", '\x00\x1f\x7f\b\f"\\/<>&', b"", (), {1}, object]
    ),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=2).map(tuple)
        | st.dictionaries(
            st.text(max_size=3) | st.sampled_from(["b", "a", "B", "é", "\U0001f600", "\uffff", 1, None]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def written(write: Callable[[Any], bytes], value: Any) -> bytes | str:
    try:
        return write(value)
    except Exception as refused:  # noqa: BLE001 - whatever the strict writer raises, so must the other
        return f"{type(refused).__name__} {refused}"


@given(anything)
def test_writing_the_canonical_form_says_what_the_strict_writer_says(value: Any) -> None:
    assert written(canonical_json, value) == written(write_strictly, value)


def test_writing_nests_as_deep_as_the_strict_writer_does() -> None:
    for depth in (31, 32, 33, 500, 100_000):
        value: Any = "end"
        for _ in range(depth):
            value = [value]
        assert written(canonical_json, value) == written(write_strictly, value)


@pytest.mark.parametrize("depth", [500, 5_000, 200_000])
def test_a_reader_that_runs_out_of_stack_is_asked_no_more(depth: int) -> None:
    raw = b"[" * depth + b"]" * depth
    limits = JsonLimits(depth=depth, size=len(raw))
    assert outcome(lambda: parse_json(raw, limits=limits)) == outcome(lambda: read_strictly(raw, limits))
