"""Clients of the authorization server: an administrator registers, changes, lists and revokes them."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from remit.authority.oauth.clients.registration import ClientRegistration
from remit.authority.oauth.enrolling.registration_service import RegistrationService
from remit.authority.oauth.wire.scopes import Scope
from remit.identity.principals import PREFIX, Environment, Kind
from remit.identity.service import IdentityService
from remit.kernel.ids import PrincipalId
from remit.surface.web.caller import require_admin
from remit.surface.web.operation import Inbound, Method, Nothing, Operation, Replay
from remit.surface.web.paging import Page, page_of
from remit.surface.web.schemas.clients import (
    ClientMetadata,
    ClientQuery,
    ClientView,
    CoverageView,
    CoveredView,
    InvitationView,
    NewClient,
    NewInvitation,
    NewKeys,
    NewTerms,
)
from remit.surface.web.schemas.identity import Because


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRoutes:
    """What the noun `client` needs."""

    service: RegistrationService
    identity: IdentityService

    def operations(self) -> list[Operation[Any, Any]]:
        """What is served; only administrators decide who may ask people for anything."""
        return [*self._reading(), *self._changing()]

    def _reading(self) -> list[Operation[Any, Any]]:
        return [
            Operation(
                name="listClients",
                summary="Clients of the authorization server, by the id of their instance",
                method=Method.GET,
                path="/clients",
                scopes=(Scope.READ,),
                handler=self._list,
                body=Nothing,
                query=ClientQuery,
                answer=Page[ClientView],
            ),
            Operation(
                name="signInCoverage",
                summary="Which applications people sign in to here, and which are ungoverned",
                method=Method.GET,
                path="/clients/coverage",
                scopes=(Scope.READ,),
                handler=self._coverage,
                body=Nothing,
                query=Nothing,
                answer=CoverageView,
            ),
            Operation(
                name="showClient",
                summary="One client, by its id or that of its instance",
                method=Method.GET,
                path="/clients/{client}",
                scopes=(Scope.READ,),
                handler=self._show,
                body=Nothing,
                query=Nothing,
                answer=ClientView,
            ),
        ]

    def _changing(self) -> list[Operation[Any, Any]]:
        return [
            Operation(
                name="newClient",
                summary="Register a client: an instance of an agent, or an application",
                method=Method.POST,
                path="/clients",
                scopes=(Scope.ADMIN,),
                handler=self._new,
                body=NewClient,
                query=Nothing,
                answer=ClientView,
                status=201,
            ),
            Operation(
                name="changeClient",
                summary="Replace what a client is; people are asked again for what they would see",
                method=Method.PUT,
                path="/clients/{client}",
                scopes=(Scope.ADMIN,),
                handler=self._change,
                body=ClientMetadata,
                query=Nothing,
                answer=ClientView,
            ),
            Operation(
                name="setClientTerms",
                summary="Set how long sessions with a client last, and what a sign-in must be",
                method=Method.PUT,
                path="/clients/{client}/terms",
                scopes=(Scope.ADMIN,),
                handler=self._set_terms,
                body=NewTerms,
                query=Nothing,
                answer=ClientView,
            ),
            Operation(
                name="rotateClientKeys",
                summary="Replace the keys of a client; those that are left out are dead at once",
                method=Method.PUT,
                path="/clients/{client}/keys",
                scopes=(Scope.ADMIN,),
                handler=self._rotate,
                body=NewKeys,
                query=Nothing,
                answer=ClientView,
            ),
            Operation(
                name="revokeClient",
                summary="End a client for good, with everything that was given to it",
                method=Method.POST,
                path="/clients/{client}/revoke",
                scopes=(Scope.ADMIN,),
                handler=self._revoke,
                body=Because,
                query=Nothing,
                answer=ClientView,
            ),
            Operation(
                name="inviteClients",
                summary="Make an initial access token, by which clients register themselves",
                method=Method.POST,
                path="/clients/invitations",
                scopes=(Scope.ADMIN,),
                handler=self._invite,
                body=NewInvitation,
                query=Nothing,
                answer=InvitationView,
                status=201,
                replay=Replay.REFUSE,
            ),
        ]

    async def _list(self, inbound: Inbound[Nothing, ClientQuery]) -> Page[ClientView]:
        require_admin(inbound.caller, what="see the clients")
        query = inbound.query
        found = await self.service.list(kind=query.kind, after=query.cursor, limit=query.limit + 1)
        return page_of(found, limit=query.limit, key=lambda each: each.principal, view=ClientView.of)

    async def _show(self, inbound: Inbound[Nothing, Nothing]) -> ClientView:
        require_admin(inbound.caller, what="see a client")
        return ClientView.of(await self._known(inbound))

    async def _coverage(self, inbound: Inbound[Nothing, Nothing]) -> CoverageView:
        require_admin(inbound.caller, what="see what people sign in to")
        found = [CoveredView.of(each) for each in await self.service.coverage()]
        governed = sum(each.state == "governed" for each in found)
        return CoverageView(governed=governed, ungoverned=len(found) - governed, items=found)

    async def _new(self, inbound: Inbound[NewClient, Nothing]) -> ClientView:
        require_admin(inbound.caller, what="register a client")
        body, by = inbound.body, inbound.caller.principal
        stated = body.metadata.stated()
        limits = None if body.limits is None else body.limits.limits()
        requires = frozenset(str(each) for each in body.requires)
        if body.agent is not None:
            agent = await self._agent(body.agent)
            client = await self.service.register_agent(
                agent, stated, by=by, at=inbound.at, bearer=body.bearer, limits=limits, requires=requires
            )
            return ClientView.of(client)
        client = await self.service.register_application(
            stated,
            purpose=body.purpose or f"sign people in to {stated.name}",
            environment=body.environment or Environment.PRODUCTION,
            by=by,
            at=inbound.at,
            limits=limits,
            requires=requires,
        )
        return ClientView.of(client)

    async def _change(self, inbound: Inbound[ClientMetadata, Nothing]) -> ClientView:
        require_admin(inbound.caller, what="change a client")
        known, stated = await self._known(inbound), inbound.body.stated()
        changed = await self.service.change(
            known.client_id, stated, by=inbound.caller.principal, at=inbound.at
        )
        return ClientView.of(changed)

    async def _set_terms(self, inbound: Inbound[NewTerms, Nothing]) -> ClientView:
        require_admin(inbound.caller, what="set the terms of a client")
        known, body = await self._known(inbound), inbound.body
        changed = await self.service.set_terms(
            known.client_id,
            body.limits.limits(),
            frozenset(str(each) for each in body.requires),
            by=inbound.caller.principal,
            at=inbound.at,
        )
        return ClientView.of(changed)

    async def _rotate(self, inbound: Inbound[NewKeys, Nothing]) -> ClientView:
        require_admin(inbound.caller, what="change the keys of a client")
        known = await self._known(inbound)
        changed = await self.service.rotate_keys(
            known.client_id, inbound.body.jwks, by=inbound.caller.principal, at=inbound.at
        )
        return ClientView.of(changed)

    async def _revoke(self, inbound: Inbound[Because, Nothing]) -> ClientView:
        require_admin(inbound.caller, what="revoke a client")
        known = await self._known(inbound)
        revoked = await self.service.revoke(
            known.client_id, by=inbound.caller.principal, because=inbound.body.reason, at=inbound.at
        )
        return ClientView.of(revoked)

    async def _invite(self, inbound: Inbound[NewInvitation, Nothing]) -> InvitationView:
        require_admin(inbound.caller, what="invite clients")
        body = inbound.body
        invitation, text = await self.service.invite(
            await self._agent(body.agent),
            uses=body.uses,
            lifetime=timedelta(seconds=body.lifetime_seconds),
            by=inbound.caller.principal,
            at=inbound.at,
        )
        return InvitationView(
            initial_access_token=text,
            agent=invitation.agent,
            uses=invitation.uses,
            expires_at=invitation.expires_at,
        )

    async def _known(self, inbound: Inbound[Any, Any]) -> ClientRegistration:
        return await self.service.find(inbound.path["client"])

    async def _agent(self, ident: str) -> PrincipalId:
        if ident.startswith(PREFIX[Kind.AGENT] + "_"):
            return (await self.identity.get(PrincipalId(ident))).id
        return (await self.identity.find(Kind.AGENT, ident)).id
