"""Lists of the directory, and one deed for many entries: each its own unit of work, with its own record."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from remit.identity.inventory import Place, ShelfTransaction, Shelved, Sort, Tally, Wanted, place_of
from remit.identity.principals import Principal
from remit.identity.service import IdentityService
from remit.kernel.errors import RemitError
from remit.kernel.ids import PrincipalId
from remit.kernel.uow import UnitOfWork
from remit.platform.storage.instants import micros


class Deed(StrEnum):
    """What can be done to many entries at once."""

    SUSPEND = "suspend"
    RESUME = "resume"
    RETIRE = "retire"
    ASSIGN_OWNER = "assign_owner"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One page of a list; `beyond` is where the next begins, None on the last one."""

    found: Sequence[Shelved]
    beyond: Place | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One deed for many: `owner` of `assign_owner`, `reason` of the others; both go on record."""

    deed: Deed
    by: PrincipalId
    at: datetime
    reason: str = ""
    owner: PrincipalId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What came of one entry: itself as it is now, or why nothing was done."""

    ident: str
    entry: Principal | None = None
    refused: RemitError | None = None


class Inventory:
    """The directory as lists."""

    def __init__(self, *, uow: UnitOfWork[ShelfTransaction], identity: IdentityService) -> None:
        self._uow = uow
        self._identity = identity

    async def page(
        self, wanted: Wanted, *, sort: Sort, backwards: bool, after: Place | None, limit: int
    ) -> Leaf:
        """One page, in order; the order is total, so no entry is skipped or told twice."""
        found = await self._uow.read(
            lambda tx: tx.shelves.page(wanted, sort=sort, backwards=backwards, after=after, limit=limit + 1)
        )
        shown = found[:limit]
        more = len(found) > limit
        last = place_of(shown[-1], sort, micros(shown[-1].entry.changed_at)) if more else None
        return Leaf(found=shown, beyond=last)

    async def tally(self, wanted: Wanted) -> Tally:
        """How many there are, and of which values."""
        return await self._uow.read(lambda tx: tx.shelves.tally(wanted))

    async def carry_out(
        self, order: Order, idents: Sequence[str], reach: Callable[[str], Awaitable[Principal]]
    ) -> Sequence[Done]:
        """Do it to each in turn; a refusal is that entry's alone. `reach` says whom the caller may change."""
        return [await self._one(order, ident, reach) for ident in dict.fromkeys(idents)]

    async def _one(self, order: Order, ident: str, reach: Callable[[str], Awaitable[Principal]]) -> Done:
        try:
            entry = await reach(ident)
            return Done(ident=ident, entry=await self._do(order, entry.id))
        except RemitError as refused:
            return Done(ident=ident, refused=refused)

    async def _do(self, order: Order, ident: PrincipalId) -> Principal:
        identity, by, at = self._identity, order.by, order.at
        match order.deed:
            case Deed.SUSPEND:
                return await identity.suspend(ident, by=by, because=order.reason, at=at)
            case Deed.RESUME:
                return await identity.resume(ident, by=by, at=at)
            case Deed.RETIRE:
                return await identity.retire(ident, by=by, because=order.reason, at=at)
            case Deed.ASSIGN_OWNER:
                return await identity.change(ident, by=by, at=at, owner=order.owner)
