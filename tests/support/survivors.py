"""What a crash left in a SQLite file, judged."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Survivors:
    """Numbers whose two rows are both there, and whose change is numbered."""

    whole: frozenset[int]
    torn: frozenset[int]
    """Numbers of which a part is missing: there must be none."""
    integrity: str
    gapless: bool


def inspect(path: Path) -> Survivors:
    """Open as a restart would, and look."""
    connection = sqlite3.connect(path)
    try:
        (integrity,) = connection.execute("PRAGMA integrity_check").fetchone()
        names = {row[0] for row in connection.execute("SELECT name FROM setting")}
        changes = connection.execute(
            "SELECT revision, ident FROM change WHERE kind = 'pair' ORDER BY revision"
        ).fetchall()
        (last,) = connection.execute("SELECT value FROM counter WHERE name = 'change'").fetchone()
    finally:
        connection.close()
    left, right = (numbers(names, half) for half in ("left", "right"))
    changed = frozenset(int(ident) for _, ident in changes)
    return Survivors(
        whole=left & right & changed,
        torn=(left | right | changed) - (left & right & changed),
        integrity=integrity,
        gapless=[row[0] for row in changes] == list(range(1, last + 1)),
    )


def numbers(names: Iterable[str], half: str) -> frozenset[int]:
    return frozenset(int(name.removeprefix(half)) for name in names if name.startswith(half))


def assert_whole(path: Path, acknowledged: Iterable[int]) -> Survivors:
    """Old or new state, nothing torn, and all that was acknowledged (P3)."""
    found = inspect(path)
    assert found.integrity == "ok"
    assert found.torn == frozenset()
    assert found.gapless
    assert frozenset(acknowledged) <= found.whole
    return found
