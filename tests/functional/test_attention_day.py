"""A day of agents: a thousand actions under the policies that an installation starts with (N19)."""

import asyncio
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from remit.authority.rights import Ceiling, Right
from remit.decision.answer.response import Effect
from remit.kernel.ids import PrincipalId
from remit.oversight.approvals.approval import Approval, ApprovalState
from remit.oversight.attention.fold import Bundle
from remit.oversight.attention.service import FOLD
from support.clients import Called, Party
from support.composed import business_tools, populated
from support.house import House

ACTIONS = 1_000
FINAL, ALIKE, BOOKED = 4, 24, 272
CREDITS = "credits/refunds.create"
CHOSEN = {"gateway.hold": "1s"}


class Day:
    """One agent at work for one user; its owner is asked."""

    def __init__(self, house: House, bot: Party, envelope: str, tokens: dict[str, str]) -> None:
        self.house, self.bot, self.envelope, self.tokens = house, bot, envelope, tokens
        self.done = 0

    @classmethod
    async def begin(cls, house: House) -> "Day":
        assert house.upstream is not None
        tools = [each for each in await business_tools(house.upstream.url) if each.name == "refunds_create"]
        undoable = [replace(each, reversible=True) for each in tools]
        await house.server("credits", house.upstream.url, undoable)
        wide = _with_credits(house.ceiling(days=60))
        office = await house.blueprint("clerks", limit=wide)
        bot = await house.agent("clerk", blueprint=office, limit=replace(wide, window=house.ceiling().window))
        limit = _with_credits(house.ceiling(days=20))
        started = await house.task("clerk", purpose="support", limit=limit)
        tokens = {
            server: await house.exchange(bot, started.envelope, server=server)
            for server in ("business", "credits")
        }
        return cls(house, bot, started.envelope, tokens)

    async def act(self, tool: str, arguments: dict[str, Any], server: str = "business") -> Called:
        self.done += 1
        return await self.house.call(
            self.bot, self.tokens[server], tool, arguments, envelope=self.envelope, server=server
        )

    async def cards(self) -> tuple[Bundle, ...]:
        owner = PrincipalId(self.house["admin"].id)
        return (await self.house.services.attention.inbox(owner, after=None, limit=50)).cards

    async def asked(self) -> list[Approval]:
        return list(await self.house.services.approvals.page(state=None, asked=None, after="", limit=200))


def _with_credits(ceiling: Ceiling) -> Ceiling:
    credit = Right(action=CREDITS, resource_type="Order", resources="any", constraints=())
    return replace(ceiling, rights=ceiling.rights | {credit})


def refund(number: int, amount: str) -> dict[str, Any]:
    return {"order_id": f"C{number}", "amount": amount, "currency": "EUR"}


async def finals(day: Day) -> int:
    """What can't be undone: asked one by one, and answered before the next."""
    cards = 0
    for number in range(FINAL):
        waiting = asyncio.create_task(day.act("refunds_create", refund(number, "19.00")))
        ask = await day.house.pending()
        assert [len(card.items) for card in await day.cards()] == [1]
        cards += 1
        assert (await day.house.answer("admin", ask, "deny" if number % 2 else "approve")).status_code == 200
        assert (await waiting).ran is (number % 2 == 0)
    return cards


@pytest.mark.req("N19", "R64", "R73")
async def test_a_thousand_actions_take_at_most_ten_cards_and_everything_final_is_one(tmp_path: Path) -> None:
    async with populated(tmp_path / "house", chosen=CHOSEN) as house:
        text = files("remit.decision.policy").joinpath("packs/default.cedar").read_text(encoding="utf-8")
        await house.policy(text)
        day = await Day.begin(house)
        taken = await finals(day)
        amounts = [f"{10 + number % 7}.00" for number in range(ALIKE - 1)] + ["950.00"]
        waiting = [
            day.act("refunds_create", refund(100 + number, amount), server="credits")
            for number, amount in enumerate(amounts)
        ]
        assert not any(each.ran for each in await asyncio.gather(*waiting))
        for start in range(0, BOOKED, 16):
            booked = [day.act("rooms_book", _slot(number)) for number in range(start, start + 16)]
            assert all(each.ran for each in await asyncio.gather(*booked))
        while day.done < ACTIONS:
            read = [day.act("customers_read", {"customer_id": "C-100"}) for _ in range(14)]
            assert all(each.ran for each in await asyncio.gather(*read))
        cards = await day.cards()
        asked = await day.asked()
        assert day.done == ACTIONS
        assert len(asked) == FINAL + ALIKE
        assert taken + len(cards) <= 10
        final = [each for each in asked if not each.reversible]
        assert (len(final), {each.state for each in final} & {ApprovalState.PENDING}) == (FINAL, set())
        assert sorted(len(card.items) for card in cards) == [1, ALIKE - 1]
        (odd,) = [card for card in cards if len(card.items) == 1]
        assert (odd.items[0].amount, "far from" in odd.apart) == (95000, True)


@pytest.mark.req("N19")
async def test_what_is_answered_alike_again_and_again_becomes_a_proposed_rule(tmp_path: Path) -> None:
    async with populated(tmp_path / "house", chosen=CHOSEN) as house:
        text = files("remit.decision.policy").joinpath("packs/default.cedar").read_text(encoding="utf-8")
        await house.policy(text)
        day = await Day.begin(house)
        assert await house.services.attention.proposals(limit=10) == []
        wanted = [refund(number, f"{10 + number}.00") for number in range(11)]
        await asyncio.gather(*(day.act("refunds_create", each, server="credits") for each in wanted))
        (card,) = await day.cards()
        items = [each.id for each in card.items]
        signature = house["admin"].answer(replace(card.items[0], id=FOLD), "approve", digest=card.digest)
        done = await house.api(
            house["admin"], "POST", "/attention/answers", {"items": items, "signature": signature}
        )
        assert (done.status_code, len(done.json()["settled"])) == (200, 11), done.text
        (found,) = (await house.api(house["admin"], "GET", "/attention/repeats")).json()
        assert (found["approved"], found["rule"], set(found["evidence"])) == (
            11,
            "remit.ask-money",
            set(items),
        )
        # What people see is admitted as it stands; then the habit passes, and what goes beyond it is asked.
        asking = "when { context.tool.money };"
        assert text.count(asking) == 1
        await house.policy(text.replace(asking, f"{asking[:-1]} {found['exception']};") + found["permit"])
        effects = []
        for number, amount, server in (
            (77, "20.00", "credits"),
            (78, "20.01", "credits"),
            (79, "5.00", "business"),
        ):
            await day.act("refunds_create", refund(number, amount), server=server)
            (latest,) = await house.services.decisions.page(limit=1)
            effects.append(latest.explanation.verdict.effect)
        assert effects == [Effect.PERMIT, Effect.ASK, Effect.ASK]


def _slot(number: int) -> dict[str, Any]:
    day, hour = divmod(number, 20)
    return {
        "room": "Room-401",
        "start": f"2027-03-{1 + day:02}T{hour:02}:00:00Z",
        "end": f"2027-03-{1 + day:02}T{hour + 1:02}:00:00Z",
        "title": "work",
    }
