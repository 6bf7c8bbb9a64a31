"""A copy of an embedded store while it is written to, and the judgement of such a copy by its own log.

The copy is one read transaction of SQLite's backup API: a moment between two commits, whatever goes on.
"""

import hashlib
import os
import sqlite3
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
from sqlalchemy import bindparam, select
from sqlalchemy.dialects import sqlite

from remit.kernel.canonical import b64u_decode
from remit.kernel.errors import Conflict, Invalid
from remit.kernel.ids import TenantId
from remit.kernel.tenancy import DEFAULT_TENANT, issuer_of
from remit.ledger.checkpoint import CheckpointRejected, LogKey, parse_checkpoint, verify_checkpoint
from remit.ledger.merkle import Frontier, leaf_hash
from remit.ledger.repository import LedgerDamaged
from remit.platform.storage.repositories.ledger_tree import StoredTree
from remit.platform.storage.sqlite_connection import SqliteSql
from remit.platform.storage.statements import Statements
from remit.platform.storage.tables import core
from remit.platform.storage.tables.ledger import ledger_checkpoint as note
from remit.platform.storage.tables.ledger import ledger_shard as shard

FORMAT: Final = "remit-backup/1"
DATABASE: Final = "remit.db"
MANIFEST: Final = "manifest.json"
_BLOCK: Final = 1 << 20
_KEK_ID: Final = slice(3, 11)
"""Where a sealed secret names the key that it is under (`kernel.sealing`)."""
_COMPROMISED: Final = "compromised"
_LOGS = select(shard.c.tenant, shard.c.shard, shard.c.size, shard.c.root).order_by(
    shard.c.tenant, shard.c.shard
)
_LAST_NOTE = (
    select(note.c.note)
    .where(note.c.tenant == bindparam("tenant"), note.c.shard == bindparam("shard"))
    .order_by(note.c.size.desc())
    .limit(1)
)
_KEYS = select(core.signing_key.c.public, core.signing_key.c.issuer, core.signing_key.c.state).where(
    core.signing_key.c.key_class == "ledger"
)
_SEALED = (
    select(core.signing_key.c.sealed, core.signing_key.c.issuer)
    .where(core.signing_key.c.tenant == DEFAULT_TENANT)
    .limit(1)
)


class BackupBroken(Invalid):
    """The backup is not what its manifest says, or its log is not what was signed; nothing was restored."""

    code = "backup_broken"


