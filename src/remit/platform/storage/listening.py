"""Who wants to hear of commits: a hint of a tenant's own changes, never of another's."""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from remit.kernel.ids import TenantId

Told = Callable[[int], None]


@dataclass(frozen=True, slots=True, eq=False)
class _Listener:
    told: Told
    tenant: TenantId | None


class Listeners:
    """A list that any thread may read while the event loop changes it: it is only ever replaced."""

    def __init__(self) -> None:
        self._all: tuple[_Listener, ...] = ()

    def add(self, told: Told, *, tenant: TenantId | None) -> Callable[[], None]:
        """Tell of commits that changed something of this tenant, or of any; gives what ends it."""
        added = _Listener(told, tenant)
        self._all = (*self._all, added)

        def leave() -> None:
            self._all = tuple(each for each in self._all if each is not added)

        return leave

    def tell(self, revision: int, tenants: Collection[TenantId]) -> None:
        """A commit with changes of these tenants is durable."""
        for each in self._all:
            if each.tenant is None or each.tenant in tenants:
                each.told(revision)
