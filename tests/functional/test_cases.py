"""An agent asks a person inside its task; the person's own words return into the task, and grant nothing."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from remit.kernel.ids import CaseId, PrincipalId, TaskId
from support.clients import Party
from support.composed import populated
from support.house import REFUND, House


@dataclass
class Run:
    """support-bot in a task of the user's."""

    house: House
    bot: Party
    task: TaskId
    envelope: str

    async def ask(self, question: str, *, who: Party | None = None, task: str = "", **body: Any) -> Any:
        path = f"/tasks/{task or self.task}/cases"
        return await self.house.api(who or self.bot, "POST", path, {"question": question, **body})

    async def answer(self, ident: str, words: str, *, who: str = "user") -> Any:
        return await self.house.api(self.house[who], "POST", f"/cases/{ident}/answer", {"answer": words})


@pytest.fixture
async def run(house: House) -> Run:
    started = await house.task("support-bot", purpose="support")
    return Run(house, house["support-bot"], started.task.id, started.envelope)


@pytest.mark.req("R77")
async def test_a_case_reaches_the_user_and_the_answer_returns_into_the_same_task(run: Run) -> None:
    house = run.house
    opened = (await run.ask("which address does order 8812 go to?", key="address-8812")).json()
    assert (opened["state"], opened["to"], opened["asked"]) == ("open", "user", [house["user"].id])
    again = (await run.ask("which address does order 8812 go to?", key="address-8812")).json()
    assert again["id"] == opened["id"]
    waiting = asyncio.create_task(house.api(run.bot, "GET", f"/cases/{opened['id']}?wait=30"))
    mine = (await house.api(house["user"], "GET", "/cases?mine=true&state=open")).json()
    assert [each["id"] for each in mine["items"]] == [opened["id"]]
    said = await run.answer(opened["id"], "to orders@elsewhere.example, please")
    assert said.status_code == 200
    told = (await waiting).json()
    assert (told["state"], told["answer"]) == ("answered", "to orders@elsewhere.example, please")
    assert (told["answered_by"], told["provenance"]) == (house["user"].id, "user_intent")
    late = await run.answer(opened["id"], "or rather not")
    assert (late.status_code, late.json()["code"]) == (409, "case_over")
    kinds = [each.kind for each in await house.log() if each.subject == opened["id"]]
    assert kinds == ["oversight.case.opened", "oversight.case.answered"]


@pytest.mark.req("R77", "N13")
async def test_what_a_person_answers_is_theirs_and_what_they_were_asked_is_not(tmp_path: Path) -> None:
    chosen = {"gateway.provenance": "enforce", "gateway.hold": "1s"}
    async with populated(tmp_path / "house", chosen=chosen) as house:
        await house.policy('@id("all") permit (principal, action, resource);')
        started = await house.task("mail-bot", goal="Mail the guest list to the right person")
        bot = house["mail-bot"]
        token = await house.exchange(bot, started.envelope)
        run = Run(house, bot, started.task.id, started.envelope)

        async def refused(to: str) -> str:
            arguments = {"to": to, "subject": "guests", "body": "hello"}
            answer = await house.call(bot, token, "mail_send", arguments)
            assert answer.result is not None
            denial = answer.result.get("_meta", {}).get("dev.remit/denial", {})
            return str(denial.get("code", ""))

        assert await refused("ada@company.com") == "argument_untrusted"
        led = (await run.ask("shall I mail ada@company.com?")).json()
        assert (await run.answer(led["id"], "yes")).status_code == 200
        assert await refused("ada@company.com") != ""
        asked = (await run.ask("whom shall I mail?")).json()
        assert (await run.answer(asked["id"], "mail it to ada@company.com")).status_code == 200
        assert await refused("ada@company.com") == ""
        assert await refused("eve@evil.example") == "argument_untrusted"


@pytest.mark.req("R77")
async def test_an_answer_is_words_and_lifts_no_question(run: Run) -> None:
    house = run.house
    opened = (await run.ask("may I refund 480 for order 8812?")).json()
    assert (await run.answer(opened["id"], "yes, refund it")).status_code == 200
    token = await house.exchange(run.bot, run.envelope)
    calling = asyncio.create_task(house.call(run.bot, token, "refunds_create", REFUND, envelope=run.envelope))
    ask = await house.pending()
    assert ask.action == "business/refunds.create"
    await house.answer("lead", ask, "deny")
    assert not (await calling).ran
    assert house.hits == []


async def test_only_who_was_asked_answers_and_only_who_acts_asks(run: Run) -> None:
    house = run.house
    owned = (await run.ask("who decides this?", to="owner")).json()
    assert owned["asked"] == [house["admin"].id]
    for who in ("user", "lead"):
        assert (await run.answer(owned["id"], "me", who=who)).status_code in {403, 404}
    assert (
        await house.api(run.bot, "POST", f"/cases/{owned['id']}/answer", {"answer": "me"})
    ).status_code == 403
    told = (await run.answer(owned["id"], "I do", who="admin")).json()
    assert told["provenance"] == "trusted_source"
    stranger = await run.ask("let me in", who=house["calendar-bot"])
    assert (stranger.status_code, stranger.json()["code"]) == (404, "case_task_unknown")
    hidden = await house.api(house["calendar-bot"], "GET", f"/cases/{owned['id']}")
    assert hidden.status_code == 404


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"question": "  "}, "case_refused"),
        ({"question": "x" * 2001}, "case_refused"),
        ({"question": "who?", "to": "team:support-leads"}, "case_refused"),
    ],
)
async def test_a_question_has_its_limits(run: Run, body: dict[str, Any], code: str) -> None:
    refused = await run.house.api(run.bot, "POST", f"/tasks/{run.task}/cases", body)
    assert (refused.status_code, refused.json()["code"]) == (400, code)


async def test_three_wait_in_a_task_and_none_outlives_it(run: Run) -> None:
    house = run.house
    first = [(await run.ask(f"question {number}")).json()["id"] for number in range(3)]
    fourth = await run.ask("one more")
    assert (fourth.status_code, fourth.json()["code"]) == (429, "too_many_asks")
    back = await house.api(run.bot, "POST", f"/cases/{first[0]}/withdraw")
    assert back.json()["state"] == "withdrawn"
    await house.services.tasks.end(run.task, by=PrincipalId(house["user"].id), at=house.now())
    late = await run.answer(first[1], "too late")
    assert (late.status_code, late.json()["code"]) == (409, "case_over")
    assert await house.services.cases.end_of(run.task) == 2
    assert (await house.services.cases.get(CaseId(first[2]))).state.value == "withdrawn"
