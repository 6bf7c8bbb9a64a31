"""People sign in through Keycloak, and out again from there: not a gate, run where somebody has it.

`REMIT_KEYCLOAK` is a folder of the distribution (Maven Central, `org.keycloak:keycloak-quarkus-dist`), which
the test starts, or the address of one that runs already, with the administrator `admin`, password `admin`.
"""

import html
import re
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest

from remit.identity.principals import Kind
from remit.identity.sessions import ACR_UPSTREAM
from remit.identity.upstream.connecting import StatedProvider
from remit.identity.upstream.provider import Product, Provisioning
from remit.kernel.ids import PrincipalId
from support.composed import composed
from support.house import House
from support.keycloak import PATIENCE, WHERE, Administrator, trusting
from support.people import ADMIN

pytestmark = [
    pytest.mark.optional("Keycloak"),
    pytest.mark.timeout(PATIENCE + 120),
    pytest.mark.skipif(
        not WHERE, reason="REMIT_KEYCLOAK names no Keycloak: sign-in through a real one DID NOT RUN"
    ),
]


class Staff(Administrator):
    """Sets up a realm with us as its client."""

    async def put_up(self, house: House) -> None:
        """A realm, a person, and a client that proves itself by our published key."""
        home = house.services.people.desk.home
        await self.post("", {"realm": self.realm, "enabled": True, "sslRequired": "none"})
        await self.person("ana")
        client = {
            "clientId": "remit",
            "protocol": "openid-connect",
            "publicClient": False,
            "clientAuthenticatorType": "client-jwt",
            "redirectUris": [f"{home}/sign-in/with/company/callback"],
            "attributes": {
                "use.jwks.url": "true",
                "jwks.url": f"{house.issuer}/jwks",
                "token.endpoint.auth.signing.alg": "ES256",
                "pkce.code.challenge.method": "S256",
                "backchannel.logout.url": f"{home}/sign-in/with/company/logout",
                "backchannel.logout.session.required": "true",
                "post.logout.redirect.uris": f"{home}/sign-in",
            },
        }
        await self.post(f"/{self.realm}/clients", client)

    async def sign_out(self, name: str) -> None:
        """End every session of a person there; each client is told behind the scenes."""
        (found,) = (await self.http.get(f"/admin/realms/{self.realm}/users?username={name}")).json()
        answer = await self.http.post(f"/admin/realms/{self.realm}/users/{found['id']}/logout")
        assert answer.status_code == 204, answer.text


def form_of(page: str) -> str:
    """Where its form goes: the only one that posts."""
    found = re.search(r'<form[^>]*\baction="([^"]+)"', page, re.DOTALL)
    assert found is not None, page
    return html.unescape(found[1])


async def enter(http: httpx2.AsyncClient, home: str) -> httpx2.Response:
    """From our sign-in page by its link, and Keycloak's own form if it shows one."""
    page = await http.get(f"{home}/sign-in?next=/me/sign-ins")
    link = html.unescape(page.text.partition('class="button" href="')[2].partition('"')[0])
    at = await http.get(f"{home}{link}")
    if urlsplit(str(at.url)).path.startswith("/realms/"):
        at = await http.post(form_of(at.text), data={"username": "ana", "password": "pw"})
    return at


async def test_people_sign_in_through_keycloak_and_out_again(address: str, tmp_path: Path) -> None:
    async with composed(tmp_path, chosen=trusting(address)) as house:
        admin = Staff(address)
        await admin.sign_in()
        await admin.put_up(house)
        await journey(house, admin)


async def journey(house: House, admin: Staff) -> None:
    """In; out here and there; in again; out there, which ends it here."""
    upstream, home = house.services.upstream, house.services.people.desk.home
    stated = StatedProvider(
        name="company",
        product=Product.KEYCLOAK,
        issuer=admin.issuer,
        client_id="remit",
        provisioning=Provisioning.CREATE,
    )
    await upstream.providers.connect(stated, None, by=ADMIN)
    # Its cookies are for secure places, which this machine is to a browser.
    jar = CookieJar(policy=DefaultCookiePolicy(secure_protocols=("http", "https")))
    http = httpx2.AsyncClient(trust_env=False, timeout=60, follow_redirects=True, cookies=jar)
    entered = await enter(http, home)
    assert "You are signed in" in entered.text, entered.text
    human = await house.services.identity.find(Kind.HUMAN, "Ana Example")
    (session,) = await house.services.people.sessions.of(PrincipalId(human.id))
    assert (session.acr, human.email) == (ACR_UPSTREAM, "ana@company.com")

    out = await http.get(f"{home}/sign-out")
    csrf = out.text.partition('name="csrf" value="')[2].partition('"')[0]
    left = await http.post(f"{home}/sign-out", data={"csrf": csrf}, headers={"Origin": home})
    away = html.unescape(left.text.partition('class="button" href="')[2].partition('"')[0])
    back = await http.get(away)
    assert urlsplit(str(back.url)).path == "/sign-in", back.text

    again = await enter(http, home)
    assert "You are signed in" in again.text, again.text
    assert len(await house.services.people.sessions.of(PrincipalId(human.id))) == 1
    await admin.sign_out("ana")
    told = await house.records("identity.provider.logged_out")
    assert told
    assert await house.services.people.sessions.of(PrincipalId(human.id)) == []
