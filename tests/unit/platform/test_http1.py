"""An answer that two readers could end at different places is no answer (MC-09, on the way out)."""

import contextlib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.platform.http1 import HEAD, Answer, NotHttp

OK = b"HTTP/1.1 200 OK\r\n"
BODY = b"Content-Length: 2\r\n\r\nok"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"


def read(*parts: bytes) -> Answer:
    answer = Answer()
    for part in parts:
        answer.feed(part)
    return answer


SMUGGLED = {
    "both framings": OK + b"Content-Length: 2\r\n" + CHUNKED,
    "both framings, turned": OK + b"Transfer-Encoding: chunked\r\n" + BODY,
    "two lengths": OK + b"Content-Length: 2\r\n" + BODY,
    "a list of lengths": OK + b"Content-Length: 2, 2\r\n\r\nok",
    "a signed length": OK + b"Content-Length: +2\r\n\r\nok",
    "a length beyond numbers": OK + b"Content-Length: 99999999999999999999999\r\n\r\nok",
    "a folded header": OK + b"X: a\r\n b\r\n" + BODY,
    "bare LF": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
    "bare LF in the head": OK + b"X: a\n" + BODY,
    "bare CR in the head": OK + b"X: a\rY: b\r\n" + BODY,
    "NUL in the head": OK + b"X: a\0b\r\n" + BODY,
    "a blank before the colon": OK + b"Content-Length : 2\r\n\r\nok",
    "a header without a name": OK + b": x\r\n" + BODY,
    "another coding first": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "another coding last": OK + b"Transfer-Encoding: chunked, identity\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    "no such coding": OK + b"Transfer-Encoding: xchunked\r\n\r\nok",
    "the coding twice": OK + b"Transfer-Encoding: chunked\r\n" + CHUNKED,
    "an empty coding": OK + b"Transfer-Encoding:\r\n" + BODY,
    "chunks by LF": OK + b"Transfer-Encoding: chunked\r\n\r\n2\nok\n0\n\n",
    "a chunk size in words": OK + b"Transfer-Encoding: chunked\r\n\r\n0x2\r\nok\r\n0\r\n\r\n",
    "a chunk longer than said": OK + b"Transfer-Encoding: chunked\r\n\r\n2\r\nokay\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": b"HTTP/1.0 200 OK\r\n" + CHUNKED,
    "another protocol on": b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nzz",
    "another protocol": b"SSH-2.0-OpenSSH\r\n",
    "a protocol that the parser knows": b"RTSP/1.1 200 OK\r\n" + BODY,
    "a version of old": b"HTTP/0.9 200 OK\r\n" + BODY,
    "a version that is none": b"HTTP/2.0 200 OK\r\n" + BODY,
    "a status that is none": b"HTTP/1.1 099 OK\r\n" + BODY,
    "a status too high": b"HTTP/1.1 700 OK\r\n" + BODY,
    "too many interim answers": b"HTTP/1.1 103 Early Hints\r\n\r\n" * 9 + OK + BODY,
}


@pytest.mark.attack("MC-09")
@pytest.mark.parametrize("data", SMUGGLED.values(), ids=SMUGGLED)
def test_an_answer_that_could_be_read_in_two_ways_is_refused(data: bytes) -> None:
    with pytest.raises(NotHttp):
        read(data)
    with pytest.raises(NotHttp):
        read(*(data[at : at + 1] for at in range(len(data))))


