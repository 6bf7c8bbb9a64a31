"""What other wings need of the ledger inside their transaction, and what the ledger needs of its store."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from remit.kernel.errors import Unavailable
from remit.kernel.ids import RecordId
from remit.ledger.checkpoint import CheckpointSigner
from remit.ledger.merkle import Hash
from remit.ledger.receipt import Receipt
from remit.ledger.record import Content, Record

MAX_MENTIONS: Final = 1_000
"""The most records that one lookup returns."""


class LedgerFenced(Unavailable):
    """This process may not write the log any more: another holds it, or its head is shorter or other than a
    signed checkpoint says. Nothing was written; the process stops writing until an operator has looked.
    """

    code = "ledger_fenced"


class LedgerDamaged(Unavailable):
    """What the store gave back is not what was signed; it is never served."""

    code = "ledger_damaged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """How long a log is, and the root above its records."""

    shard: str
    size: int
    root: Hash


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedCheckpoint:
    """A signed note as stored, with the size that it vouches for."""

    size: int
    note: bytes
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A record with its place: shard and index; `entry` is its leaf."""

    shard: str
    index: int
    entry: bytes
    record: Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Disclosed:
    """One clear text of a record. `text` is None once its subject's key was shredded."""

    record: RecordId
    name: str
    subject: str
    salt: bytes
    text: str | None


class Recorder(Protocol):
    """Appends within the open transaction: the record exists exactly if its change does."""

    def append(self, record: Record, contents: Sequence[Content] = ()) -> None:
        """Give the record the next place in the shard; contents are sealed beside the tree.

        For each content the digest `content/<name>` = SHA-256(salt || text) is added to the record.
        """


class LedgerReader(Protocol):
    """Reads what is committed, for one tenant. Only `contents` opens sealed text."""

    def shards(self) -> tuple[str, ...]:
        """Names of the tenant's logs."""

    def head(self, shard: str = "") -> Head:
        """The committed head of a log; of the only one if none is named."""

    def entries(self, first: int, last: int, shard: str = "") -> Iterator[bytes]:
        """Leaves from index `first` up to, not including, `last`."""

    def leaf_hashes(self, first: int, last: int, shard: str = "") -> list[Hash]:
        """Leaf hashes as they were stored, which name an entry that was changed since."""

    def record(self, ident: RecordId) -> Placed | None:
        """The record of that id."""

    def mentioning(self, ident: str, *, limit: int = MAX_MENTIONS) -> list[Placed]:
        """Records that name this id, resource or token, in order of the log."""

    def between(self, start: datetime, end: datetime, *, limit: int = MAX_MENTIONS) -> list[Placed]:
        """Records whose time lies in [start, end), in order of the log."""

    def contents(self, ident: RecordId) -> list[Disclosed]:
        """Clear texts of a record; those whose subject was erased come without text."""

    def latest_checkpoint(self, shard: str = "") -> SignedCheckpoint | None:
        """The newest signed head."""

    def checkpoints(self, shard: str = "") -> list[SignedCheckpoint]:
        """Every signed head, oldest first."""

    def receipt(self, ident: RecordId) -> Receipt | None:
        """Proof of a record under the newest signed head; None while no head covers it.

        Verified against the stored tree before it is given. Raises `LedgerDamaged` if it does not hold.
        """


class LedgerKeeper(Protocol):
    """Changes besides appending: heads and erasure."""

    def checkpoint(self, signer: CheckpointSigner, *, at: datetime, shard: str = "") -> SignedCheckpoint:
        """Sign the committed head, after proving that it extends the last signed one; or give that one.

        Raises `LedgerDamaged` rather than sign an inconsistent head.
        """

    def erase(self, subject: str, *, at: datetime) -> int:
        """Shred the keys of a subject's texts: they are gone, the tree is intact. Returns how many keys."""
