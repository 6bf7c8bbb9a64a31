"""Backups of an embedded installation, and the way back: nothing that was stopped since may live again.

A backup is always of yesterday. What was killed, revoked or used up after it is alive in it, so a restore
that can't show that nothing was lost stops everything that acts, on record, for people to look at (P12).
"""

import os
import shutil
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from remit.app.bootstrap import SYSTEM, prepare_directory
from remit.app.ground import open_ground
from remit.app.kek import held_kek
from remit.app.services import Services, build
from remit.authority.tasks import TaskState
from remit.identity.lifecycle import State
from remit.identity.principals import Kind, Principal
from remit.identity.tenants import TenantState
from remit.kernel.errors import Conflict, Invalid
from remit.kernel.ids import TaskId
from remit.kernel.uow import Lane
from remit.ledger import facts
from remit.ledger.record import Record
from remit.platform.settings.model import Settings
from remit.platform.storage.backup import (
    DATABASE,
    BackupBroken,
    Manifest,
    Missing,
    copy_database,
    describe,
    judge,
    write_manifest,
)

RESTORED: Final = "platform.store.restored"
BECAUSE: Final = "restored from a backup"
_PAGE: Final = 200
_WORK: Final = "restoring"


class NotEmbedded(Invalid):
    """State is kept in PostgreSQL, which has tools of its own for this."""

    code = "store_not_embedded"


class DataExists(Conflict):
    """There is something where a backup, or a restored store, would go; nothing is ever written over."""

    code = "data_exists"


