"""Brings a PostgreSQL database to this binary's schema."""

from typing import Final

import asyncpg
from sqlalchemy import URL, make_url
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from remit.platform.storage.errors import StorageUnreachable, UnfitDatabase
from remit.platform.storage.migrate import check_version, run_chain
from remit.platform.storage.postgres_connection import IS_UNBOUND, UNBOUND, UNBOUND_NEXT

MIGRATION_LOCK_MILLISECONDS: Final = 60_000
_MIGRATION_LOCK: Final = 0x72656D6974  # "remit"


async def migrate_postgres(url: str) -> None:
    """Run what is missing, in one transaction under an advisory lock: nodes that start together wait."""
    engine = create_async_engine(_async_url(url), poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            await connection.exec_driver_sql(f"SET LOCAL lock_timeout = {MIGRATION_LOCK_MILLISECONDS}")
            await connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATION_LOCK})")
            if (await connection.exec_driver_sql(IS_UNBOUND)).scalar():
                raise UnfitDatabase(UNBOUND, next_step=UNBOUND_NEXT)  # before it owns a table
            if not check_version(await _postgres_version(connection)):
                await connection.run_sync(run_chain)
    except (OSError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError) as error:
        raise StorageUnreachable("cannot reach the database", debug=str(error)) from error
    finally:
        await engine.dispose()


async def _postgres_version(connection: AsyncConnection) -> str | None:
    there = await connection.exec_driver_sql("SELECT to_regclass('schema_version')")
    if there.scalar() is None:
        return None
    return (await connection.exec_driver_sql("SELECT version_num FROM schema_version")).scalar()


def _async_url(url: str) -> URL:
    return make_url(url).set(drivername="postgresql+asyncpg")
