"""What was let through unasked, on disk until it has been told: it outlives the process, and is told once."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from remit_sdk.errors import RemitError

BATCH = 50
"""Calls that are told at once."""


@dataclass(frozen=True)
class Batch:
    """Some of them, the oldest first, and the key under which they are told, again and again the same."""

    calls: tuple[Mapping[str, Any], ...]
    key: str


class Journal:
    """One file, of one enforcement point. A call is on disk before `note` returns.

    What is being told stands in a second file beside it, to which nothing is added: a crash does not change
    what one key stands for.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._telling = path.with_name(f"{path.name}.telling")

    def note(self, call: Mapping[str, Any]) -> None:
        """Add one. Raises `RemitError` where it can't be kept: then the call may not be made."""
        try:
            # A line that a crash cut off ends here; it was of a call that was never made.
            _append(self._path, b"\n" + json.dumps(call, sort_keys=True).encode() + b"\n")
        except OSError as broken:
            raise RemitError(f"`{self._path}` can't be written", code="journal_failed") from broken

    def waiting(self) -> bool:
        """Whether anything is to be told."""
        return self._telling.exists() or self._path.exists()

    def batch(self) -> Batch | None:
        """The oldest that were not told yet; None if there are none."""
        if not self._telling.exists():
            if not self._path.exists():
                return None
            self._path.replace(self._telling)
            _sync(self._path.parent)
        lines = _lines(self._telling)[:BATCH]
        if not lines:
            self._telling.unlink()
            return self.batch()
        key = hashlib.sha256(b"\n".join(lines)).hexdigest()
        return Batch(calls=tuple(json.loads(line) for line in lines), key=f"unasked-{key}")

    def done(self, batch: Batch) -> None:
        """Forget what was told. CRASH: before it, the same batch is told again under the same key."""
        rest = _lines(self._telling)[len(batch.calls) :]
        if not rest:
            self._telling.unlink()
        else:
            fresh = self._telling.with_name(f"{self._telling.name}.new")
            fresh.unlink(missing_ok=True)
            _append(fresh, b"".join(line + b"\n" for line in rest))
            fresh.replace(self._telling)
        _sync(self._path.parent)


def _append(path: Path, data: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        if os.write(handle, data) != len(data):
            raise OSError("not all of it was written")
        os.fsync(handle)
    finally:
        os.close(handle)
    _sync(path.parent)


def _lines(path: Path) -> Sequence[bytes]:
    """Whole lines that hold a call each."""
    return [line for line in path.read_bytes().split(b"\n") if _is_call(line)]


def _is_call(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
