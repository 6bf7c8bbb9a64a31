"""How one request on a connection is answered: as uvicorn does it, in fewer steps where both agree."""

from collections.abc import Iterable
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import (
    HEADER_RE,
    HEADER_VALUE_RE,
    STATUS_LINE,
    RequestResponseCycle,
)

from remit.surface.web.security import ALWAYS, UNLESS_SET

WHOLE: Final = "remit.whole"
"""Where a scope holds the function that gives the whole body at once, or None while it is not all there."""

_LENGTH: Final = b"content-length"
_LEADING: Final = frozenset({_LENGTH, b"remit-request-id"})
"""Headers that every answer has, each with a value of its own; so spelt, their names need no looking at."""
_GUIDING: Final = frozenset({_LENGTH, b"transfer-encoding", b"connection"})
"""Headers that change how an answer is written, in whatever spelling."""
_FEW_VALUES: Final = frozenset({name.encode() for name in (*ALWAYS, *UNLESS_SET, "content-type")})
"""Headers that nearly every answer has, with one of a few values."""
_MOST_KNOWN: Final = 256


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
        if not (self._begins(message) or self._ends(message)):
            await super().send(message)

    def _begins(self, message: Any) -> bool:
        """Write the head, if nothing but its headers decides how."""
        if message["type"] != "http.response.start" or self.response_started or not self._is_plain():
            return False
        head = head_of(message["status"], [*self.default_headers, *message.get("headers", ())])
        if head is None:
            return False
        self.response_started = True
        self.waiting_for_100_continue = False
        self.chunked_encoding = False
        self.expected_content_length, written = head
        self.transport.write(written)
        return True

    def _ends(self, message: Any) -> bool:
        """Write the body, if all of it is here, exactly as long as was said."""
        if message["type"] != "http.response.body" or not self.response_started or self.response_complete:
            return False
        body = message.get("body", b"")
        whole = self.chunked_encoding is False and not message.get("more_body", False)
        if not whole or len(body) != self.expected_content_length or not self._is_plain():
            return False
        if self.scope["method"] == "HEAD":
            return False
        self.transport.write(body)
        self.expected_content_length = 0
        self.response_complete = True
        self.message_event.set()
        self.on_response()
        return True

    def _is_plain(self) -> bool:
        """Whether the connection stays open, takes what is written, and nobody wants a line about it."""
        return (
            self.keep_alive and not self.disconnected and not self.flow.write_paused and not self.access_log
        )


def head_of(status: int, lines: Iterable[tuple[bytes, bytes]]) -> tuple[int, bytes] | None:
    """Content length and bytes of a head; None where a header is odd, guides the writing or is missing."""
    written, length = [STATUS_LINE[status]], None
    for name, value in lines:
        line = _known.get((name, value)) or _line_of(name, value)
        if line is None:
            return None
        written.append(line)
        if length is None and name == _LENGTH:
            length = value
    if length is None or not length.isdigit():
        return None
    written.append(b"\r\n")
    return int(length), b"".join(written)


def _line_of(name: bytes, value: bytes) -> bytes | None:
    """One header as it is written; remembered if its values are few, whoever asks."""
    if name in _LEADING:
        return b"%b: %b\r\n" % (name, value) if not HEADER_VALUE_RE.search(value) else None
    name = name.lower()
    if name in _GUIDING or HEADER_RE.search(name) or HEADER_VALUE_RE.search(value):
        return None
    line = b"%b: %b\r\n" % (name, value)
    if name in _FEW_VALUES and len(_known) < _MOST_KNOWN:
        _known[name, value] = line
    return line


_known: dict[tuple[bytes, bytes], bytes] = {}
"""Pure: a header and what is written of it."""
