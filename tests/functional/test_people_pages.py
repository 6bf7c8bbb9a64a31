"""Pages of people over HTTP: enrolment, sign-in, step-up, passkeys, sessions, grants, and what is refused."""

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import httpx2
import pytest
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from remit.app.services import Services
from remit.kernel.canonical import b64u
from remit.kernel.ids import AgentId, PrincipalId, UserId
from remit.oversight.containment.kill import TargetKind
from remit.surface.web.assembly import application
from remit.surface.web.pages.sign_in import SignInPages
from remit.surface.web.pages_assembly import paper_of, session_door
from support.authenticator import Authenticator
from support.composed import populated
from support.house import House
from support.people import ADMIN, grow_old
from support.visitors import browser, field, options_of


@pytest.mark.req("R17")
async def test_a_person_enrols_signs_out_and_in_and_confirms(house: House) -> None:
    async with browser(house) as one:
        enrolled = await one.enrol("lead")
        assert enrolled.status_code == 200
        assert "url=/me/passkeys" in enrolled.text
        first = one.secret
        mine = (await one.open("/me")).text
        assert "lead@company.com" in mine
        assert "phone" in mine
        out = (await one.open("/sign-out")).text
        left = await one.post("/sign-out", {"csrf": field(out, "csrf")})
        assert (left.status_code, left.headers["location"]) == (303, "/sign-in")
        assert await one.sessions("lead") == []
        asked = await one.open("/me/grants")
        assert asked.url.path == "/sign-in"
        assert field(asked.text, "next") == "/me/grants"
        entered = await one.sign_in("/me/grants")
        assert "url=/me/grants" in entered.text
        second = one.secret
        await grow_old(house.services.people.desk, PrincipalId(house["lead"].id))
        stale = (await one.open("/me/passkeys")).text
        assert "Confirm that it is you" in stale
        assert "Add a passkey" not in stale
        confirmed = await one.sign_in("/me/passkeys", again=True)
        assert confirmed.status_code == 200
        assert "Add a passkey" in (await one.open("/me/passkeys")).text
        assert len({first, second, one.secret}) == 3
        assert len(await one.sessions("lead")) == 1
        kinds = [record.kind for record in await house.records("identity.session.begun")]
        assert len(kinds) == 2
        assert len(await house.records("identity.session.confirmed")) == 1


async def test_a_second_passkey_is_added_and_the_first_removed(house: House) -> None:
    async with browser(house) as one:
        await one.enrol("lead")
        page = (await one.open("/me/passkeys")).text
        assert ">Remove<" not in page
        other = Authenticator(origin=one.home)
        fields = {"csrf": field(page, "csrf"), "ticket": field(page, "ticket"), "name": "<b>key</b>"}
        added = await one.post("/me/passkeys", {**fields, "response": other.create(options_of(page))})
        assert added.status_code == 303
        page = (await one.open("/me/passkeys")).text
        assert "&lt;b&gt;key&lt;/b&gt;" in page
        first = re.findall(r"/me/passkeys/(psk_\w+)/remove", page)[0]
        await one.post(f"/me/passkeys/{first}/remove", {"csrf": field(page, "csrf")})
        # The session was the first passkey's: it ended with it, and the second one signs in.
        assert (await one.open("/me/passkeys")).url.path == "/sign-in"
        one.device = other
        assert (await one.sign_in()).status_code == 200


async def test_own_sessions_are_seen_and_ended(house: House) -> None:
    async with browser(house) as one, browser(house) as two, browser(house) as three:
        await one.enrol("lead")
        for each in (two, three):
            each.device = one.device
            await each.sign_in()
        page = (await one.open("/me/sessions")).text
        assert page.count("Test/1") == 3
        (ends,) = [each.id for each in await one.sessions("lead")][1:2]
        await one.post(f"/me/sessions/{ends}/end", {"csrf": field(page, "csrf")})
        assert len(await one.sessions("lead")) == 2
        await one.post("/me/sessions/end-others", {"csrf": field(page, "csrf")})
        assert len(await one.sessions("lead")) == 1
        assert (await one.open("/me/sessions")).url.path == "/me/sessions"
        assert (await two.open("/me/sessions")).url.path == "/sign-in"
        assert (await three.open("/me/sessions")).url.path == "/sign-in"


