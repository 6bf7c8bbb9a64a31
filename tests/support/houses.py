"""Fixtures: a composed installation with the demonstration's world in it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from support.composed import populated
from support.house import House


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """One of its own for each test; its jobs do not run by themselves."""
    async with populated(tmp_path / "data") as found:
        yield found
