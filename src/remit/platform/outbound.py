"""The one HTTP client: resolve once, judge every address, connect to the judged one.

No proxy, netrc or CA settings are read from the environment; no redirect is followed; no cookie is kept.
A name is shown to the other side as SNI and `Host` only, so what was judged is what is connected to, whatever
the name resolves to a moment later (DNS rebinding).
"""

import asyncio
import ipaddress
import re
import socket
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import lru_cache
from types import TracebackType
from typing import Final, Protocol
from urllib.parse import quote, urlsplit

from remit.enforcement.mcp.exit import ExitFailed, ExitReply, ExitRequest
from remit.kernel.errors import Unavailable
from remit.kernel.outbound import (
    Address,
    Destination,
    OutboundRefused,
    OutboundRequest,
    OutboundResponse,
)
from remit.platform.connections import Connection, Place, Pool, PoolOptions
from remit.platform.http1 import Answer

_PORTS: Final = {"https": 443, "http": 80}
_RESOLVE_SECONDS: Final = 5.0
_LINE: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+: [\t\x20-\x7e\x80-\xff]*")
_METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
"""Methods whose answers end where their framing says; those to HEAD and CONNECT do not (RFC 9112 §6.3)."""
_OURS: Final = frozenset({
    "host", "connection", "content-length", "transfer-encoding", "accept-encoding", "te", "trailer",
    "upgrade", "expect", "keep-alive", "proxy-connection",
})  # fmt: skip
"""Headers that say where a message ends and what the connection does: only this module writes them."""


class Resolver(Protocol):
    """Turns a name into addresses."""

    async def resolve(self, host: str, port: int) -> Sequence[Address]:
        """Every address of the name, best first; raises `OSError`."""


class SystemResolver:
    """The machine's resolver."""

    async def resolve(self, host: str, port: int) -> Sequence[Address]:
        """Ask it once."""
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return list(dict.fromkeys(ipaddress.ip_address(place[4][0]) for place in found))


class Rule(Protocol):
    """Where a connection may go now: `kernel.outbound.AddressRule`, or one that follows the directory."""

    @property
    def registered(self) -> frozenset[Destination]:
        """Exact pairs that the operator named."""

    def check(self, destination: Destination, address: Address) -> None:
        """Raise `OutboundRefused` unless the connection may be made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A URL, taken apart: whom it names, how the connection is kept, and what the request line says."""

    destination: Destination
    place: Place
    host: str
    path: str
    literal: Address | None
    """The address itself, where the host is one: there is no name to resolve."""