@pytest.mark.spec("RFC 9112", "6.3")
@pytest.mark.parametrize(
    ("data", "body"),
    [
        (OK + BODY, b"ok"),
        (OK + CHUNKED, b"ok"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n1;a=b\r\no\r\n1\r\nk\r\n0\r\nX: y\r\n\r\n", b"ok"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK + BODY, b"ok"),
        (b"HTTP/1.1 204 No Content\r\nX: y\r\n\r\n", b""),
    ],
)
def test_an_answer_ends_where_its_framing_says(data: bytes, body: bytes) -> None:
    for parts in ([data], [data[at : at + 1] for at in range(len(data))]):
        answer = read(*parts)
        assert answer.complete
        assert b"".join(answer.pieces) == body
        assert not answer.surplus
    assert read(data).headers.get("x", "y") == "y"


@pytest.mark.spec("RFC 9110", "6.5.1")
def test_a_trailer_is_no_header() -> None:
    answer = read(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\nContent-Type: evil\r\n\r\n")
    assert answer.complete
    assert "content-type" not in answer.headers


def test_an_interim_answers_headers_are_not_those_of_the_answer() -> None:
    answer = read(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK + BODY)
    assert (answer.status, answer.headers) == (200, {"content-length": "2"})


def test_without_length_the_end_of_the_connection_is_the_end_of_the_answer() -> None:
    answer = read(OK + b"\r\nok", b"ay")
    assert not answer.complete
    assert not answer.kept
    assert answer.end()
    assert b"".join(answer.pieces) == b"okay"


@pytest.mark.parametrize("data", [OK, OK + b"Content-Length: 3\r\n\r\nok", OK + CHUNKED[:-2]])
def test_an_answer_that_breaks_off_is_none(data: bytes) -> None:
    assert not read(data).end()


@pytest.mark.attack("MC-09")
@pytest.mark.parametrize("more", [b"HTTP/1.1 200 OK\r\n", OK + BODY, b"\0", b"x"])
def test_what_follows_an_answer_is_told(more: bytes) -> None:
    """A second answer on the connection would be taken for that of the next request."""
    for answer in (read(OK + BODY + more), read(OK + BODY, more)):
        assert (answer.complete, answer.surplus) == (True, True)
        assert b"".join(answer.pieces) == b"ok"


@pytest.mark.promise("P13")
def test_a_head_ends_somewhere() -> None:
    line = b"X: " + b"a" * 1000 + b"\r\n"
    fits = OK + line * ((HEAD - 200) // len(line)) + BODY
    assert read(fits).complete
    with pytest.raises(NotHttp, match=str(HEAD)):
        read(OK, *[line] * (HEAD // len(line) + 1))
    with pytest.raises(NotHttp, match=str(HEAD)):
        read(OK + b"X: ", *[b"a" * 1000] * (HEAD // 1000 + 1))


@pytest.mark.promise("P13")
def test_trailers_and_extensions_end_somewhere() -> None:
    begun = OK + b"Transfer-Encoding: chunked\r\n\r\n"
    for more in (b"0\r\n", b"1;x="):
        with pytest.raises(NotHttp, match=str(HEAD)):
            read(begun + more, *[b"X: " + b"a" * 995 + b"\r\n" if more[0:1] == b"0" else b"a" * 1000] * 70)


@pytest.mark.parametrize(
    ("head", "kept"),
    [
        (OK, True),
        (OK + b"Connection: close\r\n", False),
        (b"HTTP/1.0 200 OK\r\n", False),
        (b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n", True),
    ],
)
def test_who_may_keep_a_connection(head: bytes, kept: bool) -> None:
    assert read(head + BODY).kept is kept


@pytest.mark.parametrize(
    ("coding", "told"), [(b"gzip", True), (b"identity", False), (b"identity\r\nContent-Encoding: br", True)]
)
def test_a_coding_of_the_content_is_told(coding: bytes, told: bool) -> None:
    assert read(OK + b"Content-Encoding: " + coding + b"\r\n" + BODY).encoded is told


@given(st.binary(max_size=300), st.lists(st.integers(0, 400), max_size=4))
def test_a_body_is_read_the_same_however_it_arrives(body: bytes, cuts: list[int]) -> None:
    plain = OK + b"Content-Length: %d\r\n\r\n" % len(body) + body
    sizes = [body[at : at + 7] for at in range(0, len(body), 7)]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(each), each) for each in sizes)
    chunked = OK + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    for data in (plain, chunked):
        at = [0, *sorted(cuts), len(data)]
        answer = read(*(data[a:b] for a, b in itertools.pairwise(at)))
        assert (answer.complete, b"".join(answer.pieces)) == (True, body)


@given(st.binary(max_size=200), st.sampled_from([b"", OK, OK + b"Transfer-Encoding: chunked\r\n\r\n"]))
def test_no_bytes_make_it_raise_anything_else(data: bytes, before: bytes) -> None:
    with contextlib.suppress(NotHttp):
        read(before, data)
