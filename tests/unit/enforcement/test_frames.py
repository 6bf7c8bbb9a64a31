import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from remit.enforcement.mcp.frames import (
    NotOneMessage,
    cut_strictly,
    member_spans,
    object_of,
    raw_members,
    read_message,
)
from remit.enforcement.mcp.headers import HeaderMismatch, ParamHeader, check_params, decode, encode, mirror
from remit.enforcement.mcp.sse import event, events
from remit.enforcement.mcp.upstream import UpstreamFailed
from remit.kernel.canonical import JsonTooLarge, MalformedJson, parse_object

safe_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | safe_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(safe_text, inner, max_size=4),
    max_leaves=12,
)
blanks = st.sampled_from(["", " ", "\n", "\t \r\n"])


@pytest.mark.req("N32")
@given(st.dictionaries(safe_text, values, max_size=5), blanks, st.booleans())
def test_the_cut_out_bytes_of_each_member_mean_its_value(value: Any, blank: str, ascii_only: bool) -> None:
    arguments = json.dumps(value, ensure_ascii=ascii_only, separators=("," + blank, blank + ":" + blank))
    params = f'{{"_meta":{{}},"arguments":{arguments}{blank}}}'
    body = f'{blank}{{"id":{blank}7,"method":"m","jsonrpc":"2.0","params":{params}}}'
    message = read_message(body.encode())
    assert message.raw_params["arguments"] == arguments.encode()
    assert message.params["arguments"] == value
    assert json.loads(object_of(message.raw_params)) == {"_meta": {}, "arguments": value}
    assert (message.id, message.raw_id) == (7, b"7")


@pytest.mark.req("N32")
@example(b'{"a":1 , "b" :[ ]\n}')
@example(b'{"\\u0061":"\\ud83d\\ude00"}')
@given(
    st.builds(
        lambda value, gap, ascii_only: (
            gap
            + json.dumps(value, ensure_ascii=ascii_only, separators=("," + gap, gap + ":" + gap), indent=None)
            + gap
        ).encode(),
        st.dictionaries(safe_text, values | st.floats(allow_nan=False, allow_infinity=False), max_size=5),
        blanks,
        st.booleans(),
    )
    | st.binary(max_size=40)
)
def test_the_quick_cut_is_the_strict_one(document: bytes) -> None:
    try:
        parse_object(document)
    except (MalformedJson, JsonTooLarge):
        return
    assert raw_members(document) == cut_strictly(document)


def test_an_escaped_name_is_the_same_member() -> None:
    assert member_spans('{"\\u0061": [1]}', 0) == {"a": (11, 14)}


@pytest.mark.parametrize(
    "body", [b"[]", b"{}", b'{"jsonrpc":"2.0","id":true,"method":"m"}', b'{"jsonrpc":"2.0","method":""}']
)
def test_what_is_no_single_message_is_refused(body: bytes) -> None:
    with pytest.raises(NotOneMessage):
        read_message(body)


@pytest.mark.promise("P13")
def test_depth_and_size_are_bounded() -> None:
    nested = b'{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":' + b"[" * 31 + b"]" * 31 + b"}}"
    with pytest.raises(JsonTooLarge):
        read_message(nested)
    with pytest.raises(JsonTooLarge):
        read_message(b" " * ((4 << 20) + 1))


@example("=?base64?")
@example("=?base64?YQ==?=")
@example("=?base64?YQ==?= ")
@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_header_value_is_read_as_it_was_written(value: str) -> None:
    written = encode(value)
    assert decode(written) == value
    assert written.isascii()
    assert written.isprintable()
    assert written == written.strip()


@pytest.mark.attack("MC-07")
@pytest.mark.parametrize(
    "value", ["=?base64?!!?=", "=?base64?YQ?=", "=?base64?YR==?=", "=?base64?/w==?=", "=?base64?YQ=="]
)
def test_a_sentinel_that_is_not_canonical_matches_nothing(value: str) -> None:
    assert decode(value) is None


def test_mirrored_headers_follow_the_arguments() -> None:
    declared = [
        ParamHeader(path=("a",), token="A", type="string"),
        ParamHeader(path=("o", "n"), token="N", type="integer"),
        ParamHeader(path=("b",), token="B", type="boolean"),
    ]
    arguments: Any = {"a": " x", "o": {"n": 42}, "b": True}
    written = mirror(declared, arguments)
    assert written == {"Mcp-Param-A": "=?base64?IHg=?=", "Mcp-Param-N": "42", "Mcp-Param-B": "true"}
    sent = {name.lower(): [value] for name, value in written.items()}
    check_params(declared, arguments, sent)
    check_params(declared, arguments, {**sent, "mcp-param-n": ["42.0"]})
    for wrong in ("43", "42.5", "4.2e1", "042", "٤٢", ""):
        with pytest.raises(HeaderMismatch):
            check_params(declared, arguments, {**sent, "mcp-param-n": [wrong]})
    with pytest.raises(HeaderMismatch):
        check_params(declared, arguments, {**sent, "mcp-param-b": ["true", "true"]})
    with pytest.raises(HeaderMismatch):
        check_params(declared, {"a": "x"}, {"mcp-param-a": ["x"], "mcp-param-n": ["1"]})


async def read_all(pieces: list[bytes], limit: int = 1000) -> list[bytes]:
    async def chunks() -> Any:
        for piece in pieces:
            yield piece

    return [data async for data in events(chunks(), limit=limit)]


STREAM = (
    b': note\r\nevent: message\r\nid: 1\r\ndata: {"a":\r\ndata: 1}\r\n\r\n'
    b"data:two\n\ndata: three\r\rdata: cut"
)


async def test_events_are_found_wherever_the_pieces_end() -> None:
    expected = [b'{"a":\n1}', b"two", b"three"]
    assert await read_all([STREAM]) == expected
    assert await read_all([STREAM[at : at + 1] for at in range(len(STREAM))]) == expected
    for cut in range(len(STREAM)):
        assert await read_all([STREAM[:cut], STREAM[cut:]]) == expected
    assert await read_all([event(b'{"x":1}')]) == [b'{"x":1}']


@pytest.mark.promise("P13")
async def test_an_endless_event_is_an_error() -> None:
    for endless in ([b"data: " + b"x" * 600] * 3, [b"data: x\n"] * 800):
        with pytest.raises(UpstreamFailed):
            await read_all(endless)
