"""The chain of migrations gives exactly the tables that the code speaks to, on both engines."""

import asyncio
import os
import re
import secrets
import sqlite3
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import Executable, create_engine
from sqlalchemy.dialects import sqlite
from sqlalchemy.ext.asyncio import create_async_engine

from remit.platform.storage.engine import open_store
from remit.platform.storage.errors import UnfitDatabase
from remit.platform.storage.migrate import (
    FRESH,
    HEAD,
    chain_sqlite,
    migrate_sqlite,
    run_chain,
    sqlite_version,
)
from remit.platform.storage.postgres_migrate import _async_url, migrate_postgres
from remit.platform.storage.repositories import capabilities
from remit.platform.storage.statements import Statements
from remit.platform.storage.tables.schema import metadata
from support.stores import ROLE, at_database

VERSIONS = Path(__file__).parents[2] / "src" / "remit" / "platform" / "storage" / "migrations" / "versions"

COLUMNS = """
    SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns
     WHERE table_schema = 'public' AND table_name <> 'schema_version' ORDER BY 1, 2"""
INDEXES = (
    "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'schema_version' ORDER BY 1"
)
NOT_BYTEWISE = """
    SELECT table_name, column_name FROM information_schema.columns
     WHERE table_schema = 'public' AND data_type = 'text' AND collation_name IS DISTINCT FROM 'C'"""


def sqlite_schema(path: Path) -> set[str]:
    """Every statement that made the schema, free of white space and quotes."""
    connection = sqlite3.connect(path)
    rows = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    connection.close()
    texts = {re.sub(r'[\s"]+', "", row[0]) for row in rows}
    return {text for text in texts if "schema_version" not in text}


def dump(path: Path) -> str:
    """Every statement that makes a file's tables and rows anew."""
    connection = sqlite3.connect(path)
    lines = [line.rstrip() for statement in connection.iterdump() for line in statement.splitlines()]
    connection.close()
    return "\n".join(line for line in lines if line not in {"BEGIN TRANSACTION;", "COMMIT;"}) + "\n"


def test_the_chain_makes_what_the_tables_say_on_sqlite(tmp_path: Path) -> None:
    chain_sqlite(tmp_path / "migrated.db")
    metadata.create_all(create_engine(f"sqlite:///{tmp_path}/made.db"))
    assert sqlite_schema(tmp_path / "migrated.db") == sqlite_schema(tmp_path / "made.db")


def test_a_fresh_file_is_what_the_chain_makes(tmp_path: Path) -> None:
    """After a new migration: REMIT_GOLDEN=write pytest tests/contracts/test_migrations.py."""
    chain_sqlite(tmp_path / "chained.db")
    wanted = dump(tmp_path / "chained.db")
    if os.environ.get("REMIT_GOLDEN") == "write":
        FRESH.write_text(wanted, encoding="utf-8")
    migrate_sqlite(tmp_path / "fresh.db")
    assert dump(tmp_path / "fresh.db") == wanted
    assert FRESH.read_text(encoding="utf-8") == wanted, "the text is behind the chain"


def test_a_fresh_file_needs_no_chain(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from remit.platform.storage.migrate import migrate_sqlite;"
        "migrate_sqlite(Path(sys.argv[1])); print('alembic' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "remit.db")],
        capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": "src"},
    )  # fmt: skip
    assert done.stdout.strip() == "False"
    assert sqlite_version(tmp_path / "remit.db") == HEAD


def test_a_file_of_the_first_schema_keeps_its_rows(tmp_path: Path) -> None:
    path = tmp_path / "remit.db"
    engine = create_engine(f"sqlite:///{path}", isolation_level="AUTOCOMMIT")
    with engine.begin() as connection:
        run_chain(connection, to="0001")
    engine.dispose()
    raw = sqlite3.connect(path)
    raw.execute("INSERT INTO replay VALUES ('default', 'key', 'jti', 7)")
    raw.execute("INSERT INTO ledger_mention VALUES ('default', 'usr_1', 'main', 3)")
    raw.commit()
    migrate_sqlite(path)
    assert sqlite_version(path) == HEAD
    assert raw.execute("SELECT * FROM replay").fetchall() == [("default", "key", "jti", 7)]
    assert raw.execute("SELECT * FROM ledger_mention").fetchall() == [("default", "usr_1", "main", 3, None)]
    raw.close()


