"""Requests that the gateway fulfils by itself: introductions, lists of tools, subscriptions.

What a server says about itself is not passed on: callers read registered instructions and pinned tools.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

from remit.enforcement.mcp import forward, streams
from remit.enforcement.mcp.catalogue import Catalogue, shown
from remit.enforcement.mcp.request import Request
from remit.enforcement.mcp.upstream import Upstreams
from remit.enforcement.mcp.wire import (
    ENTERPRISE_MANAGED,
    LEGACY_VERSIONS,
    META,
    META_SUBSCRIPTION,
    MODERN_VERSIONS,
    Era,
)
from remit.enforcement.pep.decider import Decider
from remit.identity.tools import Server, Tool
from remit.kernel.clock import Clock

Own = Callable[[Request], Awaitable[dict[str, Any]]]
_SERVED: Final = ("tools", "resources", "prompts", "completions")


class LocalAnswers:
    """Answers without forwarding; each was decided before."""

    def __init__(self, *, catalogue: Catalogue, decider: Decider, upstreams: Upstreams, clock: Clock) -> None:
        self._catalogue = catalogue
        self._decider = decider
        self._upstreams = upstreams
        self._clock = clock
        self._own: dict[str, Own] = {
            "initialize": self._initialize,
            "server/discover": self._discover,
            "ping": self._ping,
            "tools/list": self._list_tools,
            "subscriptions/listen": self._listen,
        }

    def of(self, method: str) -> Own | None:
        """What answers this method here, or None if it is the server's to answer."""
        return self._own.get(method)

    async def _list_tools(self, request: Request) -> dict[str, Any]:
        return {"tools": [shown(tool) for tool in (await self.shown_tools(request)).values()]}

    async def shown_tools(self, request: Request) -> dict[str, Tool]:
        """The tools that are approved, unchanged, and shown to this caller, in order of their names."""
        usable = await self._catalogue.usable(request.server)
        seen = await self._decider.visible(
            request.subject, request.server, tuple(usable.values()), at=self._clock.now()
        )
        return {name: tool for name, tool in usable.items() if tool.id in seen}

    async def shown_tool(self, request: Request, name: str) -> Tool | None:
        """One tool, if it would be in the list. A name that is unknown costs what a hidden one does."""
        usable = await self._catalogue.usable(request.server)
        asked = usable.get(name) or next(iter(usable.values()), None)
        if asked is None:
            return None
        seen = await self._decider.visible(request.subject, request.server, (asked,), at=self._clock.now())
        return asked if asked.name == name and asked.id in seen else None

    async def _listen(self, request: Request) -> dict[str, Any]:
        """Tell a modern client when the tools it is shown have changed; nothing else can be subscribed to.

        No resource of a server is watched for anybody, so no foreign one can be (MC-13).
        """
        wanted = request.message.params.get("notifications")
        honoured = (
            {"toolsListChanged": True} if isinstance(wanted, dict) and wanted.get("toolsListChanged") else {}
        )
        meta = {"_meta": {META_SUBSCRIPTION: request.message.id}}
        before = await self.shown_tools(request)
        await request.notify("notifications/subscriptions/acknowledged", {"notifications": honoured, **meta})
        end = self._clock.boottime() + streams.LONGEST
        while self._clock.boottime() < end:
            await asyncio.sleep(streams.TICK)
            now = await self.shown_tools(request)
            if honoured and now != before:
                await request.notify("notifications/tools/list_changed", meta)
            before = now
        return meta

    async def _initialize(self, request: Request) -> dict[str, Any]:
        return {"protocolVersion": request.version, **await self._introduce(request.server, request.era)}

    async def _discover(self, request: Request) -> dict[str, Any]:
        older = LEGACY_VERSIONS if request.server.allow_legacy else ()
        introduction = await self._introduce(request.server, request.era)
        who = introduction.pop("serverInfo")
        return {
            "supportedVersions": [*older, *MODERN_VERSIONS],
            "_meta": {META + "serverInfo": who},
            **introduction,
        }

    async def _introduce(self, server: Server, era: Era) -> dict[str, Any]:
        """Name, instructions, capabilities: the registered text, and what server and gateway both serve."""
        # A server that wants a credential says nothing about itself to nobody in particular.
        served = (
            ("tools",)
            if server.credential is not None
            else (await self._upstreams.of(server).describe()).capabilities
        )
        capabilities: dict[str, Any] = {name: {} for name in _SERVED if name in served}
        if "tools" in capabilities and era is Era.MODERN:
            capabilities["tools"] = {"listChanged": True}
        if era is Era.MODERN:
            # A client whose enterprise vouches for its people need not send them here (ID-JAG).
            capabilities["extensions"] = {ENTERPRISE_MANAGED: {}}
        who = {"name": server.name, "version": forward.CLIENT["version"]}
        text = {"instructions": server.instructions} if server.instructions else {}
        return {"capabilities": capabilities, "serverInfo": who, **text}

    async def _ping(self, _: Request) -> dict[str, Any]:
        return {}
