"""The most that entries of the directory may do."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from remit.authority.consent_service import ConsentService
from remit.authority.oauth.wire.scopes import Scope
from remit.identity.principals import Kind
from remit.surface.web.caller import require_admin
from remit.surface.web.operation import Inbound, Method, Nothing, Operation
from remit.surface.web.routes.entries import NOUNS, Entries, Noun
from remit.surface.web.schemas.identity import PrincipalView
from remit.surface.web.schemas.rights import CeilingBody, CeilingView, ceiling_of, ceiling_view


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectoryCeilings:
    """What ceilings need."""

    entries: Entries
    consent: ConsentService

    def operations(self) -> list[Operation[Any, Any]]:
        """What is served."""
        return [each for noun in NOUNS if noun.kind is not Kind.INSTANCE for each in self._of(noun)]

    def _of(self, noun: Noun) -> list[Operation[Any, Any]]:
        one, base = noun.one, f"/{noun.plural}"
        return [
            Operation(
                name=f"ceilingOf{one}",
                summary="The most that it may do; absent means nothing at all",
                method=Method.GET,
                path=f"{base}/{{ident}}/ceiling",
                scopes=(Scope.READ,),
                handler=self._ceiling(noun),
                body=Nothing,
                query=Nothing,
                answer=CeilingView,
            ),
            Operation(
                name=f"limit{one}",
                summary="Set the most that it may do",
                method=Method.PUT,
                path=f"{base}/{{ident}}/ceiling",
                scopes=(Scope.ADMIN,),
                handler=self._limiter(noun),
                body=CeilingBody,
                query=Nothing,
                answer=PrincipalView,
            ),
        ]

    def _limiter(self, noun: Noun) -> Callable[[Inbound[CeilingBody, Nothing]], Awaitable[PrincipalView]]:
        async def handler(inbound: Inbound[CeilingBody, Nothing]) -> PrincipalView:
            require_admin(inbound.caller, what="set a ceiling")
            entry = await self.entries.find(noun, inbound.path["ident"])
            await self.consent.set_ceiling(
                entry.id, ceiling_of(inbound.body), by=inbound.caller.principal, at=inbound.at
            )
            return PrincipalView.of(entry)

        return handler

    def _ceiling(self, noun: Noun) -> Callable[[Inbound[Nothing, Nothing]], Awaitable[CeilingView]]:
        async def handler(inbound: Inbound[Nothing, Nothing]) -> CeilingView:
            entry = await self.entries.seen(noun, inbound.path["ident"], inbound.caller)
            found = await self.consent.ceiling_of(entry.id)
            return CeilingView(ceiling=None if found is None else ceiling_view(found))

        return handler