@pytest.mark.req("R29", "R35")
async def test_own_grants_are_seen_and_taken_back(house: House) -> None:
    async with browser(house) as one, browser(house) as eve:
        grant = await house.services.consent.give(
            user=UserId(house["user"].id),
            agent=AgentId(str(house["support-bot"].principal.parent)),
            ceiling=house.ceiling(),
            text="<i>answer</i> my customers\u202e",
            by=PrincipalId(house["user"].id),
            at=house.now(),
        )
        await one.enrol("user")
        await eve.enrol("lead")
        page = (await one.open("/me/grants")).text
        assert "&lt;i&gt;answer&lt;/i&gt; my customers⟨U+202E⟩" in page
        assert "support-bot" in page
        foreign = (await eve.open("/me/grants")).text
        refused = await eve.post(
            f"/me/grants/{grant.id}/withdraw", {"csrf": field((await eve.open("/me/passkeys")).text, "csrf")}
        )
        assert refused.status_code == 403
        assert grant.id not in foreign
        taken = await one.post(f"/me/grants/{grant.id}/withdraw", {"csrf": field(page, "csrf")})
        assert taken.status_code == 303
        after = (await one.open("/me/grants")).text
        assert "taken back" in after
        assert f"{grant.id}/withdraw" not in after
        # R29: what is the person's own goes on.
        assert len(await one.sessions("user")) == 1
        assert (await one.sign_in(again=True)).status_code == 200


@pytest.mark.attack("CO-08")
async def test_whose_session_passkey_or_grant_it_is_decides(house: House) -> None:
    async with browser(house) as one, browser(house) as eve:
        await one.enrol("lead")
        await eve.enrol("user")
        await eve.enrol("user", device=Authenticator(origin=eve.home))
        page = (await eve.open("/me/passkeys")).text
        (theirs,) = await one.sessions("lead")
        assert (
            await eve.post(f"/me/passkeys/{theirs.means}/remove", {"csrf": field(page, "csrf")})
        ).status_code == 404
        listed = (await eve.open("/me/sessions")).text
        assert theirs.id not in listed
        ended = await eve.post(f"/me/sessions/{theirs.id}/end", {"csrf": field(listed, "csrf")})
        assert ended.status_code == 404
        assert len(await one.sessions("lead")) == 1


# -- what is refused


