"""What every service stands on: settings, store, clock, keys and the first snapshot of one tenant."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from remit.app.bindings.plugins import panel
from remit.app.bindings.policies import seal_older
from remit.app.bindings.tenancy import settings_of
from remit.app.keys import KeyHolder
from remit.kernel.clock import Clock, SystemClock
from remit.kernel.errors import RemitError
from remit.kernel.ids import Entropy, TenantId, system_entropy
from remit.kernel.sealing import Kek
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.kernel.uow import Lane
from remit.platform.settings.model import Settings
from remit.platform.storage.anchors import AnchorFiles
from remit.platform.storage.clock_marks import ClockMark, ClockMarks
from remit.platform.storage.engine import OpenStore, open_store
from remit.platform.storage.repositories.ledger_appender import LedgerAppender
from remit.platform.storage.snapshot import SnapshotKeeper
from remit.platform.storage.tenant_work import ServedTenant
from remit.platform.storage.unit_of_work import SqlUnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What every service stands on."""

    settings: Settings
    tenant: TenantId
    clock: Clock
    entropy: Entropy
    kek: Kek
    store: OpenStore
    work: SqlUnitOfWork
    keys: KeyHolder
    snapshots: SnapshotKeeper
    anchors: AnchorFiles

    @property
    def issuer(self) -> str:
        """Our address, in every token and document."""
        return self.settings.issuer_url


def system_clock(mark: ClockMark | None) -> SystemClock:
    """The machine's clock, going on from where it was when the last process stopped."""
    if mark is None:
        return SystemClock()
    return SystemClock(generation=mark.generation, high_water=mark.high_water)


async def open_ground(
    settings: Settings,
    *,
    kek: Kek,
    make_clock: Callable[[ClockMark | None], Clock] = system_clock,
    entropy: Entropy = system_entropy,
    on_fence: Callable[[RemitError], None] | None = None,
) -> Ground:
    """Open the store, the clock, the keys and the first snapshot; raises rather than serve on less."""
    url = settings.store.url or f"sqlite:///{settings.directory / 'remit.db'}"
    node = f"nod_{secrets.token_hex(8)}"
    anchors = AnchorFiles(settings.directory / "anchors")
    journals = partial(_journal, node=node, kek=kek, entropy=entropy, anchors=anchors)
    store = await open_store(url, journals=journals, on_fence=on_fence)
    work = SqlUnitOfWork(store, tenant=DEFAULT_TENANT)
    keys = KeyHolder(work=work, kek=kek, issuer=settings.issuer_url, entropy=entropy)
    snapshots = SnapshotKeeper(work, tenant=DEFAULT_TENANT, keys=keys, facts=panel().types())
    try:
        clock = make_clock(await work.read(lambda tx: ClockMarks(tx.sql).get()))
        await keys.rotate(clock.now(), first=seal_older(clock.now(), entropy))
        await snapshots.catch_up()
    except BaseException:
        await store.close()
        raise
    return Ground(
        settings=settings,
        tenant=DEFAULT_TENANT,
        clock=clock,
        entropy=entropy,
        kek=kek,
        store=store,
        work=work,
        keys=keys,
        snapshots=snapshots,
        anchors=anchors,
    )


async def tenant_ground(home: Ground, tenant: TenantId) -> Ground:
    """What a further tenant stands on: its own keys and snapshot, on the installation's store.

    Raises `KekWrong`, and `IssuerChanged` for keys of another address.
    """
    settings = settings_of(home.settings, tenant)
    work = ServedTenant(home.store, tenant=tenant)
    keys = KeyHolder(work=work, kek=home.kek, issuer=settings.issuer_url, entropy=home.entropy)
    snapshots = SnapshotKeeper(work, tenant=tenant, keys=keys, facts=panel().types())
    await keys.rotate(home.clock.now(), first=seal_older(home.clock.now(), home.entropy))
    await snapshots.catch_up()
    return replace(home, settings=settings, tenant=tenant, work=work, keys=keys, snapshots=snapshots)


def log_name(settings: Settings) -> str:
    """The name of this installation's log in checkpoints: its issuer without the scheme."""
    return settings.issuer_url.partition("://")[2]


def _journal(lane: Lane, *, node: str, kek: Kek, entropy: Entropy, anchors: AnchorFiles) -> LedgerAppender:
    # PostgreSQL writes kills on a connection of their own: each writer leases a log of its own.
    shard = "main" if lane is Lane.NORMAL else lane.value
    return LedgerAppender(node=node, kek=kek, entropy=entropy, shard=shard, anchors=anchors.last)
