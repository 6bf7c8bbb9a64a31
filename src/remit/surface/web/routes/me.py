"""Who I am here: what a page or a program needs to know before it offers anything."""

from dataclasses import dataclass
from typing import Any

from remit.app.bindings.directory import SnapshotDirectory
from remit.authority.oauth.wire.scopes import Scope
from remit.surface.web.operation import Inbound, Method, Nothing, Operation
from remit.surface.web.schemas.me import MeView


@dataclass(frozen=True, slots=True, kw_only=True)
class MeRoutes:
    """What the noun needs: what people are called."""

    directory: SnapshotDirectory

    def operations(self) -> list[Operation[Any, Any]]:
        """What is served."""
        return [
            Operation(
                name="getMe",
                summary="Who calls: person, roles, tenant, and for a browser the word that a change takes",
                method=Method.GET,
                path="/me",
                scopes=(Scope.READ, Scope.ACT),
                handler=self._me,
                body=Nothing,
                query=Nothing,
                answer=MeView,
            )
        ]

    async def _me(self, inbound: Inbound[Nothing, Nothing]) -> MeView:
        caller = inbound.caller
        signed, subject = caller.signed, caller.subject
        return MeView(
            id=caller.principal,
            name=self.directory.name_of(caller.principal),
            tenant=caller.tenant,
            person=caller.person,
            roles=sorted(caller.roles),
            scopes=sorted(caller.scopes),
            sees_all=caller.sees_all,
            channel="token" if signed is None else "session",
            acr=subject.acr,
            auth_time=subject.signed_in_at,
            session="" if signed is None else signed.session,
            csrf="" if signed is None else signed.csrf,
            expires_at=subject.expires_at,
        )
