"""CO-10: what scripts of other origins may read of us; nothing of a signed-in browser is among it."""

from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.types import Receive, Scope, Send

from remit.surface.web.assembly import application
from remit.surface.web.crossing import CrossOrigin
from support.browsers import browser, page_of
from support.composed import composed, populate
from support.house import House
from support.portals import BACK, VERIFIER, Visitor, portal, sign_in, visitor
from support.upstreams import serving

APP = "http://localhost:9"
"""Another origin."""
PREFLIGHT = {"origin": APP, "access-control-request-method": "POST"}
ALLOW = "access-control-allow-origin"
PUBLIC = (
    "/.well-known/openid-configuration",
    "/.well-known/oauth-authorization-server",
    "/.well-known/oauth-protected-resource/api",
    "/jwks",
)


async def ask(house: House, method: str, path: str, **headers: str) -> httpx2.Response:
    return await house.http.request(method, f"{house.issuer}{path}", headers=headers)


def opened(answer: httpx2.Response) -> bool:
    """Whether any origin may read it; never one alone, and never with credentials."""
    assert answer.headers.get(ALLOW, "*") == "*"
    assert "access-control-allow-credentials" not in answer.headers
    return ALLOW in answer.headers


@pytest.mark.attack("CO-10")
@pytest.mark.spec("OpenID Connect Core", "5.3")
async def test_a_script_reads_what_is_public_or_stands_on_its_own_token(house: House) -> None:
    for path in PUBLIC:
        assert opened(await ask(house, "GET", path))
        assert opened(await ask(house, "GET", path, origin=APP))
    for path in ("/userinfo", "/token", *PUBLIC):
        answer = await ask(house, "OPTIONS", path, **PREFLIGHT)
        assert answer.status_code == 204
        assert opened(answer)
        assert "authorization" in answer.headers["access-control-allow-headers"]
    wiki = await portal(house)
    tokens = await sign_in(house, wiki, await visitor(house, "lead"))
    bearer = {"authorization": f"Bearer {tokens['access_token']}"}
    told = await ask(house, "GET", "/userinfo", origin=APP, **bearer)
    assert (told.status_code, opened(told)) == (200, True)
    refused = await ask(house, "GET", "/userinfo", origin=APP)
    assert (refused.status_code, opened(refused)) == (401, True)
    assert "www-authenticate" in refused.headers["access-control-expose-headers"]


@pytest.mark.attack("CO-10")
async def test_whoever_sends_a_cookie_or_a_proof_of_a_client_is_told_nothing(house: House) -> None:
    who = await visitor(house, "lead")
    for path, method in (("/userinfo", "GET"), ("/token", "POST")):
        assert not opened(await ask(house, method, path, origin=APP, cookie=who.cookie))
        assert not opened(await ask(house, method, path))
    form = {"grant_type": "client_credentials", "client_assertion": "x", "client_assertion_type": "y"}
    proven = await house.http.post(f"{house.issuer}/token", data=form, headers={"origin": APP})
    assert not opened(proven)
    basic = {"origin": APP, "authorization": "Basic eDp5"}
    assert not opened(await house.http.post(f"{house.issuer}/token", data={"a": "b"}, headers=basic))
    public = {"grant_type": "authorization_code", "client_id": "app_none", "code": "x"}
    assert opened(await house.http.post(f"{house.issuer}/token", data=public, headers={"origin": APP}))


@pytest.mark.attack("CO-10")
async def test_every_other_address_stays_closed(house: House) -> None:
    for path in (
        "/", "/me", "/sign-in", "/introspect", "/revoke", "/authorize", "/par", "/api/v1/users",
        "/openapi.json", "/healthz", "/mcp/business", "/userinfo/", "/token/x", "/.well-known",
        "/end_session",
    ):  # fmt: skip
        for method in ("GET", "POST", "OPTIONS"):
            answer = await ask(house, method, path, **PREFLIGHT)
            assert not any(name.startswith("access-control-") for name in answer.headers), path


FETCH = """async ([to, how]) => {
  try { const found = await fetch(to, how); return [found.status, await found.text()]; }
  catch (error) { return [0, String(error)]; }
}"""


async def fetched(who: Visitor, tries: list[tuple[str, dict[str, Any]]]) -> list[Any]:
    """What a page of another origin gets, in a browser in which the person is signed in here."""
    name, _, value = who.cookie.partition("=")
    home = who.house.services.people.desk.home
    # The page is on another port of the same site, to which `SameSite` sends cookies.
    async with serving(_page, lifespan="off") as port, browser() as started, page_of(started) as (page, _):
        await page.context.add_cookies([{"name": name, "value": value, "url": home}])
        await page.goto(f"http://localhost:{port}/")
        return [await page.evaluate(FETCH, [f"{home}{path}", how]) for path, how in tries]


async def _page(_scope: Scope, _receive: Receive, send: Send) -> None:
    headers = [(b"content-type", b"text/html")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"<title>app</title>"})


@pytest.mark.usefixtures("chromium")
@pytest.mark.attack("CO-10")
async def test_a_real_page_of_another_origin_redeems_its_code_and_reads_no_session(house: House) -> None:
    wiki = await portal(house)
    who = await visitor(house, "lead")
    tokens = await sign_in(house, wiki, who)
    form = f"grant_type=authorization_code&code=none&client_id={wiki.client_id}&redirect_uri={BACK}"
    urlencoded = {"content-type": "application/x-www-form-urlencoded"}
    bearer = {"authorization": f"Bearer {tokens['access_token']}"}
    found = await fetched(
        who,
        [
            ("/.well-known/openid-configuration", {}),
            ("/userinfo", {"headers": bearer}),
            ("/token", {"method": "POST", "headers": urlencoded, "body": f"{form}&code_verifier={VERIFIER}"}),
            ("/userinfo", {"headers": bearer, "credentials": "include"}),
            ("/me/sessions", {"credentials": "include"}),
            ("/api/v1/users", {"headers": bearer}),
        ],
    )
    assert [status for status, _ in found] == [200, 200, 400, 0, 0, 0]
    assert '"sub"' in found[1][1]
    assert "invalid_grant" in found[2][1]


class Reflecting(CrossOrigin):
    """Tells every origin that it is the one, with credentials: what many do."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        origin = dict(scope["headers"]).get(b"origin", b"null")
        extra = [(b"access-control-allow-origin", origin), (b"access-control-allow-credentials", b"true")]

        async def reflected(message: Any) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *extra]
            await send(message)

        await self._app(scope, receive, reflected)


@pytest.mark.usefixtures("chromium")
@pytest.mark.twin("CO-10")
async def test_where_origins_are_reflected_a_foreign_page_reads_who_is_signed_in(tmp_path: Path) -> None:
    async with composed(tmp_path, make_app=lambda services: Reflecting(application(services))) as house:
        await populate(house)
        who = await visitor(house, "lead")
        ((status, text),) = await fetched(who, [("/me/sessions", {"credentials": "include"})])
        assert status == 200
        assert "lead@company.com" in text