@pytest.mark.parametrize(
    ("question", "index"),
    [
        (capabilities._BY_CALL, "capability_call"),
        (capabilities._LIVE_OF_TASK, "capability_task"),
        (capabilities._KILL_OF_TASK, "capability_task"),
        (capabilities._UNFINISHED, "capability_open"),
        (capabilities._EXPIRED, "capability_task"),
        (capabilities._STOPPED, "capability_stopped"),
    ],
)
def test_an_index_with_a_condition_serves_its_question(
    sqlite_template: Path, question: Executable, index: str
) -> None:
    """Or else each call would read every capability that there ever was."""
    prepared = Statements(sqlite.dialect(paramstyle="qmark")).prepare(question)
    connection = sqlite3.connect(sqlite_template)
    plan = connection.execute(f"EXPLAIN QUERY PLAN {prepared.text}", [1] * len(prepared.order)).fetchall()
    connection.close()
    assert f"USING INDEX {index} (" in plan[0][3]


def test_a_file_behind_the_text_is_brought_on_by_the_chain(tmp_path: Path) -> None:
    """A text that is older than the chain, as between two releases, is a start like any other."""
    path = tmp_path / "remit.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE schema_version (version_num VARCHAR(32) NOT NULL)")
    connection.commit()
    connection.close()
    migrate_sqlite(path)  # holds a table, so it is no fresh file
    assert sqlite_version(path) == HEAD
    assert "capability" in " ".join(sqlite_schema(path))


async def test_the_chain_makes_what_the_tables_say_on_postgres(
    postgres_url: str, postgres_server: str
) -> None:
    made_url = await fresh_database(postgres_server, f"made_{secrets.token_hex(8)}")
    engine = create_async_engine(_async_url(made_url))
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    await engine.dispose()
    migrated, made = await asyncpg.connect(postgres_url), await asyncpg.connect(made_url)
    try:
        for question in (COLUMNS, INDEXES):
            assert [*map(tuple, await migrated.fetch(question))] == [*map(tuple, await made.fetch(question))]
        assert await migrated.fetch(NOT_BYTEWISE + " AND table_name <> 'schema_version'") == []
    finally:
        await migrated.close()
        await made.close()


async def fresh_database(server: str, name: str) -> str:
    connection = await asyncpg.connect(server)
    await connection.execute(f"CREATE DATABASE {name} OWNER {ROLE}")
    await connection.close()
    return at_database(server, name)


def test_the_head_is_the_last_file() -> None:
    files = sorted(each.name for each in VERSIONS.glob("[0-9]*.py"))
    assert files[-1].startswith(HEAD + "_")
    assert [name[:4] for name in files] == [f"{number:04}" for number in range(1, len(files) + 1)]


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "remit.db"
    migrate_sqlite(path)
    before = path.read_bytes()
    migrate_sqlite(path)
    assert path.read_bytes() == before
    assert sqlite_version(path) == HEAD


@pytest.mark.fault("F35")
async def test_a_schema_newer_than_the_binary_is_refused(sqlite_url: str, postgres_url: str) -> None:
    newer = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))
    newer.execute("UPDATE schema_version SET version_num = '9999'")
    newer.commit()
    newer.close()
    connection = await asyncpg.connect(postgres_url)
    await connection.execute("UPDATE schema_version SET version_num = '9999'")
    await connection.close()
    for url in (sqlite_url, postgres_url):
        with pytest.raises(UnfitDatabase, match="9999") as refused:
            await open_store(url)
        assert refused.value.next_step


async def test_nodes_that_start_together_migrate_once(postgres_server: str) -> None:
    url = await fresh_database(postgres_server, f"race_{secrets.token_hex(8)}")
    await asyncio.gather(*(migrate_postgres(url) for _ in range(4)))
    connection = await asyncpg.connect(url)
    assert [row[0] for row in await connection.fetch("SELECT version_num FROM schema_version")] == [HEAD]
    await connection.close()
