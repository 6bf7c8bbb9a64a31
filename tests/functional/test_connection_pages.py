"""Connecting in a browser, seeing and ending one's own connections, and the same by API and command line."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from remit.authority.vault.connection import ConnectionState
from remit.kernel.canonical import b64u
from support.providers import SECRET
from support.vault import AGENT, SCOPES, Scene, vaulted

LINK = f"/connect/acme?server=slow&agent={AGENT}"


@pytest.fixture
async def on(tmp_path: Path) -> AsyncIterator[Scene]:
    async with vaulted(tmp_path / "data") as scene:
        await scene.house.task(AGENT)
        yield scene


class Person:
    """A signed-in browser."""

    def __init__(self, on: Scene, http: httpx2.AsyncClient) -> None:
        self.on = on
        self.http = http

    async def connect(self) -> httpx2.Response:
        """Read the page, go on, let the provider send the browser back."""
        page = (await self.http.get(LINK)).text
        onward = await self.submit(LINK, page, server="slow", agent=AGENT)
        assert onward.status_code == 200, onward.text
        return await self.http.get(await self.back(way_out(onward.text)))

    async def back(self, onward: str) -> str:
        """Where the provider sends the browser, as path and query of ours."""
        reply = await self.on.house.http.get(onward)
        location = urlsplit(reply.headers["location"])
        assert f"{location.scheme}://{location.netloc}" == self.on.house.issuer
        return f"{location.path}?{location.query}"

    async def submit(self, path: str, page: str, **fields: str) -> httpx2.Response:
        csrf = page.partition('name="csrf" value="')[2].partition('"')[0]
        headers = {"Origin": self.on.services.people.desk.home}
        return await self.http.post(path, data={"csrf": csrf, **fields}, headers=headers)


def way_out(page: str) -> str:
    return page.partition('<a href="')[2].partition('"')[0].replace("&amp;", "&")


async def person(on: Scene, who: str) -> Person:
    _, secret = await on.signed_in(who)
    http = httpx2.AsyncClient(base_url=on.services.people.desk.home, trust_env=False, timeout=30)
    http.cookies.set("remit-session", b64u(secret.reveal()))
    on.house.stack.push_async_callback(http.aclose)
    return Person(on, http)


@pytest.mark.req("N29")
async def test_a_person_connects_sees_it_and_disconnects(on: Scene) -> None:
    user = await person(on, "user")
    page = (await user.http.get(LINK)).text
    for text in ("acme", AGENT, "slow", *SCOPES, on.acme.issuer):
        assert text in page, text
    done = await user.connect()
    assert (done.status_code, done.headers["location"]) == (303, "/me/connections")
    assert (await on.call()).ran
    listed = (await user.http.get("/me/connections")).text
    assert "acme" in listed
    assert AGENT in listed
    assert "connected already" in (await user.http.get(LINK)).text
    (made,) = await on.stored_all()
    other = await person(on, "lead")
    assert made.id not in (await other.http.get("/me/connections")).text
    path = f"/me/connections/{made.id}/disconnect"
    theirs = await other.submit(path, (await other.http.get("/me/connections")).text)
    assert theirs.status_code in {403, 404}
    assert (await on.stored(made)).state is ConnectionState.ACTIVE
    assert (await user.submit(path, listed)).status_code == 303
    assert (await on.stored(made)).state is ConnectionState.ENDED
    assert "You have none" in (await user.http.get("/me/connections")).text


async def test_nobody_signed_in_is_sent_to_sign_in_and_a_callback_is_not(on: Scene) -> None:
    async with httpx2.AsyncClient(base_url=on.services.people.desk.home, trust_env=False) as http:
        first = await http.get(LINK)
        assert first.headers["location"].startswith("/sign-in?next=%2Fconnect%2Facme")
        back = await http.get("/connect/acme/callback?state=x&code=y")
        assert back.status_code == 403
        assert "location" not in back.headers


@pytest.mark.attack("OA-13")
async def test_beginning_needs_our_own_form(on: Scene) -> None:
    user = await person(on, "user")
    page = (await user.http.get(LINK)).text
    assert (await user.http.post(LINK, data={"server": "slow", "agent": AGENT})).status_code == 403
    csrf = page.partition('name="csrf" value="')[2].partition('"')[0]
    foreign = await user.http.post(
        LINK,
        data={"csrf": csrf, "server": "slow", "agent": AGENT},
        headers={"Origin": "https://evil.example"},
    )
    assert foreign.status_code == 403
    assert on.acme.codes == {}


@pytest.mark.attack("OA-19")
async def test_pages_of_the_flow_leave_no_code_behind(on: Scene) -> None:
    user = await person(on, "user")
    page = (await user.http.get(LINK)).text
    onward = await user.submit(LINK, page, server="slow", agent=AGENT)
    done = await user.http.get(await user.back(way_out(onward.text)))
    for reply in (onward, done):
        assert reply.headers["cache-control"] == "no-store"
        assert reply.headers["referrer-policy"] in {"no-referrer", "strict-origin"}
    assert "code=" not in done.headers["location"]


@pytest.mark.parametrize(
    "query",
    ["", "?server=slow", "?server=slow&server=slow&agent=x", "?server=business&agent=calendar-bot"],
)
async def test_a_link_that_asks_for_nothing_needed_connects_nothing(on: Scene, query: str) -> None:
    user = await person(on, "user")
    reply = await user.http.get(f"/connect/acme{query}")
    assert reply.status_code in {400, 404}
    assert "Nothing was connected" in reply.text


@pytest.mark.attack("MT-01")
async def test_the_api_shows_ones_own_and_never_a_secret(on: Scene) -> None:
    made = await on.connect()
    user, lead, admin = (on.house[name] for name in ("user", "lead", "admin"))
    mine = await on.house.api(user, "GET", "/connections")
    assert [each["id"] for each in mine.json()["items"]] == [made.id]
    assert (await on.house.api(lead, "GET", "/connections")).json()["items"] == []
    everybodys = await on.house.api(admin, "GET", "/connections")
    assert [each["user_name"] for each in everybodys.json()["items"]] == ["user@company.com"]
    providers = await on.house.api(admin, "GET", "/providers")
    for reply in (mine, everybodys, providers):
        assert not any(secret in reply.text for secret in on.acme.secrets())
    path = f"/connections/{made.id}/revoke"
    refused = await on.house.api(lead, "POST", path, {"reason": "no"})
    absent = await on.house.api(lead, "POST", "/connections/con_none/revoke", {"reason": "no"})
    assert (refused.status_code, refused.json()["code"]) == (404, "unknown_connection")
    assert absent.status_code == 404
    ended = await on.house.api(user, "POST", path, {"reason": "done with it"})
    assert ended.json()["state"] == "ended"


async def test_an_administrator_registers_requires_releases_and_retires(on: Scene) -> None:
    admin, user = on.house["admin"], on.house["user"]
    stated: dict[str, Any] = {
        "name": "beta",
        "issuer": on.acme.issuer,
        "client_id": "us",
        "auth": "client_secret_post",
        "client_secret": SECRET,
    }
    assert (await on.house.api(user, "POST", "/providers", stated)).status_code == 403
    made = await on.house.api(admin, "POST", "/providers", stated)
    assert made.status_code == 201, made.text
    assert made.json()["redirect_uri"] == f"{on.house.issuer}/connect/beta/callback"
    assert made.json()["token_endpoint"] == f"{on.acme.issuer}/token"
    assert SECRET not in made.text
    again = await on.house.api(admin, "POST", "/providers", stated)
    assert (again.status_code, again.json()["code"]) == (409, "provider_taken")
    need = {"server": "slow", "scopes": ["a", "b"]}
    assert (await on.house.api(admin, "POST", "/providers/beta/servers", need)).json()["scopes"] == ["a", "b"]
    freed = await on.house.api(admin, "POST", "/providers/beta/servers/slow/release")
    assert freed.json() == {"server": "slow"}
    assert (await on.house.api(admin, "POST", "/providers/beta/retire")).status_code == 200
    assert (await on.house.api(admin, "GET", "/providers/beta")).json()["code"] == "unknown_provider"
    await on.house.services.ground.snapshots.catch_up()
    assert (await on.call()).ran, "a server without need gets no credential"
    assert on.shown == [""]


@pytest.mark.req("R11", "R123")
async def test_static_keys_are_each_agents_own_and_rotate_without_a_gap(on: Scene) -> None:
    admin, house = on.house["admin"], on.house
    await house.api(
        admin, "POST", "/providers", {"name": "legacy", "kind": "static", "header": "X-Api-Key", "scheme": ""}
    )
    await house.api(admin, "POST", "/providers/legacy/servers", {"server": "slow"})
    await house.services.ground.snapshots.catch_up()
    for agent, key in ((AGENT, "key-of-calendar"), ("mail-bot", "key-of-mail-bot")):
        await house.task(agent)
        body: dict[str, Any] = {"provider": "legacy", "agent": agent, "user": "user@company.com"}
        body["secret"] = key
        reply = await house.api(admin, "POST", "/connections", body)
        assert reply.status_code == 201, reply.text
        assert key not in reply.text
    assert (await on.call()).ran
    assert (await on.call("mail-bot")).ran
    body = {**body, "agent": AGENT, "secret": "key-number-two", "days": 30}
    rotated = (await house.api(admin, "POST", "/connections", body)).json()
    assert rotated["version"] == 2
    assert (await on.call()).ran
    sent = [headers["x-api-key"][0] for headers, _, _ in on.upstream.calls]
    assert sent == ["key-of-calendar", "key-of-mail-bot", "key-number-two"]
    bad = await house.api(admin, "POST", "/connections", {**body, "secret": "two words"})
    assert (bad.status_code, bad.json()["code"]) == (400, "static_secret_unfit")
    assert "two words" not in bad.text
