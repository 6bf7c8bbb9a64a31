"""The approval page over HTTP and in a browser: opening it changes nothing, one form answers it once."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest

from remit.kernel.ids import PrincipalId
from remit.oversight.approvals.approval import ApprovalState
from remit.oversight.containment.kill import TargetKind
from support.asking import asked
from support.browsers import browser, page_of
from support.composed import populated
from support.house import REFUND, House

HOSTILE = {
    "title": '<img src=x onerror="document.title=1"><script>document.title="ran"</script>',
    "room": "Room-401\u202e\u200b{{7*7}}",
    "start": "p\u0430ypal.com",
    "end": "A" * 3000,
}
"""Markup, direction and zero-width marks, a template, a Cyrillic letter, and a line without an end."""


def field_of(page: str, name: str) -> str:
    """The value of a hidden field."""
    return page.partition(f'name="{name}" value="')[2].partition('"')[0]


async def submit(house: House, url: str, answer: str = "approve", **headers: str) -> httpx2.Response:
    """What a browser sends for the page's form."""
    page = (await house.http.get(url)).text
    form = {"csrf": field_of(page, "csrf"), "answer": answer}
    lines = {"Origin": house.issuer, **headers}
    return await house.http.post(url, data=form, headers={k: v for k, v in lines.items() if v})


@pytest.mark.req("R72")
async def test_who_answered_is_told_by_name_to_everybody_else(house: House) -> None:
    await house.person("other@company.com", roles="approver", team="support-leads")
    async with asked(house) as ask:
        other = house.link(ask.approval, "other")
        assert (await submit(house, ask.url, "deny")).status_code == 303
        page = (await house.http.get(other)).text
        assert 'denied by <bdi class="value">lead@company.com</bdi>' in page
        assert house["lead"].id not in page
        await ask.waiting


@pytest.mark.req("R70", "R72")
@pytest.mark.promise("P8")
async def test_opening_the_page_changes_nothing_and_its_form_answers_once(house: House) -> None:
    async with asked(house) as ask:
        for method in ("GET", "GET", "HEAD"):
            reply = await house.http.request(method, ask.url)
            assert reply.status_code == 200
        assert await ask.state() is ApprovalState.PENDING
        page = (await house.http.get(ask.url)).text
        shown = ("8812", "480.00", "EUR", "support-bot", "user@company.com", "support", "refund-over-200")
        for text in (*shown, ask.approval.digest):
            assert text in page, text
        url = ask.url
        first = await submit(house, url)
        assert first.status_code == 303
        assert (await ask.waiting).ran
        again = await house.http.post(
            url, data={"csrf": field_of(page, "csrf"), "answer": "deny"}, headers={"Origin": house.issuer}
        )
        assert again.status_code in {403, 409}
        after = (await house.http.get(url)).text
        assert 'approved by <bdi class="value">you</bdi>' in after
        assert "<form" not in after
        assert len(house.hits) == 1
        granted = (await house.records("oversight.approval.approved"))[-1]
        assert granted.actor == house["lead"].id
        assert dict(granted.detail)["channel"] == "link"
        assert granted.policy_version == ask.approval.policy_version
        assert dict(granted.digests)["arguments"] == ask.approval.arguments_digest


@pytest.mark.req("N2")
@pytest.mark.promise("P1")
@pytest.mark.parametrize("cause", ["suspended", "retired", "killed"])
async def test_a_dead_person_answers_nothing_though_their_link_was_good(house: House, cause: str) -> None:
    async with asked(house) as ask:
        page = (await house.http.get(ask.url)).text
        form = {"csrf": field_of(page, "csrf"), "answer": "approve"}
        lead = PrincipalId(house["lead"].id)
        by, at = PrincipalId(house["admin"].id), house.now()
        if cause == "killed":
            await house.kill(TargetKind.USER, lead)
        elif cause == "retired":
            await house.services.identity.retire(lead, by=by, because="left", at=at)
        else:
            await house.services.identity.suspend(lead, by=by, because="away", at=at)
        said = await house.http.post(ask.url, data=form, headers={"Origin": house.issuer})
        assert said.status_code >= 400, said.text
        assert await ask.state() is ApprovalState.PENDING
        assert await house.records("oversight.approval.approved") == []


