"""An MCP client that nobody here wrote signs a person in, by the whole installation, and calls a tool."""

import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
from mcp.client.auth import AuthorizationCodeResult, OAuthClientProvider
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from pydantic import AnyUrl

from remit.authority.oauth.clients.registration import (
    ApplicationType,
    AuthMethod,
    ClientRegistration,
    RegistrationKind,
    digest_of,
)
from remit.identity.sessions import ACR_PASSKEY_UV, AMR_PASSKEY_UV, Proof, SessionRule, begin
from remit.kernel.canonical import b64u
from remit.kernel.ids import PrincipalId
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.keys import PrivateKey
from remit.kernel.tenancy import DEFAULT_TENANT
from support.gateway import modern, modern_headers
from support.house import BOOKING, House

BACK = "http://127.0.0.1:33418/callback"


@dataclass
class Kept:
    """What the client keeps."""

    info: OAuthClientInformationFull
    tokens: OAuthToken | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.info

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.info = client_info


@dataclass
class Browser:
    """A person's browser: signed in already, and clicking what it is told to."""

    house: House
    cookie: str
    answer: dict[str, list[str]] = field(default_factory=dict)
    shown: str = ""

    async def go(self, url: str) -> None:
        began = await self.house.http.get(url)
        path = began.headers["location"]
        home = f"localhost:{self.house.port}"
        headers = {"cookie": self.cookie, "host": home}
        page = await self.house.http.get(f"{self.house.issuer}{path}", headers=headers)
        self.shown = page.text
        csrf = re.search(r'name="csrf" value="([0-9a-f]{64})"', page.text)
        assert csrf is not None, page.text
        answered = await self.house.http.post(
            f"{self.house.issuer}{path}",
            data={"csrf": csrf.group(1), "answer": "allow"},
            headers={**headers, "origin": f"http://{home}"},
        )
        assert answered.status_code == 303, answered.text
        self.answer = parse_qs(urlsplit(answered.headers["location"]).query)

    async def came_back(self) -> AuthorizationCodeResult:
        found = {name: values[0] for name, values in self.answer.items()}
        return AuthorizationCodeResult(code=found["code"], state=found["state"], iss=found["iss"])


async def client_of(house: House, agent: str) -> ClientRegistration:
    """A native client without a key, whose tokens are plain: what most MCP clients are today."""
    admin = PrincipalId(house["admin"].id)
    key = PrivateKey.generate(Algorithm.ED25519, house.services.ground.entropy)
    entry = await house.services.identity.get(PrincipalId(house[agent].id))
    assert entry.parent is not None
    # The purpose of a session whose client names none is that of its agent.
    ceiling = house.ceiling(purpose="scheduling")
    await house.services.consent.set_ceiling(entry.parent, ceiling, by=admin, at=house.now())
    instance, _ = await house.services.credentials.instantiate(
        entry.parent,
        key.public.jwk(),
        by=admin,
        at=house.now(),
        attributes=(("token_binding", "bearer"),),
    )
    shown: dict[str, Any] = {
        "name": "an MCP client",
        "redirect_uris": (BACK,),
        "auth_method": AuthMethod.NONE,
    }
    found = ClientRegistration(
        client_id="cli_mcp",
        tenant=DEFAULT_TENANT,
        principal=instance.id,
        kind=RegistrationKind.PRE_REGISTERED,
        application_type=ApplicationType.NATIVE,
        dpop_bound=False,
        digest=digest_of(**shown, jwks=None, jwks_uri=None),
        created_at=house.now(),
        changed_at=house.now(),
        **shown,
    )
    await house.work.commit(lambda tx: tx.registrations.add(found))
    return found


async def signed_in(house: House, name: str) -> Browser:
    proof = Proof(amr=AMR_PASSKEY_UV, acr=ACR_PASSKEY_UV, at=house.now())
    session, secret = begin(
        PrincipalId(house[name].id),
        tenant=DEFAULT_TENANT,
        proof=proof,
        rule=SessionRule(),
        entropy=house.services.ground.entropy,
    )
    await house.work.commit(lambda tx: tx.sessions.add(session))
    return Browser(house=house, cookie=f"remit-session={b64u(secret.reveal())}")


@pytest.mark.req("R26", "R35", "R159")
@pytest.mark.spec("MCP 2025-11-25", "authorization")
async def test_an_mcp_client_signs_a_person_in_and_its_agent_is_judged_for_them(house: House) -> None:
    registration = await client_of(house, "calendar-bot")
    browser = await signed_in(house, "user")
    kept = Kept(
        info=OAuthClientInformationFull(
            client_id=registration.client_id,
            redirect_uris=[AnyUrl(BACK)],
            token_endpoint_auth_method="none",
            issuer=house.issuer,
        )
    )
    url = f"{house.issuer}/mcp/business"
    provider = OAuthClientProvider(
        server_url=url,
        client_metadata=OAuthClientMetadata(redirect_uris=[AnyUrl(BACK)], token_endpoint_auth_method="none"),
        storage=kept,
        redirect_handler=browser.go,
        callback_handler=browser.came_back,
    )
    body = json.dumps(modern("tools/call", {"name": "rooms_book", "arguments": BOOKING})).encode()
    headers = {
        **modern_headers("tools/call", "rooms_book"),
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
    }
    transport = house.http._transport
    async with httpx2.AsyncClient(transport=transport, auth=provider, timeout=60) as client:
        called = await client.post(url, content=body, headers=headers)
    assert called.status_code == 200, called.text
    # Its token is bound to no key, so what can do harm needs somebody's yes as well: policy alone permits it.
    assert '"code":"key_not_bound"' in called.text
    assert house.hits == []
    assert "an MCP client" in browser.shown
    assert "business/rooms.book" in browser.shown
    assert "nobody can say which" in browser.shown
    assert kept.tokens is not None
    assert kept.tokens.refresh_token is not None
    # What was asked was asked by the agent for the person, never as the person.
    (decided,) = await house.records("decision.action.decided")
    assert (decided.user, decided.effect) == (house["user"].id, "ask")
    assert decided.chain == (registration.principal,)
