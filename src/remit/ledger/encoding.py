"""Records as bytes: one record has one encoding, and those bytes are the leaf of the tree.

JSON with members in the order of `Record`, those that hold their default left out, so that a member added
later changes no old leaf. An entry is at most 65,535 bytes (C2SP tlog-tiles).
"""

import hashlib
from collections.abc import Sequence
from datetime import UTC
from typing import Final

import msgspec

from remit.kernel.errors import Invalid, TooLarge
from remit.ledger.record import Record

MAX_ENTRY_SIZE: Final = 65_535
CONTENT_DIGEST: Final = "content/"
"""Prefix of the name of a salted digest among a record's digests: `content/goal`."""
SALT_SIZE: Final = 16


class EntryTooLarge(TooLarge):
    """A record's encoding is over what a log entry may have; log digests instead of texts."""

    code = "ledger_entry_too_large"


class MalformedEntry(Invalid):
    """Bytes that are no record in its one encoding."""

    code = "malformed_ledger_entry"


_encoder: Final = msgspec.json.Encoder()
_encode = _encoder.encode
_decode = msgspec.json.Decoder(Record).decode


def encode_record(record: Record) -> bytes:
    """The leaf of a record. Raises `EntryTooLarge`, `MalformedEntry` for what no reader could read."""
    (entry,) = encode_records([record])
    return entry


def encode_records(records: Sequence[Record]) -> list[bytes]:
    """The leaf of each record, in a third of the time that one after the other takes.

    Raises as `encode_record` does if one of them can't be encoded. SAFETY: JSON writes a line feed within a
    text as two other characters, so what lies between two line feeds is one record.
    """
    if any(record.at.tzinfo is not UTC for record in records):
        raise MalformedEntry("time of a record is not UTC")
    try:
        entries = _encoder.encode_lines(records).split(b"\n")
    except (UnicodeEncodeError, msgspec.MsgspecError, TypeError, ValueError) as broken:
        raise MalformedEntry("record holds text that is not Unicode, or a value of another type") from broken
    entries.pop()
    longest = max(map(len, entries), default=0)
    if longest > MAX_ENTRY_SIZE:
        raise EntryTooLarge(f"record has {longest} bytes, the limit is {MAX_ENTRY_SIZE}")
    return entries


def decode_record(entry: bytes) -> Record:
    """Read a leaf back, only in its one encoding: encoding it again gives the same bytes."""
    try:
        record = _decode(entry)
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as broken:
        raise MalformedEntry("entry is not a record") from broken
    if _encode(record) != entry:
        raise MalformedEntry("entry is not in the one encoding of its record")
    return record


def content_digest(salt: bytes, text: str) -> str:
    """SHA-256(salt ‖ text): commits to a text without saying anything about a short one."""
    return hashlib.sha256(salt + text.encode()).hexdigest()
