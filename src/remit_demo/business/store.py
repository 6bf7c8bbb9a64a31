"""The business's data, and the journal of every call that reached it."""

import json
import sqlite3
import threading
import time
from collections.abc import Sequence
from typing import Any, Final

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS rooms (id TEXT PRIMARY KEY, seats INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS bookings (id INTEGER PRIMARY KEY, room TEXT NOT NULL, start TEXT NOT NULL,
  "end" TEXT NOT NULL, title TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS customers (id TEXT PRIMARY KEY, name TEXT NOT NULL, email TEXT NOT NULL,
  segment TEXT NOT NULL, card TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS orders (id TEXT PRIMARY KEY, customer TEXT NOT NULL, amount TEXT NOT NULL,
  currency TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS refunds (id INTEGER PRIMARY KEY, "order" TEXT NOT NULL, amount TEXT NOT NULL,
  currency TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS documents (id TEXT PRIMARY KEY, title TEXT NOT NULL, tags TEXT NOT NULL,
  text TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS mail (id INTEGER PRIMARY KEY, recipient TEXT NOT NULL, subject TEXT NOT NULL,
  body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS journal (n INTEGER PRIMARY KEY, at REAL NOT NULL, entry TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS spent (jti TEXT PRIMARY KEY);
"""

_ROOMS: Final = (("Room-401", 8), ("Room-402", 4), ("Room-500", 20))
_CUSTOMERS: Final = (
    ("C-100", "Ada Example", "ada@company.com", "retail", "4000-0000-0000-0002"),
    ("C-200", "Bo Example", "bo@company.com", "wholesale", "4000-0000-0000-0010"),
)
_ORDERS: Final = (
    ("8812", "C-100", "480.00", "EUR"),
    ("8813", "C-100", "35.00", "EUR"),
    ("9001", "C-200", "12000.00", "EUR"),
)
_DOCUMENTS: Final = (
    ("D-1", "Holiday calendar", "public", "The office is closed on the first of May."),
    ("D-2", "Refund handbook", "internal support", "Refunds above 200 EUR need a second person."),
    ("D-3", "Merger plan", "confidential board", "The name of the other company is in the annex."),
)


class NotThere(Exception):
    """What was named does not exist."""


class Store:
    """One SQLite database; `:memory:` lives as long as the server."""

    def __init__(self, path: str = ":memory:") -> None:
        self._lock = threading.Lock()
        self._base = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._base.executescript(_SCHEMA)
        self._fill("rooms", _ROOMS)
        self._fill("customers", _CUSTOMERS)
        self._fill("orders", _ORDERS)
        self._fill("documents", _DOCUMENTS)

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Read."""
        with self._lock:
            return self._base.execute(statement, values).fetchall()

    def write(self, statement: str, *values: Any) -> int:
        """Write one row; its number, or that of the last one written."""
        with self._lock:
            return self._base.execute(statement, values).lastrowid or 0

    def book(self, room: str, start: str, end: str, title: str) -> int:
        """Reserve a room unless it is taken in that span; one statement, so two callers can't both win."""
        with self._lock:
            done = self._base.execute(
                'INSERT INTO bookings (room, start, "end", title) SELECT ?, ?, ?, ? WHERE EXISTS '
                "(SELECT 1 FROM rooms WHERE id = ?) AND NOT EXISTS "
                '(SELECT 1 FROM bookings WHERE room = ? AND start < ? AND "end" > ?)',
                (room, start, end, title, room, room, end, start),
            )
            if done.rowcount != 1:
                raise NotThere(f"{room} does not exist or is taken from {start} to {end}")
            return done.lastrowid or 0

    def spend(self, jti: str) -> bool:
        """Mark a capability as used; False if it was used before."""
        with self._lock:
            return self._base.execute("INSERT OR IGNORE INTO spent VALUES (?)", (jti,)).rowcount == 1

    def note(self, **entry: Any) -> None:
        """Append to the journal."""
        with self._lock:
            self._base.execute(
                "INSERT INTO journal (at, entry) VALUES (?, ?)", (time.time(), json.dumps(entry))
            )

    def journal(self) -> list[dict[str, Any]]:
        """Everything that reached this server, in order."""
        found = self.rows("SELECT n, at, entry FROM journal ORDER BY n")
        return [{"n": number, "at": at, **json.loads(entry)} for number, at, entry in found]

    def _fill(self, table: str, rows: Sequence[Sequence[Any]]) -> None:
        places = ", ".join("?" for _ in rows[0])
        with self._lock:
            self._base.executemany(f"INSERT OR IGNORE INTO {table} VALUES ({places})", rows)  # noqa: S608 — our own table names
