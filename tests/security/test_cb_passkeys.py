"""Asks of people with passkeys: a link answers none, a key in a file none that can't be undone."""

from dataclasses import replace
from pathlib import Path

import httpx2
import pytest

from remit.app.ground import Ground
from remit.app.services import Services, build
from remit.oversight.approvals.approval import Approval, ApprovalState
from remit.oversight.approvals.repository import ApprovalTransaction
from remit.oversight.approvals.service import AnswerProof, ApprovalService, Patience
from remit.oversight.attention.share import Attention
from support.asking import Asked, asked
from support.composed import populated
from support.house import House
from support.visitors import Browser, browser, field, options_of


async def by_link_alone(one: Browser, ask: Asked) -> httpx2.Response:
    """The form of the page with the passkey's part left out."""
    path = ask.url.removeprefix(ask.house.issuer)
    page = (await one.open(path)).text
    return await one.post(path, {"csrf": field(page, "csrf"), "answer": "approve"})


@pytest.mark.attack("CB-06", "CB-08")
@pytest.mark.req("N15", "N16")
async def test_a_link_answers_nothing_for_whoever_has_a_passkey(house: House) -> None:
    async with browser(house) as one, asked(house) as ask:
        await one.enrol("lead")
        refused = await by_link_alone(one, ask)
        assert refused.status_code == 403
        assert "you have a passkey" in refused.text
        assert await ask.state() is ApprovalState.PENDING
        path = ask.url.removeprefix(house.issuer)
        page = (await one.open(path)).text
        fields = {"csrf": field(page, "csrf"), "ticket": field(page, "ticket")}
        no = one.device.get(options_of(page, "deny"))
        turned = await one.post(path, {**fields, "response": no, "answer": "approve"})
        assert turned.status_code == 403
        assert await ask.state() is ApprovalState.PENDING
        given = one.device.get(options_of(page, "approve"))
        yes = await one.post(path, {**fields, "response": given, "answer": "approve"})
        assert yes.status_code == 303
        assert (await ask.waiting).ran
        granted = (await house.records("oversight.approval.approved"))[-1]
        assert dict(granted.detail)["channel"] == "passkey"
        again = await one.post(path, {**fields, "response": given, "answer": "approve"})
        assert again.status_code == 403


@pytest.mark.attack("CB-06")
async def test_a_key_in_a_file_approves_nothing_that_cant_be_undone(house: House) -> None:
    async with browser(house) as one, asked(house) as ask:
        await one.enrol("lead")
        refused = await house.answer("lead", ask.approval)
        assert (refused.status_code, refused.json()["code"]) == (403, "passkey_needed")
        assert refused.json()["next"] == f"remit approval link {ask.approval.id}"
        assert await ask.state() is ApprovalState.PENDING


async def test_what_can_be_undone_is_answered_by_either(house: House) -> None:
    await house.policy('@id("ask") @approval("team:support-leads") permit (principal, action, resource);')
    booking = {"room": "Room-401", "start": "2026-05-15T14:00Z", "end": "2026-05-15T15:00Z", "title": "x"}
    async with browser(house) as one, asked(house, "rooms_book", booking) as ask:
        await one.enrol("lead")
        assert ask.approval.reversible
        assert (await house.answer("lead", ask.approval, "deny")).status_code == 200
        assert await ask.state() is ApprovalState.DENIED


class AnyMeans(ApprovalService):
    """CB-06: whoever holds the link answers, as before there were passkeys."""

    def _check_means(self, tx: ApprovalTransaction, approval: Approval, proof: AnswerProof) -> None:
        """Ask for nothing more."""


def planted(ground: Ground) -> Services:
    """An installation that takes any means."""
    approvals = AnyMeans(
        work=ground.work,
        clock=ground.clock,
        entropy=ground.entropy,
        attention=Attention(),
        patience=Patience(),
    )
    return replace(build(ground), approvals=approvals)


@pytest.mark.twin("CB-06")
async def test_a_link_would_answer_for_whoever_holds_it(tmp_path: Path) -> None:
    async with (
        populated(tmp_path / "data", make=planted) as house,
        browser(house) as one,
        asked(house) as ask,
    ):
        await one.enrol("lead")
        assert (await by_link_alone(one, ask)).status_code == 303
        assert await ask.state() is ApprovalState.APPROVED
