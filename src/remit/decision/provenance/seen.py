"""What an agent has seen in one task: values and where they came from, as keyed digests.

INVARIANT: no entry holds text. Who has the rows but not the key learns neither a value nor whether two tasks
share one.
"""

import hashlib
from collections.abc import Iterable
from typing import Final

from msgspec import structs

from remit.decision.answer.told import Told
from remit.decision.provenance.labels import Label, firmer
from remit.decision.provenance.normal import Shape, Value

ENTRIES: Final = 20_000
"""Entries of one task; past it nothing more is believed, so what comes later is untrusted."""
_SIZE: Final = 16


class Sighting(Told, frozen=True, kw_only=True):
    """Where a value was seen: label, source by name, and whether the user's words select its record."""

    label: Label
    source: str = ""
    anchored: bool = False

    def above(self, other: "Sighting") -> bool:
        """Whether this is the firmer ground of the two."""
        if self.label is other.label:
            return self.anchored and not other.anchored
        return firmer(self.label, other.label)


UNSEEN: Final = Sighting(label=Label.UNKNOWN)


class Row(Told, frozen=True, kw_only=True):
    """One entry as it is stored."""

    digest: bytes
    label: Label
    source: str
    anchored: bool
    written: bool
    """Whether the agent itself wrote the value from ground that is not believed: no record vouches for it."""


class Seen:
    """An index from values to their firmest sighting; belongs to one task and one owner."""

    __slots__ = ("_entries", "_fresh", "_key", "_limit", "_written", "full")

    def __init__(self, key: bytes, *, limit: int = ENTRIES) -> None:
        self._key = key
        self._limit = limit
        self._entries: dict[bytes, Sighting] = {}
        self._written: set[bytes] = set()
        self._fresh: set[bytes] = set()
        self.full = False

    def __len__(self) -> int:
        return len(self._entries)

    def remember(self, value: Value, sighting: Sighting) -> None:
        """Note where a value was seen; the firmest sighting stays, a copy never lifts what was written."""
        mark = self._digest(value)
        known = self._entries.get(mark)
        if known is None and len(self._entries) >= self._limit:
            self.full = True
            return
        if mark in self._written and sighting.label is Label.TOOL:
            return
        if known is None or sighting.above(known):
            self._entries[mark] = sighting
            self._fresh.add(mark)

    def wrote(self, value: Value, sighting: Sighting) -> None:
        """Note that the agent itself put a value, from the given ground, somewhere it can read it back."""
        mark = self._digest(value)
        if mark not in self._entries and len(self._entries) >= self._limit:
            self.full = True
            return
        self._entries.setdefault(mark, sighting)
        self._written.add(mark)
        self._fresh.add(mark)

    def sighting(self, value: Value) -> Sighting:
        """The firmest ground of a value; `UNSEEN` for what was never seen."""
        found = self._entries.get(self._digest(value), UNSEEN)
        # SAFETY: once the index is full it may have missed that the agent wrote the value itself.
        return structs.replace(found, anchored=False) if self.full and found.label is Label.TOOL else found

    def has_word(self, word: str) -> bool:
        """Whether the user's own text holds a word."""
        return self.sighting(Value(Shape.WORD, word)).label is Label.USER

    def rows(self) -> tuple[Row, ...]:
        """What is new since the last call, to be stored."""
        fresh, self._fresh = self._fresh, set()
        return tuple(self._row(mark) for mark in sorted(fresh))

    def load(self, rows: Iterable[Row]) -> None:
        """Take up stored rows."""
        for row in rows:
            self._entries[row.digest] = Sighting(label=row.label, source=row.source, anchored=row.anchored)
            if row.written:
                self._written.add(row.digest)
        self.full = self.full or len(self._entries) >= self._limit

    def _row(self, mark: bytes) -> Row:
        found = self._entries[mark]
        return Row(
            digest=mark,
            label=found.label,
            source=found.source,
            anchored=found.anchored,
            written=mark in self._written,
        )

    def _digest(self, value: Value) -> bytes:
        return hashlib.blake2b(
            f"{value.shape}\0{value.text}".encode(), key=self._key, digest_size=_SIZE
        ).digest()
