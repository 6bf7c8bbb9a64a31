"""P12 as an operator meets it: nothing suggests or grants a way back for what was killed."""

from pathlib import Path

import pytest

from remit.app.services import Services
from remit.identity.lifecycle import State
from remit.kernel.ids import PrincipalId
from support.governed import BOOKING, governed


async def state_of(services: Services, ident: str) -> State:
    return (await services.identity.get(PrincipalId(ident))).state


@pytest.mark.promise("P12")
@pytest.mark.attack("KS-11")
async def test_a_killed_agent_is_not_resumed_and_nobody_is_told_to_try(tmp_path: Path) -> None:
    async with governed(tmp_path) as here:
        task = await here.start("calendar-bot", "book a room", purpose="scheduling")
        assert not (await here.call(task, "rooms_book", BOOKING)).is_error
        agent = await here.ask("agent", "show", "calendar-bot")
        paused = await here.ask("agent", "show", "mail-bot")
        killed = await here.remit("kill", "calendar-bot", "--reason", "drill", "--yes")
        assert killed.code == 0
        said = killed.out + killed.err
        assert "next: remit kill --show kil_" in said
        assert "resume" not in said
        refused = await here.remit("agent", "resume", "calendar-bot")
        assert refused.code == 1, refused.out + refused.err
        assert "was killed, and a kill is final: its id never acts again" in refused.err
        assert await state_of(here.services, agent["id"]) is State.SUSPENDED
        assert (await here.remit("agent", "suspend", "mail-bot")).code == 0
        assert (await here.remit("agent", "resume", "mail-bot")).code == 0
        assert await state_of(here.services, paused["id"]) is State.ACTIVE
        retired = await here.remit("agent", "retire", "calendar-bot", "--yes")
        assert retired.code == 0, retired.out + retired.err
