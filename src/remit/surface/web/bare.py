"""The busiest doors speak ASGI themselves: headers that are looked at, the whole body, one JSON answer."""

from collections.abc import Set  # noqa: PYI025  # it is no builtin `set`: callers may only look

from starlette.types import Receive, Scope, Send

JSON: tuple[bytes, bytes] = (b"content-type", b"application/json")
NO_STORE: tuple[bytes, bytes] = (b"cache-control", b"no-store")


def headers_of(scope: Scope, wanted: Set[bytes]) -> dict[bytes, list[str]]:
    """Those that are looked at; doubles of single ones were refused before."""
    found: dict[bytes, list[str]] = {}
    for name, value in scope["headers"]:
        if name in wanted:
            found.setdefault(name, []).append(value.decode("latin-1"))
    return found


async def whole_of(receive: Receive) -> bytes:
    """The body; its size and time are bounded by the doors before."""
    message = await receive()
    body = message.get("body", b"")
    while message.get("more_body", False):
        message = await receive()
        body += message.get("body", b"")
    return bytes(body)


async def tell(send: Send, body: bytes, *lines: tuple[bytes, bytes]) -> None:
    """Answer 200 with a JSON document."""
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [JSON, length, *lines]})
    await send({"type": "http.response.body", "body": body})
