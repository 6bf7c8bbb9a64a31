"""What the servers' tools are right now, as far as it differs from what was approved."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NamedTuple

from remit.enforcement.mcp.frames import dump
from remit.enforcement.mcp.headers import ParamHeader, declared
from remit.enforcement.mcp.pins import Comparison, ToolRegistry, compare, usable
from remit.enforcement.mcp.upstream import UpstreamFailed, UpstreamRequest, Upstreams
from remit.identity.tools import Server, Tool
from remit.kernel.canonical import Json
from remit.kernel.clock import Clock
from remit.kernel.ids import ServerId

MAX_PAGES: Final = 50
MAX_TOOLS: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueOptions:
    """How old the server's own list may be when a tool is called, in seconds; 0 asks before each call."""

    freshness: float = 10.0


class _Usable(NamedTuple):
    """What followed from one reading and one table of pins, neither of which is ever edited."""

    live: Mapping[str, str]
    pinned: Mapping[str, Tool]
    tools: Mapping[str, Tool]


class Catalogue:
    """Reads each server's list now and then, whole, under the gateway's own name, and compares it.

    The list is not read for anybody in particular, so a server can't show one caller another text.
    """

    def __init__(
        self, *, registry: ToolRegistry, upstreams: Upstreams, clock: Clock, options: CatalogueOptions
    ) -> None:
        self._registry = registry
        self._upstreams = upstreams
        self._clock = clock
        self._options = options
        self._seen: dict[ServerId, tuple[float, Comparison]] = {}
        self._usable: dict[ServerId, _Usable] = {}
        self._reading: dict[ServerId, asyncio.Lock] = {}

    async def usable(self, server: Server) -> Mapping[str, Tool]:
        """The tools that are approved and unchanged, by name. Raises `UpstreamFailed`."""
        live = await self._live(server)
        pinned = self._registry.tools(server)
        known = self._usable.get(server.id)
        if known is None or known.live is not live or known.pinned is not pinned:
            tools = {name: tool for name, tool in sorted(pinned.items()) if usable(tool, live)}
            known = self._usable[server.id] = _Usable(live, pinned, tools)
        return known.tools

    async def read(self, server: Server) -> Comparison:
        """Read the server's whole list now, however fresh the last one is; raises `UpstreamFailed`.

        What differs from the pins is on record and out of use before this returns.
        """
        async with self._reading.setdefault(server.id, asyncio.Lock()):
            begun = self._clock.boottime()
            found = await self._read(server)
            self._seen[server.id] = (begun, found)
            return found

    async def _live(self, server: Server) -> Mapping[str, str]:
        asked_at = self._clock.boottime()
        known = self._seen.get(server.id)
        if known is not None and known[0] >= asked_at - self._options.freshness:
            return known[1].definitions
        async with self._reading.setdefault(server.id, asyncio.Lock()):
            seen = self._seen.get(server.id)
            # Somebody may have read it while this call waited; a reading begun after the question is fresh.
            if seen is None or seen[0] < asked_at - self._options.freshness:
                seen = (self._clock.boottime(), await self._read(server))
                self._seen[server.id] = seen
            return seen[1].definitions

    async def _read(self, server: Server) -> Comparison:
        live = await self._pages(server)
        found = compare(server, self._registry.tools(server), live, at=self._clock.now())
        if found.sightings:
            await self._registry.quarantine(found.sightings)
        return found

    async def _pages(self, server: Server) -> list[Json]:
        upstream = self._upstreams.of(server)
        tools: list[Json] = []
        params: dict[str, bytes] = {}
        for _ in range(MAX_PAGES):
            reply = await upstream.exchange(
                UpstreamRequest(method="tools/list", params=params), notify=_nobody
            )
            page = (reply.result or {}).get("tools")
            if not isinstance(page, list) or len(tools) + len(page) > MAX_TOOLS:
                raise UpstreamFailed("server has no list of tools that can be judged", sent=False)
            tools += page
            cursor = (reply.result or {}).get("nextCursor")
            if not isinstance(cursor, str):
                return tools
            params = {"cursor": dump(cursor)}
        raise UpstreamFailed(f"server's list of tools has more than {MAX_PAGES} pages", sent=False)


@lru_cache(maxsize=1024)
def repeated_in_headers(definition: str) -> tuple[ParamHeader, ...]:
    """The arguments that clients of a tool of this definition repeat in headers."""
    return declared(json.loads(definition)["inputSchema"])


def shown(tool: Tool) -> dict[str, Any]:
    """The pinned text of a tool, as lists show it."""
    definition: dict[str, Any] = json.loads(tool.definition)
    return definition


async def _nobody(method: str, params: dict[str, Any]) -> None:
    """A list has no audience."""
