"""How one request on a connection is answered: as uvicorn does it, in fewer steps where both agree."""

from collections.abc import Iterable
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import (
    HEADER_RE,
    HEADER_VALUE_RE,
    STATUS_LINE,
    RequestResponseCycle,
)

WHOLE: Final = "remit.whole"
"""Where a scope holds the function that gives the whole body at once, or None while it is not all there."""

_LENGTH: Final = b"content-length"
_GUIDING: Final = (b"transfer-encoding", b"connection")
"""Headers that change how an answer is written."""


class Answering(RequestResponseCycle):
    """uvicorn's own cycle. An answer whose length is stated, on a connection that stays, has its head written
    here: the same bytes. Everything else is uvicorn's.
    """

    @staticmethod
    def take(cycle: RequestResponseCycle) -> None:
        """Make one of uvicorn's that has not begun to run one of these.

        COMPAT: uvicorn names the class itself. CPython refuses the change where the layouts differ.
        """
        cycle.__class__ = Answering
        scope: dict[str, Any] = cycle.scope  # type: ignore[assignment]  # a server may add names of its own
        scope[WHOLE] = cycle.whole  # type: ignore[attr-defined]  # it is one of these now

    def whole(self) -> Any | None:
        """What `receive` would give, if the body has come whole; else None, and `receive` must be asked."""
        if self.more_body or self.disconnected or self.response_complete or self.waiting_for_100_continue:
            return None
        self.flow.resume_reading()
        self.message_event.clear()
        body, self.body = bytes(self.body), bytearray()
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Any) -> None:
        """Write one part of the answer."""
        if message["type"] == "http.response.start" and self._is_plain():
            lines = [*self.default_headers, *message.get("headers", ())]
            head = head_of(message["status"], lines)
            if head is not None:
                self.response_started = True
                self.waiting_for_100_continue = False
                self.expected_content_length, written = head
                self.chunked_encoding = False
                self.transport.write(written)
                return
        await super().send(message)

    def _is_plain(self) -> bool:
        """Whether nothing but the headers decides how the head is written."""
        return (
            self.keep_alive
            and not self.response_started
            and not self.disconnected
            and not self.flow.write_paused
            and not self.access_log
        )


def head_of(status: int, lines: Iterable[tuple[bytes, bytes]]) -> tuple[int, bytes] | None:
    """Content length and bytes of a head; None where a header is odd, guides the writing or is missing."""
    names = [name.lower() for name, _ in lines]
    values = [value for _, value in lines]
    if names.count(_LENGTH) != 1 or _GUIDING[0] in names or _GUIDING[1] in names:
        return None
    # Both look for one character, so all names, or all values, are looked through at once.
    if HEADER_RE.search(b"".join(names)) or HEADER_VALUE_RE.search(b"".join(values)):
        return None
    length = int(values[names.index(_LENGTH)].decode())
    pairs = [name + b": " + value for name, value in zip(names, values, strict=True)]
    return length, STATUS_LINE[status] + b"\r\n".join(pairs) + b"\r\n\r\n"