@pytest.mark.attack("CB-08")
async def test_the_bell_tells_nothing_and_answers_nothing(house: House) -> None:
    async with asked(house) as ask:
        real = await house.http.get(f"{house.issuer}/approvals/{ask.approval.id}")
        made_up = await house.http.get(f"{house.issuer}/approvals/apr_{'0' * 36}")
        assert (real.status_code, made_up.status_code) == (200, 200)
        blank = real.text.replace(ask.approval.id, "")
        assert blank == made_up.text.replace(f"apr_{'0' * 36}", "")
        assert not any(word in blank for word in ("8812", "480.00", "support-bot", "<form"))
        posted = await house.http.post(f"{house.issuer}/approvals/{ask.approval.id}")
        assert posted.status_code == 405
        assert await ask.state() is ApprovalState.PENDING


@pytest.mark.req("R72")
async def test_a_denial_is_told_to_the_agent_and_recorded(house: House) -> None:
    async with asked(house) as ask:
        assert (await submit(house, ask.url, "deny")).status_code == 303
        called = await ask.waiting
        assert not called.ran
        assert called.denial
        denied = (await house.records("oversight.approval.denied"))[-1]
        assert (denied.actor, denied.approval) == (house["lead"].id, ask.approval.id)
        assert house.hits == []


