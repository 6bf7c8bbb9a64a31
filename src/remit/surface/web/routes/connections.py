"""Providers and connections: registered by administrators, seen and ended by the people whose they are."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from remit.authority.oauth.wire.scopes import Scope
from remit.authority.vault.connection import Connection, ConnectionId
from remit.authority.vault.connection_service import ConnectionService, NewKey
from remit.authority.vault.flow import redirect_uri
from remit.authority.vault.provider import Provider
from remit.authority.vault.provider_service import ProviderService
from remit.identity.principals import Kind
from remit.identity.service import IdentityService
from remit.kernel.ids import UserId
from remit.kernel.secret import Secret
from remit.surface.web.caller import NotAPerson, require_admin
from remit.surface.web.operation import Inbound, Method, Nothing, Operation
from remit.surface.web.paging import Page, PageQuery, page_of
from remit.surface.web.schemas.identity import Because
from remit.surface.web.schemas.vault import (
    ConnectionView,
    KeyBody,
    ProviderBody,
    ProviderView,
    RequirementBody,
    RequirementView,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionRoutes:
    """What the nouns `provider` and `connection` need."""

    providers: ProviderService
    connections: ConnectionService
    identity: IdentityService
    name_of: Callable[[str], str]
    issuer: str

    def operations(self) -> list[Operation[Any, Any]]:
        """What is served."""
        return [*self._of_providers(), *self._of_connections()]

    def _of_providers(self) -> list[Operation[Any, Any]]:
        return [
            Operation(
                name="listProviders",
                summary="Providers that agents' calls may need a credential of",
                method=Method.GET,
                path="/providers",
                scopes=(Scope.READ,),
                handler=self._all,
                body=Nothing,
                query=Nothing,
                answer=list[ProviderView],
            ),
            Operation(
                name="newProvider",
                summary="Register a provider; what is left out comes from its metadata",
                method=Method.POST,
                path="/providers",
                scopes=(Scope.ADMIN,),
                handler=self._new,
                body=ProviderBody,
                query=Nothing,
                answer=ProviderView,
                status=201,
            ),
            Operation(
                name="getProvider",
                summary="One provider, by id or name",
                method=Method.GET,
                path="/providers/{provider}",
                scopes=(Scope.READ,),
                handler=self._get,
                body=Nothing,
                query=Nothing,
                answer=ProviderView,
            ),
            Operation(
                name="retireProvider",
                summary="End a provider and every connection to it, there and here",
                method=Method.POST,
                path="/providers/{provider}/retire",
                scopes=(Scope.ADMIN,),
                handler=self._retire,
                body=Nothing,
                query=Nothing,
                answer=ProviderView,
            ),
            Operation(
                name="requireProvider",
                summary="Let a server's calls carry a credential of this provider",
                method=Method.POST,
                path="/providers/{provider}/servers",
                scopes=(Scope.ADMIN,),
                handler=self._require,
                body=RequirementBody,
                query=Nothing,
                answer=RequirementView,
            ),
            Operation(
                name="releaseServer",
                summary="Let a server's calls carry no credential any more",
                method=Method.POST,
                path="/providers/{provider}/servers/{server}/release",
                scopes=(Scope.ADMIN,),
                handler=self._release,
                body=Nothing,
                query=Nothing,
                answer=RequirementView,
            ),
        ]

    def _of_connections(self) -> list[Operation[Any, Any]]:
        return [
            Operation(
                name="listConnections",
                summary="Connections: one's own, or everybody's for an administrator or reader",
                method=Method.GET,
                path="/connections",
                scopes=(Scope.READ,),
                handler=self._page,
                body=Nothing,
                query=PageQuery,
                answer=Page[ConnectionView],
            ),
            Operation(
                name="sealKey",
                summary="Seal a static key of an agent, or rotate the one that is there",
                method=Method.POST,
                path="/connections",
                scopes=(Scope.ADMIN,),
                handler=self._seal,
                body=KeyBody,
                query=Nothing,
                answer=ConnectionView,
                status=201,
            ),
            Operation(
                name="revokeConnection",
                summary="Disconnect: it opens nothing any more, and the provider is told until it confirms",
                method=Method.POST,
                path="/connections/{connection}/revoke",
                scopes=(Scope.WRITE,),
                handler=self._revoke,
                body=Because,
                query=Nothing,
                answer=ConnectionView,
            ),
        ]

    async def _all(self, _: Inbound[Nothing, Nothing]) -> list[ProviderView]:
        return [self._provider(each) for each in await self.providers.all()]

    async def _new(self, inbound: Inbound[ProviderBody, Nothing]) -> ProviderView:
        require_admin(inbound.caller, what="register providers")
        body = inbound.body
        secret = None if body.client_secret is None else Secret(body.client_secret.encode())
        made = await self.providers.register(
            body.stated(), secret, by=inbound.caller.principal, at=inbound.at
        )
        return self._provider(made)

    async def _get(self, inbound: Inbound[Nothing, Nothing]) -> ProviderView:
        return self._provider(await self.providers.get(inbound.path["provider"]))

    async def _retire(self, inbound: Inbound[Nothing, Nothing]) -> ProviderView:
        require_admin(inbound.caller, what="retire providers")
        by = inbound.caller.principal
        return self._provider(await self.providers.retire(inbound.path["provider"], by=by, at=inbound.at))

    async def _require(self, inbound: Inbound[RequirementBody, Nothing]) -> RequirementView:
        require_admin(inbound.caller, what="say what servers need")
        body, by = inbound.body, inbound.caller.principal
        provider = inbound.path["provider"]
        return RequirementView.of(
            await self.providers.require(body.server, provider, body.scopes, by=by, at=inbound.at)
        )

    async def _release(self, inbound: Inbound[Nothing, Nothing]) -> RequirementView:
        require_admin(inbound.caller, what="say what servers need")
        server, by = inbound.path["server"], inbound.caller.principal
        return RequirementView.of(await self.providers.require(server, "", (), by=by, at=inbound.at))

    async def _page(self, inbound: Inbound[Nothing, PageQuery]) -> Page[ConnectionView]:
        caller, query = inbound.caller, inbound.query
        user = None if caller.sees_all else UserId(caller.principal)
        found = await self.connections.of(user, after=query.cursor, limit=query.limit + 1)
        names = await self._names()
        return page_of(
            found, limit=query.limit, key=lambda each: each.id, view=lambda each: self._view(each, names)
        )

    async def _seal(self, inbound: Inbound[KeyBody, Nothing]) -> ConnectionView:
        require_admin(inbound.caller, what="seal static keys")
        body = inbound.body
        wanted = NewKey(
            provider=body.provider,
            agent=(await self.identity.find(Kind.AGENT, body.agent)).id,
            user=None if body.user is None else (await self.identity.find(Kind.HUMAN, body.user)).id,
            scopes=tuple(body.scopes),
            life=timedelta(days=body.days),
        )
        made = await self.connections.seal_key(
            wanted, Secret(body.secret.encode()), by=inbound.caller.principal
        )
        return self._view(made, await self._names())

    async def _revoke(self, inbound: Inbound[Because, Nothing]) -> ConnectionView:
        caller = inbound.caller
        if not caller.person:
            raise NotAPerson("only a person can end a connection")
        ended = await self.connections.disconnect(
            ConnectionId(inbound.path["connection"]),
            by=caller.principal,
            because=inbound.body.reason,
            own=not caller.administers,
        )
        return self._view(ended, await self._names())

    async def _names(self) -> Mapping[str, str]:
        return {each.id: each.name for each in await self.providers.all()}

    def _provider(self, provider: Provider) -> ProviderView:
        return ProviderView.of(provider, redirect_uri=redirect_uri(self.issuer, provider))

    def _view(self, connection: Connection, names: Mapping[str, str]) -> ConnectionView:
        place = connection.place
        return ConnectionView.of(
            connection,
            provider=names.get(place.provider, place.provider),
            agent=self.name_of(place.agent),
            user=self.name_of(place.user) if place.user else "",
        )