ONWARD = ("https://evil.example", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/a\nb", "")


@pytest.mark.attack("CO-21")
async def test_signing_in_leads_to_our_own_pages_alone(house: House) -> None:
    async with browser(house) as one:
        await one.enrol("lead")
        for onward in ONWARD:
            sent = await one.http.get(f"/sign-in?next={quote(onward, safe='')}")
            assert (sent.status_code, sent.headers["location"]) == (303, "/me/passkeys")
            page = (await one.open(f"/sign-in?again=1&next={quote(onward, safe='')}")).text
            assert field(page, "next") == "/me/passkeys"
            fields = {"ticket": field(page, "ticket"), "response": one.device.get(options_of(page))}
            done = await one.post("/sign-in", {**fields, "next": onward, "again": "1"})
            assert 'content="0;url=/me/passkeys"' in done.text


class Credulous(SignInPages):
    """Leads whoever is signed in wherever a link says."""

    async def ask(self, request: Request) -> Response:
        return RedirectResponse(request.query_params["next"], status_code=303)


def credulous(services: Services) -> ASGIApp:
    people, whole = services.people, application(services)
    page = Credulous(
        paper=paper_of(services),
        door=session_door(services),
        signing=people.signing,
        sessions=people.sessions,
        name_of=str,
    )
    asked = Router([Route("/sign-in", page.ask, methods=["GET"])])

    async def front(scope: Scope, receive: Receive, send: Send) -> None:
        led = scope.get("path") == "/sign-in" and b"next=" in scope.get("query_string", b"")
        await (asked if led else whole)(scope, receive, send)

    return front


@pytest.mark.twin("CO-21")
async def test_a_page_that_believes_the_link_leads_to_the_attacker(tmp_path: Path) -> None:
    async with populated(tmp_path / "data", make_app=credulous) as house, browser(house) as one:
        for onward in ONWARD[:3]:
            sent = await one.http.get(f"/sign-in?next={quote(onward, safe='')}")
            # As a browser reads it, a backslash is a slash (WHATWG URL, "special" schemes).
            away = httpx2.URL(one.home).join(sent.headers["location"].replace("%5C", "/").replace("\\", "/"))
            assert (sent.status_code, away.host) == (303, "evil.example")


@pytest.mark.attack("CO-05", "OA-13")
async def test_forms_of_other_sites_and_other_visits_are_refused(house: House) -> None:
    async with browser(house) as one, browser(house) as victim:
        await one.enrol("lead")
        page = (await one.open("/me/sessions")).text
        (mine,) = await one.sessions("lead")
        end, csrf = f"/me/sessions/{mine.id}/end", field(page, "csrf")
        refused = [
            await one.post(end, {"csrf": csrf}, Origin="https://evil.example"),
            await one.post(end, {"csrf": csrf}, Origin="null"),
            await one.post(end, {"csrf": csrf}, **{"Sec-Fetch-Site": "cross-site"}),
            await one.post(end, {"csrf": "0" * 64}),
            await one.post(end, {}),
            await one.post("/me/passkeys", {"csrf": csrf}),  # of another form
            await one.post("/sign-out", {"csrf": csrf}),
            await victim.post(end, {"csrf": csrf}),
        ]
        assert [reply.status_code for reply in refused] == [403] * len(refused)
        assert len(await one.sessions("lead")) == 1
        # Login CSRF: the attacker's own answer to a question of his own visit, sent by the victim's browser.
        asked = (await one.open("/sign-in?again=0&next=/me")).text
        out = (await one.open("/sign-out")).text
        await one.post("/sign-out", {"csrf": field(out, "csrf")})
        asked = (await one.open("/sign-in")).text
        own = {"ticket": field(asked, "ticket"), "response": one.device.get(options_of(asked)), "next": "/"}
        await victim.open("/sign-in")
        taken = await victim.post("/sign-in", own)
        assert taken.status_code == 409
        assert victim.secret is None
        assert (await one.post("/sign-in", own, Origin="https://evil.example")).status_code == 403


@pytest.mark.attack("CO-17")
async def test_a_link_alone_signs_nobody_out(house: House) -> None:
    async with browser(house) as one:
        await one.enrol("lead")
        await one.open("/sign-out")
        assert len(await one.sessions("lead")) == 1


@pytest.mark.attack("CO-07")
async def test_a_planted_cookie_is_nobodys_after_the_sign_in(house: House) -> None:
    async with browser(house) as one:
        await one.enrol("lead")
        await one.sign_in(again=True)
        planted = b64u(b"p" * 32)
        one.http.cookies.clear()
        one.http.cookies.set("remit-session", planted, domain="localhost.local", path="/")
        await one.sign_in()
        async with httpx2.AsyncClient(base_url=one.home, trust_env=False) as thief:
            thief.headers["cookie"] = f"remit-session={planted}"
            assert (await thief.get("/me/passkeys")).status_code == 303


@pytest.mark.attack("CO-20")
async def test_a_link_that_is_over_looks_like_one_that_never_was(house: House) -> None:
    async with browser(house) as one:
        _, secret = await house.services.people.enrolments.issue(
            PrincipalId(house["lead"].id), by=ADMIN, lifetime=timedelta(minutes=5)
        )
        link = {"secret": b64u(secret.reveal())}
        page = (await one.post("/enrol", link)).text
        assert (await one.post("/enrol", link)).status_code == 200  # seeing it changes nothing
        made = one.device.create(options_of(page))
        fields = {**link, "ticket": field(page, "ticket"), "response": made, "name": ""}
        assert (await one.post("/enrol", fields)).status_code == 200
        over = await one.post("/enrol", link)
        nones = (b64u(bytes(32)), "x", "x" * 200, "\u00e9", "")
        never = [await one.post("/enrol", {"secret": text}) for text in nones]
        assert {(reply.status_code, reply.text) for reply in (over, *never)} == {(410, over.text)}
        assert (await one.post("/enrol", fields)).status_code == 410


@pytest.mark.attack("CO-05")
async def test_no_other_site_shows_a_link_to_whoever_visits_it(house: House) -> None:
    async with browser(house) as one:
        for origin in ("https://evil.example", "null"):
            refused = await one.post("/enrol", {"secret": b64u(bytes(32))}, Origin=origin)
            assert refused.status_code == 403


@pytest.mark.attack("CO-06", "CO-18")
async def test_pages_are_private_unframed_and_run_our_one_script(house: House) -> None:
    async with browser(house) as one:
        await one.enrol("lead")
        for path in ("/sign-in?again=1", "/me/passkeys", "/me/sessions", "/me/grants", "/sign-out"):
            reply = await one.open(path)
            assert reply.status_code == 200
            policy = reply.headers["content-security-policy"]
            for directive in ("default-src 'none'", "frame-ancestors 'none'", "form-action 'self'"):
                assert directive in policy
            assert "unsafe" not in policy
            scripts = re.findall(r"<script[^>]*>", reply.text)
            assert scripts in ([], ['<script src="/assets/passkey.js" defer>'])
            assert ("script-src 'self'" in policy) is bool(scripts)
            assert reply.headers["cache-control"] == "no-store"
            assert " on" not in "".join(re.findall(r"<[^>]+>", reply.text)).lower().replace(" once", "")


async def test_what_was_refused_is_said_on_a_page_that_can_be_tried_again(house: House) -> None:
    async with browser(house) as one:
        await one.enrol("lead")
        page = (await one.open("/sign-in?again=1")).text
        wrong = replace(one.device, origin="https://evil.example").get(options_of(page))
        fields = {"ticket": field(page, "ticket"), "response": wrong, "next": "/me/grants", "again": "1"}
        refused = await one.post("/sign-in", fields)
        assert refused.status_code == 403
        assert "This passkey was not accepted here." in refused.text
        assert field(refused.text, "next") == "/me/grants"
        given = one.device.get(options_of(refused.text))
        again = {"ticket": field(refused.text, "ticket"), "response": given, "next": "/me/grants"}
        assert (await one.post("/sign-in", {**again, "again": "1"})).status_code == 200


async def test_the_address_of_this_machine_leads_to_its_name(house: House) -> None:
    async with httpx2.AsyncClient(trust_env=False, base_url=house.issuer) as http:
        for path in ("/sign-in?next=%2Fme", "/me/passkeys"):
            moved = await http.get(path)
            assert (moved.status_code, moved.headers["location"]) == (
                303,
                f"http://localhost:{house.port}{path}",
            )


async def test_the_end_of_a_person_is_the_end_of_their_sessions(house: House) -> None:
    async with browser(house) as one, browser(house) as two:
        await one.enrol("lead")
        await two.enrol("user")
        await house.kill(TargetKind.USER, house["lead"].id)
        assert (await one.open("/me/passkeys")).url.path == "/sign-in"
        assert (await one.sign_in()).status_code == 403
        at, identity = house.now(), house.services.identity
        user = PrincipalId(house["user"].id)
        await identity.suspend(user, by=ADMIN, because="left", at=at)
        assert (await two.open("/me/passkeys")).url.path == "/sign-in"
        await identity.resume(user, by=ADMIN, at=at)
        assert (await two.open("/me/passkeys")).url.path == "/sign-in"
        assert (await two.sign_in()).status_code == 200
