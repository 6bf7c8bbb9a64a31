"""CO-05, CO-07, CO-16, CO-17, CO-18 at the API's door for browsers, with what would be without it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.requests import Request
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from remit.app.services import Services
from remit.identity.sessions import ACR_UPSTREAM
from remit.kernel.canonical import b64u
from remit.kernel.ids import PrincipalId
from remit.oversight.containment.kill import TargetKind
from remit.surface.web.assembly import application
from remit.surface.web.browsing import BrowserDoor
from remit.surface.web.nouns_assembly import nouns
from remit.surface.web.operation import Live
from remit.surface.web.pages_assembly import pages
from remit.surface.web.security import SecurityHeaders
from support.composed import populated
from support.consoles import OWN_PAGE, Console, console
from support.house import House
from support.people import grow_old
from support.portals import sign_out
from support.visitors import browser

REASON = {"reason": "a test"}
ELSEWHERE = "https://evil.example"


async def suspended(house: House, page: Console, **changes: Any) -> httpx2.Response:
    """The change that is tried: suspend somebody."""
    return await page.ask("POST", f"/users/{house['lead'].id}/suspend", REASON, **changes)


async def form_suspends(house: House, page: Console, **headers: str) -> httpx2.Response:
    """The same from a form of another site: plain text that is JSON (CO-05)."""
    sent = {**page.who.headers, "content-type": "text/plain", **headers}
    url = f"{house.issuer}/api/v1/users/{house['lead'].id}/suspend"
    return await house.http.post(url, content=b'{"reason":"a test"}', headers=sent)


async def test_a_page_of_ours_reads_and_changes_as_its_person(house: House) -> None:
    page = await console(house)
    me = (await page.get("/me")).json()
    assert (me["id"], me["channel"], me["acr"]) == (
        house["admin"].id,
        "session",
        "urn:remit:acr:passkey-uv",
    )
    assert me["roles"] == ["admin"]
    assert (await page.get("/agents")).status_code == 200
    assert (await suspended(house, page)).status_code == 200
    last = (await house.records("identity.principal.suspended"))[-1]
    assert last.actor == house["admin"].id
    token = (await house.api(house["admin"], "GET", "/me")).json()
    assert (token["channel"], token["csrf"], token["session"]) == ("token", "", "")


FOREIGN: dict[str, dict[str, Any]] = {
    "another site's script": {"sec_fetch_site": "cross-site", "origin": ELSEWHERE},
    "a sibling's script": {"sec_fetch_site": "same-site", "origin": "http://a.localhost"},
    "the address bar": {"sec_fetch_site": "none", "origin": None},
    "an origin that is not ours": {"origin": ELSEWHERE},
    "no origin and no metadata": {"origin": None, "sec_fetch_site": None},
    "an opaque origin": {"origin": "null"},
    "our origin, another relation": {"sec_fetch_site": "cross-site"},
    "another origin, no metadata": {"origin": ELSEWHERE, "sec_fetch_site": None},
}
WORDLESS: dict[str, dict[str, Any]] = {
    "no word": {"remit_csrf": None},
    "an empty word": {"remit_csrf": ""},
    "another word": {"remit_csrf": "0" * 64},
}


@pytest.mark.attack("CO-05")
@pytest.mark.parametrize("how", FOREIGN)
async def test_nothing_is_read_or_changed_for_a_page_that_is_not_ours(house: House, how: str) -> None:
    page = await console(house)
    for answer in (await page.get("/me", **FOREIGN[how]), await suspended(house, page, **FOREIGN[how])):
        assert (answer.status_code, answer.json()["code"]) == (403, "call_foreign")
        assert answer.json()["next"]
        assert "access-control-allow-origin" not in answer.headers


@pytest.mark.attack("CO-05")
async def test_a_change_takes_the_sessions_own_word_and_json(house: House) -> None:
    page, other = await console(house), await console(house, "lead")
    for how in WORDLESS.values():
        answer = await suspended(house, page, **how)
        assert (answer.status_code, answer.json()["code"]) == (403, "call_foreign")
    assert (await suspended(house, page, remit_csrf=other.csrf)).status_code == 403
    form = (await page.who.get("/sign-out")).text.partition('name="csrf" value="')[2][:64]
    assert (await suspended(house, page, remit_csrf=form)).status_code == 403
    sent = {"remit-csrf": page.csrf, "sec-fetch-site": "same-origin"}
    assert (await form_suspends(house, page, **sent)).status_code == 415
    nothing = f"/users/{house['lead'].id}/enrolments/withdraw"
    assert (await page.ask("POST", nothing, content_type="text/plain")).status_code == 415
    # No header and no query makes a GET, or another method, of what was sent.
    for name in ("x-http-method-override", "x-http-method", "x-method-override"):
        answer = await page.get(f"/users/{house['lead'].id}", **{name: "DELETE"})
        assert (answer.status_code, answer.json()["state"]) == (200, "active")
    assert (await page.get(f"/users/{house['lead'].id}?_method=DELETE")).status_code in {200, 400}
    assert (await page.get(f"/users/{house['lead'].id}")).json()["state"] == "active"


@pytest.mark.attack("CO-05")
async def test_a_session_and_a_token_are_not_one_caller(house: House) -> None:
    page = await console(house)
    token = await house.own_token(house["lead"])
    proof = house["lead"].proof("GET", f"{house.issuer}/api/v1/me", token)
    for lines in ({"authorization": f"DPoP {token}", "dpop": proof}, {"authorization": "x"}, {"dpop": "x"}):
        answer = await page.get("/me", **lines)
        assert (answer.status_code, answer.json()["code"]) == (400, "credentials_twice")
    twice = f"{page.who.cookie}; remit-session={b64u(bytes(32))}"
    assert (await page.get("/me", cookie=twice)).status_code == 401


class AnyPage(BrowserDoor):
    """Takes a browser's word for nothing: whoever it sends is let in."""

    def check_page(self, request: Request) -> None:
        """Asks nothing."""

    def check_change(self, request: Request) -> None:
        """Asks nothing."""


