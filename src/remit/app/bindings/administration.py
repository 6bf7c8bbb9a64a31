"""Administration bound to its neighbours: the directory asks whether somebody is left who administers."""

from datetime import datetime
from typing import cast

from remit.decision.administration import guard
from remit.identity.principals import Principal
from remit.identity.repository import IdentityTransaction
from remit.platform.storage.unit_of_work import SqlTransaction


class SomebodyAdministers:
    """`Keeps` of the directory, over the administrative policy."""

    def counts(self, tx: IdentityTransaction, principal: Principal, *, at: datetime) -> bool:
        """Whether it is somebody who administers now."""
        return guard.counts(_whole(tx), principal, at=at)

    def require_left(self, tx: IdentityTransaction, changed: Principal, *, at: datetime) -> None:
        """Raise `NobodyLeft` if this change took away the last administrator."""
        guard.require_left(_whole(tx), changed, at=at)


def _whole(tx: IdentityTransaction) -> SqlTransaction:
    """The directory's transaction is the one that there is, of which it knows a part."""
    return cast("SqlTransaction", tx)
