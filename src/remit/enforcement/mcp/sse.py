"""Event streams, read and written anew: no event of a server reaches a caller in the server's own framing.

WHATWG HTML, "Server-sent events": lines end in LF, CR or CRLF; an empty line ends an event.
"""

from collections.abc import AsyncIterator
from typing import Final

from remit.enforcement.mcp.upstream import UpstreamFailed

HEADERS: Final = (
    (b"content-type", b"text/event-stream"),
    (b"cache-control", b"no-cache, no-transform"),
    (b"x-accel-buffering", b"no"),
)
KEEP_ALIVE: Final = b": still here\n\n"


def event(message: bytes) -> bytes:
    """Write one message as an event; compact JSON holds no line break."""
    return b"event: message\ndata: " + message + b"\n\n"


async def events(chunks: AsyncIterator[bytes], *, limit: int) -> AsyncIterator[bytes]:
    """The data of each event of a byte stream. Raises `UpstreamFailed` when one is over `limit` bytes."""
    data: list[bytes] = []
    size = 0
    async for line in _lines(chunks, limit=limit):
        if line.startswith(b"data:"):
            part = line[5:].removeprefix(b" ")
            size += len(part) + 1
            if size > limit:
                raise UpstreamFailed(
                    f"server sent an event over {limit} bytes", sent=True, cause="upstream_too_large"
                )
            data.append(part)
        elif not line and data:
            yield b"\n".join(data)
            data, size = [], 0


async def _lines(chunks: AsyncIterator[bytes], *, limit: int) -> AsyncIterator[bytes]:
    """Split at every kind of line end; an unfinished last line is no line."""
    rest = b""
    async for chunk in chunks:
        rest += chunk
        # A CR at the very end may be half of a CRLF: it waits for the next piece.
        held = b"\r" if rest.endswith(b"\r") else b""
        parts = rest.removesuffix(b"\r").replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        rest = parts.pop() + held
        if len(rest) > limit + 16:
            raise UpstreamFailed(
                f"server sent a line over {limit} bytes", sent=True, cause="upstream_too_large"
            )
        for line in parts:
            yield line
