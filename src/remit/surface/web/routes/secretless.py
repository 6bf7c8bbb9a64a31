"""Agents that need no secret, and the end of the keys of those that did."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from remit.authority.oauth.wire.scopes import Scope
from remit.identity.credential_service import CredentialService
from remit.identity.principals import Principal
from remit.surface.web.caller import require_admin
from remit.surface.web.operation import Inbound, Method, Nothing, Operation
from remit.surface.web.schemas.identity import Because, KeyView, SecretlessView


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretlessRoutes:
    """The survey over all agents, and one agent's keys; `agent` finds one by id or name."""

    credentials: CredentialService
    agent: Callable[[str], Awaitable[Principal]]

    def operations(self) -> list[Operation[Any, Any]]:
        """What is served."""
        return [
            Operation(
                name="surveySecrets",
                summary="How many agents need no secret, and which still have a key without an end",
                method=Method.GET,
                path="/secretless",
                scopes=(Scope.READ,),
                handler=self._survey,
                body=Nothing,
                query=Nothing,
                answer=SecretlessView,
            ),
            Operation(
                name="unkeyAgent",
                summary="Revoke every key of its instances that has no end; keys of a proof go on",
                method=Method.POST,
                path="/agents/{ident}/unkey",
                scopes=(Scope.ADMIN,),
                handler=self._unkey,
                body=Because,
                query=Nothing,
                answer=list[KeyView],
            ),
        ]

    async def _survey(self, inbound: Inbound[Nothing, Nothing]) -> SecretlessView:
        require_admin(inbound.caller, what="survey everybody's keys")
        return SecretlessView.of(await self.credentials.survey())

    async def _unkey(self, inbound: Inbound[Because, Nothing]) -> list[KeyView]:
        require_admin(inbound.caller, what="revoke keys")
        agent = await self.agent(inbound.path["ident"])
        ended = await self.credentials.end_lasting(
            agent.id, by=inbound.caller.principal, because=inbound.body.reason, at=inbound.at
        )
        return [KeyView.of(key) for key in ended]