class BackupForked(Conflict):
    """A head that was held is of another history than the backup: one of the two is not ours."""

    code = "backup_forked"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogHead:
    """How far one log goes in a copy; `signed` is its newest signed note, or empty."""

    tenant: str
    shard: str
    size: int
    root: str
    signed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a backup says about itself, all of which a restore checks."""

    format: str
    made_at: str
    issuer: str
    kek: str
    """Id of the key-encryption key that opens it, which is not in it."""
    sha256: str
    logs: tuple[LogHead, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """Records of one log that a held head vouches for and a backup does not have."""

    shard: str
    has: int
    seen: int
    tenant: str = DEFAULT_TENANT


def copy_database(source: Path, target: Path) -> None:
    """Copy a store that others may be writing to, as of one moment; the copy is one file, synced to disk."""
    with (
        closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as live,
        closing(sqlite3.connect(target)) as copy,
    ):
        live.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")
    handle = os.open(target, os.O_RDWR)
    try:
        os.fchmod(handle, 0o600)
        os.fsync(handle)
    finally:
        os.close(handle)


def describe(database: Path, *, made_at: str) -> Manifest:
    """The manifest of a copy. Raises `BackupBroken` for one whose log does not hold."""
    with closing(_reader(database)) as connection:
        sql = SqliteSql(connection, Statements(sqlite.dialect(paramstyle="qmark")))
        first = sql.row(_SEALED)
        if first is None:
            raise BackupBroken(f"`{database}` has no keys: it is no store of a started installation")
        return Manifest(
            format=FORMAT,
            made_at=made_at,
            issuer=str(first[1]),
            kek=bytes(first[0])[_KEK_ID].hex(),
            sha256=digest(database),
            logs=tuple(_head(sql, *row) for row in sql.rows(_LOGS)),
        )


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            found.update(block)
    return found.hexdigest()


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """The last file of a backup: without it there is none."""
    with (folder / MANIFEST).open("xb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(manifest)) + b"\n")
        file.flush()
        os.fsync(file.fileno())


def read_manifest(folder: Path) -> Manifest:
    """Read what a backup says about itself. Raises `BackupBroken`."""
    try:
        found = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, msgspec.MsgspecError) as broken:
        raise BackupBroken(f"`{folder}` is no whole backup: its manifest can't be read") from broken
    if found.format != FORMAT:
        raise BackupBroken(f"backup has format `{found.format}`, this reads `{FORMAT}`")
    return found


def judge(folder: Path, held: Iterable[bytes]) -> tuple[Manifest, tuple[Missing, ...], int]:
    """Hold a backup against its manifest, its own log, and heads that were kept elsewhere.

    Gives the manifest, what is missing of what was seen, and of how many of its logs a head was held.
    Raises `BackupBroken` or `BackupForked`.
    """
    said, database = read_manifest(folder), folder / DATABASE
    if not database.exists() or digest(database) != said.sha256:
        raise BackupBroken(f"`{database}` is not the file that the manifest names")
    with closing(_reader(database)) as connection:
        (sound,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if sound != "ok":
        raise BackupBroken(f"`{database}` is damaged: {sound}")
    if describe(database, made_at=said.made_at) != said:
        raise BackupBroken("the log in the backup is not the one that the manifest names")
    missing, known = [], set()
    with closing(_reader(database)) as connection:
        sql = SqliteSql(connection, Statements(sqlite.dialect(paramstyle="qmark")))
        for text in held:
            head = parse_checkpoint(text)
            log = _log_of(said, head.origin)
            if log is None:
                continue
            known.add((log.tenant, log.shard))
            if head.size > log.size:
                missing.append(Missing(tenant=log.tenant, shard=log.shard, has=log.size, seen=head.size))
            elif _roots(sql, log, {head.size})[head.size] != head.root:
                raise BackupForked(
                    f"a held head of {head.size} records is of another history than log `{log.shard}`",
                    next_step="find out which of the two is yours: remit ledger verify FILE --held NOTE",
                )
    return said, tuple(missing), len(known)


def _reader(database: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None)
    connection.execute("PRAGMA query_only=ON")
    return connection


def _log_of(manifest: Manifest, origin: str) -> LogHead | None:
    for log in manifest.logs:
        name = issuer_of(manifest.issuer, TenantId(log.tenant)).partition("://")[2]
        if f"{name}/{log.shard}" == origin:
            return log
    return None


def _head(sql: SqliteSql, tenant: str, name: str, size: int, root: bytes) -> LogHead:
    """Walk one log: its entries meet their tree, the tree its stored root and its newest signed head."""
    found = sql.row(_LAST_NOTE, {"tenant": tenant, "shard": name})
    log = LogHead(
        tenant=tenant,
        shard=name,
        size=size,
        root=bytes(root).hex(),
        signed="" if found is None else bytes(found[0]).decode(),
    )
    try:
        signed = parse_checkpoint(log.signed.encode()) if log.signed else None
        if signed is not None and (keys := _keys(sql)):
            verify_checkpoint(log.signed.encode(), keys=keys)
        if signed is not None and signed.size > size:
            raise BackupBroken(f"log `{name}` has {size} records, {signed.size} were signed")
        roots = _roots(sql, log, {size, signed.size if signed else size})
    except (LedgerDamaged, CheckpointRejected) as broken:
        raise BackupBroken(f"log `{name}`: {broken.hint}") from broken
    if roots[size] != bytes(root) or (signed is not None and roots[signed.size] != signed.root):
        raise BackupBroken(f"the {size} records of log `{name}` are not what was signed")
    return log


def _roots(sql: SqliteSql, log: LogHead, sizes: set[int]) -> Mapping[int, bytes]:
    """Roots at some sizes, from the entries themselves."""
    tree, frontier, found = StoredTree(sql, TenantId(log.tenant), log.shard, log.size), Frontier(), {}
    if 0 in sizes:
        found[0] = frontier.root()
    for entry in tree.entries(0, max(sizes)):
        frontier.append(leaf_hash(entry))
        if frontier.size in sizes:
            found[frontier.size] = frontier.root()
    return found


def _keys(sql: SqliteSql) -> list[LogKey]:
    return [
        LogKey(name=str(issuer).partition("://")[2], public=b64u_decode(msgspec.json.decode(public)["x"]))
        for public, issuer, state in sql.rows(_KEYS)
        if state != _COMPROMISED
    ]
