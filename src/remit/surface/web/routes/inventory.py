"""The directory as lists: searched, sorted, counted; and one deed for many entries."""

from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from remit.app.console.inventory import Deed, Inventory, Order
from remit.authority.oauth.wire.scopes import Scope
from remit.decision.administration.actions import named
from remit.identity.inventory import Wanted
from remit.identity.principals import Kind, Principal
from remit.kernel.errors import Invalid
from remit.kernel.ids import PrincipalId
from remit.surface.web.caller import Caller, NotAPerson, require_admin
from remit.surface.web.governing import judged_for
from remit.surface.web.operation import Inbound, Method, Nothing, Operation, operation
from remit.surface.web.routes.entries import NOUNS, Entries, Noun
from remit.surface.web.schemas.console import (
    DeedView,
    InventoryPage,
    InventoryQuery,
    InventoryTally,
    InventoryWanted,
    ManyDeeds,
    ManyDone,
    place_of,
)

_VERBS: Final = {
    Deed.SUSPEND: "suspend",
    Deed.RESUME: "resume",
    Deed.RETIRE: "retire",
    Deed.ASSIGN_OWNER: "change",
}
"""What each is called at an entry's own address, so that the administrative policy decides alike."""


class DeedUnsaid(Invalid):
    """What is to be done to many lacks its reason, or its new owner."""

    code = "deed_incomplete"


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryRoutes:
    """What the noun `inventory` needs."""

    inventory: Inventory
    entries: Entries

    def operations(self) -> list[Operation[Any, Any]]:
        """What is served."""
        return [
            Operation(
                name="pageInventory",
                summary="Entries of one kind: searched, narrowed, sorted, page by page",
                method=Method.GET,
                path="/inventory",
                scopes=(Scope.READ,),
                handler=self._page,
                body=Nothing,
                query=InventoryQuery,
                answer=InventoryPage,
            ),
            Operation(
                name="tallyInventory",
                summary="How many entries of one kind there are, and of which state, owner, blueprint",
                method=Method.GET,
                path="/inventory/tally",
                scopes=(Scope.READ,),
                handler=self._tally,
                body=Nothing,
                query=InventoryWanted,
                answer=InventoryTally,
            ),
            operation("doToMany", "Suspend, resume, retire or hand over many entries; each is told apart",
                      "POST", "/inventory/deeds", self._many, body=ManyDeeds, answer=ManyDone,
                      scope=Scope.WRITE),
        ]  # fmt: skip

    async def _page(self, inbound: Inbound[Nothing, InventoryQuery]) -> InventoryPage:
        query = inbound.query
        leaf = await self.inventory.page(
            _wanted(query, inbound.caller),
            sort=query.sort,
            backwards=query.backwards,
            after=place_of(query.cursor, query.sort),
            limit=query.limit,
        )
        return InventoryPage.of(leaf)

    async def _tally(self, inbound: Inbound[Nothing, InventoryWanted]) -> InventoryTally:
        return InventoryTally.of(await self.inventory.tally(_wanted(inbound.query, inbound.caller)))

    async def _many(self, inbound: Inbound[ManyDeeds, Nothing]) -> ManyDone:
        body, caller = inbound.body, inbound.caller
        order = Order(
            deed=body.deed,
            by=caller.principal,
            at=inbound.at,
            reason=body.reason,
            owner=await self.entries.person(body.owner) if body.owner else None,
        )
        _require_said(order)
        noun = next((each for each in NOUNS if each.kind is body.kind), None)
        if noun is None:
            raise DeedUnsaid(
                f"a `{body.kind}` is changed at an address of its own", next_step="/openapi.json"
            )
        done = await self.inventory.carry_out(order, body.idents, partial(self._reached, noun, order, caller))
        return ManyDone.of([DeedView.of(each) for each in done])

    async def _reached(self, noun: Noun, order: Order, caller: Caller, ident: str) -> Principal:
        """One of that kind that the caller may change: the same rules, and answer, as at its own address."""
        action = named(f"{_VERBS[order.deed]}{noun.one}", noun.plural, reads=False)
        judged = judged_for(caller, action, resource=ident, at=order.at)
        entry = await self.entries.mine(noun, ident, judged)
        if noun.kind is Kind.HUMAN and order.deed is Deed.ASSIGN_OWNER:
            require_admin(judged, what="change people")
        return entry


def _wanted(query: InventoryWanted, caller: Caller) -> Wanted:
    """SAFETY: whoever may not see everything sees people, and of all else what they own."""
    if not caller.person:
        raise NotAPerson("only a person looks through the inventory")
    owner = PrincipalId(query.owner) if query.owner else None
    if not caller.sees_all and query.kind is not Kind.HUMAN:
        owner = caller.principal
    return Wanted(
        kind=query.kind,
        text=query.text,
        state=query.state,
        owner=owner,
        blueprint=query.blueprint,
        environment=query.environment,
    )


def _require_said(order: Order) -> None:
    if order.deed is Deed.ASSIGN_OWNER and order.owner is None:
        raise DeedUnsaid("`assign_owner` needs `owner`: the id or name of a person")
    if order.deed in {Deed.SUSPEND, Deed.RETIRE} and not order.reason:
        raise DeedUnsaid(f"`{order.deed}` needs `reason`: a sentence that goes on record")
