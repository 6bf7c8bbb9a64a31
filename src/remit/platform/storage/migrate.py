"""Brings a database to this binary's schema, or refuses it."""

import sqlite3
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.pool import NullPool

from remit.platform.storage.errors import UnfitDatabase

HEAD: Final = "0006"
"""The schema that this binary speaks; a test holds it equal to the last file of `migrations/versions`."""
FRESH: Final = Path(__file__).with_name("migrations") / "fresh.sql"
"""What the chain makes of an empty SQLite file, as text: a first start need not load the machinery."""


def check_version(found: str | None) -> bool:
    """Whether the database is at `HEAD`; raises `UnfitDatabase` if a newer binary has been here."""
    if found is not None and found > HEAD:
        raise UnfitDatabase(
            f"the database has schema `{found}`, this binary knows up to `{HEAD}`",
            next_step="start the newer binary, or restore the backup made before it",
        )
    return found == HEAD


def migrate_sqlite(path: Path) -> None:
    """Run what is missing, in one transaction that holds the file's write lock.

    An empty file gets `FRESH` first, then whatever the chain has beyond it.
    """
    found = sqlite_version(path)
    if found is None:
        _make_fresh(path)
        found = sqlite_version(path)
    if not check_version(found):
        chain_sqlite(path)


def chain_sqlite(path: Path) -> None:
    """Run every migration after the file's own."""
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    # The driver's own idea of a transaction does not cover DDL; SQLite's does.
    event.listen(engine, "connect", lambda raw, _: setattr(raw, "isolation_level", None))
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
    with engine.begin() as connection:
        run_chain(connection)


def sqlite_version(path: Path) -> str | None:
    """The schema of a file, or None for one that has none yet."""
    connection = sqlite3.connect(path)
    try:
        row = connection.execute("SELECT version_num FROM schema_version").fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return None
        raise UnfitDatabase(f"cannot read the database `{path}`", debug=str(error)) from error
    except sqlite3.DatabaseError as error:
        raise UnfitDatabase(f"`{path}` is not a database", debug=str(error)) from error
    finally:
        connection.close()
    return str(row[0]) if row else None


def _make_fresh(path: Path) -> None:
    """Make every table and the version stamp at once, unless the file holds anything already.

    CRASH: one transaction, so a later start finds either an empty file again or a whole schema.
    """
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            return
        text = FRESH.read_text(encoding="utf-8")
        connection.executescript(f"BEGIN IMMEDIATE;\n{text}\nCOMMIT;")
    finally:
        connection.close()


def run_chain(connection: Connection, to: str = "head") -> None:
    """Run every migration after the database's own, inside the connection's transaction."""
    from alembic import command  # noqa: PLC0415  # a start at `HEAD` need not load it
    from alembic.config import Config  # noqa: PLC0415  # as above

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    config.attributes["connection"] = connection
    command.upgrade(config, to)