class _Reply:
    """A reply whose body is read as it comes."""

    def __init__(self, connection: Connection, answer: Answer, *, seconds: float) -> None:
        self._connection = connection
        self._answer = answer
        self._seconds = seconds

    @property
    def status(self) -> int:
        """HTTP status."""
        return self._answer.status

    @property
    def headers(self) -> Mapping[str, str]:
        """Last value per lower-case name."""
        return self._answer.headers

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body in pieces. A compressed one is refused: none was asked for."""
        if self._answer.encoded:
            raise ExitFailed("server compressed its answer unasked", sent=True)
        while piece := await self._connection.more(self._answer, seconds=self._seconds):
            yield piece


class _Exchange:
    """One request and its reply; leaving it gives the connection back, or cuts it off if more was to come."""

    def __init__(self, http: "GuardedHttp", request: ExitRequest) -> None:
        self._http = http
        self._request = request
        self._connection: Connection | None = None

    async def __aenter__(self) -> ExitReply:
        request = self._request
        try:
            target = target_of(request.url)
            head = _head(request, target)
            connection = self._connection = await self._http.connect(target, seconds=request.connect)
        except OutboundRefused as refused:
            raise ExitFailed(refused.hint, sent=False, debug=refused.debug) from refused
        try:
            answer = await connection.ask(head + request.body, seconds=request.first_byte)
        except BaseException:
            connection.release()
            raise
        return _Reply(connection, answer, seconds=request.first_byte)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._connection is not None:
            self._connection.release()


class GuardedHttp:
    """Implements the exits of `kernel.outbound` and of the gateway."""

    def __init__(
        self,
        *,
        rule: Rule,
        resolver: Resolver | None = None,
        tls: ssl.SSLContext | None = None,
        options: PoolOptions | None = None,
    ) -> None:
        self._rule = rule
        self._resolver = resolver or SystemResolver()
        self._tls = tls
        self._pool = Pool(options)

    def open(self, request: ExitRequest) -> AbstractAsyncContextManager[ExitReply]:
        """Send; the reply is here with its headers, its body comes by `chunks`."""
        return _Exchange(self, request)

    async def send(self, request: OutboundRequest) -> OutboundResponse:
        """Send and read all, within size and time. Raises `OutboundRefused` or `Unavailable`."""
        asked = ExitRequest(
            method=request.method,
            url=request.url,
            headers=request.headers,
            body=request.body,
            connect=request.timeout,
            first_byte=request.timeout,
        )
        try:
            async with asyncio.timeout(request.timeout), self.open(asked) as reply:
                body = bytearray()
                async for chunk in reply.chunks():
                    body += chunk
                    if len(body) > request.largest_answer:
                        raise Unavailable(f"answer is over the limit of {request.largest_answer} bytes")
                return OutboundResponse(status=reply.status, headers=reply.headers, body=bytes(body))
        except TimeoutError as late:
            raise Unavailable(f"no whole answer within {request.timeout:g} s") from late
        except ExitFailed as failed:
            if isinstance(failed.__cause__, OutboundRefused):
                raise failed.__cause__ from failed
            raise

    async def connect(self, target: Target, *, seconds: float) -> Connection:
        """A connection to a judged address of the target, kept or new.

        Raises `OutboundRefused` for an address that is closed now, `ExitFailed` if none answers.
        """
        if target.place.scheme == "http" and target.destination not in self._rule.registered:
            raise OutboundRefused("plain HTTP goes to registered hosts only")
        if (kept := self._pool.kept(target.place)) is not None:
            return self._still_open(kept, target)
        return await self._first(target, await self._judged(target), seconds)

    async def close(self) -> None:
        """Close idle connections."""
        self._pool.close()

    def _still_open(self, kept: Connection, target: Target) -> Connection:
        """SAFETY: a kept connection leads to the address that was judged; the rule may have changed since."""
        try:
            self._rule.check(target.destination, kept.address)
        except OutboundRefused:
            kept.close()
            raise
        return kept

    async def _judged(self, target: Target) -> Sequence[Address]:
        """Every address of the target's host, each of them allowed."""
        addresses = [target.literal] if target.literal is not None else await self._resolved(target)
        for address in addresses:
            self._rule.check(target.destination, address)
        return addresses

    async def _resolved(self, target: Target) -> Sequence[Address]:
        asked = target.destination
        try:
            async with asyncio.timeout(_RESOLVE_SECONDS):
                addresses = await self._resolver.resolve(asked.host, asked.port)
        except (OSError, TimeoutError, UnicodeError) as unknown:
            raise ExitFailed(f"`{asked.host}` does not resolve", sent=False) from unknown
        if not addresses:
            raise ExitFailed(f"`{asked.host}` has no address", sent=False)
        return addresses

    async def _first(self, target: Target, addresses: Sequence[Address], seconds: float) -> Connection:
        """Connect to the addresses in order; nothing is sent meanwhile."""
        tls = await self._secured() if target.place.scheme == "https" else None
        failed: Exception = OSError("no address")
        for address in addresses:
            try:
                return await self._pool.connect(target.place, address, tls=tls, seconds=seconds)
            except (OSError, ValueError) as unreachable:
                failed = unreachable
        raise ExitFailed("server can't be reached", sent=False, debug=str(failed)) from failed

    async def _secured(self) -> ssl.SSLContext:
        """The machine's authorities, read on first use: that takes longer than many a whole exchange."""
        if self._tls is None:
            self._tls = await asyncio.to_thread(ssl.create_default_context)
        self._tls.set_alpn_protocols(["http/1.1"])
        return self._tls


@lru_cache(maxsize=1024)
def target_of(url: str) -> Target:
    """Take a URL apart. Raises `OutboundRefused` for what is no plain http or https address."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as broken:
        raise OutboundRefused("address is no URL, or its port is none") from broken
    if parts.scheme not in _PORTS or not host or parts.username is not None or not host.isascii():
        raise OutboundRefused("address is no plain http or https URL")
    number = port or _PORTS[parts.scheme]
    query = f"?{quote(parts.query, safe=_QUERY)}" if parts.query else ""
    return Target(
        destination=Destination(host=host.lower(), port=number),
        place=Place(parts.scheme, host, number),
        host=parts.netloc,
        path=quote(parts.path or "/", safe=_QUERY) + query,
        literal=_literal(host),
    )


_QUERY: Final = "/%:@!$&'()*+,;=~-._?"
"""What stands in a path or a query as it is (RFC 3986 §3.3, §3.4)."""


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _head(request: ExitRequest, target: Target) -> bytes:
    """The request's head. Raises `ExitFailed` for what would be read as something else than it is."""
    if request.method not in _METHODS:
        raise ExitFailed(f"method `{request.method[:16]}` is not sent from here", sent=False)
    lines = [f"Host: {target.host}", "Accept-Encoding: identity"]
    if request.body or request.method not in {"GET", "DELETE"}:
        lines.append(f"Content-Length: {len(request.body)}")
    for name, value in request.headers.items():
        if name.lower() in _OURS:
            raise ExitFailed(f"header `{name}` is not the caller's to write", sent=False)
        lines.append(f"{name}: {value}")
    if not all(map(_LINE.fullmatch, lines)):
        raise ExitFailed("a header can't be written as it is", sent=False)
    return "\r\n".join((f"{request.method} {target.path} HTTP/1.1", *lines, "", "")).encode("latin-1")
