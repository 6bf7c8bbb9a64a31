"""The tenants that this process serves beside `default`: opened when they are entered, let go when suspended.

Each has everything of its own but the store, the process and the port: see `services.open_tenant`.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from remit.identity.tenants import Tenant
from remit.kernel.errors import RemitError
from remit.kernel.ids import TenantId

POLL_SECONDS: Final = 0.5
"""How long another node may take to notice a new or a suspended tenant; its commits notice at once."""


class House(Protocol):
    """Everything of one tenant."""

    async def close(self) -> None:
        """Let go of it; the store is everybody's and stays open."""


H = TypeVar("H", bound=House)
Living = Callable[[H], AbstractAsyncContextManager[None]]
"""What runs as long as a tenant is served: recovery first, then its jobs and its following snapshot."""


@asynccontextmanager
async def unattended(_: object) -> AsyncIterator[None]:
    """Nothing runs by itself, as in a process that only looks."""
    yield


@dataclass(frozen=True, slots=True)
class _Open(Generic[H]):
    house: H
    life: AsyncExitStack


class Tenants(Generic[H]):
    """Follows the register. OWNED BY: the event loop."""

    def __init__(
        self,
        *,
        register: Callable[[], Awaitable[Sequence[Tenant]]],
        open_one: Callable[[TenantId], Awaitable[H]],
    ) -> None:
        self._register = register
        self._open_one = open_one
        self._living: Living[H] = unattended
        self._open: dict[TenantId, _Open[H]] = {}
        self._turn = asyncio.Lock()

    def get(self, name: str) -> H | None:
        """What is served under a name; None for a tenant that is absent, suspended or retired alike."""
        found = self._open.get(TenantId(name))
        return None if found is None else found.house

    def houses(self) -> Sequence[H]:
        """All that are served now."""
        return [each.house for each in self._open.values()]

    async def settle(self) -> None:
        """Serve exactly those that the register calls active; one that can't be opened keeps no other closed.

        Raises what the last of those raised.
        """
        async with self._turn:
            wanted = {each.name for each in await self._register() if each.is_open}
            for name in self._open.keys() - wanted:
                await self._close(name)
            failed: RemitError | None = None
            for name in sorted(wanted - self._open.keys()):
                try:
                    self._open[name] = await self._begin(name)
                except RemitError as refused:
                    failed = refused
        if failed is not None:
            raise failed

    @asynccontextmanager
    async def kept(
        self, living: Living[H], *, failed: Callable[[str, Exception], None]
    ) -> AsyncIterator[None]:
        """Serve them with what runs beside, and follow the register, until this is left."""
        self._living = living
        following: asyncio.Task[None] | None = None
        try:
            await self._settled(failed)
            following = asyncio.create_task(self._follow(failed))
            yield
        finally:
            if following is not None:
                following.cancel()
                await asyncio.gather(following, return_exceptions=True)
            await self.close()

    async def close(self) -> None:
        """Let go of all."""
        async with self._turn:
            for name in list(self._open):
                await self._close(name)

    async def _follow(self, failed: Callable[[str, Exception], None]) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            await self._settled(failed)

    async def _settled(self, failed: Callable[[str, Exception], None]) -> None:
        try:
            await self.settle()
        except RemitError as refused:
            failed("tenants.follow", refused)  # told; the others are served, and this one is tried again

    async def _begin(self, name: TenantId) -> _Open[H]:
        async with AsyncExitStack() as life:
            house = await self._open_one(name)
            life.push_async_callback(house.close)
            await life.enter_async_context(self._living(house))
            return _Open(house, life.pop_all())

    async def _close(self, name: TenantId) -> None:
        """First it is absent, then what ran for it ends."""
        await self._open.pop(name).life.aclose()
