"""The writer's end of the log: leaves are collected per work, the tree grows once per commit."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import bindparam, insert, select, update

from remit.kernel.errors import RemitError
from remit.kernel.ids import Entropy, TenantId
from remit.kernel.sealing import Kek
from remit.ledger.checkpoint import Checkpoint, parse_checkpoint
from remit.ledger.encoding import decode_record, encode_record, encode_records
from remit.ledger.mentions import mentions
from remit.ledger.merkle import EMPTY_ROOT, Frontier, Hash, fold_peaks, leaf_hashes, root_at
from remit.ledger.record import Record
from remit.ledger.repository import LedgerDamaged, LedgerFenced
from remit.platform.storage.instants import micros
from remit.platform.storage.queued import BatchSpoiled
from remit.platform.storage.repositories.ledger_contents import KekSealer, OpenKeys
from remit.platform.storage.repositories.ledger_tree import (
    CHUNK,
    TILE_LEVELS,
    TILE_WIDTH,
    StoredTree,
    pack,
    pack_places,
    split_hashes,
)
from remit.platform.storage.sql import Scalar, Sql
from remit.platform.storage.tables.ledger import (
    ledger_checkpoint,
    ledger_entries,
    ledger_mention,
    ledger_shard,
    ledger_tile,
)

INLINE_INDEX: Final = 64
"""Records of one commit up to which the index by id keeps up; a larger burst is indexed by later commits."""
INDEX_STEP: Final = 32
"""Records of ordinary commits after which the index is written: a reader scans fewer, and bursts.

