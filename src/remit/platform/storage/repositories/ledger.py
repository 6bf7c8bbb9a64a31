"""The ledger of one tenant inside one transaction: append, read, prove, sign, erase."""

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Final

from msgspec import structs
from sqlalchemy import bindparam, insert, select

from remit.kernel.errors import NotFound
from remit.kernel.ids import RecordId, TenantId
from remit.ledger.checkpoint import Checkpoint, CheckpointSigner, parse_checkpoint, sign_checkpoint
from remit.ledger.encoding import CONTENT_DIGEST, content_digest, decode_record
from remit.ledger.mentions import index_key, mentions
from remit.ledger.merkle import (
    TreeProofRejected,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    root_at,
    verify_consistency,
    verify_inclusion,
)
from remit.ledger.receipt import Receipt
from remit.ledger.record import Content, Record
from remit.ledger.repository import (
    MAX_MENTIONS,
    Disclosed,
    Head,
    LedgerDamaged,
    LedgerFenced,
    Placed,
    SignedCheckpoint,
)
from remit.platform.storage.instants import micros, moment
from remit.platform.storage.repositories.ledger_appender import LedgerAppender
from remit.platform.storage.repositories.ledger_contents import ContentRows
from remit.platform.storage.repositories.ledger_tree import CHUNK, StoredTree, unpack_places
from remit.platform.storage.sql import Scalar, Sql
from remit.platform.storage.tables.ledger import ledger_checkpoint as note
from remit.platform.storage.tables.ledger import ledger_entries as entries
from remit.platform.storage.tables.ledger import ledger_mention as mention
from remit.platform.storage.tables.ledger import ledger_shard as shard_row

_PLAIN: Final = re.compile(r"[A-Za-z0-9_.-]+")
CATCH_UP: Final = 256
"""Entries of a burst that one unit of work indexes: so few that no call waits long behind it."""

_SHARDS = (
    select(shard_row.c.shard, shard_row.c.size, shard_row.c.root, shard_row.c.indexed)
    .where(shard_row.c.tenant == bindparam("tenant"))
    .order_by(shard_row.c.shard)
)
_MENTIONS = (
    select(mention.c.shard, mention.c.place, mention.c.also)
    .where(mention.c.tenant == bindparam("tenant"), mention.c.ident == bindparam("ident"))
    .order_by(mention.c.shard, mention.c.place)
    .limit(bindparam("most"))
)
_SPANS = (
    select(entries.c.shard, entries.c.first, entries.c.count)
    .where(
        entries.c.tenant == bindparam("tenant"),
        entries.c.latest >= bindparam("start"),
        entries.c.earliest < bindparam("end"),
    )
    .order_by(entries.c.shard, entries.c.first)
)
_LAST_NOTE = (
    select(note.c.size, note.c.note, note.c.at)
    .where(note.c.tenant == bindparam("tenant"), note.c.shard == bindparam("shard"))
    .order_by(note.c.size.desc())
    .limit(1)
)
_NOTES = (
    select(note.c.size, note.c.note, note.c.at)
    .where(note.c.tenant == bindparam("tenant"), note.c.shard == bindparam("shard"))
    .order_by(note.c.size)
)
_ADD_NOTE = insert(note)


