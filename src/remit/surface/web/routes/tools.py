"""MCP servers behind the gateway, and their tools: registered, pinned, quarantined, approved."""

from dataclasses import dataclass
from typing import Any

from remit.app.bindings.discovery import LiveTools
from remit.authority.oauth.wire.scopes import Scope
from remit.identity.errors import UnknownPrincipal
from remit.identity.principals import Kind
from remit.identity.service import IdentityService
from remit.identity.tool_service import Definition, ToolService
from remit.identity.tools import Server, Tool
from remit.kernel.canonical import canonical_json, parse_object
from remit.kernel.ids import Entropy, ServerId, ToolId, mint_id
from remit.surface.web.caller import require_admin
from remit.surface.web.operation import Inbound, Method, Nothing, Operation
from remit.surface.web.schemas.identity import Because
from remit.surface.web.schemas.tools import (
    FoundTool,
    NewServer,
    ServerBelief,
    ServerView,
    ToolApproval,
    ToolPin,
    ToolPins,
    ToolView,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRoutes:
    """What the nouns `server` and `tool` need."""

    service: ToolService
    live: LiveTools
    identity: IdentityService
    entropy: Entropy

    def operations(self) -> list[Operation[Any, Any]]:
        """What is served."""
        return [*self._servers(), *self._tools()]

    def _servers(self) -> list[Operation[Any, Any]]:
        return [
            Operation(
                name="listServers",
                summary="MCP servers behind the gateway",
                method=Method.GET,
                path="/servers",
                scopes=(Scope.READ,),
                handler=self._all,
                body=Nothing,
                query=Nothing,
                answer=list[ServerView],
            ),
            Operation(
                name="newServer",
                summary="Put a server behind the gateway",
                method=Method.POST,
                path="/servers",
                scopes=(Scope.ADMIN,),
                handler=self._new,
                body=NewServer,
                query=Nothing,
                answer=ServerView,
                status=201,
            ),
            Operation(
                name="getServer",
                summary="One server, by id or name",
                method=Method.GET,
                path="/servers/{server}",
                scopes=(Scope.READ,),
                handler=self._get,
                body=Nothing,
                query=Nothing,
                answer=ServerView,
            ),
            Operation(
                name="retireServer",
                summary="Take a server away for ever, with its tools",
                method=Method.POST,
                path="/servers/{server}/retire",
                scopes=(Scope.ADMIN,),
                handler=self._retire,
                body=Because,
                query=Nothing,
                answer=ServerView,
            ),
            Operation(
                name="believeServer",
                summary="Say how far what a server answers is believed by itself",
                method=Method.POST,
                path="/servers/{server}/standing",
                scopes=(Scope.ADMIN,),
                handler=self._believe,
                body=ServerBelief,
                query=Nothing,
                answer=ServerView,
            ),
            Operation(
                name="discoverTools",
                summary="Ask a server for its tools now; what differs from the pins is quarantined",
                method=Method.POST,
                path="/servers/{server}/discover",
                scopes=(Scope.ADMIN,),
                handler=self._discover,
                body=Nothing,
                query=Nothing,
                answer=list[FoundTool],
            ),
            Operation(
                name="listTools",
                summary="All tools of a server, quarantined ones included",
                method=Method.GET,
                path="/servers/{server}/tools",
                scopes=(Scope.READ,),
                handler=self._of,
                body=Nothing,
                query=Nothing,
                answer=list[ToolView],
            ),
            Operation(
                name="pinTools",
                summary="Pin exactly these definitions and mappings",
                method=Method.POST,
                path="/servers/{server}/tools",
                scopes=(Scope.ADMIN,),
                handler=self._pin,
                body=ToolPins,
                query=Nothing,
                answer=list[ToolView],
            ),
        ]

    def _tools(self) -> list[Operation[Any, Any]]:
        return [
            Operation(
                name="getTool",
                summary="One tool, with what the server sent last",
                method=Method.GET,
                path="/tools/{tool}",
                scopes=(Scope.READ,),
                handler=self._one,
                body=Nothing,
                query=Nothing,
                answer=ToolView,
            ),
            Operation(
                name="approveTool",
                summary="Lift a quarantine for the definition with this digest",
                method=Method.POST,
                path="/tools/{tool}/approve",
                scopes=(Scope.ADMIN,),
                handler=self._approve,
                body=ToolApproval,
                query=Nothing,
                answer=ToolView,
            ),
            Operation(
                name="quarantineTool",
                summary="Take a tool out of use until a person approves it again",
                method=Method.POST,
                path="/tools/{tool}/quarantine",
                scopes=(Scope.ADMIN,),
                handler=self._quarantine,
                body=Because,
                query=Nothing,
                answer=ToolView,
            ),
        ]

    async def _all(self, _: Inbound[Nothing, Nothing]) -> list[ServerView]:
        return [ServerView.of(each) for each in await self.service.servers()]

    async def _new(self, inbound: Inbound[NewServer, Nothing]) -> ServerView:
        body, caller = inbound.body, inbound.caller
        require_admin(caller, what="put a server behind the gateway")
        owner = (await self.identity.find(Kind.HUMAN, body.owner)).id if body.owner else caller.principal
        ident = ServerId(mint_id("srv", at=inbound.at, entropy=self.entropy))
        server = await self.service.register_server(
            body.server(ident=ident, tenant=caller.tenant),
            owner=owner,
            purpose=body.purpose,
            environment=body.environment,
            by=caller.principal,
            at=inbound.at,
        )
        return ServerView.of(server)

    async def _get(self, inbound: Inbound[Nothing, Nothing]) -> ServerView:
        return ServerView.of(await self._server(inbound.path["server"]))

    async def _retire(self, inbound: Inbound[Because, Nothing]) -> ServerView:
        require_admin(inbound.caller, what="take a server away")
        server = await self._server(inbound.path["server"])
        entry = await self.identity.find(Kind.MCP_SERVER, server.name)
        await self.identity.retire(
            entry.id, by=inbound.caller.principal, because=inbound.body.reason, at=inbound.at
        )
        return ServerView.of(server)

    async def _believe(self, inbound: Inbound[ServerBelief, Nothing]) -> ServerView:
        require_admin(inbound.caller, what="say how far a server is believed")
        server = await self._server(inbound.path["server"])
        body = inbound.body
        changed = await self.service.believe(
            server.id, body.standing, by=inbound.caller.principal, because=body.reason, at=inbound.at
        )
        return ServerView.of(changed)

    async def _discover(self, inbound: Inbound[Nothing, Nothing]) -> list[FoundTool]:
        require_admin(inbound.caller, what="ask a server for its tools")
        server = await self._server(inbound.path["server"])
        found = await self.live.look(server)
        known = {each.name: each for each in await self.service.tools(server.id)}
        return [FoundTool.of(each, known.get(each.name)) for each in found]

    async def _of(self, inbound: Inbound[Nothing, Nothing]) -> list[ToolView]:
        server = await self._server(inbound.path["server"])
        return [ToolView.of(each) for each in await self.service.tools(server.id)]

    async def _pin(self, inbound: Inbound[ToolPins, Nothing]) -> list[ToolView]:
        require_admin(inbound.caller, what="pin tools")
        server = await self._server(inbound.path["server"])
        present = {each.name: each for each in await self.service.tools(server.id)}
        stated = [_stated(pin, present.get(pin.name)) for pin in inbound.body.tools]
        pinned = await self.service.pin(server.id, stated, by=inbound.caller.principal, at=inbound.at)
        return [ToolView.of(each) for each in pinned]

    async def _one(self, inbound: Inbound[Nothing, Nothing]) -> ToolView:
        return ToolView.of(await self._tool(inbound.path["tool"]))

    async def _approve(self, inbound: Inbound[ToolApproval, Nothing]) -> ToolView:
        require_admin(inbound.caller, what="approve a tool")
        tool = await self.service.approve(
            ToolId(inbound.path["tool"]),
            definition=inbound.body.definition,
            by=inbound.caller.principal,
            at=inbound.at,
        )
        return ToolView.of(tool)

    async def _quarantine(self, inbound: Inbound[Because, Nothing]) -> ToolView:
        require_admin(inbound.caller, what="quarantine a tool")
        tool = await self.service.quarantine(
            ToolId(inbound.path["tool"]),
            by=inbound.caller.principal,
            because=inbound.body.reason,
            at=inbound.at,
        )
        return ToolView.of(tool)

    async def _server(self, ident: str) -> Server:
        for server in await self.service.servers():
            if ident in {server.id, server.name}:
                return server
        raise UnknownPrincipal(f"no MCP server `{ident}`", next_step="remit server list")

    async def _tool(self, ident: str) -> Tool:
        for server in await self.service.servers():
            for tool in await self.service.tools(server.id):
                if ident in {tool.id, f"{server.name}.{tool.name}"}:
                    return tool
        raise UnknownPrincipal(f"no tool `{ident}`", next_step="remit tool list")


def _stated(pin: ToolPin, present: Tool | None) -> Definition:
    if pin.definition is not None:
        return pin.stated(parse_object(canonical_json(pin.definition)))
    if present is None:
        raise UnknownPrincipal(f"no tool `{pin.name}` was ever seen: send its `definition`")
    return pin.stated(parse_object((present.seen_definition or present.definition).encode()))
