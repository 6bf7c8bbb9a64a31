"""Asking a server for its tools on a person's behalf, through the gateway's own exits and comparison."""

from dataclasses import dataclass

from remit.app.bindings.doors import PinnedTools
from remit.enforcement.mcp.catalogue import Catalogue
from remit.enforcement.mcp.discovery import Found, standings
from remit.identity.errors import UnknownPrincipal
from remit.identity.tools import Server


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveTools:
    """What the API's `discover` asks. What differs is in quarantine before the answer is given."""

    registry: PinnedTools
    catalogue: Catalogue

    async def look(self, server: Server) -> tuple[Found, ...]:
        """Every tool that is listed or pinned; raises `UpstreamFailed` if no whole list came."""
        if self.registry.server(server.name) != server:
            raise UnknownPrincipal(
                f"MCP server `{server.name}` is not active, so nobody asks it anything",
                next_step="remit server list",
            )
        before = self.registry.tools(server)
        return standings(before, await self.catalogue.read(server))
