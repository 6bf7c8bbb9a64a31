"""An export: one snapshot of one log at a signed head, with all that an auditor needs and nothing else.

| file | holds |
|---|---|
| `manifest.json` | format, origin, size, root, tenant, shard |
| `checkpoint` | the signed note of exactly this size and root |
| `checkpoints.jsonl` | earlier signed notes, so that damage is found between two of them |
| `entries.jsonl` | the leaves, byte for byte, one per line |
| `leaves` | leaf hashes as they were stored, 32 bytes each: they name what was changed |
| `contents.jsonl` | disclosed texts with their salts |
| `keys.txt` | public keys as the log gives them; an auditor trusts those it has from elsewhere |

An installation with several logs (PostgreSQL writes kills into one of their own) exports all of them: the
main one as above, each other one the same way in a folder of its name. A folder that somebody leaves out is
missed by whoever holds a checkpoint of that log.
"""

import base64
import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import msgspec

from remit.kernel.errors import Conflict, Invalid, TooLarge
from remit.ledger.checkpoint import LogKey, names_key, parse_checkpoint
from remit.ledger.encoding import CONTENT_DIGEST, decode_record
from remit.ledger.merkle import HASH_SIZE, Hash
from remit.ledger.repository import Disclosed, LedgerReader, SignedCheckpoint

T = TypeVar("T")

FORMAT: Final = "remit-ledger-export/1"
MAX_EXPORT_SIZE: Final = 4 << 30
_FILES: Final = {"manifest.json", "checkpoint", "entries.jsonl", "leaves"}
_OPTIONAL: Final = {"checkpoints.jsonl", "contents.jsonl", "keys.txt"}
MAX_LOGS: Final = 16
"""Logs in one archive."""
_FOLDER: Final = re.compile(r"[a-z0-9_-]{1,63}")


class MalformedExport(Invalid):
    """The files are no export: one is missing, unknown or unreadable."""

    code = "malformed_ledger_export"


class NothingSigned(Conflict):
    """A log without a signed head has nothing that an export could prove."""

    code = "ledger_not_signed"


class ExportTooLarge(TooLarge):
    """An export unpacks to more than an auditor's machine should be asked to hold."""

    code = "ledger_export_too_large"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What an export says about itself; nothing here is believed, all of it is checked."""

    format: str
    tenant: str
    shard: str
    origin: str
    size: int
    root: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """A disclosed text: with its salt it meets the digest in its record."""

    record: str
    name: str
    salt: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """One snapshot, as files hold it."""

    manifest: Manifest
    note: bytes
    entries: Sequence[bytes]
    leaves: bytes
    earlier: tuple[bytes, ...] = ()
    openings: tuple[Opening, ...] = ()
    keys: tuple[LogKey, ...] = ()


def make_export(
    *,
    tenant: str,
    shard: str,
    checkpoint: SignedCheckpoint,
    entries: Sequence[bytes],
    leaves: Sequence[Hash],
    earlier: Iterable[SignedCheckpoint] = (),
    contents: Iterable[Disclosed] = (),
    keys: Iterable[LogKey] = (),
) -> Export:
    """Put a snapshot together; the caller read all of it in one transaction, at the checkpoint's size."""
    head = parse_checkpoint(checkpoint.note)
    openings = tuple(
        Opening(record=each.record, name=each.name, salt=each.salt.hex(), text=each.text)
        for each in contents
        if each.text is not None
    )
    return Export(
        manifest=Manifest(
            format=FORMAT,
            tenant=tenant,
            shard=shard,
            origin=head.origin,
            size=head.size,
            root=head.root.hex(),
        ),
        note=checkpoint.note,
        entries=entries,
        leaves=b"".join(leaves),
        earlier=tuple(each.note for each in earlier if each.size < head.size),
        openings=openings,
        keys=tuple(keys),
    )


def export_log(
    reader: LedgerReader, *, tenant: str, shard: str = "", disclose: bool = False, keys: Iterable[LogKey] = ()
) -> Export:
    """One snapshot of a log at its newest signed head; call it within one transaction.

    Records after that head are left out: nothing vouches for them yet. `disclose` opens the sealed texts.
    Raises `NothingSigned` for a log without a head.
    """
    checkpoint = reader.latest_checkpoint(shard)
    if checkpoint is None:
        raise NothingSigned("the log has no signed checkpoint yet", next_step="remit ledger checkpoint")
    known = tuple(keys)
    entries = list(reader.entries(0, checkpoint.size, shard))
    texts: list[Disclosed] = []
    if disclose:
        for entry in entries:
            if CONTENT_DIGEST.encode() in entry:
                texts += reader.contents(decode_record(entry).id)
    return make_export(
        tenant=tenant,
        shard=parse_checkpoint(checkpoint.note).origin.rpartition("/")[2],
        checkpoint=checkpoint,
        entries=entries,
        leaves=reader.leaf_hashes(0, checkpoint.size, shard),
        # Heads of a key that is believed no more are left out: the newest one vouches for the same records.
        earlier=[each for each in reader.checkpoints(shard) if not known or names_key(each.note, known)],
        contents=texts,
        keys=known,
    )


