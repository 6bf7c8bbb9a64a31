"""A replay by several processes finds what one finds, to the last count; one that dies is no answer."""

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from remit.app.publishing import policy_service
from remit.app.replaying import helpers as beside
from remit.app.replaying import service as replaying
from remit.app.replaying.helpers import HelperLost, Helpers
from remit.app.replaying.judge import Text
from remit.app.replaying.page import Page, Pages
from remit.app.replaying.service import ReplayService
from remit.decision.replaying.replay import Replay
from support.governed import BOOKING, Governed, governed

MAIL = {"to": "user@company.com", "subject": "Room", "body": "It is booked."}
PAST = (
    '@id("mailed") @remember("mailed by=user for=1h") '
    'permit (principal, action == Remit::Action::"business/mail.send", resource);\n'
)


class Small(ReplayService):
    """Reads two decisions at a time."""

    def _pages(self, **bounds: Any) -> AsyncGenerator[Page, None]:
        return super()._pages(**bounds | {"size": 2})


async def worked(here: Governed) -> None:
    task = await here.start("calendar-bot", "book rooms", purpose="scheduling")
    for number in range(6):
        await here.call(task, "rooms_book", BOOKING | {"start": f"2026-05-1{number}T14:00Z"})
        await here.call(task, "mail_send", MAIL)


@pytest.mark.req("N5")
async def test_several_judges_find_what_one_finds(tmp_path: Path) -> None:
    async with governed(tmp_path) as here:
        await worked(here)
        ground = here.services.ground
        policies, since = policy_service(ground), ground.clock.now() - timedelta(hours=1)
        present = (await here.ask("policy", "show"))["text"]
        candidate = present + (
            '@id("not-then") forbid(principal, action == Remit::Action::"business/rooms.book", resource) '
            'when { context.arguments.start == "2026-05-13T14:00Z" };'
            '@id("no-mail") forbid(principal, action == Remit::Action::"business/mail.send", resource);'
        )
        one = await Small(ground, policies, helpers=0).run(candidate, since=since)
        several = await Small(ground, policies, alone=0, helpers=2).run(candidate, since=since)
        assert several == one
        assert (one.found.changed, one.found.total) == (7, one.found.same + 7)
        part = await Small(ground, policies, alone=0, helpers=2).run(candidate, since=since, limit=3)
        assert (part.found.total, part.more) == (3, True)


@pytest.mark.req("N5")
async def test_where_a_version_remembers_one_judge_has_them_all(tmp_path: Path) -> None:
    async with governed(tmp_path) as here:
        present = (await here.ask("policy", "show"))["text"]
        text = tmp_path / "text.cedar"
        text.write_text(present + PAST)
        await here.ask("policy", "publish", str(text))
        await worked(here)
        ground = here.services.ground
        service = Small(ground, policy_service(ground), alone=0, helpers=2)
        found = await service.run(present, since=ground.clock.now() - timedelta(hours=1))
        assert not found.found.lost
        assert found.found.changed == 0


async def again(helpers: Helpers, page: Page) -> None:
    await helpers.judge(page, {}, Replay())
    await helpers.finish(Replay())


async def gone(pid: int) -> None:
    """No process has this id any more: the pool has fetched its end, so that it can't be asked itself."""
    async with asyncio.timeout(30):
        while True:
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return
            await asyncio.sleep(0.02)


@pytest.mark.req("N5")
async def test_a_helper_that_dies_ends_the_replay_and_leaves_none_behind(tmp_path: Path) -> None:
    async with governed(tmp_path) as here:
        await worked(here)
        ground = here.services.ground
        candidate = await policy_service(ground).draft((await here.ask("policy", "show"))["text"])
        helpers = Helpers(Text(candidate.text, candidate.version), 1)
        page = await ground.work.read(
            lambda tx: Pages().read(tx, since=ground.clock.now() - timedelta(hours=1), after="", limit=100)
        )
        assert page is not None
        try:
            await helpers.judge(page, dict.fromkeys(page.versions), Replay())
            (process,) = helpers._helpers[0].pool._processes.values()
            assert process.pid is not None
            os.kill(process.pid, signal.SIGKILL)
            with pytest.raises(HelperLost):
                await again(helpers, page)
        finally:
            helpers.close()
        await gone(process.pid)


def test_there_are_helpers_for_cores_and_no_more() -> None:
    assert 1 <= beside.cores() <= beside.MOST
    assert replaying.ALONE < replaying.USUAL <= replaying.LIMIT
