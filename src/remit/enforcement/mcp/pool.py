"""One upstream per server, behind one breaker each."""

from remit.enforcement.mcp.exit import HttpExit, Spawner
from remit.enforcement.mcp.upstream import (
    Breaker,
    Description,
    Notify,
    Reply,
    Timeouts,
    Upstream,
    UpstreamFailed,
    UpstreamRequest,
)
from remit.enforcement.mcp.upstream_http import HttpUpstream
from remit.enforcement.mcp.upstream_stdio import StdioUpstream
from remit.identity.tools import Server, Transport

_BLAMELESS = frozenset({"upstream_refused", "upstream_circuit_open", "upstream_restarting"})


class _Guarded:
    """An upstream that is left alone for a while once it keeps failing."""

    def __init__(self, inner: Upstream, breaker: Breaker) -> None:
        self._inner = inner
        self._breaker = breaker

    async def describe(self) -> Description:
        """First contact, if the breaker is closed."""
        self._breaker.check()
        try:
            return await self._inner.describe()
        except UpstreamFailed as failed:
            self._count(failed)
            raise

    async def exchange(self, request: UpstreamRequest, *, notify: Notify) -> Reply:
        """One exchange, if the breaker is closed."""
        self._breaker.check()
        try:
            reply = await self._inner.exchange(request, notify=notify)
        except UpstreamFailed as failed:
            self._count(failed)
            raise
        self._breaker.succeeded()
        return reply

    async def close(self) -> None:
        """Close the inner one."""
        await self._inner.close()

    def _count(self, failed: UpstreamFailed) -> None:
        if failed.cause not in _BLAMELESS:
            self._breaker.failed()


class UpstreamPool:
    """Makes upstreams on first use; a server that is registered anew gets a new one."""

    def __init__(self, *, http: HttpExit, spawner: Spawner, timeouts: Timeouts | None = None) -> None:
        self._http = http
        self._spawner = spawner
        self._timeouts = timeouts or Timeouts()
        self._made: dict[tuple[str, str, tuple[str, ...]], Upstream] = {}

    def of(self, server: Server) -> Upstream:
        """The upstream of this server at this address."""
        key = (server.id, server.url, server.argv)
        if key not in self._made:
            self._made[key] = _Guarded(self._make(server), Breaker())
        return self._made[key]

    async def close(self) -> None:
        """Close every upstream."""
        for upstream in self._made.values():
            await upstream.close()
        self._made.clear()

    def _make(self, server: Server) -> Upstream:
        match server.transport:
            case Transport.HTTP:
                return HttpUpstream(server, self._http, self._timeouts)
            case Transport.STDIO:
                return StdioUpstream(server, self._spawner, self._timeouts)
