"""The log as a stream of events: where a reader is, what it wants, and the next records in commit order.

A place is one count per log (R136, R137): records of one log come in its own order, which is that of their
commits; between logs the time of the records decides. Pure over a `LedgerReader`, so that what is delivered
is what was committed, whoever was listening.
"""

import heapq
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Self

from remit.kernel.errors import Conflict, Invalid
from remit.ledger.encoding import decode_record
from remit.ledger.record import Record
from remit.ledger.repository import LedgerReader, Placed

MAIN: Final = "main"
"""The log that a bare number counts."""
MAX_LOGS: Final = 16
_PART: Final = re.compile(r"([a-z0-9_-]{1,63}):(0|[1-9][0-9]{0,17})")
_NUMBER: Final = re.compile(r"0|[1-9][0-9]{0,17}")


class OffsetMalformed(Invalid):
    """A place in the stream is `log:count`, several joined by commas, or a bare count of the main log."""

    code = "stream_offset_malformed"


class OffsetAhead(Conflict):
    """The log is shorter than the reader's place: it was restored, or it is another installation's."""

    code = "stream_offset_ahead"


@dataclass(frozen=True, slots=True)
class Offset:
    """How many records of each log a reader has seen; a log that is not named begins at its start."""

    seen: Mapping[str, int]

    @classmethod
    def start(cls) -> Self:
        """Before the first record of every log."""
        return cls(MappingProxyType({}))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `text` wrote, or a bare count of the main log. Raises `OffsetMalformed`."""
        if _NUMBER.fullmatch(text):
            return cls(MappingProxyType({MAIN: int(text)} if int(text) else {}))
        parts = text.split(",")
        found = [_PART.fullmatch(part) for part in parts[: MAX_LOGS + 1]]
        seen = {part[1]: int(part[2]) for part in found if part}
        if len(parts) > MAX_LOGS or len(seen) != len(parts):
            raise OffsetMalformed(
                f"`{text[:80]}` is no place in the stream, which is `main:124` or `kill:3,main:124`",
                next_step="send the `id` of the last event back as it came",
            )
        return cls(MappingProxyType({log: count for log, count in seen.items() if count}))

    def text(self) -> str:
        """The one spelling: logs by name, joined by commas."""
        return ",".join(f"{log}:{count}" for log, count in sorted(self.seen.items())) or f"{MAIN}:0"

    def of(self, log: str) -> int:
        """How many records of a log were seen."""
        return self.seen.get(log, 0)

    def past(self, placed: Placed) -> "Offset":
        """The place just behind a record."""
        return Offset(MappingProxyType({**self.seen, placed.shard: placed.index + 1}))

    def covers(self, other: "Offset") -> bool:
        """Whether everything that `other` has seen was seen here too."""
        return all(self.of(log) >= count for log, count in other.seen.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which records a reader wants; empty asks for all. A place moves over what is not wanted, too."""

    kind: str = ""
    """A kind, or what it begins with up to a point: `decision`, `enforcement.call`."""
    agent: str = ""
    """An agent, or an instance anywhere in the chain."""
    task: str = ""

    def takes(self, record: Record) -> bool:
        """Whether this record is one of them."""
        return (
            (not self.kind or record.kind == self.kind or record.kind.startswith(f"{self.kind}."))
            and (not self.agent or self.agent in (record.agent, record.actor, *record.chain))
            and (not self.task or record.task == self.task)
        )


def newest(log: LedgerReader) -> Offset:
    """The place behind everything that is committed."""
    sizes = {name: log.head(name).size for name in log.shards()}
    return Offset(MappingProxyType({name: size for name, size in sizes.items() if size}))


def require_reached(log: LedgerReader, after: Offset) -> None:
    """Raise `OffsetAhead` for a place that these logs have not reached."""
    head = newest(log)
    for name, count in after.seen.items():
        if count > head.of(name):
            raise OffsetAhead(
                f"log `{name}` has {head.of(name)} records, the reader has seen {count}",
                next_step="compare with a held checkpoint: remit ledger verify FILE --held NOTE",
            )


def read_after(log: LedgerReader, after: Offset, *, limit: int) -> list[Placed]:
    """At most `limit` records behind a place. Each log in its own order, logs among each other by time."""
    merged = heapq.merge(
        *(_tail(log, name, after.of(name), limit) for name in log.shards()), key=lambda each: each.record.at
    )
    return [placed for placed, _ in zip(merged, range(limit), strict=False)]


def _tail(log: LedgerReader, name: str, first: int, limit: int) -> Iterator[Placed]:
    size = log.head(name).size
    if first >= size:
        return
    for index, entry in enumerate(log.entries(first, min(size, first + limit), name), first):
        yield Placed(shard=name, index=index, entry=entry, record=decode_record(entry))
