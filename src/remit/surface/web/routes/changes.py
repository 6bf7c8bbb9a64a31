"""Changes that wait for a second person: see them, refuse them. Confirming is done on their page alone."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from remit.authority.oauth.wire.scopes import Scope
from remit.kernel.ids import ChangeId
from remit.oversight.changes.change import Change
from remit.oversight.changes.service import ChangeService
from remit.surface.web.caller import Caller, NotAdministrator, unseen
from remit.surface.web.changing import Changing
from remit.surface.web.idempotency import Kept
from remit.surface.web.operation import Inbound, Method, Nothing, Operation
from remit.surface.web.paging import Page, page_of
from remit.surface.web.schemas.changes import ChangeLine, ChangeQuery, ChangeRefusal, ChangeView

_PATH = "/changes"
_ACCEPTED = 202


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRoutes:
    """What the noun needs; `home` is the address at which passkeys work."""

    service: ChangeService
    changing: Changing
    name_of: Callable[[str], str]
    home: str

    def operations(self) -> list[Operation[Any, Any]]:
        """What is served."""
        return [
            Operation(
                name="listChanges",
                summary="Changes that wait, or waited, for a second person; newest first",
                method=Method.GET,
                path=_PATH,
                scopes=(Scope.READ,),
                handler=self._page,
                body=Nothing,
                query=ChangeQuery,
                answer=Page[ChangeLine],
            ),
            Operation(
                name="getChange",
                summary="One, whole: exactly what will be done",
                method=Method.GET,
                path=f"{_PATH}/{{change}}",
                scopes=(Scope.READ,),
                handler=self._get,
                body=Nothing,
                query=Nothing,
                answer=ChangeView,
            ),
            Operation(
                name="refuseChange",
                summary="Refuse it, or take back one's own",
                method=Method.POST,
                path=f"{_PATH}/{{change}}/refuse",
                scopes=(Scope.WRITE, Scope.ADMIN),
                handler=self._refuse,
                body=ChangeRefusal,
                query=Nothing,
                answer=ChangeLine,
            ),
        ]

    async def offer(
        self, operation: Operation[Any, Any], inbound: Inbound[Any, Any], raw: bytes
    ) -> Kept | None:
        """`Proposes`: the change as the answer, where the operation has to wait."""
        change = await self.changing.propose(operation, inbound, raw)
        if change is None:
            return None
        return Kept(status=_ACCEPTED, body=msgspec.json.encode(self._line(change)))

    async def _page(self, inbound: Inbound[Nothing, ChangeQuery]) -> Page[ChangeLine]:
        if not inbound.caller.sees_all:
            raise NotAdministrator(
                "only who may see what others administer lists changes", next_step="remit role list"
            )
        query = inbound.query
        found = await self.service.page(state=query.state, after=query.cursor, limit=query.limit + 1)
        return page_of(found, limit=query.limit, key=lambda each: each.id, view=self._line)

    async def _get(self, inbound: Inbound[Nothing, Nothing]) -> ChangeView:
        change = await self._visible(inbound.path["change"], inbound.caller)
        return ChangeView(
            change=self._line(change),
            path=dict(change.wanted.path),
            body=change.wanted.body,
            basis=change.wanted.basis,
            mine=change.by == inbound.caller.principal,
        )

    async def _refuse(self, inbound: Inbound[ChangeRefusal, Nothing]) -> ChangeLine:
        change = await self._visible(inbound.path["change"], inbound.caller)
        refused = await self.service.refuse(
            change.id, by=inbound.caller.principal, because=inbound.body.reason
        )
        return self._line(refused)

    async def _visible(self, ident: str, caller: Caller) -> Change:
        change = await self.service.get(ChangeId(ident))
        if change.by != caller.principal and not caller.sees_all:
            raise unseen("change", next_step="remit change list")
        return change

    def _line(self, change: Change) -> ChangeLine:
        return ChangeLine.of(change, self.name_of, home=self.home)
