"""Use cases of tenants: opened, suspended, resumed, retired, on record in their own log and in ours.

INVARIANT: each change is one transaction of the tenant itself, which advances its epoch where authority
shrinks: whatever its other transactions do is before it or after it, never beside it.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, Protocol

from remit.identity.tenants import Tenant, TenantState
from remit.kernel.errors import Conflict, NotFound
from remit.kernel.ids import Entropy, PrincipalId, TenantId
from remit.kernel.tenancy import DEFAULT_TENANT, check_tenant
from remit.kernel.uow import Lane, Transaction, UnitOfWork
from remit.ledger import facts
from remit.ledger.record import Record
from remit.ledger.repository import Recorder

CREATED: Final = "identity.tenant.created"
SUSPENDED: Final = "identity.tenant.suspended"
RESUMED: Final = "identity.tenant.resumed"
RETIRED: Final = "identity.tenant.retired"
_KINDS: Final = {
    TenantState.SUSPENDED: SUSPENDED,
    TenantState.ACTIVE: RESUMED,
    TenantState.RETIRED: RETIRED,
}
_FROM: Final = {
    TenantState.SUSPENDED: frozenset({TenantState.ACTIVE}),
    TenantState.ACTIVE: frozenset({TenantState.SUSPENDED}),
    TenantState.RETIRED: frozenset({TenantState.ACTIVE, TenantState.SUSPENDED}),
}


class TenantTaken(Conflict):
    """The name is, or was, a tenant's: names are never given twice."""

    code = "tenant_taken"


class UnknownTenant(NotFound):
    """There never was a tenant of this name."""

    code = "unknown_tenant"


class TenantNotThere(Conflict):
    """The tenant is not in a state from which this can be done."""

    code = "tenant_state"


class TenantRegister(Protocol):
    """Every further tenant, whatever its state."""

    def get(self, name: TenantId) -> Tenant | None:
        """One tenant."""

    def all(self) -> Sequence[Tenant]:
        """All, by name."""

    def add(self, tenant: Tenant) -> None:
        """A new one."""

    def put(self, tenant: Tenant) -> None:
        """Its new state."""

    def shred(self) -> int:
        """Delete everything of the transaction's own tenant but its log and its public keys; rows deleted."""


class TenantTransaction(Transaction, Protocol):
    """A transaction of the tenant that is changed."""

    @property
    def tenants(self) -> TenantRegister:
        """The register of tenants."""

    @property
    def ledger(self) -> Recorder:
        """The tenant's own log."""

    @property
    def home_ledger(self) -> Recorder:
        """The log of the installation, in the same commit."""


class TenantService:
    """Changes the register. `of` gives the unit of work of a tenant whatever its state."""

    def __init__(self, *, of: Callable[[TenantId], UnitOfWork[TenantTransaction]], entropy: Entropy) -> None:
        self._of = of
        self._entropy = entropy

    async def all(self) -> Sequence[Tenant]:
        """Every further tenant, by name."""
        return await self._of(DEFAULT_TENANT).read(lambda tx: tx.tenants.all())

    async def get(self, name: str) -> Tenant:
        """One of them. Raises `UnknownTenant`."""
        found = await self._of(DEFAULT_TENANT).read(lambda tx: tx.tenants.get(TenantId(name)))
        return _known(found, name)

    async def create(self, name: str, *, by: PrincipalId, at: datetime) -> Tenant:
        """Enter a tenant. Raises `MalformedTenant`, and `TenantTaken` for a name that was ever one's."""
        made = Tenant(name=check_tenant(name), state=TenantState.ACTIVE, created_at=at, changed_at=at, by=by)

        def work(tx: TenantTransaction) -> Tenant:
            if tx.tenants.get(made.name) is not None:
                raise TenantTaken(
                    f"`{made.name}` is or was a tenant's name", next_step="remit tenant list, or another name"
                )
            tx.tenants.add(made)
            self._record(tx, CREATED, made)
            return made

        return await self._of(made.name).commit(work)

    async def suspend(self, name: str, *, by: PrincipalId, because: str, at: datetime) -> Tenant:
        """Stop serving a tenant. Raises `UnknownTenant` or `TenantNotThere`."""
        return await self._move(name, TenantState.SUSPENDED, by=by, because=because, at=at)

    async def resume(self, name: str, *, by: PrincipalId, because: str, at: datetime) -> Tenant:
        """Serve it again, as it was left. Raises `UnknownTenant` or `TenantNotThere`."""
        return await self._move(name, TenantState.ACTIVE, by=by, because=because, at=at)

    async def retire(self, name: str, *, by: PrincipalId, because: str, at: datetime) -> Tenant:
        """End it for good: data deleted, private keys gone, log kept. Raises as `suspend`."""
        return await self._move(name, TenantState.RETIRED, by=by, because=because, at=at)

    async def _move(
        self, name: str, state: TenantState, *, by: PrincipalId, because: str, at: datetime
    ) -> Tenant:
        await self.get(name)

        def work(tx: TenantTransaction) -> Tenant:
            known = _known(tx.tenants.get(TenantId(name)), name)
            if known.state not in _FROM[state]:
                raise TenantNotThere(
                    f"tenant `{name}` is {known.state}, so it can't become {state}",
                    next_step=f"remit tenant show {name}",
                )
            moved = replace(known, state=state, changed_at=at, by=by, because=because)
            tx.advance_epoch(f"tenant {state}")
            tx.tenants.put(moved)
            deleted = tx.tenants.shred() if state is TenantState.RETIRED else 0
            self._record(tx, _KINDS[state], moved, deleted=deleted)
            return moved

        return await self._of(TenantId(name)).commit(work, lane=Lane.KILL)

    def _record(self, tx: TenantTransaction, kind: str, tenant: Tenant, *, deleted: int = 0) -> None:
        """Say it twice: the tenant sees who moves it, and the installation what its operators do (MT-09)."""
        detail = [("tenant", str(tenant.name)), ("operator", tenant.by)]
        detail += [("because", tenant.because)] if tenant.because else []
        detail += [("rows_deleted", str(deleted))] if deleted else []
        for ledger, owner in ((tx.ledger, tenant.name), (tx.home_ledger, DEFAULT_TENANT)):
            ledger.append(
                Record(
                    id=facts.record_id(tenant.changed_at, self._entropy),
                    at=tenant.changed_at,
                    tenant=owner,
                    kind=kind,
                    actor=PrincipalId(tenant.by),
                    subject=tenant.name,
                    epoch=tx.epoch() if owner == tenant.name else 0,
                    detail=tuple(detail),
                )
            )


def _known(found: Tenant | None, name: str) -> Tenant:
    if found is None:
        raise UnknownTenant(f"no tenant is called `{name[:64]}`", next_step="remit tenant list")
    return found
