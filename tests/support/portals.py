"""Applications that people sign in to, in a whole installation: registered, visited, signed out of."""

import re
import secrets
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx2

from remit.app.jobs import subscriptions
from remit.authority.oauth.clients.metadata import read_metadata
from remit.authority.oauth.clients.registration import ClientRegistration, SessionLimits
from remit.authority.oauth.consenting.logouts import LogoutService
from remit.authority.oauth.wire.pkce import challenge_of
from remit.identity.principals import Environment
from remit.identity.sessions import ACR_PASSKEY_UV, AMR_PASSKEY_UV, Proof, Session, SessionRule, begin
from remit.kernel.canonical import b64u
from remit.kernel.ids import PrincipalId
from remit.kernel.outbound import OutboundRequest, OutboundResponse
from remit.platform.storage.jobs import JobRunner
from remit.platform.storage.outbox import Dispatcher
from support.house import House

BACK = "https://wiki.example/callback"
GONE = "https://wiki.example/goodbye"
TOLD = "https://wiki.example/logout"
VERIFIER = "a-verifier-of-43-characters-or-more-it-must-be"


@dataclass
class Listener:
    """`Outbound` towards applications that answer as they are told, and keep what they heard."""

    answers: list[int] = field(default_factory=lambda: [200])
    heard: list[dict[str, str]] = field(default_factory=list)

    async def send(self, request: OutboundRequest) -> OutboundResponse:
        self.heard.append({"url": request.url, **dict(parse_qsl(request.body.decode()))})
        status = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return OutboundResponse(status=status, headers={}, body=b"")


@dataclass
class Visitor:
    """A person's browser, signed in."""

    house: House
    session: Session
    cookie: str

    @property
    def headers(self) -> dict[str, str]:
        home = urlsplit(self.house.services.people.desk.home).netloc
        return {"cookie": self.cookie, "host": home, "origin": f"http://{home}"}

    async def get(self, path: str) -> httpx2.Response:
        return await self.house.http.get(f"{self.house.issuer}{path}", headers=self.headers)

    async def post(self, path: str, **fields: str) -> httpx2.Response:
        return await self.house.http.post(f"{self.house.issuer}{path}", data=fields, headers=self.headers)


async def visitor(house: House, name: str = "user", **changes: Any) -> Visitor:
    """Somebody who has just signed in, without the ceremony."""
    proof = Proof(**{"amr": AMR_PASSKEY_UV, "acr": ACR_PASSKEY_UV, "at": house.now(), **changes})
    session, secret = begin(
        PrincipalId(house[name].id),
        tenant=house.services.ground.tenant,
        proof=proof,
        rule=SessionRule(),
        entropy=secrets.token_bytes,
    )
    await house.work.commit(lambda tx: tx.sessions.add(session))
    return Visitor(house=house, session=session, cookie=f"remit-session={b64u(secret.reveal())}")


async def portal(
    house: House,
    name: str = "Wiki",
    *,
    limits: SessionLimits | None = None,
    requires: frozenset[str] = frozenset(),
    **stated: Any,
) -> ClientRegistration:
    """An application, registered as an administrator would."""
    metadata = {
        "client_name": name,
        "redirect_uris": [BACK],
        "post_logout_redirect_uris": [GONE],
        "backchannel_logout_uri": TOLD,
        "token_endpoint_auth_method": "none",
        **stated,
    }
    return await house.services.clients.register_application(
        read_metadata(metadata),
        purpose="notes",
        environment=Environment.PRODUCTION,
        by=PrincipalId(house["admin"].id),
        at=house.now(),
        limits=limits,
        requires=requires,
    )


async def come(house: House, client: ClientRegistration, who: Visitor, **asked: str) -> httpx2.Response:
    """The page of a request, or the redirect that it ends in."""
    begun = await house.http.get(f"{house.issuer}{asking(client, **asked)}")
    return await who.get(begun.headers["location"])


def asking(client: ClientRegistration, **asked: str) -> str:
    """The path by which an application sends a browser here."""
    query = {
        "response_type": "code",
        "client_id": client.client_id,
        "redirect_uri": BACK,
        "state": "s",
        "nonce": "n",
        "scope": "openid profile email",
        "code_challenge": challenge_of(VERIFIER),
        "code_challenge_method": "S256",
        **asked,
    }
    return f"/authorize?{urlencode(query)}"


async def sign_in(house: House, client: ClientRegistration, who: Visitor, **asked: str) -> dict[str, Any]:
    """The first tokens of an application, by the page if there is one."""
    page = await come(house, client, who, **asked)
    if page.status_code == httpx2.codes.OK:
        csrf = re.search(r'name="csrf" value="([0-9a-f]{64})"', page.text)
        assert csrf is not None, page.text
        page = await who.post(page.request.url.path, csrf=csrf.group(1), answer="allow")
    assert page.status_code == httpx2.codes.SEE_OTHER, page.text
    code = told(page)["code"]
    answer = await token(house, client, grant_type="authorization_code", code=code, code_verifier=VERIFIER)
    assert answer.status_code == httpx2.codes.OK, answer.text
    return dict(answer.json())


async def token(house: House, client: ClientRegistration, **form: str) -> httpx2.Response:
    """Ask the token endpoint."""
    return await house.http.post(f"{house.issuer}/token", data={"client_id": client.client_id, **form})


async def userinfo(house: House, access: str) -> httpx2.Response:
    """Ask who it is."""
    return await house.http.get(f"{house.issuer}/userinfo", headers={"authorization": f"Bearer {access}"})


def told(answer: httpx2.Response) -> dict[str, str]:
    """What a redirect tells the client."""
    query = urlsplit(answer.headers["location"]).query
    return {name: values[0] for name, values in parse_qs(query, strict_parsing=True).items()}


def telling(house: House, listener: Listener) -> LogoutService:
    """The installation's own, towards applications that listen."""
    ground = house.services.ground
    return LogoutService(
        uow=ground.work,
        keys=ground.keys,
        outbound=listener,
        issuer=ground.issuer,
        clock=ground.clock,
        entropy=ground.entropy,
    )


async def settle(house: House) -> None:
    """Let every fact be heard."""

    def failed(_: str, error: Exception) -> None:
        raise error

    ground = house.services.ground
    dispatcher = Dispatcher(subscriptions(house.services), on_failure=failed)
    job = replace(dispatcher.job(), every=timedelta(0))
    runner = JobRunner(ground.work, (), holder="test", clock=ground.clock, on_failure=failed)
    while await runner.run_once(job):
        pass  # a fact may state another


async def sign_out(house: House, who: Visitor) -> None:
    page = await who.get("/sign-out")
    csrf = re.search(r'name="csrf" value="([0-9a-f]{64})"', page.text)
    assert csrf is not None
    await who.post("/sign-out", csrf=csrf.group(1))