def export_files(export: Export) -> dict[str, bytes]:
    """The export as files by name."""
    return {
        "manifest.json": msgspec.json.encode(export.manifest),
        "checkpoint": export.note,
        "checkpoints.jsonl": _lines(
            msgspec.json.encode(base64.b64encode(each).decode()) for each in export.earlier
        ),
        "entries.jsonl": _lines(export.entries),
        "leaves": export.leaves,
        "contents.jsonl": _lines(map(msgspec.json.encode, export.openings)),
        "keys.txt": _lines(key.text().encode() for key in export.keys),
    }


def join_logs(main: Mapping[str, bytes], others: Mapping[str, Mapping[str, bytes]]) -> dict[str, bytes]:
    """The files of several logs by name: the main one's as they are, the others' in folders."""
    inside = {f"{log}/{name}": data for log, files in others.items() for name, data in files.items()}
    return {**main, **inside}


def split_logs(files: Mapping[str, bytes]) -> dict[str, dict[str, bytes]]:
    """Files by log, the main one under an empty name. Raises `MalformedExport` for an odd name."""
    found: dict[str, dict[str, bytes]] = {"": {}}
    for path, data in files.items():
        log, _, name = path.rpartition("/")
        if "/" in path and not _FOLDER.fullmatch(log):
            raise MalformedExport(f"export has a folder `{log[:80]}` that names no log")
        found.setdefault(log, {})[name] = data
    if len(found) > MAX_LOGS:
        raise MalformedExport(f"export has {len(found)} logs, the limit is {MAX_LOGS}")
    return found


def read_export(files: Mapping[str, bytes]) -> Export:
    """Read files WITHOUT judging them. Raises `MalformedExport`."""
    lacking, unknown = _FILES - files.keys(), files.keys() - _FILES - _OPTIONAL
    if lacking or unknown:
        raise MalformedExport(f"export lacks {sorted(lacking)} and has unknown {sorted(unknown)}")
    manifest = _read(files["manifest.json"], Manifest)
    try:
        keys = [LogKey.parse(line.decode()) for line in _split(files, "keys.txt")]
        notes = [
            base64.b64decode(_read(line, str), validate=True) for line in _split(files, "checkpoints.jsonl")
        ]
    except (ValueError, Invalid) as broken:
        raise MalformedExport("a key or an earlier checkpoint of the export is unreadable") from broken
    if manifest.format != FORMAT:
        raise MalformedExport(f"export has format `{manifest.format}`, this reads `{FORMAT}`")
    if len(files["leaves"]) % HASH_SIZE:
        raise MalformedExport(f"`leaves` is no multiple of {HASH_SIZE} bytes")
    return Export(
        manifest=manifest,
        note=files["checkpoint"],
        entries=_split(files, "entries.jsonl"),
        leaves=files["leaves"],
        earlier=tuple(notes),
        openings=tuple(_read(line, Opening) for line in _split(files, "contents.jsonl")),
        keys=tuple(keys),
    )


def pack_archive(files: Mapping[str, bytes]) -> bytes:
    """One zip, the same bytes for the same files."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name), files[name], zipfile.ZIP_DEFLATED)
    return target.getvalue()


def unpack_archive(data: bytes) -> dict[str, bytes]:
    """The files of a zip, by names that an export knows; bounded by what they would unpack to."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = archive.infolist()
            if sum(part.file_size for part in parts) > MAX_EXPORT_SIZE:
                raise ExportTooLarge(f"export unpacks to more than {MAX_EXPORT_SIZE} bytes, the limit")
            names = [part.filename for part in parts]
            if len(set(names)) != len(names) or not all(map(_is_known, names)):
                raise MalformedExport("archive holds a file twice, or one that no export has")
            return {part.filename: archive.read(part) for part in parts}
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, OSError, zlib.error) as broken:
        raise MalformedExport("archive is unreadable") from broken


def _is_known(path: str) -> bool:
    log, slash, name = path.rpartition("/")
    return name in _FILES | _OPTIONAL and (not slash or _FOLDER.fullmatch(log) is not None)


def _lines(parts: Iterable[bytes]) -> bytes:
    return b"".join(part + b"\n" for part in parts)


def _split(files: Mapping[str, bytes], name: str) -> list[bytes]:
    data = files.get(name, b"")
    lines = data.split(b"\n")
    if lines.pop():
        raise MalformedExport(f"`{name}` ends inside line {len(lines)}: it was cut")
    return lines


def _read(line: bytes, kind: type[T]) -> T:
    """One JSON value in the one form that we write, so that no byte of it can change unseen."""
    try:
        value = msgspec.json.decode(line, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as broken:
        raise MalformedExport("a part of the export is not the JSON that it should be") from broken
    if msgspec.json.encode(value) != line:
        raise MalformedExport("a part of the export is not in the form that we write")
    return value
