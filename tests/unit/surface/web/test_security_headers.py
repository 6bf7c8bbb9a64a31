"""Every answer carries the headers, whatever it brought itself; the short way is the long way."""

from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import MutableHeaders
from starlette.types import Message, Receive, Scope, Send

from remit.surface.web.security import SecurityHeaders

LINES = st.lists(
    st.sampled_from(
        [
            (b"content-type", b"application/json"),
            (b"cache-control", b"no-store"),
            (b"cache-control", b"max-age=60"),
            (b"content-security-policy", b"default-src 'self'"),
            (b"x-frame-options", b"SAMEORIGIN"),
            (b"strict-transport-security", b"max-age=0"),
            (b"set-cookie", b"a=b"),
            (b"set-cookie", b"c=d"),
        ]
    ),
    max_size=5,
    unique=True,
)


async def _nothing(scope: Scope, receive: Receive, send: Send) -> None:
    """An application that is never asked."""


@given(LINES, st.booleans())
def test_the_headers_are_on_whatever_the_answer_brought(
    lines: list[tuple[bytes, bytes]], https: bool
) -> None:
    dressing = SecurityHeaders(_nothing, https=https)
    short: Message = {"type": "http.response.start", "headers": list(lines)}
    long: Message = {"type": "http.response.start", "headers": list(lines)}
    dressing._dress(short)
    dressing._put_on(MutableHeaders(scope=long))
    assert sorted(short["headers"]) == sorted(long["headers"])
