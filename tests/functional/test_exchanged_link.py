"""A link that nobody signed but us, through the whole house: asked for, used at the gateway, told."""

from pathlib import Path

import pytest

from remit.surface.cli.delegation import _lines
from support.composed import populated
from support.house import ACCESS_TOKEN, BOOKING, TOKEN_EXCHANGE, TXN_TOKEN


@pytest.mark.req("R32", "R31")
async def test_an_agent_acts_by_a_link_that_was_asked_for_and_people_see_how_it_was_made(
    tmp_path: Path,
) -> None:
    async with populated(tmp_path / "data") as house:
        started = await house.task("calendar-bot")
        bot, mail = house["calendar-bot"], house["mail-bot"]
        text = await house.ask_token(
            bot,
            grant_type=TOKEN_EXCHANGE,
            requested_token_type=TXN_TOKEN,
            audience=str(mail.agent),
            subject_token=started.envelope,
            subject_token_type=TXN_TOKEN,
            actor_token=await house.own_token(bot),
            actor_token_type=ACCESS_TOKEN,
        )
        token = await house.exchange(mail, text)
        assert (await house.call(mail, token, "rooms_book", BOOKING, envelope=text)).ran
        # The same token with a shorter text, or none, is not the chain that it bears.
        assert not (await house.call(mail, token, "rooms_book", BOOKING, envelope=started.envelope)).ran
        assert not (await house.call(mail, token, "rooms_book", BOOKING)).ran
        found = await house.api(house["user"], "GET", f"/tasks/{started.task.id}/delegations")
        told = found.json()[-1]
        assert [(hop["by"], hop["kind"], hop["made"]) for hop in told["hops"]] == [
            (bot.id, "attenuate", "exchanged")
        ]
        assert any(line.startswith("  hop 1  attenuate  exchanged  ") for line in _lines(told, "user"))