class SqlLedger:
    """Recorder, reader and keeper of a tenant's logs. Reads see what is committed, never what waits."""

    def __init__(self, sql: Sql, appender: LedgerAppender, tenant: TenantId) -> None:
        self._sql = sql
        self._appender = appender
        self._tenant = tenant

    def open(self) -> None:
        """Take the log over and judge its head now, at start, rather than at the first append."""
        self._appender.open(self._sql, self._tenant)

    def append(self, record: Record, contents: Sequence[Content] = ()) -> None:
        """Give the record the next place in the log; contents are sealed beside the tree."""
        if record.tenant != self._tenant:
            raise NotFound(f"no log of tenant `{record.tenant}` here")
        if contents:
            record = self._seal(record, contents)
        self._appender.append(record)

    def shards(self) -> tuple[str, ...]:
        """Names of the tenant's logs."""
        return tuple(row[0] for row in self._sql.rows(_SHARDS, {"tenant": self._tenant}))

    def head(self, shard: str = "") -> Head:
        """The committed head of a log."""
        wanted = shard or self._appender.shard
        for name, size, root, _ in self._sql.rows(_SHARDS, {"tenant": self._tenant}):
            if name == wanted:
                return Head(shard=name, size=size, root=bytes(root))
        return Head(shard=wanted, size=0, root=root_at(0, _no_node))

    def entries(self, first: int, last: int, shard: str = "") -> Iterator[bytes]:
        """Leaves from index `first` up to, not including, `last`."""
        return self._tree(self.head(shard)).entries(first, last)

    def leaf_hashes(self, first: int, last: int, shard: str = "") -> list[bytes]:
        """Leaf hashes as stored, which name an entry that was changed since."""
        return self._tree(self.head(shard)).leaf_hashes(first, last)

    def record(self, ident: RecordId) -> Placed | None:
        """The record of that id."""
        mentioned: dict[str, Scalar] = {
            "tenant": self._tenant,
            "ident": index_key(ident),
            "most": MAX_MENTIONS,
        }
        for shard, first, also in self._sql.rows(_MENTIONS, mentioned):
            for place in unpack_places(first, also):
                placed = _placed(StoredTree(self._sql, self._tenant, shard, place + 1), shard, place)
                if placed.record.id == ident:
                    return placed
        return self._newest(ident)

    def _newest(self, ident: RecordId) -> Placed | None:
        """The record among those that no index names yet, from the newest back: who asks has just made it."""
        for name, size, _, indexed in self._sql.rows(_SHARDS, {"tenant": self._tenant}):
            for low, high in _backwards(indexed, size):
                found = self._scan(name, low, high, lambda record: record.id == ident, needle=_needle(ident))
                if found:
                    return found[0]
        return None

    def mentioning(self, ident: str, *, limit: int = MAX_MENTIONS) -> list[Placed]:
        """Records that name this id, resource or token, in order of the log."""
        key = index_key(ident)
        rows = self._sql.rows(_MENTIONS, {"tenant": self._tenant, "ident": key, "most": limit})
        logs = self._sql.rows(_SHARDS, {"tenant": self._tenant})
        trees = {name: StoredTree(self._sql, self._tenant, name, size) for name, size, _, _ in logs}
        places = [(shard, place) for shard, first, also in rows for place in unpack_places(first, also)]
        found = [_placed(trees[shard], shard, place) for shard, place in places[:limit]]
        for name, size, _, indexed in logs:
            found += self._scan(name, indexed, size, _naming(key), needle=_needle(key))
        return sorted(found, key=lambda placed: (placed.shard, placed.index))[:limit]

    def between(self, start: datetime, end: datetime, *, limit: int = MAX_MENTIONS) -> list[Placed]:
        """Records whose time lies in [start, end), in order of the log."""
        window: dict[str, Scalar] = {"tenant": self._tenant, "start": micros(start), "end": micros(end)}
        found: list[Placed] = []
        for shard, first, count in self._sql.rows(_SPANS, window):
            if len(found) >= limit:
                break
            found += self._scan(shard, first, first + count, lambda record: start <= record.at < end)
        return found[:limit]

    def contents(self, ident: RecordId) -> list[Disclosed]:
        """Clear texts of a record; those whose subject was erased come without text."""
        return self._contents().of(ident)

    def texts(self, name: str, first: RecordId, last: RecordId) -> dict[str, str | None]:
        """Clear texts of one name of all records from one id to another, by record; None for erased ones."""
        return self._contents().between(name, first, last)

    def erase(self, subject: str, *, at: datetime) -> int:
        """Shred the keys of a subject's texts; returns how many. The tree is intact."""
        return self._contents().erase(subject, at=at)

    def latest_checkpoint(self, shard: str = "") -> SignedCheckpoint | None:
        """The newest signed head."""
        row = self._sql.row(_LAST_NOTE, self._log(shard))
        return None if row is None else _signed(*row)

    def checkpoints(self, shard: str = "") -> list[SignedCheckpoint]:
        """Every signed head, oldest first."""
        return [_signed(*row) for row in self._sql.rows(_NOTES, self._log(shard))]

    def lag(self) -> int:
        """How many entries of this writer's log are not in the index by id."""
        for name, size, _, indexed in self._sql.rows(_SHARDS, {"tenant": self._tenant}):
            if name == self._appender.shard:
                return int(size - indexed)
        return 0

    def index(self, limit: int = CATCH_UP) -> int:
        """Have this commit index up to so many entries; returns how many still lag after it."""
        self._appender.wish_index(self._tenant, limit)
        return max(0, self.lag() - limit)

    def checkpoint(self, signer: CheckpointSigner, *, at: datetime, shard: str = "") -> SignedCheckpoint:
        """Sign the committed head, after proving that it extends the last signed one; or give that one."""
        head = self.head(shard)
        last = self.latest_checkpoint(head.shard)
        if last is not None:
            self._require_growth(last, head)
            if last.size == head.size:
                return last
        # SAFETY: `head` was read from the database before this batch's own flush, so it is durable already.
        origin = f"{signer.key.name}/{head.shard}"
        text = sign_checkpoint(Checkpoint(origin=origin, size=head.size, root=head.root), signer)
        self._sql.run(_ADD_NOTE, {**self._log(head.shard), "size": head.size, "note": text, "at": micros(at)})
        return SignedCheckpoint(size=head.size, note=text, at=at)

    def receipt(self, ident: RecordId) -> Receipt | None:
        """Proof of a record under the newest signed head; None while no head covers it."""
        placed = self.record(ident)
        signed = None if placed is None else self.latest_checkpoint(placed.shard)
        if placed is None or signed is None or signed.size <= placed.index:
            return None
        tree = StoredTree(self._sql, self._tenant, placed.shard, self.head(placed.shard).size)
        proof = inclusion_proof(placed.index, signed.size, tree.node)
        root = parse_checkpoint(signed.note).root
        try:
            verify_inclusion(
                leaf_hash(placed.entry), index=placed.index, size=signed.size, proof=proof, root=root
            )
        except TreeProofRejected as broken:
            raise LedgerDamaged(
                f"record `{ident}` at index {placed.index} is not what was signed"
            ) from broken
        return Receipt(entry=placed.entry, index=placed.index, proof=tuple(proof), note=signed.note)

    def _seal(self, record: Record, contents: Sequence[Content]) -> Record:
        """Put texts beside the tree, and their salted digests into the record."""
        rows = self._contents()
        added = [
            (CONTENT_DIGEST + each.name, content_digest(salt, each.text))
            for each in contents
            for salt in [rows.seal(record.id, each.name, each.subject, each.text)]
        ]
        return structs.replace(record, digests=(*record.digests, *added))

    def _contents(self) -> ContentRows:
        return ContentRows(self._sql, self._appender.sealer, self._tenant, keys=self._appender.text_keys)

    def _require_growth(self, last: SignedCheckpoint, head: Head) -> None:
        old = parse_checkpoint(last.note)
        if old.size > head.size:
            raise LedgerDamaged(f"the log has {head.size} records, {old.size} were signed")
        tree = self._tree(head)
        try:
            verify_consistency(
                first=old.size,
                second=head.size,
                proof=consistency_proof(old.size, head.size, tree.node),
                first_root=old.root,
                second_root=head.root,
            )
        except TreeProofRejected as broken:
            raise LedgerDamaged(
                f"the log does not extend the {old.size} records that were signed"
            ) from broken

    def _scan(
        self, shard: str, first: int, last: int, wanted: Callable[[Record], bool], *, needle: bytes = b""
    ) -> list[Placed]:
        tree = StoredTree(self._sql, self._tenant, shard, last)
        found = []
        for index, entry in enumerate(tree.entries(first, last), first):
            if needle not in entry:
                continue
            record = decode_record(entry)
            if wanted(record):
                found.append(Placed(shard=shard, index=index, entry=entry, record=record))
        return found

    def _tree(self, head: Head) -> StoredTree:
        return StoredTree(self._sql, self._tenant, head.shard, head.size)

    def _log(self, shard: str) -> dict[str, str]:
        return {"tenant": self._tenant, "shard": shard or self._appender.shard}


