"""Use cases of capabilities; the functions run inside any open transaction, the service wraps them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from remit.authority import events
from remit.authority.alive import Dead, alive
from remit.authority.capability import Capability, CapabilityState, Minted, Order, Use, mint
from remit.authority.errors import (
    CapabilityConsumed,
    CapabilityRejected,
    NotAlive,
    NotYours,
    TaskOver,
    TooManyCapabilities,
)
from remit.authority.options import AuthorityOptions, Signing
from remit.authority.repository import AuthorityTransaction
from remit.authority.tasks import Lineage
from remit.kernel.ids import CapabilityId, Entropy, PrincipalId, TenantId
from remit.kernel.jose.keys import KeyClass
from remit.kernel.uow import UnitOfWork

_SYSTEM = "system"


@dataclass(frozen=True, slots=True, kw_only=True)
class CapabilityMint:
    """Signs capabilities with our key; pure but for the entropy it was given."""

    keys: Signing
    options: AuthorityOptions
    entropy: Entropy

    def mint(self, order: Order, *, at: datetime) -> Minted:
        """Sign what a decision permitted. The caller stores it in the transaction of that decision."""
        return mint(
            order,
            issuer=self.options.issuer,
            signer=self.keys.signer(KeyClass.CAPABILITY),
            lifetime=self.options.lifetimes.capability,
            at=at,
            entropy=self.entropy,
        )


class CapabilityService:
    """Mints, consumes and settles capabilities, one unit of work each."""

    def __init__(
        self, *, uow: UnitOfWork[AuthorityTransaction], minter: CapabilityMint, tenant: TenantId
    ) -> None:
        self._uow = uow
        self._mint = minter
        self._tenant = tenant

    async def mint(self, order: Order, lineage: Lineage, *, at: datetime) -> Minted:
        """Give a holder one use. Raises `TaskOver`, `NotAlive` or `TooManyCapabilities`."""
        return await self._uow.commit(lambda tx: mint_live(tx, order, lineage, self._mint, at=at))

    async def consume(self, use: Use, lineage: Lineage, *, at: datetime) -> Capability:
        """Use one up: exactly one of all callers returns. Raises as the function `consume` does."""
        return await self._uow.commit(lambda tx: consume(tx, use, lineage, at=at))

    async def settle(self, ident: CapabilityId, state: CapabilityState, *, at: datetime) -> bool:
        """Say how a consumed one ended; False if that was said already."""
        return await self._uow.commit(lambda tx: tx.capabilities.settle(ident, state, at))

    async def sweep(self, *, before: datetime, at: datetime, limit: int = 100) -> Sequence[CapabilityId]:
        """Mark calls that began before this process did and have no outcome as unknown (CA-15)."""
        return await self._uow.commit(
            lambda tx: sweep(tx, self._tenant, before=before, at=at, limit=limit, entropy=self._mint.entropy)
        )


def mint_live(
    tx: AuthorityTransaction, order: Order, lineage: Lineage, minter: CapabilityMint, *, at: datetime
) -> Minted:
    """Mint an unused capability inside an open transaction, within the task's limit (CA-17).

    INVARIANT: the task's row is held until the commit, so two mints can't both take the last place.
    """
    if order.task is not None and not tx.tasks.hold(order.task, at):
        raise TaskOver(f"task `{order.task}` does not run")
    _require_alive(tx, lineage, at)
    limit = minter.options.lifetimes.live_capabilities
    if order.task is not None and tx.capabilities.live_of_task(order.task, at) >= limit:
        raise TooManyCapabilities(f"the task holds {limit} unused capabilities, which is the limit")
    minted = minter.mint(order, at=at)
    tx.capabilities.insert_live(minted.capability)
    task = None if order.task is None else tx.tasks.get(order.task)
    entry = tx.principals.get(PrincipalId(order.instance))
    events.state(
        tx,
        events.CAPABILITY_MINTED,
        tenant=order.tenant,
        actor=order.instance,
        agent="" if entry is None else entry.parent or "",
        at=at,
        entropy=minter.entropy,
        task=task,
        envelope=order.envelope or "",
        decision=order.decision,
        capability=minted.capability.id,
        subject=order.action,
    )
    return minted


def consume(
    tx: AuthorityTransaction, use: Use, lineage: Lineage, *, at: datetime, node: str = ""
) -> Capability:
    """Use a capability up inside an open transaction; the call may start only after the commit.

    Order (security 2.2): everything above it lives, then the one conditional UPDATE. Raises `NotAlive`,
    `CapabilityConsumed` (409) if it was used, `CapabilityRejected` if anything else differs.
    """
    _require_alive(tx, lineage, at)
    if not tx.capabilities.consume(use, at=at, node=node):
        raise _refusal(tx, use)
    capability = tx.capabilities.get(use.capability)
    if capability is None:
        raise NotYours("the capability is gone")
    return capability


def sweep(
    tx: AuthorityTransaction,
    tenant: TenantId,
    *,
    before: datetime,
    at: datetime,
    limit: int,
    entropy: Entropy,
    nodes: Sequence[str] = ("",),
) -> Sequence[CapabilityId]:
    """Mark those that `nodes` consumed and gave no outcome as unknown, in an open transaction (P2).

    Never retried. The nodes MUST be dead: what a living one has under way gets its outcome from it.
    """
    found = [
        ident for node in nodes for ident in tx.capabilities.unfinished(before=before, limit=limit, node=node)
    ]
    marked = []
    for ident in found:
        capability = tx.capabilities.get(ident)
        if capability is None or not tx.capabilities.settle(ident, CapabilityState.UNKNOWN, at):
            continue
        task = None if capability.task is None else tx.tasks.get(capability.task)
        events.state(
            tx,
            events.CAPABILITY_UNKNOWN,
            tenant=tenant,
            actor=_SYSTEM,
            agent="" if task is None else task.agent,
            at=at,
            entropy=entropy,
            task=task,
            decision=capability.decision,
            capability=ident,
            subject=capability.action,
        )
        marked.append(ident)
    return marked


def _refusal(tx: AuthorityTransaction, use: Use) -> CapabilityConsumed | CapabilityRejected:
    """Why the UPDATE found no row; read after the fact, only to say it."""
    state = tx.capabilities.state_of(use.capability)
    if state is None:
        return CapabilityRejected(4, "unknown")
    if state is CapabilityState.LIVE:
        return CapabilityRejected(5, "expired_or_other_call")
    return CapabilityConsumed(f"the capability is `{state}` already")


def _require_alive(tx: AuthorityTransaction, lineage: Lineage, at: datetime) -> None:
    verdict = alive(tx.lineage, lineage, at)
    if isinstance(verdict, Dead):
        raise NotAlive("something above this call was stopped", reason=verdict.reason)
