"""The gateway as a client: what it sends to a server behind it, and every way in which that can end."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from remit.enforcement.mcp.wire import Era
from remit.enforcement.pep.credentials import Shown
from remit.identity.tools import Server
from remit.kernel.canonical import JsonObject
from remit.kernel.errors import Unavailable

Notify = Callable[[str, dict[str, Any]], Awaitable[None]]
"""Takes a notification that belongs to this exchange: method and params."""


class UpstreamFailed(Unavailable):
    """No whole answer came. `sent` is False only if the server can't have seen the request."""

    code = "upstream_unavailable"

    def __init__(
        self, hint: str, *, sent: bool, cause: str = "upstream_unavailable", debug: str = ""
    ) -> None:
        super().__init__(hint, debug=debug)
        self.sent = sent
        self.cause = cause


@dataclass(frozen=True, slots=True, kw_only=True)
class UpstreamRequest:
    """One request, independent of the era that the server speaks.

    `params` are raw members, forwarded byte for byte. `meta` is what passes of the caller's `_meta`.
    `headers` are `Mcp-Param-*` that the caller sent. `capability` is for consequential calls and others
    that the decider gave one for. `credential` is what the vault opened for this one call; no other goes
    along. `offers` are the client
    capabilities that a server may use for this request; none unless its caller has them.
    """

    method: str
    params: Mapping[str, bytes]
    meta: JsonObject = field(default_factory=dict)
    name: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    capability: str = ""
    offers: JsonObject = field(default_factory=dict)
    credential: Shown | None = None
    transaction: str = ""
    """The caller's transaction token, as it came and was verified; it opens nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A JSON-RPC answer: exactly one of `result` and `error` is set; `era` is that of the server."""

    result: dict[str, Any] | None
    error: dict[str, Any] | None
    era: Era


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What a server said about itself at first contact; untrusted text."""

    era: Era
    version: str
    capabilities: dict[str, Any]


def read_message(data: bytes) -> dict[str, Any] | None:
    """One JSON-RPC message of a server; None for anything else.

    Laxer than the edge: what we pass on is written anew from what we read, so nobody reads it differently.
    """
    try:
        value = _DECODER.decode(data.decode())
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def reply_of(message: dict[str, Any], era: Era) -> Reply:
    """Take the answer out of a message; raises `UpstreamFailed` if it is neither result nor error."""
    result, error = message.get("result"), message.get("error")
    if isinstance(error, dict):
        return Reply(result=None, error=error, era=era)
    if isinstance(result, dict):
        return Reply(result=result, error=None, era=era)
    raise UpstreamFailed("server sent neither a result nor an error", sent=True, cause="upstream_malformed")


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


_DECODER: Final = json.JSONDecoder(parse_constant=_no_constant)


class Upstream(Protocol):
    """One server behind the gateway, over HTTP or as a child process."""

    async def describe(self) -> Description:
        """Make first contact if there was none. Raises `UpstreamFailed`."""

    async def exchange(self, request: UpstreamRequest, *, notify: Notify) -> Reply:
        """Send once and wait for the answer; never sends twice. Raises `UpstreamFailed`.

        If the waiting task is cancelled, the server is told so in the words of its era.
        """

    async def close(self) -> None:
        """Let go of connections and processes."""


class Upstreams(Protocol):
    """Finds the upstream of a server; one per server for the life of the process."""

    def of(self, server: Server) -> Upstream:
        """The upstream, made on first use."""

    async def close(self) -> None:
        """Close all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds until the connection stands, until the first byte, until the whole answer."""

    connect: float = 3.0
    first_byte: float = 30.0
    total: float = 300.0


MAX_REPLY: Final = 16 << 20
MAX_LINE: Final = 1 << 20
"""One event of a stream. A reply that comes as an event may be as long as a reply."""


class Breaker:
    """Stops calling a server that keeps failing: `threshold` failures in a row open it for `pause` s.

    Then one call is let through; if that one succeeds, the breaker closes.
    """

    def __init__(self, *, threshold: int = 5, pause: float = 10.0) -> None:
        self._threshold = threshold
        self._pause = pause
        self._failures = 0
        self._open_until = 0.0

    def check(self) -> None:
        """Raise `UpstreamFailed` while open; nothing is sent then."""
        now = asyncio.get_running_loop().time()
        if self._failures >= self._threshold and now < self._open_until:
            wait = self._open_until - now
            raise UpstreamFailed(
                f"server failed {self._failures} times in a row; next try in {wait:.0f} s",
                sent=False,
                cause="upstream_circuit_open",
            )
        if self._failures >= self._threshold:
            # The next caller is the trial; others wait for its result.
            self._open_until = now + self._pause

    def succeeded(self) -> None:
        """Close."""
        self._failures = 0

    def failed(self) -> None:
        """Count, and open at the threshold."""
        self._failures += 1
        self._open_until = asyncio.get_running_loop().time() + self._pause
