"""The unit of work of a further tenant: nothing of it is written unless it is served at that moment."""

from typing import TypeVar

from remit.identity.tenants import TenantState
from remit.kernel.errors import Unavailable
from remit.kernel.uow import Lane
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork, Work

T = TypeVar("T")


class TenantAway(Unavailable):
    """The tenant was suspended or retired: nothing of it is done any more."""

    code = "tenant_away"


class ServedTenant(SqlUnitOfWork):
    """Looks at the register first in every transaction.

    INVARIANT: a permit is a commit, and a suspension a commit of the same tenant: each permit is wholly
    before or after it, on every node, whatever the node has heard.
    """

    async def commit(self, work: Work[T], *, lane: Lane = Lane.NORMAL) -> T:
        """Run `work` if the tenant is served. Raises `TenantAway`."""

        def served(tx: SqlTransaction) -> T:
            if tx.tenants.state() != TenantState.ACTIVE:
                raise TenantAway("this is not served at present", next_step="ask who operates it")
            return work(tx)

        return await super().commit(served, lane=lane)
