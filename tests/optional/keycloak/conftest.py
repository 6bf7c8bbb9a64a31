"""One Keycloak for all that meets it: a start takes a minute or more."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from support.composed import populated
from support.house import House
from support.keycloak import WHERE, Administrator, keycloak, trusting


@pytest.fixture(scope="session")
def address() -> Iterator[str]:
    """Where it answers."""
    assert WHERE, "REMIT_KEYCLOAK names no Keycloak"
    with keycloak() as found:
        yield found


@pytest_asyncio.fixture
async def realm(address: str) -> AsyncIterator[Administrator]:
    """A realm of one test alone."""
    made = await Administrator.with_realm(address)
    yield made
    await made.http.aclose()


@pytest_asyncio.fixture
async def house(address: str, tmp_path: Path) -> AsyncIterator[House]:
    """An installation with people, agents and the business, that may ask that Keycloak."""
    async with populated(tmp_path, chosen=trusting(address)) as found:
        yield found