def appender_of(journal: object) -> LedgerAppender:
    """The appender that a writer's batch carries; a store without one records nothing, so it does nothing."""
    if not isinstance(journal, LedgerAppender):
        raise LedgerFenced(
            "this store was opened without a ledger; nothing may be done that can't be recorded"
        )
    return journal


def _backwards(first: int, last: int) -> Iterator[tuple[int, int]]:
    """The places [first, last) from the last back, in parts of 8, 16, … up to a row's worth of entries."""
    part = 8
    while last > first:
        yield max(first, last - part), last
        last, part = last - part, min(2 * part, CHUNK)


def _signed(size: int, text: bytes, at: int) -> SignedCheckpoint:
    return SignedCheckpoint(size=size, note=bytes(text), at=moment(at))


def _placed(tree: StoredTree, shard: str, index: int) -> Placed:
    (entry,) = tree.entries(index, index + 1)
    return Placed(shard=shard, index=index, entry=entry, record=decode_record(entry))


def _needle(key: str) -> bytes:
    """Bytes that stand in every entry naming this key: itself, where JSON writes it unchanged."""
    return key.encode() if _PLAIN.fullmatch(key) else b""


def _naming(key: str) -> Callable[[Record], bool]:
    return lambda record: key in mentions(record)


def _no_node(level: int, index: int) -> bytes:
    raise LedgerDamaged(f"node ({level}, {index}) of an empty log")
