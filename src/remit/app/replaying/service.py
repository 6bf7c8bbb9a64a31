"""Decisions on record, read with what belongs to them and made again with a candidate policy."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from remit.app.ground import Ground
from remit.app.replaying.helpers import Helpers, cores
from remit.app.replaying.judge import Judge, Text
from remit.app.replaying.page import Page, Pages
from remit.decision.policy.bundle import Bundle
from remit.decision.policy.seal import SealBroken, prove
from remit.decision.policy_service import PolicyService
from remit.decision.replaying.replay import Replay

LIMIT: Final = 1_000_000
"""Decisions that one replay may take, the newest."""
USUAL: Final = 100_000
"""Decisions that a replay takes if nobody says how many: what an administrator waits for."""
ALONE: Final = 30_000
"""Up to so many decisions a replay needs no help: a helper takes a second or two to start."""
_PAGE: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What came of it, and whether older decisions of the time were left out."""

    found: Replay
    more: bool


class ReplayService:
    """Makes decisions again; nothing is stored or recorded of it."""

    def __init__(
        self, ground: Ground, policies: PolicyService, *, alone: int = ALONE, helpers: int | None = None
    ) -> None:
        self._ground = ground
        self._policies = policies
        self._alone = alone
        self._helpers = cores() if helpers is None else helpers

    async def run(self, text: str, *, since: datetime, limit: int = USUAL) -> Replayed:
        """Replay a text over the newest decisions since then, oldest first; raises `PolicyRefused`.

        A few pages are in memory at a time; what is kept over pages is bounded by agents, tokens and marks.
        """
        candidate = await self._policies.draft(text)
        after = await self._ground.work.read(lambda tx: tx.decisions.before_newest(limit, since))
        many = await self._ground.work.read(lambda tx: tx.decisions.before_newest(self._alone, since))
        found: Replay | None = None
        if many and limit > self._alone and self._helpers > 1 and candidate.history is None:
            found = await self._helped(candidate, since=since, after=after, limit=limit)
        if found is None:
            found = await self._judged(candidate, since=since, after=after, limit=limit)
        return Replayed(found=found, more=bool(after))

    async def _judged(self, candidate: Bundle, *, since: datetime, after: str, limit: int) -> Replay:
        """By one judge, here."""
        found, judge, known = (
            Replay(),
            Judge(candidate, snapshot=self._ground.snapshots.current()),
            set[str](),
        )
        async with aclosing(self._pages(since=since, after=after, limit=limit)) as pages:
            async for page in pages:
                news = await self._versions(page, known)
                judge.learn({name: None if each is None else each.compiled() for name, each in news.items()})
                found.join(await asyncio.to_thread(judge.judge, page))
        return found

    async def _helped(self, candidate: Bundle, *, since: datetime, after: str, limit: int) -> Replay | None:
        """By several; None if some version looks at what was before."""
        found, known = Replay(), set[str]()
        helpers = Helpers(Text(candidate.text, candidate.version), self._helpers)
        try:
            async with aclosing(self._pages(since=since, after=after, limit=limit)) as pages:
                async for page in pages:
                    news = await self._versions(page, known)
                    if any(
                        each is not None and each.compiled().history is not None for each in news.values()
                    ):
                        return None
                    await helpers.judge(page, news, found)
            await helpers.finish(found)
        finally:
            helpers.close()
        return found

    async def _pages(
        self, *, since: datetime, after: str, limit: int, size: int = _PAGE
    ) -> AsyncGenerator[Page, None]:
        left, pages = limit, Pages()
        while left > 0:
            read = partial(pages.read, since=since, after=after, limit=min(size, left))
            page = await self._ground.work.read(read)
            if page is None:
                return
            yield page
            left, after = left - len(page.rows), page.last

    async def _versions(self, page: Page, known: set[str]) -> Mapping[str, Text | None]:
        """Prove the versions that the decisions were made with and that are not known yet."""
        news: dict[str, Text | None] = {}
        for name in sorted(page.versions - known):
            policy = await self._policies.get(int(name.removeprefix("v")))
            try:
                if policy is not None:
                    prove(policy, tenant=self._ground.tenant, keys=self._ground.keys)
            except SealBroken:
                policy = None
            news[name] = None if policy is None else Text(policy.text, policy.version)
        known |= news.keys()
        return news
