"""Records as bytes: one record has one encoding, and those bytes are the leaf of the tree.

JSON with members in the order of `Record`, those that hold their default left out, so that a member added
later changes no old leaf. An entry is at most 65,535 bytes (C2SP tlog-tiles).
"""

import hashlib
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


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Record).decode


def encode_record(record: Record) -> bytes:
    """The leaf of a record. Raises `EntryTooLarge`, `MalformedEntry` for what no reader could read."""
    if record.at.tzinfo is not UTC:
        raise MalformedEntry("time of a record is not UTC")
    try:
        entry = _encode(record)
    except (UnicodeEncodeError, msgspec.MsgspecError, TypeError, ValueError) as broken:
        raise MalformedEntry("record holds text that is not Unicode, or a value of another type") from broken
    if len(entry) > MAX_ENTRY_SIZE:
        raise EntryTooLarge(f"record has {len(entry)} bytes, the limit is {MAX_ENTRY_SIZE}")
    return entry


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