class Loose:
    """The API behind a door without checks, and without regard to what a body calls itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            kept = [line for line in scope["headers"] if line[0] != b"content-type"]
            scope["headers"] = [*kept, (b"content-type", b"application/json")]
        await self._app(scope, receive, send)


def loose(services: Services) -> ASGIApp:
    return Loose(application(services, browsing=AnyPage))


@pytest.mark.twin("CO-05")
async def test_without_the_door_another_sites_page_would_act_as_whoever_is_signed_in(tmp_path: Path) -> None:
    async with populated(tmp_path, make_app=loose) as house:
        page = await console(house)
        for how in FOREIGN.values():
            assert (await page.get("/me", **how)).status_code == 200
        assert (await form_suspends(house, page, origin=ELSEWHERE)).status_code == 200
        assert (await page.get(f"/users/{house['lead'].id}")).json()["state"] == "suspended"


# -- streams


@dataclass
class Stream:
    """An open one, as far as it was read."""

    status_code: int
    headers: httpx2.Headers
    lines: AsyncIterator[str]


@asynccontextmanager
async def stream(page: Console, **changes: Any) -> AsyncIterator[Stream]:
    url = f"{page.house.issuer}/api/v1/stream"
    headers = page.headers(remit_csrf=None, **changes)
    async with page.house.http.stream("GET", url, headers=headers) as answer:
        yield Stream(answer.status_code, answer.headers, answer.aiter_lines())


async def told(answer: Stream, word: str) -> str:
    """Read on to the first line that begins so."""
    async with asyncio.timeout(20):
        async for line in answer.lines:
            if line.startswith(word):
                return line
    return ""


@pytest.mark.attack("CO-16")
async def test_a_stream_opens_for_our_own_pages_alone_and_no_websocket_does(house: House) -> None:
    page, nobody = await console(house), await console(house, "user")
    async with stream(page) as answer:
        assert answer.status_code == 200
        assert await told(answer, "id: ")
    for how in FOREIGN.values():
        async with stream(page, **how) as answer:
            assert answer.status_code == 403
    async with stream(nobody) as answer:
        assert answer.status_code == 403
    async with stream(page, cookie=None) as answer:
        assert answer.status_code == 401
    handshake = {
        "connection": "upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    for path in ("/api/v1/stream", "/api/v1/me", "/me", "/mcp/business"):
        url = f"{house.issuer}{path}"
        lines = {**page.who.headers, "origin": ELSEWHERE, **handshake}
        assert (await house.http.get(url, headers=lines)).status_code != 101


@pytest.mark.twin("CO-16")
async def test_without_the_door_another_sites_page_would_follow_the_log(tmp_path: Path) -> None:
    async with populated(tmp_path, make_app=loose) as house:
        page = await console(house)
        async with stream(page, **FOREIGN["another site's script"]) as answer:
            assert answer.status_code == 200
            assert await told(answer, "id: ")


# -- sessions


@pytest.mark.attack("CO-17")
@pytest.mark.parametrize("way", ["signs out", "is signed out", "is suspended", "is killed"])
async def test_whoever_is_out_is_out_of_the_api_and_of_open_streams(house: House, way: str) -> None:
    page, ident = await console(house), PrincipalId(house["admin"].id)
    people = house.services.people.sessions
    await house.person("second@company.com", roles="admin")  # nobody can end the last one
    async with stream(page) as answer:
        assert await told(answer, "id: ")
        if way == "signs out":
            await sign_out(house, page.who)
        elif way == "is signed out":
            await people.end(page.who.session.id, of=ident, by=ident, because="lost")
        elif way == "is suspended":
            await house.services.identity.suspend(ident, by=ident, because="left", at=house.now())
        else:
            await house.kill(TargetKind.USER, ident)
        assert await told(answer, "event: end")
    for answered in (await page.get("/me"), await suspended(house, page)):
        assert (answered.status_code, answered.json()["code"]) == (401, "session_over")
        assert "/sign-in" in answered.json()["next"]


class Remembering(BrowserDoor):
    """Looks at a session once: what was open stays open."""

    def __init__(self, **parts: Any) -> None:
        super().__init__(**parts)
        self._seen: dict[str, Any] = {}
        inner = self._sessions.current_session

        async def current(request: Request) -> Any:
            cookie = request.headers["cookie"]
            self._seen[cookie] = self._seen.get(cookie) or await inner(request)
            return self._seen[cookie]

        self._sessions.current_session = current  # type: ignore[method-assign]  # the twin's own door


@pytest.mark.twin("CO-17")
async def test_a_door_that_remembers_sessions_would_let_whoever_is_out_go_on(tmp_path: Path) -> None:
    def make(services: Services) -> ASGIApp:
        return application(services, browsing=Remembering)

    async with populated(tmp_path, make_app=make) as house:
        page = await console(house)
        await sign_out(house, page.who)
        assert (await suspended(house, page)).status_code == 200


@pytest.mark.attack("CO-07")
async def test_a_secret_from_before_a_sign_in_opens_nothing_after_it(house: House) -> None:
    async with browser(house) as one:
        planted = b64u(bytes(range(32)))
        fixed = {"cookie": f"remit-session={planted}"}
        assert (await one.http.get("/me/grants", headers=fixed)).headers["location"].startswith("/sign-in")
        line = (await one.enrol("admin")).headers["set-cookie"]
        assert {"HttpOnly", "Path=/", "SameSite=lax"} <= set(line.split("; "))
        assert "Domain" not in line
        old = one.secret
        await grow_old(house.services.people.desk, PrincipalId(house["admin"].id))
        await one.sign_in("/me/passkeys", again=True)
        assert len({planted, old, one.secret, None}) == 4
        for secret, status in ((planted, 401), (old, 401), (one.secret, 200)):
            lines = {**OWN_PAGE, "cookie": f"remit-session={secret}", "host": one.home.partition("//")[2]}
            answer = await house.http.get(f"{house.issuer}/api/v1/me", headers=lines)
            assert answer.status_code == status


# -- what takes more than a session


@pytest.mark.req("N16")
async def test_a_session_without_a_fresh_verification_answers_nothing_and_hands_out_no_way_in(
    house: House,
) -> None:
    old = {"at": house.now() - timedelta(minutes=6)}
    for proof in (old, {"acr": ACR_UPSTREAM}, {"acr": "urn:remit:acr:passkey"}):
        page = await console(house, **proof)
        for path, body in (
            ("/approvals/apr_none/answer", {"signature": "x.y.z"}),
            ("/approvals/apr_none/link", None),
            (f"/users/{house['lead'].id}/enrolments", {}),
            (f"/users/{house['lead'].id}/keys", {"jwk": {}}),
        ):
            answer = await page.ask("POST", path, body)
            assert (answer.status_code, answer.json()["code"]) == (403, "verification_needed"), path
            assert "again=1" in answer.json()["next"]
    fresh = await console(house)
    assert (await fresh.ask("POST", f"/users/{house['lead'].id}/enrolments", {})).status_code == 201
    # Even so a yes is a signature of the person's own key, which no page has.
    answer = await fresh.ask("POST", "/approvals/apr_none/answer", {"signature": "x.y.z"})
    assert answer.status_code == 404


# -- caches


def storable(answer: httpx2.Response | Stream) -> bool:
    """Whether a cache may keep it (RFC 9111 §3): what says nothing may be kept by a guess."""
    return "no-store" not in answer.headers.get("cache-control", "")


async def private_answers(house: House) -> list[httpx2.Response]:
    """Every page and every list of the API without a part in its address, as an administrator sees them."""
    page = await console(house)
    shown = [
        each.path
        for each in pages(house.services)
        if isinstance(each, Route) and "GET" in (each.methods or ())
    ]
    found = [
        await page.who.get(path) for path in shown if not path.startswith("/.well-known") and "{" not in path
    ]
    listed = [each for each in nouns(house.services).operations() if each.method == "GET"]
    plain = [each.path for each in listed if "{" not in each.path and each.answer is not Live]
    return [*found, *[await page.get(path) for path in plain]]


@pytest.mark.attack("CO-18")
async def test_no_cache_keeps_anything_of_a_person(house: House) -> None:
    found = await private_answers(house)
    assert len(found) > 40
    assert [str(each.url) for each in found if storable(each)] == []
    page = await console(house)
    async with stream(page) as answer:
        assert not storable(answer)


class Keeping(SecurityHeaders):
    """Says nothing about caches, and lets nobody else."""

    def _dress(self, message: Message) -> None:
        message["headers"] = [line for line in message["headers"] if line[0] != b"cache-control"]


@pytest.mark.twin("CO-18")
async def test_without_the_header_a_cache_would_keep_it(tmp_path: Path) -> None:
    def make(services: Services) -> ASGIApp:
        return Keeping(application(services), https=False)

    async with populated(tmp_path, make_app=make) as house:
        assert all(storable(each) for each in await private_answers(house))
