"""One HTTP/1.1 answer, read strictly: whatever two readers could end at different places is refused.

The parser is llhttp (`httptools`), with none of its leniencies. RFC 9112 §6.3: an answer is framed by one
`Content-Length`, by `chunked` alone, or by the end of the connection; by two of them it is an attack.
"""

from collections import deque
from typing import Final

from httptools import HttpParserError, HttpResponseParser

HEAD: Final = 64 << 10
"""Bytes that may pass without a byte of body: a head, the trailers, or the words between two chunks."""
_INTERIMS: Final = 8
"""Answers of the class 1xx before the one that counts (RFC 9110 §15.2)."""
_BEGINNING: Final = b"HTTP/1."
"""The parser knows other protocols too."""
_SWITCHING: Final = 101
_BODILESS: Final = frozenset({204, 304})
_FRAMING: Final = frozenset({"content-length", "transfer-encoding"})


class NotHttp(Exception):
    """The bytes are no answer that can be believed."""


class Answer:
    """What has arrived of one answer. The methods named `on_…` are the parser's, in its own order."""

    __slots__ = (
        "_bare",
        "_chunked",
        "_interims",
        "_parser",
        "_silent",
        "complete",
        "encoded",
        "headed",
        "headers",
        "held",
        "kept",
        "pieces",
        "status",
        "surplus",
    )

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.encoded = False
        """A coding of the content was named, and none was asked for."""
        self.pieces: deque[bytes] = deque()
        self.held = 0
        """Bytes of body that nobody has taken yet."""
        self.headed = self.complete = False
        self.kept = False
        """The connection may carry another exchange after this one."""
        self.surplus = False
        """More than the answer came: nothing that follows on the connection can be believed."""
        self._silent = self._interims = 0
        self._bare = True
        self._chunked = False
        self._parser = HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        """Take what arrived. Raises `NotHttp`; then the connection must go."""
        if self.complete:
            self.surplus = True
            return
        if not self._silent and not self.headed and not _BEGINNING.startswith(data[: len(_BEGINNING)]):
            raise NotHttp("answer is not of HTTP/1")
        self._silent += len(data)
        try:
            self._parser.feed_data(data)
        except HttpParserError as broken:
            self._break(broken)
        if self._silent > HEAD:
            raise NotHttp(f"more than {HEAD} bytes without a body")

    def end(self) -> bool:
        """The connection has ended: whether that ended the answer, as it does when nothing else can."""
        if self.headed and self._bare and not self.complete:
            self.complete = True
        return self.complete

    def take(self) -> bytes:
        """The next piece of body that is here."""
        piece = self.pieces.popleft()
        self.held -= len(piece)
        return piece

    def on_message_begin(self) -> None:
        """An answer begins; a second one was not asked for."""
        if self.complete:
            self.surplus = True
            raise NotHttp("a second answer came")
        self.headers.clear()
        self.encoded = self._chunked = False
        self._bare = True

    def on_header(self, raw_name: bytes, raw_value: bytes) -> None:
        """A header; after the body it is a trailer, which nobody reads (RFC 9110 §6.5.1)."""
        if self.headed:
            return
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        if name in _FRAMING:
            self._frame(name, value)
        elif name == "content-encoding" and value.strip().lower() != "identity":
            self.encoded = True
        self.headers[name] = value

    def on_headers_complete(self) -> None:
        """The head is whole: is it an answer, and does it go on?"""
        parser = self._parser
        status = parser.get_status_code()
        if parser.get_http_version() not in {"1.1", "1.0"} or not 100 <= status <= 599:  # noqa: PLR2004 — RFC 9110 §15
            raise NotHttp("answer is not of HTTP/1")
        if status < 200:  # noqa: PLR2004 — the class of interim answers
            self._interims += 1
            if status == _SWITCHING or self._interims > _INTERIMS:
                raise NotHttp("server wants to go on in another way")
            return
        if self._chunked and parser.get_http_version() == "1.0":
            raise NotHttp("a chunked answer of HTTP/1.0")
        self.status, self.headed = status, True
        self._bare = self._bare and status not in _BODILESS
        self.kept = parser.should_keep_alive() and not self._bare

    def on_body(self, data: bytes) -> None:
        """A piece of body."""
        self._silent = 0
        self.held += len(data)
        self.pieces.append(data)

    def on_message_complete(self) -> None:
        """The answer is whole, unless it was only an interim one."""
        self.complete = self.headed

    def _break(self, broken: HttpParserError) -> None:
        if not self.complete:
            raise NotHttp(str(broken.__context__ or broken)) from broken
        self.surplus = True  # The answer is whole as it is; what follows it can't be read.

    def _frame(self, name: str, value: str) -> None:
        if not self._bare:
            raise NotHttp("answer is framed in two ways")
        if name == "transfer-encoding" and value.strip().lower() != "chunked":
            raise NotHttp("answer has a transfer coding that was not asked for")
        if name == "content-length" and not (value.isascii() and value.isdigit()):
            raise NotHttp("length of the answer is no number")
        self._bare, self._chunked = False, name == "transfer-encoding"
