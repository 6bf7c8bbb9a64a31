"""The one HTTP client: resolve once, judge every address, connect to the judged one.

No proxy, netrc or CA settings are read from the environment; no redirect is followed; no cookie is kept.
A name is shown to the other side as SNI and `Host` only, so what was judged is what is connected to, whatever
the name resolves to a moment later (DNS rebinding).
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Final, Protocol
from urllib.parse import SplitResult, urlsplit

import httpx2

from remit.enforcement.mcp.exit import ExitFailed, ExitReply, ExitRequest
from remit.kernel.errors import Unavailable
from remit.kernel.outbound import (
    Address,
    Destination,
    OutboundRefused,
    OutboundRequest,
    OutboundResponse,
)

_PORTS: Final = {"https": 443, "http": 80}
_KEPT_SECONDS: Final = 2.0
"""Shorter than any server keeps an idle connection, so that a request seldom meets a closing one."""


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


class _Reply:
    """A reply whose body is read as it comes."""

    def __init__(self, response: httpx2.Response) -> None:
        self._response = response

    @property
    def status(self) -> int:
        """HTTP status."""
        return self._response.status_code

    @property
    def headers(self) -> Mapping[str, str]:
        """Last value per lower-case name."""
        return {name.lower(): value for name, value in self._response.headers.multi_items()}

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body in pieces. A compressed one is refused: none was asked for."""
        if self._response.headers.get("content-encoding", "identity") != "identity":
            raise ExitFailed("server compressed its answer unasked", sent=True)
        try:
            async for chunk in self._response.aiter_raw():
                yield chunk
        except httpx2.TimeoutException as late:
            raise ExitFailed("server fell silent", sent=True, timed_out=True) from late
        except httpx2.TransportError as broken:
            raise ExitFailed("connection broke", sent=True, debug=str(broken)) from broken


class Rule(Protocol):
    """Where a connection may go now: `kernel.outbound.AddressRule`, or one that follows the directory."""

    @property
    def registered(self) -> frozenset[Destination]:
        """Exact pairs that the operator named."""

    def check(self, destination: Destination, address: Address) -> None:
        """Raise `OutboundRefused` unless the connection may be made."""


class GuardedHttp:
    """Implements the exits of `kernel.outbound` and of the gateway."""

    def __init__(
        self, *, rule: Rule, resolver: Resolver | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        self._rule = rule
        self._resolver = resolver or SystemResolver()
        self._transport = httpx2.AsyncHTTPTransport(
            verify=tls or ssl.create_default_context(),
            trust_env=False,
            limits=httpx2.Limits(max_connections=None, keepalive_expiry=_KEPT_SECONDS),
        )

    def open(self, request: ExitRequest) -> AbstractAsyncContextManager[ExitReply]:
        """Send; the reply is here with its headers, its body comes by `chunks`."""
        return self._open(request)

    async def send(self, request: OutboundRequest) -> OutboundResponse:
        """Send and read all, within size and time. Raises `OutboundRefused` or `Unavailable`."""
        await self._judged(urlsplit(request.url))
        asked = ExitRequest(
            method=request.method,
            url=request.url,
            headers=request.headers,
            body=request.body,
            connect=request.timeout,
            first_byte=request.timeout,
        )
        try:
            async with asyncio.timeout(request.timeout), self._open(asked) as reply:
                body = bytearray()
                async for chunk in reply.chunks():
                    body += chunk
                    if len(body) > request.largest_answer:
                        raise Unavailable(f"answer is over the limit of {request.largest_answer} bytes")
                return OutboundResponse(status=reply.status, headers=reply.headers, body=bytes(body))
        except TimeoutError as late:
            raise Unavailable(f"no whole answer within {request.timeout:g} s") from late

    async def close(self) -> None:
        """Close idle connections."""
        await self._transport.aclose()

    @asynccontextmanager
    async def _open(self, request: ExitRequest) -> AsyncIterator[ExitReply]:
        url = urlsplit(request.url)
        try:
            addresses = await self._judged(url)
        except OutboundRefused as refused:
            raise ExitFailed(refused.hint, sent=False, debug=refused.debug) from refused
        response = await self._first(request, url, addresses)
        try:
            yield _Reply(response)
        finally:
            await response.aclose()

    async def _judged(self, url: SplitResult) -> Sequence[Address]:
        """Every address of the URL's host, each of them allowed."""
        destination = _destination(url)
        if url.scheme == "http" and destination not in self._rule.registered:
            raise OutboundRefused("plain HTTP goes to registered hosts only")
        try:
            async with asyncio.timeout(5):
                addresses = await self._resolver.resolve(destination.host, destination.port)
        except (OSError, TimeoutError) as unknown:
            raise ExitFailed(f"`{destination.host}` does not resolve", sent=False) from unknown
        for address in addresses:
            self._rule.check(destination, address)
        if not addresses:
            raise ExitFailed(f"`{destination.host}` has no address", sent=False)
        return addresses

    async def _first(
        self, request: ExitRequest, url: SplitResult, addresses: Sequence[Address]
    ) -> httpx2.Response:
        """Try the addresses in order, as long as nothing can have been sent."""
        failed: Exception = OSError("no address")
        for address in addresses:
            try:
                return await self._transport.handle_async_request(_addressed(request, url, address))
            except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout) as unreachable:
                failed = unreachable
            except httpx2.TimeoutException as late:
                raise ExitFailed("server did not answer in time", sent=True, timed_out=True) from late
            except httpx2.TransportError as broken:
                raise ExitFailed("connection broke", sent=True, debug=str(broken)) from broken
        raise ExitFailed("server can't be reached", sent=False, debug=str(failed)) from failed


def _destination(url: SplitResult) -> Destination:
    if url.scheme not in _PORTS or not url.hostname or url.username is not None:
        raise OutboundRefused("address is no plain http or https URL")
    return Destination(host=url.hostname.lower(), port=url.port or _PORTS[url.scheme])


def _addressed(request: ExitRequest, url: SplitResult, address: Address) -> httpx2.Request:
    """The request, to the judged address, under the name's `Host` and SNI."""
    host = f"[{address}]" if address.version == 6 else str(address)  # noqa: PLR2004 — the IP version
    port = url.port or _PORTS[url.scheme]
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    name = url.netloc
    times = {
        "connect": request.connect,
        "read": request.first_byte,
        "write": request.first_byte,
        "pool": request.connect,
    }
    return httpx2.Request(
        request.method,
        f"{url.scheme}://{host}:{port}{path}",
        headers={"Host": name, "Accept-Encoding": "identity", **request.headers},
        content=request.body,
        extensions={"timeout": times, "sni_hostname": url.hostname},
    )