@pytest.mark.attack("CO-05", "CO-06", "CO-18")
async def test_only_the_pages_own_form_is_taken(house: House) -> None:
    async with asked(house) as ask:
        url = ask.url
        page = await house.http.get(url)
        csrf = field_of(page.text, "csrf")
        refused = [
            await house.http.post(url, data={"answer": "approve"}),
            await house.http.post(url, data={"csrf": "0" * 64, "answer": "approve"}),
            await submit(house, url, Origin="https://evil.example"),
            await submit(house, url, "maybe"),
            await house.http.post(url, content=f"csrf={csrf}&answer=deny&answer=approve".encode()),
            await house.http.post(url, content=b"answer=approve&csrf=" + b"x" * 5000),
            await house.http.post(url, json={"csrf": csrf, "answer": "approve"}),
        ]
        assert [reply.status_code // 100 for reply in refused] == [4] * len(refused)
        for method in ("PUT", "DELETE", "PATCH"):
            assert (await house.http.request(method, url)).status_code == 405
        override = {"X-HTTP-Method-Override": "POST", "Origin": house.issuer}
        form = urlencode({"csrf": csrf, "answer": "approve"})
        await house.http.get(f"{url}?{form}", headers=override)
        assert await ask.state() is ApprovalState.PENDING
        policy = page.headers["content-security-policy"]
        for directive in ("default-src 'none'", "frame-ancestors 'none'", "form-action 'self'"):
            assert directive in policy
        assert "unsafe" not in policy
        assert page.headers["cache-control"] == "no-store"
        assert page.headers["x-frame-options"] == "DENY"


@pytest.mark.attack("CB-06", "CB-08")
async def test_a_link_of_somebody_else_or_of_nobody_answers_nothing(house: House) -> None:
    async with asked(house) as ask:
        for name in ("user", "admin", "support-bot"):
            reply = await submit(house, house.link(ask.approval, name))
            assert reply.status_code == 403, name
        forged = ask.url[:-4] + ("AAAA" if not ask.url.endswith("AAAA") else "BBBB")
        for url in (forged, f"{house.issuer}/approve/x", f"{house.issuer}/approve/{'x' * 5000}"):
            assert (await house.http.get(url)).status_code in {401, 403, 404, 414}
        other = house.link(replace(ask.approval, expires_at=ask.approval.expires_at + timedelta(1)), "lead")
        assert (await submit(house, other)).status_code == 403
        assert await ask.state() is ApprovalState.PENDING
        # A link dies with its person's place in the house.
        await house.services.identity.suspend(
            PrincipalId(house["lead"].id), by=PrincipalId(house["admin"].id), because="left", at=house.now()
        )
        assert (await submit(house, ask.url)).status_code == 403


async def test_nothing_of_the_link_is_written_down(house: House, capfd: pytest.CaptureFixture[str]) -> None:
    async with asked(house) as ask:
        await submit(house, ask.url)
        secret = ask.url.rpartition("/")[2]
        out, err = capfd.readouterr()
        assert secret not in out + err
        assert secret[-40:] not in str(await house.log())


# -- in a browser


HOSTILE_POLICY = '@id("ask") @approval("team:support-leads") permit (principal, action, resource);'


browsed = pytest.mark.usefixtures("chromium")


@browsed
@pytest.mark.req("R70", "N21")
@pytest.mark.attack("CO-01", "CO-03", "CO-04", "CB-02", "CB-15")
async def test_hostile_bytes_are_shown_whole_and_do_nothing(house: House, tmp_path: Path) -> None:
    await house.policy(HOSTILE_POLICY)
    looks: list[dict[str, Any]] = [
        {"color_scheme": "light"},
        {"color_scheme": "dark"},
        {"color_scheme": "light", "viewport": {"width": 390, "height": 844}, "is_mobile": True},
    ]
    async with asked(house, "rooms_book", HOSTILE) as ask, browser() as started:
        for number, look in enumerate(looks):
            async with page_of(started, **look) as (page, seen):
                await page.goto(ask.url)
                await page.screenshot(path=str(tmp_path / f"look-{number}.png"), full_page=True)
                text = await page.inner_text("body")
                assert HOSTILE["title"] in text
                assert "⟨U+202E⟩⟨U+200B⟩{{7*7}}" in text
                assert HOSTILE["end"] in text
                assert "3000 characters" in text
                assert "mixes letters of several scripts that look alike" in text
                assert await page.title() == "Approve?"
                assert await page.locator("img, script, iframe").count() == 0
                assert seen.errors == []
                assert {url.split("/")[3] for url in seen.requests} == {"approve", "assets"}
                wide = await page.evaluate("document.documentElement.scrollWidth > innerWidth")
                assert not wide
                lines = await page.evaluate("document.querySelector('caption').offsetHeight / 24")
                assert lines < 4, "a column of single letters"
        assert await ask.state() is ApprovalState.PENDING


@browsed
@pytest.mark.req("R70", "R72")
async def test_a_person_answers_with_a_click_with_or_without_scripts(house: House) -> None:
    async with browser() as started:
        for scripts in (True, False):
            async with asked(house) as ask, page_of(started, java_script_enabled=scripts) as (page, seen):
                await page.goto(ask.url)
                await page.click("button.approve")
                await page.wait_for_load_state()
                assert "approved by you" in await page.inner_text("body")
                assert (await ask.waiting).ran
                assert seen.errors == []
                await page.reload()
                assert "approved by you" in await page.inner_text("body")
    assert len(house.hits) == 2


@browsed
@pytest.mark.attack("CO-05", "CO-06")
async def test_a_page_of_another_site_can_neither_frame_nor_post(tmp_path: Path) -> None:
    async with (
        populated(tmp_path / "data") as house,
        asked(house) as ask,
        browser() as started,
        page_of(started) as (page, seen),
    ):
        csrf = field_of((await house.http.get(ask.url)).text, "csrf")
        evil = tmp_path / "evil.html"
        evil.write_text(
            f'<iframe src="{ask.url}"></iframe><form method=post action="{ask.url}">'
            f'<input name=csrf value="{csrf}"><button name=answer value=approve>win</button></form>'
        )
        await page.goto(evil.as_uri())
        await page.click("button")
        await page.wait_for_load_state()
        assert await ask.state() is ApprovalState.PENDING
        assert any("frame" in error.lower() for error in seen.errors)


@pytest.mark.req("R70", "N21")
async def test_a_card_tells_what_its_agent_asked_before_and_the_agent_is_not_told(house: House) -> None:
    async with asked(house, arguments={**REFUND, "amount": "390.00"}) as first:
        await submit(house, first.url, "deny")
        await first.waiting
    async with asked(house) as ask:
        page = (await house.http.get(ask.url)).text
        assert "1 alike in 30 days: 0 yes, 1 no, 0 unanswered; 1 about this resource" in page
        assert "nothing before it asked" in page
        assert "of 100" in page
        seen = await house.api(house["lead"], "GET", f"/approvals/{ask.approval.id}")
        assert seen.json()["beside"]["compared"]["denied"] == 1
        own = await house.api(house["support-bot"], "GET", f"/approvals/{ask.approval.id}")
        assert own.status_code == 200
        assert "beside" not in own.json()