A step indexes twice as many as it follows, so that it catches up with a burst without a long commit.
"""

Anchors = Callable[[TenantId, str], Checkpoint | None]
"""The last head of a log that was seen outside this database; None if none was."""

_SHARD = select(
    ledger_shard.c.node, ledger_shard.c.fence, ledger_shard.c.size, ledger_shard.c.root,
    ledger_shard.c.frontier, ledger_shard.c.indexed,
).where(ledger_shard.c.tenant == bindparam("tenant"), ledger_shard.c.shard == bindparam("shard"))  # fmt: skip
_ADD_SHARD = insert(ledger_shard)
_TAKE_OVER = (
    update(ledger_shard)
    .where(
        ledger_shard.c.tenant == bindparam("of"),
        ledger_shard.c.shard == bindparam("log"),
        ledger_shard.c.fence == bindparam("seen"),
    )
    .values(node=bindparam("ours"), fence=ledger_shard.c.fence + 1)
)
_ADVANCE = (
    update(ledger_shard)
    .where(
        ledger_shard.c.tenant == bindparam("of"),
        ledger_shard.c.shard == bindparam("log"),
        ledger_shard.c.fence == bindparam("held"),
        ledger_shard.c.size == bindparam("old"),
    )
    .values(
        size=bindparam("new_size"),
        root=bindparam("new_root"),
        frontier=bindparam("new_frontier"),
        indexed=bindparam("new_indexed"),
    )
)
_LAST_NOTE = (
    select(ledger_checkpoint.c.note)
    .where(ledger_checkpoint.c.tenant == bindparam("tenant"), ledger_checkpoint.c.shard == bindparam("shard"))
    .order_by(ledger_checkpoint.c.size.desc())
    .limit(1)
)
_ADD_ENTRIES = insert(ledger_entries)
_ADD_TILE = insert(ledger_tile)
_ADD_MENTION = insert(ledger_mention)


def never_anchored(_tenant: TenantId, _shard: str) -> Checkpoint | None:
    """Nothing outside the database remembers a head."""
    return None


@dataclass(slots=True)
class _Log:
    """One log as this batch would leave it. `tiles[k]` is the incomplete tile of level k.

    `unindexed` are the records from place `indexed` on, as far as they are in memory: all of them, or none.
    """

    tenant: TenantId
    shard: str
    fence: int
    frontier: Frontier
    tiles: list[list[Hash]]
    indexed: int
    unindexed: list[Record] = field(default_factory=list)
    since_step: int = 0
    """Records of ordinary commits since the index was last written."""

    def key(self) -> dict[str, Scalar]:
        return {"tenant": self.tenant, "shard": self.shard}


@dataclass(slots=True, kw_only=True)
class LedgerAppender:
    """The logs that this process writes, one per tenant. OWNED BY: the one writer; not thread safe.

    `node` names this process, anew at each start; `shard` the log that it leases; texts rest under `kek`.
    INVARIANT: nothing here is believed after a commit whose result is not known; `aborted` forgets it all.
    """

    node: str
    kek: Kek
    entropy: Entropy
    shard: str = "main"
    anchors: Anchors = never_anchored
    _logs: dict[TenantId, _Log] = field(default_factory=dict)
    _waiting: list[Record] = field(default_factory=list)
    _is_hasty: bool = False
    _held: dict[TenantId, int] = field(default_factory=dict)
    _wishes: dict[TenantId, int] = field(default_factory=dict)
    _opened: set[TenantId] = field(default_factory=set)
    text_keys: OpenKeys = field(default_factory=OpenKeys, repr=False)
    """Open keys of subjects."""
    sealer: KekSealer = field(init=False, repr=False)
    """What seals texts at rest, under `kek`."""

    def __post_init__(self) -> None:
        self.sealer = KekSealer(self.kek, self.entropy)

    def begin_batch(self, sql: Sql) -> None:
        """Start a transaction with nothing waiting."""
        self._waiting.clear()
        self._is_hasty = sql.is_hasty
        self._opened.clear()
        self.text_keys.begin_batch(is_sole=sql.is_sole)

    def savepoint(self) -> int:
        """Where the batch stands before a work."""
        return len(self._waiting)

    def rollback_to(self, mark: int) -> None:
        """Forget what a work appended, as its savepoint is rolled back."""
        del self._waiting[mark:]
        # A log that was opened in this batch may have been opened in this very savepoint: its row is undone.
        for tenant in self._opened:
            self._logs.pop(tenant, None)
        self._opened.clear()
        self.text_keys.forget()  # one of them may have been made in this very savepoint

    def append(self, record: Record) -> None:
        """Let a record wait for its place; what can't be encoded fails its own work alone.

        In haste that shows when all are encoded, and spoils the batch, which then runs with care.
        """
        if not self._is_hasty:
            encode_record(record)
        self._waiting.append(record)

    def wish_index(self, tenant: TenantId, limit: int) -> None:
        """Have this commit index up to so many entries that earlier bursts left."""
        self._wishes[tenant] = limit

    def flush(self, sql: Sql) -> None:
        """Give every waiting record its place and write the tree; the last thing before the commit.

        Raises `LedgerFenced` if another process has the log, or its head contradicts what was signed.
        """
        by_tenant: dict[TenantId, list[Record]] = {tenant: [] for tenant in self._wishes}
        for record in self._waiting:
            by_tenant.setdefault(record.tenant, []).append(record)
        for tenant in sorted(by_tenant):
            with sql.within(tenant):
                self._flush_log(sql, self.open(sql, tenant), by_tenant[tenant])

    def committed(self) -> None:
        """The transaction is durable: what this batch did is now what is."""
        self._held.update((tenant, log.fence) for tenant, log in self._logs.items())
        self._waiting.clear()
        self._wishes.clear()

    def aborted(self) -> None:
        """The transaction is gone or its result unknown: read everything again before the next append."""
        self._logs.clear()
        self._waiting.clear()
        self._wishes.clear()
        self.text_keys.forget()

    def open(self, sql: Sql, tenant: TenantId) -> _Log:
        """The log of a tenant; on first use it is taken over and its head is judged.

        1 nobody took it from us   2 frontier, root and stored tree agree   3 it is no shorter than, and
        agrees with, the last signed head here and the last one seen outside.
        Raises `LedgerFenced` or `LedgerDamaged`.
        """
        log = self._logs.get(tenant)
        if log is None:
            with sql.within(tenant):
                row = sql.row(_SHARD, {"tenant": tenant, "shard": self.shard})
                log = self._create(sql, tenant) if row is None else self._resume(sql, tenant, *row)
                self._judge_head(sql, log)
            self._logs[tenant] = log
            self._opened.add(tenant)
        return log

    def _create(self, sql: Sql, tenant: TenantId) -> _Log:
        if tenant in self._held:
            raise LedgerFenced(f"log `{self.shard}` of tenant `{tenant}` has vanished from the database")
        sql.run(_ADD_SHARD, {
            "tenant": tenant, "shard": self.shard, "node": self.node, "fence": 1, "size": 0,
            "root": EMPTY_ROOT, "frontier": b"", "indexed": 0,
        })  # fmt: skip
        return _Log(tenant, self.shard, 1, Frontier(), [[]], 0)

    def _resume(  # the columns of one row, in order
        self,
        sql: Sql,
        tenant: TenantId,
        node: str,
        fence: int,
        size: int,
        root: bytes,
        peaks: bytes,
        indexed: int,
    ) -> _Log:
        # (1) What we held and did not give up, nobody else may hold.
        if node != self.node:
            if tenant in self._held:
                raise LedgerFenced(f"log `{self.shard}` was taken over by node `{node}`")
            taken: dict[str, Scalar] = {"of": tenant, "log": self.shard, "seen": fence, "ours": self.node}
            if sql.run(_TAKE_OVER, taken) != 1:
                raise LedgerFenced(f"log `{self.shard}` was taken over while this process started")
            fence += 1
        # (2) Three forms of one tree.
        tree, edge = StoredTree(sql, tenant, self.shard, size), split_hashes(peaks)
        if fold_peaks(edge) != root or len(edge) != size.bit_count() or root_at(size, tree.node) != root:
            raise LedgerFenced(
                f"log `{self.shard}` holds a tree of {size} records that does not meet its own root",
                next_step="remit ledger verify",
            )
        return _Log(tenant, self.shard, fence, Frontier(size, edge), _partial_tiles(tree), indexed)

    def _judge_head(self, sql: Sql, log: _Log) -> None:
        # (3) A signed head is a promise: the log may grow past it, never shrink below it or differ under it.
        note = sql.row(_LAST_NOTE, log.key())
        signed = parse_checkpoint(bytes(note[0])) if note is not None else None
        for checkpoint in (signed, self.anchors(log.tenant, log.shard)):
            if checkpoint is not None:
                tree = StoredTree(sql, log.tenant, log.shard, log.frontier.size)
                judge_head(log.frontier.size, checkpoint, tree)

    def _flush_log(self, sql: Sql, log: _Log, waiting: Sequence[Record]) -> None:
        old = log.frontier.size
        if waiting:
            leaves = _write_entries(sql, log, old, waiting)
            _write_tiles(sql, log, log.frontier.extend(leaves))
        self._index(sql, log, old, waiting)
        changed = sql.run(_ADVANCE, {
            "of": log.tenant, "log": log.shard, "held": log.fence, "old": old, "new_size": log.frontier.size,
            "new_root": log.frontier.root(), "new_frontier": b"".join(log.frontier.peaks),
            "new_indexed": log.indexed,
        })  # fmt: skip
        # CRASH: entries, tiles and head are one transaction: recovery finds all of them or none.
        if changed != 1:
            raise LedgerFenced(f"another process has written log `{log.shard}` since record {old}")

    def _index(self, sql: Sql, log: _Log, old: int, waiting: Sequence[Record]) -> None:
        """Keep the index by id near the head: in steps for ordinary commits, later for a burst."""
        burst = len(waiting) > INLINE_INDEX
        if not burst and log.indexed + len(log.unindexed) == old:
            log.unindexed += waiting
        elif waiting:
            log.unindexed = []
        size = log.frontier.size
        budget = self._wishes.get(log.tenant, 0)
        if not burst:
            log.since_step += len(waiting)
        if log.since_step >= INDEX_STEP:
            budget += 2 * log.since_step
            log.since_step = 0
        if budget:
            _write_index(sql, log, _unindexed(sql, log, min(size, log.indexed + budget)))


def _unindexed(sql: Sql, log: _Log, last: int) -> list[Record]:
    """The records from the end of the index up to place `last`."""
    if log.indexed + len(log.unindexed) == log.frontier.size:
        return log.unindexed[: last - log.indexed]
    tree = StoredTree(sql, log.tenant, log.shard, log.frontier.size)
    return [decode_record(entry) for entry in tree.entries(log.indexed, last)]


def _write_index(sql: Sql, log: _Log, records: Sequence[Record]) -> None:
    places: dict[str, list[int]] = {}
    for place, record in enumerate(records, log.indexed):
        for ident in mentions(record):
            places.setdefault(ident, []).append(place)
    if places:
        sql.run_many(_ADD_MENTION, [
            {**log.key(), "ident": ident, "place": at[0], "also": pack_places(at)}
            for ident, at in sorted(places.items())
        ])  # fmt: skip
    log.indexed += len(records)
    del log.unindexed[: len(records)]


def judge_head(size: int, checkpoint: Checkpoint, tree: StoredTree) -> None:
    """Refuse a log that is shorter than a signed head, or differs under it."""
    if checkpoint.size > size:
        raise LedgerFenced(
            f"the log has {size} records, a signed checkpoint has {checkpoint.size}: it was cut or restored",
            next_step="remit ledger verify",
        )
    if root_at(checkpoint.size, tree.node) != checkpoint.root:
        raise LedgerFenced(
            f"the first {checkpoint.size} records are not those that were signed: the log was forked",
            next_step="remit ledger verify",
        )


def _partial_tiles(tree: StoredTree) -> list[list[Hash]]:
    tiles, count, level = [], tree.size, 0
    while level == 0 or count:
        held = tree.tile(level, count // TILE_WIDTH) if count % TILE_WIDTH else []
        if len(held) != count % TILE_WIDTH:
            raise LedgerDamaged(f"the last tile of level {level} lacks hashes")
        tiles.append(list(held))
        count, level = count // TILE_WIDTH, level + 1
    return tiles


def _write_tiles(sql: Sql, log: _Log, complete: list[list[Hash]]) -> None:
    """Store each tile that became complete; `complete[k]` are the new nodes of tree level k."""
    rows: list[dict[str, Scalar]] = []
    before = log.frontier.size - len(complete[0])
    for level in range((len(complete) + TILE_LEVELS - 1) // TILE_LEVELS):
        if level == len(log.tiles):
            log.tiles.append([])
        number = (before >> TILE_LEVELS * level) // TILE_WIDTH
        held = log.tiles[level] + complete[level * TILE_LEVELS]
        full, rest = divmod(len(held), TILE_WIDTH)
        for place in range(full):
            hashes = held[place * TILE_WIDTH : (place + 1) * TILE_WIDTH]
            root = complete[(level + 1) * TILE_LEVELS][place]
            rows.append({
                **log.key(), "level": level, "number": number + place,
                "root": root, "hashes": b"".join(hashes),
            })  # fmt: skip
        log.tiles[level] = held[len(held) - rest :]
    if rows:
        sql.run_many(_ADD_TILE, rows)


def _write_entries(sql: Sql, log: _Log, old: int, waiting: Sequence[Record]) -> list[Hash]:
    """Store records as leaves, a row after the other while it is at hand; returns their leaf hashes."""
    leaves: list[Hash] = []
    for low in range(0, len(waiting), CHUNK):
        chunk = waiting[low : low + CHUNK]
        entries = _encoded(sql, chunk)
        hashes = leaf_hashes(entries)
        times = {record.at for record in chunk}
        sql.run(_ADD_ENTRIES, {
            **log.key(), "first": old + low, "count": len(chunk),
            "earliest": micros(min(times)), "latest": micros(max(times)),
            "body": pack(entries), "hashes": b"".join(hashes),
        })  # fmt: skip
        leaves += hashes
    return leaves


def _encoded(sql: Sql, records: Sequence[Record]) -> list[bytes]:
    try:
        return encode_records(records)
    except RemitError as refused:
        if sql.is_hasty:
            raise BatchSpoiled from refused
        raise
