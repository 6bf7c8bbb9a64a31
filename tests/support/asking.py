"""Calls that wait for a person, held open while a test looks at their ask."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from remit.oversight.approvals.approval import Approval, ApprovalState
from support.clients import Called
from support.house import REFUND, House


@dataclass
class Asked:
    """A call that waits for a person, and its ask."""

    house: House
    approval: Approval
    waiting: "asyncio.Task[Called]"

    @property
    def url(self) -> str:
        return self.house.link(self.approval, "lead")

    async def state(self) -> ApprovalState:
        return (await self.house.services.approvals.get(self.approval.id)).state


@asynccontextmanager
async def asked(house: House, tool: str = "refunds_create", arguments: Any = None) -> AsyncIterator[Asked]:
    """Have support-bot ask for something."""
    purpose = "support"
    started = await house.task("support-bot", purpose=purpose)
    bot = house["support-bot"]
    token = await house.exchange(bot, started.envelope)
    calling: Coroutine[Any, Any, Called] = house.call(
        bot, token, tool, arguments or REFUND, envelope=started.envelope
    )
    waiting = asyncio.create_task(calling)
    try:
        yield Asked(house=house, approval=await house.pending(), waiting=waiting)
    finally:
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
