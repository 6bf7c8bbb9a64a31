"""How the gateway leaves the house: an HTTP exchange, a child process; `platform` does it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from remit.kernel.errors import Unavailable


class ExitFailed(Unavailable):
    """The exchange broke. `sent` is False only if no byte of the request can have arrived."""

    code = "exit_failed"

    def __init__(self, hint: str, *, sent: bool, timed_out: bool = False, debug: str = "") -> None:
        super().__init__(hint, debug=debug)
        self.sent = sent
        self.timed_out = timed_out


@dataclass(frozen=True, slots=True, kw_only=True)
class ExitRequest:
    """One POST or DELETE; times in seconds."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    connect: float
    first_byte: float


class ExitReply(Protocol):
    """Status, headers (lower-case names) and the body as it comes."""

    @property
    def status(self) -> int:
        """HTTP status."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Last value per lower-case name."""

    def chunks(self) -> AsyncIterator[bytes]:
        """Decoded body in pieces; raises `ExitFailed`."""


class HttpExit(Protocol):
    """Sends to checked addresses only, follows no redirect, reads no proxy settings."""

    def open(self, request: ExitRequest) -> AbstractAsyncContextManager[ExitReply]:
        """Send and give the reply once its headers are here; leaving the block closes the connection."""


class Child(Protocol):
    """A running server that speaks one JSON message per line."""

    async def write(self, line: bytes) -> None:
        """Send a line; raises `ExitFailed` if the child is gone."""

    async def read(self) -> bytes:
        """The next line without its end; empty once the child has closed its output.

        Raises `ExitFailed` for a line over the limit.
        """

    async def stop(self) -> None:
        """Close its input, wait shortly, then end it."""


class Spawner(Protocol):
    """Starts children from an argument list, with a clean environment and no shell."""

    async def spawn(self, argv: tuple[str, ...], environment: tuple[tuple[str, str], ...]) -> Child:
        """Start; raises `ExitFailed` with `sent=False` if it can't."""
