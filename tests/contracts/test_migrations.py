"""The chain of migrations gives exactly the tables that the code speaks to, on both engines."""

import asyncio
import re
import secrets
import sqlite3
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import create_engine
from sqlalchemy.ext.asyncio import create_async_engine

from remit.platform.storage.engine import open_store
from remit.platform.storage.errors import UnfitDatabase
from remit.platform.storage.migrate import HEAD, migrate_sqlite, sqlite_version
from remit.platform.storage.postgres_migrate import _async_url, migrate_postgres
from remit.platform.storage.tables.schema import metadata
from support.stores import at_database

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


def test_the_chain_makes_what_the_tables_say_on_sqlite(tmp_path: Path) -> None:
    migrate_sqlite(tmp_path / "migrated.db")
    metadata.create_all(create_engine(f"sqlite:///{tmp_path}/made.db"))
    assert sqlite_schema(tmp_path / "migrated.db") == sqlite_schema(tmp_path / "made.db")


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
    await connection.execute(f"CREATE DATABASE {name}")
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
