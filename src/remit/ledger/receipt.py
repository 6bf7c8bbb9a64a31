"""Decision receipts: one record, its place, its inclusion proof and a signed head, in one text.

The text is a C2SP `tlog-proof@v1` whose `extra` line carries the record's bytes; it is verified offline and
stays true for ever, whatever later becomes of the log.
"""

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from remit.kernel.errors import Invalid
from remit.ledger.checkpoint import Checkpoint, CheckpointRejected, LogKey, verify_checkpoint
from remit.ledger.encoding import MAX_ENTRY_SIZE, MalformedEntry, decode_record
from remit.ledger.merkle import HASH_SIZE, Hash, TreeProofRejected, leaf_hash, verify_inclusion
from remit.ledger.record import Record

MAX_RECEIPT_SIZE: Final = 128 << 10
MAX_PROOF: Final = 63
_MAGIC: Final = "c2sp.org/tlog-proof@v1"
_HEAD_LINES: Final = 3
_MAX_DIGITS: Final = 19


class ReceiptRejected(Invalid):
    """A receipt is malformed or proves nothing; `step` is the step of `verify_receipt` that failed."""

    code = "receipt_rejected"

    def __init__(self, hint: str, *, step: int) -> None:
        super().__init__(hint)
        self.step = step


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What proves one record: its bytes, index, path to the root, and the signed note of that root."""

    entry: bytes
    index: int
    proof: tuple[Hash, ...]
    note: bytes

    def text(self) -> bytes:
        """As a file: `tlog-proof@v1` with the record in `extra`."""
        lines = [
            _MAGIC,
            f"extra {_base64(self.entry)}",
            f"index {self.index}",
            *map(_base64, self.proof),
            "",
            "",
        ]
        return "\n".join(lines).encode() + self.note

    @classmethod
    def parse(cls, text: bytes) -> "Receipt":
        """Read a receipt's file WITHOUT judging it. Raises `ReceiptRejected` at step 1."""
        if len(text) > MAX_RECEIPT_SIZE:
            raise ReceiptRejected(f"receipt has {len(text)} bytes, the limit is {MAX_RECEIPT_SIZE}", step=1)
        head, gap, note = text.partition(b"\n\n")
        try:
            lines = head.decode("ascii").split("\n")
        except UnicodeDecodeError as broken:
            raise ReceiptRejected("receipt is not ASCII before its checkpoint", step=1) from broken
        if not gap or len(lines) < _HEAD_LINES or lines[0] != _MAGIC:
            raise ReceiptRejected(f"receipt does not begin as `{_MAGIC}`", step=1)
        if len(lines) - _HEAD_LINES > MAX_PROOF:
            raise ReceiptRejected(f"proof has more than {MAX_PROOF} nodes", step=1)
        return cls(
            entry=_debase64(_after("extra ", lines[1])),
            index=_number(_after("index ", lines[2])),
            proof=tuple(_debase64(line) for line in lines[_HEAD_LINES:]),
            note=note,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenRecord:
    """A record, proven to stand at `index` under a signed head."""

    record: Record
    index: int
    checkpoint: Checkpoint


def verify_receipt(receipt: Receipt, *, keys: Iterable[LogKey], origin: str | None = None) -> ProvenRecord:
    """Prove offline that a record is in the log.

    1 a well-formed receipt   2 a trusted key signed the head, of `origin` when given   3 the bytes stand at
    the index under that head (RFC 9162 §2.1.3.2)   4 the bytes are a record in its one encoding.
    Raises `ReceiptRejected` with the step that failed.
    """
    # (1) Sizes; the rest of the form is checked by `parse`.
    if len(receipt.entry) > MAX_ENTRY_SIZE or any(len(node) != HASH_SIZE for node in receipt.proof):
        raise ReceiptRejected("an entry is too large, or a node of the proof has not 32 bytes", step=1)
    try:
        # (2) Nothing of the head is believed before its signature.
        checkpoint = verify_checkpoint(receipt.note, keys=keys, origin=origin)
        # (3) Size and root come from the signed head alone.
        verify_inclusion(
            leaf_hash(receipt.entry),
            index=receipt.index,
            size=checkpoint.size,
            proof=receipt.proof,
            root=checkpoint.root,
        )
        # (4) Only now is the record worth reading.
        record = decode_record(receipt.entry)
    except CheckpointRejected as broken:
        raise ReceiptRejected(broken.hint, step=2) from broken
    except TreeProofRejected as broken:
        raise ReceiptRejected(broken.hint, step=3) from broken
    except MalformedEntry as broken:
        raise ReceiptRejected(broken.hint, step=4) from broken
    return ProvenRecord(record=record, index=receipt.index, checkpoint=checkpoint)


def _after(prefix: str, line: str) -> str:
    if not line.startswith(prefix):
        raise ReceiptRejected(f"receipt lacks its `{prefix.strip()}` line", step=1)
    return line.removeprefix(prefix)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > _MAX_DIGITS or (text[0] == "0" and text != "0"):
        raise ReceiptRejected("index is a plain decimal without leading zeros", step=1)
    return int(text)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _debase64(text: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as broken:
        raise ReceiptRejected("a line of the receipt is not base64", step=1) from broken
    if _base64(data) != text:
        raise ReceiptRejected("a line of the receipt is not canonical base64", step=1)
    return data
