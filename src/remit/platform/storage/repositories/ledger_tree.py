"""A stored log as a tree: entries by index, complete nodes by level and index."""

import struct
from collections.abc import Iterator, Sequence
from typing import Final

from sqlalchemy import Select, bindparam, func, select

from remit.kernel.ids import TenantId
from remit.ledger.merkle import HASH_SIZE, Hash, node_hash
from remit.ledger.repository import LedgerDamaged
from remit.platform.storage.sql import Sql
from remit.platform.storage.tables.ledger import ledger_entries as entries
from remit.platform.storage.tables.ledger import ledger_tile as tile

TILE_LEVELS: Final = 8
TILE_WIDTH: Final = 1 << TILE_LEVELS
CHUNK: Final = 256
"""The most entries in one row."""
WINDOW: Final = 4_096
"""Entries read at once when a log is walked."""
LENGTH_SIZE: Final = 2
PLACE_SIZE: Final = 4

_earlier = entries.alias("earlier")
_HOLDS_LOW = (
    select(func.max(_earlier.c.first))
    .where(
        _earlier.c.tenant == bindparam("tenant"),
        _earlier.c.shard == bindparam("shard"),
        _earlier.c.first <= bindparam("low"),
    )
    .scalar_subquery()
)
"""The row that holds the first entry asked for: it may begin before it."""
_WITHIN = (
    entries.c.tenant == bindparam("tenant"),
    entries.c.shard == bindparam("shard"),
    entries.c.first >= func.coalesce(_HOLDS_LOW, bindparam("low")),
    entries.c.first < bindparam("high"),
)
_BODIES = select(entries.c.first, entries.c.count, entries.c.body).where(*_WITHIN).order_by(entries.c.first)
_LEAVES = select(entries.c.first, entries.c.count, entries.c.hashes).where(*_WITHIN).order_by(entries.c.first)
_HASHES = select(tile.c.hashes).where(
    tile.c.tenant == bindparam("tenant"),
    tile.c.shard == bindparam("shard"),
    tile.c.level == bindparam("level"),
    tile.c.number == bindparam("number"),
)
_ROOTS = (
    select(tile.c.root)
    .where(
        tile.c.tenant == bindparam("tenant"),
        tile.c.shard == bindparam("shard"),
        tile.c.level == bindparam("level"),
        tile.c.number >= bindparam("low"),
        tile.c.number < bindparam("high"),
    )
    .order_by(tile.c.number)
)


_Row = tuple[int, int, bytes]
"""Place of the first entry, how many there are, and their bodies or their hashes."""


def pack(leaves: Sequence[bytes]) -> bytes:
    """The lengths of some entries in two bytes each, big endian, then the entries."""
    return struct.pack(f">{len(leaves)}H", *map(len, leaves)) + b"".join(leaves)


def unpack(body: bytes, count: int) -> list[bytes]:
    """The entries of one row; raises `LedgerDamaged` where lengths and count disagree."""
    place = LENGTH_SIZE * count
    if len(body) < place:
        raise LedgerDamaged("a row of entries is shorter than its lengths")
    found = []
    for length in struct.unpack_from(f">{count}H", body):
        found.append(body[place : place + length])
        place += length
    if place != len(body):
        raise LedgerDamaged("a row of entries does not hold what its lengths say")
    return found


def pack_places(places: Sequence[int]) -> bytes | None:
    """How far each place lies after the first of them, in four bytes, big endian; None for a single one."""
    first, *rest = places
    return struct.pack(f">{len(rest)}I", *(place - first for place in rest)) if rest else None


def unpack_places(first: int, also: bytes | None) -> list[int]:
    """The places of one row of the index; raises `LedgerDamaged` where it holds half a place."""
    if also is None:
        return [first]
    if len(also) % PLACE_SIZE:
        raise LedgerDamaged("a row of the index by id is cut")
    return [first, *(first + far for far in struct.unpack(f">{len(also) // PLACE_SIZE}I", also))]


class StoredTree:
    """The first `size` leaves of one log. Reads each tile at most once; lives as long as its transaction."""

    def __init__(self, sql: Sql, tenant: TenantId, shard: str, size: int) -> None:
        self._sql = sql
        self._log = {"tenant": tenant, "shard": shard}
        self.size = size
        self._tiles: dict[tuple[int, int], list[Hash]] = {}

    def node(self, level: int, index: int) -> Hash:
        """The complete node (level, index): read from its tile, at most 127 hashes above it."""
        deep, rise = divmod(level, TILE_LEVELS)
        low = index << rise
        number, start = divmod(low, TILE_WIDTH)
        row = self.tile(deep, number)[start : start + (1 << rise)]
        if len(row) != 1 << rise:
            raise LedgerDamaged(f"node ({level}, {index}) of the tree is not stored")
        while len(row) > 1:
            row = [node_hash(row[place], row[place + 1]) for place in range(0, len(row), 2)]
        return row[0]

    def tile(self, level: int, number: int) -> list[Hash]:
        """The hashes of one tile, complete or as far as the log goes."""
        found = self._tiles.get((level, number))
        if found is None:
            found = self._tiles[level, number] = self._read_tile(level, number)
        return found

    def _read_tile(self, level: int, number: int) -> list[Hash]:
        stored = self._sql.row(_HASHES, {**self._log, "level": level, "number": number})
        if stored is not None:
            return split_hashes(stored[0])
        low, high = number * TILE_WIDTH, (number + 1) * TILE_WIDTH
        if level == 0:
            return self.leaf_hashes(low, min(high, self.size))
        roots = self._sql.rows(_ROOTS, {**self._log, "level": level - 1, "low": low, "high": high})
        return [row[0] for row in roots]

    def leaf_hashes(self, first: int, last: int) -> list[Hash]:
        """Leaf hashes as they were stored beside the entries [first, last)."""
        found: list[Hash] = []
        for start, count, hashes in self._rows(_LEAVES, first, last):
            found += split_hashes(hashes)[max(0, first - start) : min(count, last - start)]
        return found

    def entries(self, first: int, last: int) -> Iterator[bytes]:
        """Leaves [first, last), a window at a time. Raises `LedgerDamaged` at a gap."""
        expected = first
        for low in range(first, last, WINDOW):
            high = min(last, low + WINDOW)
            for start, count, body in self._rows(_BODIES, low, high):
                for leaf in unpack(body, count)[max(0, low - start) : min(count, high - start)]:
                    expected += 1
                    yield leaf
            if expected != high:
                raise LedgerDamaged(f"entry `{expected}` of the log is not stored")

    def _rows(self, question: Select[tuple[int, int, bytes]], first: int, last: int) -> Iterator[_Row]:
        for start, count, held in self._sql.rows(question, {**self._log, "low": first, "high": last}):
            if start + count > first:
                yield start, count, bytes(held)


def split_hashes(hashes: bytes) -> list[Hash]:
    """A column of hashes, one after the other."""
    return [bytes(hashes[place : place + HASH_SIZE]) for place in range(0, len(hashes), HASH_SIZE)]
