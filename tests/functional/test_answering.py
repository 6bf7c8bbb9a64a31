"""People answer real asks from the command line: yes, no, a link."""

import asyncio
from pathlib import Path

import pytest

from support.governed import LEAD, USER, denial_of, governed

REFUND = {"order_id": "8812", "amount": "480.00", "currency": "EUR"}


@pytest.mark.req("R70")
async def test_an_ask_is_approved_denied_and_linked_from_the_command_line(tmp_path: Path) -> None:
    async with governed(tmp_path) as here:
        task = await here.start("support-bot", "answer the ticket", purpose="support")
        waiting = asyncio.create_task(here.call(task, "refunds_create", REFUND))
        ask = await here.pending()
        shown = await here.remit("approval", "show", ask["id"], who=LEAD)
        assert shown.code == 0
        assert "480.00" in shown.out
        linked = await here.remit("approval", "link", ask["id"], who=LEAD)
        assert linked.code == 0, linked.err
        assert f"{here.url}/approve/" in linked.out
        assert (await here.remit("approval", "link", ask["id"], who=USER)).code == 3  # was not asked
        assert (await here.remit("approval", "approve", ask["id"], "--yes", who=USER)).code == 3
        assert not waiting.done()
        yes = await here.remit("approval", "approve", ask["id"], "--yes", who=LEAD)
        assert yes.code == 0, yes.err
        assert not (await waiting).is_error
        late = await here.remit("approval", "deny", ask["id"], "--yes", who=LEAD)
        assert late.code != 0
        assert "no longer pending: it is approved" in late.err
        waiting = asyncio.create_task(here.call(task, "refunds_create", {**REFUND, "amount": "490.00"}))
        other = await here.pending()
        assert other["id"] != ask["id"]
        no = await here.remit("approval", "deny", other["id"], "--yes", who=LEAD)
        assert no.code == 0, no.err
        assert denial_of(await waiting)["code"] == "approval_denied"
