"""Another key-encryption key for a stopped installation, in steps that a crash between them can't confuse.

1 make the new key beside the old one (`kek.next`)   2 in one commit, put everything under it, on record
3 keep the old key by its id (`kek.old-<id>`), for backups that it opens   4 the new key takes its place

A start that finds `kek.next` looks which of the two opens the store, and finishes or forgets the change.
"""

import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from remit.app.ground import Ground, open_ground
from remit.app.kek import require_file
from remit.identity.credentials import CredentialState
from remit.identity.lifecycle import State
from remit.identity.principals import Kind
from remit.kernel.errors import Conflict, RemitError
from remit.kernel.ids import Entropy, PrincipalId
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.keys import PrivateKey
from remit.kernel.sealing import Kek, KekWrong, SealBroken
from remit.kernel.uow import Lane
from remit.ledger import facts
from remit.ledger.record import Record
from remit.platform.settings.model import Settings
from remit.platform.settings.operator import OperatorKey
from remit.platform.storage.kek import make_kek, read_kek
from remit.platform.storage.rekey import Resealed, others_alive, reseal_all
from remit.platform.storage.unit_of_work import SqlTransaction

ROTATED: Final = "platform.kek.rotated"


class OtherNodesRun(Conflict):
    """Another process has the store open, and would go on sealing with the old key."""

    code = "other_nodes_run"


class NotTheAdministrator(RemitError):
    """The device key is of no active administrator of this installation."""

    code = "not_administrator"
    kind = "forbidden"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rekeyed:
    """What was done, and where the old key is."""

    resealed: Resealed
    old: Path


class Opener(Protocol):
    """`open_ground`, or another that opens the same."""

    def __call__(self, settings: Settings, *, kek: Kek) -> Awaitable[Ground]:
        """Open the store with a key; raises `KekWrong`."""


def next_file(path: Path) -> Path:
    """Where the new key waits until the store is under it."""
    return path.with_name(f"{path.name}.next")


async def open_settled(settings: Settings, kek: Kek, opener: Callable[[Kek], Awaitable[Ground]]) -> Ground:
    """Open with the present key, or with the one that a rotation was stopped after sealing with.

    Raises `KekWrong` if neither opens the store.
    """
    waiting = next_file(settings.kek_file)
    if not waiting.exists():
        return await opener(kek)
    try:
        ground = await opener(kek)
    except KekWrong:
        ground = await opener(read_kek(waiting))
        adopt(settings.kek_file)
        return ground
    # CRASH: the commit of step 2 never was. SAFETY: a key is put aside, never removed: only it could open
    # what a server of a database had committed after all.
    waiting.replace(waiting.with_name(f"{settings.kek_file.name}.unused-{read_kek(waiting).id.hex()}"))
    return ground


async def rotate_kek(
    settings: Settings, *, by: OperatorKey, entropy: Entropy, opener: Opener = open_ground
) -> Rekeyed:
    """Put everything under a new key-encryption key; nobody else may have the store open.

    Raises `UnfitDatabase` or `OtherNodesRun` while a server runs, `NotTheAdministrator`, `KekWrong`, or
    `KekElsewhere`.
    """
    require_file(settings)
    old = read_kek(settings.kek_file)
    ground = await open_settled(settings, old, lambda kek: opener(settings, kek=kek))
    try:
        new = make_kek(next_file(settings.kek_file), entropy=entropy)
        resealed = await _reseal(ground, new, by=by)
    except (OtherNodesRun, NotTheAdministrator, KekWrong, SealBroken):
        next_file(settings.kek_file).unlink()  # raised inside the work: nothing was committed, for certain
        raise
    finally:
        await ground.store.close()
    # CRASH: the store is under the new key; the next start finishes from here.
    return Rekeyed(resealed=resealed, old=adopt(settings.kek_file))


def adopt(path: Path) -> Path:
    """Keep the old key by its id, and let the new one take its place; gives the old one's file."""
    kept = path.with_name(f"{path.name}.old-{read_kek(path).id.hex()}")
    with suppress(FileExistsError):  # CRASH: this step was taken before the last crash
        os.link(path, kept)
    next_file(path).replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    return kept


async def _reseal(ground: Ground, new: Kek, *, by: OperatorKey) -> Resealed:
    at = ground.clock.now()

    def work(tx: SqlTransaction) -> Resealed:
        # First, because it waits for every open commit: whoever begins after it finds the new key at work.
        tx.advance_epoch("key-encryption key rotated")
        others = others_alive(tx.sql, node=ground.store.node, at=at)
        if others:
            raise OtherNodesRun(
                f"{len(others)} other processes have the store open: {', '.join(others)}",
                next_step="stop them, wait 10 s for their leases, try again",
            )
        _require_administrator(tx, by)
        resealed = reseal_all(tx.sql, old=ground.kek, new=new, entropy=ground.entropy)
        tx.ledger.append(_record(ground, tx, new, resealed, by=by))
        return resealed

    return await ground.work.commit(work, lane=Lane.KILL)


def _require_administrator(tx: SqlTransaction, by: OperatorKey) -> None:
    """The key file proves who types: its private half is that of a registered key of an administrator."""
    person, credential = tx.principals.get(PrincipalId(by.user)), tx.credentials.get(by.kid)
    held = PrivateKey.load(Algorithm(by.algorithm), by.private).public.thumbprint
    if (
        person is None
        or credential is None
        or person.kind is not Kind.HUMAN
        or person.state is not State.ACTIVE
        or "admin" not in dict(person.attributes).get("roles", "").split()
        or credential.state is not CredentialState.ACTIVE
        or (credential.principal, credential.thumbprint) != (person.id, held)
    ):
        raise NotTheAdministrator(
            f"the device key of `{by.user}` is no active administrator's", next_step="set REMIT_KEY to one"
        )


def _record(ground: Ground, tx: SqlTransaction, new: Kek, resealed: Resealed, *, by: OperatorKey) -> Record:
    at = ground.clock.now()
    return Record(
        id=facts.record_id(at, ground.entropy),
        at=at,
        tenant=ground.tenant,
        kind=ROTATED,
        actor=PrincipalId(by.user),
        subject=f"kek:{new.id.hex()}",
        epoch=tx.epoch(),
        detail=(
            ("old", ground.kek.id.hex()),
            ("keys", str(resealed.keys)),
            ("subjects", str(resealed.subjects)),
            ("answers", str(resealed.answers)),
            ("credentials", str(resealed.credentials)),
        ),
    )
