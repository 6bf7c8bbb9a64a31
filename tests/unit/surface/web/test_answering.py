"""An answer's head is the bytes that uvicorn itself writes, and a body that came whole is given at once."""

import asyncio
import logging
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from remit.surface.web.answering import Answering


class Written:
    """A transport, and the flow control over it, that only remember."""

    def __init__(self) -> None:
        self.bytes = b""
        self.closed = False
        self.write_paused = False

    def write(self, data: bytes) -> None:
        self.bytes += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def resume_reading(self) -> None:
        pass


def _cycle(kind: type[RequestResponseCycle], written: Written, *, method: str, keep_alive: bool) -> Any:
    return kind(
        scope={"type": "http", "method": method},  # type: ignore[typeddict-item]  # all that a cycle looks at
        transport=written,  # type: ignore[arg-type]  # a list that is written to
        flow=written,  # type: ignore[arg-type]  # as above
        logger=logging.getLogger("t"),
        access_logger=logging.getLogger("t"),
        access_log=False,
        default_headers=[],
        message_event=asyncio.Event(),
        expect_100_continue=False,
        keep_alive=keep_alive,
        on_response=lambda: None,
    )


def _answered(
    kind: type[RequestResponseCycle],
    status: int,
    lines: list[tuple[bytes, bytes]],
    body: bytes,
    **how: Any,
) -> tuple[Any, ...]:
    written = Written()
    cycle = _cycle(kind, written, **how)
    error = None

    async def run() -> None:
        await cycle.send({"type": "http.response.start", "status": status, "headers": lines})
        await cycle.send({"type": "http.response.body", "body": body})

    try:
        asyncio.run(run())
    except (RuntimeError, ValueError) as raised:
        error = type(raised), str(raised)
    told = cycle.response_started, cycle.response_complete, cycle.chunked_encoding, cycle.keep_alive
    return written.bytes, written.closed, error, *told


_names = st.sampled_from(
    [
        b"content-length",
        b"Content-Length",
        b"content-type",
        b"connection",
        b"transfer-encoding",
        b"x-a",
        b"a b",
    ]
) | st.binary(max_size=4)
_values = st.sampled_from([b"5", b"0", b"close", b"chunked", b"a\nb", b"text/plain"]) | st.binary(max_size=4)


@given(
    lines=st.lists(st.tuples(_names, _values), max_size=5),
    status=st.sampled_from([200, 204, 304, 404, 503]),
    body=st.sampled_from([b"", b"five!", b"longer than said"]),
    method=st.sampled_from(["GET", "POST", "HEAD"]),
    keep_alive=st.booleans(),
)
@example(
    lines=[(b"Content-Length", b"5"), (b"content-length", b"0")],
    status=200,
    body=b"five!",
    method="GET",
    keep_alive=True,
)
@example(
    lines=[(b"content-length", b"5"), (b"content-length", b"0")],
    status=200,
    body=b"five!",
    method="GET",
    keep_alive=True,
)
@example(
    lines=[(b"content-length", b"5"), (b"cache-control", b"a\nb")],
    status=200,
    body=b"five!",
    method="GET",
    keep_alive=True,
)
@example(lines=[(b"content-length", b"+5")], status=200, body=b"five!", method="GET", keep_alive=True)
@example(lines=[(b"content-length", b"5")], status=200, body=b"five!", method="HEAD", keep_alive=True)
def test_an_answer_is_byte_for_byte_what_uvicorn_writes(**asked: Any) -> None:
    assert _answered(Answering, **asked) == _answered(RequestResponseCycle, **asked)


@pytest.mark.parametrize("body", [b"", b"5", b"five!"])
async def test_a_body_that_came_whole_is_given_at_once_and_once(body: bytes) -> None:
    cycle = _cycle(RequestResponseCycle, Written(), method="POST", keep_alive=True)
    Answering.take(cycle)
    cycle.body += body
    cycle.message_event.set()
    assert cycle.whole() is None
    cycle.more_body = False
    assert cycle.whole() == {"type": "http.request", "body": body, "more_body": False}
    assert not cycle.message_event.is_set()
    cycle.disconnected = True
    assert cycle.whole() is None


async def test_whoever_waits_to_be_told_to_go_on_is_told() -> None:
    cycle = _cycle(RequestResponseCycle, written := Written(), method="POST", keep_alive=True)
    Answering.take(cycle)
    cycle.waiting_for_100_continue, cycle.more_body = True, False
    cycle.message_event.set()
    assert cycle.whole() is None
    await cycle.receive()
    assert written.bytes.startswith(b"HTTP/1.1 100")