class BackupOlder(Conflict):
    """More was signed than the backup holds: what was stopped since would live again."""

    code = "backup_older"


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What came back, what did not, and what was stopped because of that."""

    manifest: Manifest
    missing: tuple[Missing, ...]
    proven: bool
    """Whether heads that were held show that nothing signed is missing."""
    suspended: int
    ended: int


def back_up(settings: Settings, folder: Path, *, at: datetime) -> Manifest:
    """Copy the store as of one moment, with the heads of its logs and without the key that opens it.

    The server goes on meanwhile. CRASH: the manifest comes last; a folder without one is no backup.
    """
    _require_embedded(settings)
    source = settings.directory / DATABASE
    if not source.exists():
        raise Invalid(f"there is no store `{source}`", next_step="name the data directory: --data DIR")
    if folder.exists() and any(folder.iterdir()):
        raise DataExists(f"`{folder}` is not empty", next_step="name another folder: remit backup DIR")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    copy_database(source, folder / DATABASE)
    manifest = describe(folder / DATABASE, made_at=at.isoformat())
    write_manifest(folder, manifest)
    return manifest


async def restore(
    settings: Settings, folder: Path, *, held: Sequence[bytes], accept_older: bool, at: datetime
) -> Restored:
    """Put a backup in place of a store that is gone; the key-encryption key is there already.

    Unless held heads show that nothing is missing, every agent is suspended, every task and open ask ended.
    Raises `DataExists`, `BackupBroken`, `BackupForked`, `BackupOlder`, `KekMissing`, `KekWrong`.
    """
    _require_embedded(settings)
    place = settings.directory / DATABASE
    if any(place.with_name(place.name + end).exists() for end in ("", "-wal", "-shm")):
        raise DataExists(
            f"`{place}` is there already", next_step="move it away, or name another directory: --data DIR"
        )
    manifest, missing, known = judge(folder, [*held, *_anchors(settings)])
    if missing and not accept_older:
        worst = max(missing, key=lambda each: each.seen - each.has)
        raise BackupOlder(
            f"log `{worst.shard}` has {worst.has} records in the backup, a signed head has {worst.seen}: "
            "what was stopped since would live again",
            next_step="take a younger backup, or add --accept-older: it suspends every agent",
        )
    kek = held_kek(settings)
    if kek.id.hex() != manifest.kek:
        raise BackupBroken(
            f"the backup was sealed under key `{manifest.kek}`, ours is `{kek.id.hex()}`",
            next_step="bring the key-encryption key of that time back",
        )
    # A head of one tenant's log says nothing of another's.
    proven = known >= max(1, sum(1 for log in manifest.logs if log.size)) and not missing
    suspended, ended = await _in_a_room_of_its_own(settings, folder, manifest, missing, proven=proven)
    _put_in_place(settings, at, forget_heads=bool(missing))
    return Restored(manifest=manifest, missing=missing, proven=proven, suspended=suspended, ended=ended)


async def _in_a_room_of_its_own(
    settings: Settings, folder: Path, manifest: Manifest, missing: Sequence[Missing], *, proven: bool
) -> tuple[int, int]:
    """Stop what must be stopped in a copy that nobody can start yet.

    CRASH: until the rename there is no store in the data directory; the next restore begins anew.
    """
    room = settings.directory / _WORK
    shutil.rmtree(room, ignore_errors=True)
    kek = held_kek(settings)
    keys = settings.keys if settings.keys.kek_command else replace(settings.keys, kek_file=settings.kek_file)
    aside = replace(settings, data=room, issuer=manifest.issuer, keys=keys)
    prepare_directory(aside)
    copy_database(folder / DATABASE, room / DATABASE)
    services = build(await open_ground(aside, kek=kek))
    try:
        counts = [await _settle(services, manifest, missing, proven=proven)]
        counts += [
            await _settle(house, manifest, missing, proven=proven) async for house in _tenants(services)
        ]
    finally:
        await services.close()
    return sum(each[0] for each in counts), sum(each[1] for each in counts)


async def _settle(
    services: Services, manifest: Manifest, missing: Sequence[Missing], *, proven: bool
) -> tuple[int, int]:
    """One tenant: stop what must be, and put on its record that it was restored."""
    counts = (0, 0) if proven else await _stop_everything(services)
    record = _record(services, manifest, missing, counts)
    await services.ground.work.commit(lambda tx: tx.ledger.append(record), lane=Lane.NORMAL)
    return counts


async def _tenants(services: Services) -> AsyncIterator[Services]:
    """Every further tenant that is not retired; a suspended one is woken for it, and sleeps again."""
    if services.tenancy is None:
        return
    tenancy, now = services.tenancy, services.ground.clock.now
    asleep = [each.name for each in await tenancy.service.all() if each.state is TenantState.SUSPENDED]
    for name in asleep:
        await tenancy.service.resume(name, by=SYSTEM, because=BECAUSE, at=now())
    await tenancy.open.settle()
    for house in tenancy.open.houses():
        yield house
    for name in asleep:
        await tenancy.service.suspend(name, by=SYSTEM, because=BECAUSE, at=now())


async def _stop_everything(services: Services) -> tuple[int, int]:
    """Suspend agents, so that nothing acts; end what they were about, so that resuming revives nothing."""
    at = services.ground.clock.now()
    agents = [each for each in await _agents(services) if each.state is State.ACTIVE]
    for agent in agents:
        await services.identity.suspend(agent.id, by=SYSTEM, because=BECAUSE, at=at)
    ended: list[TaskId] = []
    after = ""
    while page := await services.tasks.page(after=after, limit=_PAGE):
        after = page[-1].id
        ended += [task.id for task in page if task.state is TaskState.RUNNING]
    for task in ended:
        await services.tasks.end(task, by=SYSTEM, at=at)
    await services.approvals.cancel_for(
        principals=tuple(each.id for each in await _agents(services)), tasks=tuple(ended)
    )
    return len(agents), len(ended)


async def _agents(services: Services) -> list[Principal]:
    found: list[Principal] = []
    after = ""
    while page := await services.identity.page(kind=Kind.AGENT, after=after, limit=_PAGE):
        found += page
        after = page[-1].id
    return found


def _record(
    services: Services, manifest: Manifest, missing: Sequence[Missing], counts: tuple[int, int]
) -> Record:
    at, tenant = services.ground.clock.now(), services.ground.tenant
    return Record(
        id=facts.record_id(at, services.ground.entropy),
        at=at,
        tenant=tenant,
        kind=RESTORED,
        actor=SYSTEM,
        subject=f"backup:{manifest.sha256}",
        detail=(
            ("made_at", manifest.made_at),
            *((f"has.{log.shard}", str(log.size)) for log in manifest.logs if log.tenant == tenant),
            *((f"seen.{each.shard}", str(each.seen)) for each in missing if each.tenant == tenant),
            ("suspended", str(counts[0])),
            ("ended", str(counts[1])),
        ),
    )


def _put_in_place(settings: Settings, at: datetime, *, forget_heads: bool) -> None:
    """Heads of the history that is gone are put aside, never removed; then the store appears, whole."""
    anchors, room = settings.directory / "anchors", settings.directory / _WORK
    if forget_heads and anchors.exists():
        anchors.replace(anchors.with_name(f"anchors.until-{at:%Y%m%dT%H%M%SZ}"))
    (room / DATABASE).replace(settings.directory / DATABASE)
    handle = os.open(settings.directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    shutil.rmtree(room)


def _anchors(settings: Settings) -> list[bytes]:
    """The last heads that this machine kept outside its store."""
    return [path.read_bytes() for path in sorted((settings.directory / "anchors").glob("*.checkpoint"))]


def _require_embedded(settings: Settings) -> None:
    if settings.store.url:
        raise NotEmbedded(
            "state is kept in PostgreSQL: it is backed up with `pg_dump` or base backups",
            next_step="see docs/operate, Backup and restore",
        )
