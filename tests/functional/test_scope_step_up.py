"""A client that was given little asks for more when it needs it, and never asks in circles."""

import json
from typing import Any

import httpx2
import pytest
from mcp.client.auth import OAuthClientProvider
from mcp.shared.auth import OAuthClientInformationFull, OAuthClientMetadata, OAuthToken
from pydantic import AnyUrl

from functional.test_code_flow import BACK, Browser, Kept, client_of, signed_in
from remit.authority.oauth.wire.pkce import challenge_of
from support.gateway import modern, modern_headers
from support.house import House
from support.oauth import claims_in
from support.stepping_up import VERIFIER, Stepper, challenge_in, stepper

READ, BOOK = "mcp:rooms.read", "mcp:rooms.book"
OPEN = '@id("open") permit(principal, action, resource);'
SPAN = {"start": "2026-05-15T14:00Z", "end": "2026-05-15T15:00Z"}


async def little(house: House, **asked: str) -> Stepper:
    """A client whose person let it read rooms."""
    client = await stepper(house)
    await client.sign_in()
    found = await client.authorize(**{"scope": READ, **asked})
    assert "code" in found, found
    return client


@pytest.mark.req("N34")
@pytest.mark.attack("MC-30")
@pytest.mark.spec("RFC 6750", "3.1")
@pytest.mark.spec("MCP 2026-07-28", "authorization")
async def test_what_is_needed_is_named_with_what_is_held_and_is_then_enough(house: House) -> None:
    await house.policy(OPEN)
    client = await little(house)
    claims = claims_in(client.token)
    assert claims["scope"] == READ
    (details,) = claims["authorization_details"]
    assert [right["action"] for right in details["rights"]] == ["business/rooms.read"]
    refused = await client.call()
    assert refused.status_code == 403
    challenge = challenge_in(refused)
    assert (challenge["error"], challenge["scope"]) == ("insufficient_scope", f"{BOOK} {READ}")
    assert challenge["resource_metadata"].endswith("/.well-known/oauth-protected-resource/mcp/business")
    assert house.hits == []
    assert "code" in await client.authorize(scope=challenge["scope"])
    assert claims_in(client.token)["scope"] == f"{BOOK} {READ}"
    assert (await client.call()).status_code == 200
    assert len(house.hits) == 1
    # A further one is named with both; each is asked for once, and then never again.
    third = await client.call("mail_send", to="x", subject="y", body="z")
    assert challenge_in(third)["scope"] == f"mcp:mail.send {BOOK} {READ}"
    # Renewed, it is no more and may be less.
    await client.refresh()
    assert claims_in(client.token)["scope"] == f"{BOOK} {READ}"


@pytest.mark.req("N34")
async def test_the_broader_meets_every_narrower(house: House) -> None:
    await house.policy(OPEN)
    client = await little(house, scope=f"mcp {READ}")
    assert claims_in(client.token)["scope"] == "mcp"
    assert (await client.call()).status_code == 200


@pytest.mark.attack("MC-30")
async def test_what_can_never_be_had_is_not_asked_for(house: House) -> None:
    await house.policy(OPEN)
    client = await little(house)
    # No agent's ceiling holds it: the tool is as unknown as one that does not exist.
    for tool in ("nothing_at_all", "rooms_cancel"):
        answer = await client.call(tool)
        assert answer.json()["error"]["message"] == f"Unknown tool: {tool}"
    refused = await client.authorize(scope="mcp:rooms.cancel")
    assert refused["error"] == "invalid_scope"
    assert (await client.authorize(scope="mcp:../rooms"))["error"] == "invalid_scope"


class Promising:
    """Names whatever is wanted, had or not."""

    def to_ask(self, subject: Any, action: str) -> tuple[str, ...]:
        return (READ,)


@pytest.mark.twin("MC-30")
async def test_a_gateway_that_promises_too_much_sends_clients_in_circles(house: House) -> None:
    await house.policy(OPEN)
    inner: Any = house.services.gateway._gateway
    inner._gateway._scoping = Promising()
    client = await little(house)
    for _ in range(4):
        refused = await client.call()
        assert refused.status_code == 403
        await client.authorize(scope=challenge_in(refused)["scope"])


@pytest.mark.req("N34")
@pytest.mark.spec("MCP 2025-11-25", "authorization")
async def test_the_public_client_steps_up_by_itself(house: House) -> None:
    """The MCP SDK's own transport, once its stored token turns out to be too narrow."""
    await house.policy(OPEN)
    registration = await client_of(house, "calendar-bot")
    browser = await signed_in(house, "user")
    kept = Kept(
        info=OAuthClientInformationFull(
            client_id=registration.client_id,
            redirect_uris=[AnyUrl(BACK)],
            token_endpoint_auth_method="none",
            issuer=house.issuer,
        ),
        tokens=await stored(house, browser, registration.client_id),
    )
    url = f"{house.issuer}/mcp/business"
    provider = OAuthClientProvider(
        server_url=url,
        client_metadata=OAuthClientMetadata(redirect_uris=[AnyUrl(BACK)], token_endpoint_auth_method="none"),
        storage=kept,
        redirect_handler=browser.go,
        callback_handler=browser.came_back,
    )
    message = modern("tools/call", {"name": "rooms_free", "arguments": SPAN})
    headers = {
        **modern_headers("tools/call", "rooms_free"),
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
    }
    async with httpx2.AsyncClient(transport=house.http._transport, auth=provider, timeout=60) as client:
        answer = await client.post(url, content=json.dumps(message).encode(), headers=headers)
    assert answer.status_code == 200, answer.text
    assert kept.tokens is not None
    assert set(str(kept.tokens.scope).split()) == {READ, BOOK}
    # The page told what is new and what the client has had.
    assert browser.shown.count('class="new"') == 1


async def stored(house: House, browser: Browser, client_id: str) -> OAuthToken:
    """A token from an earlier day, for booking rooms."""
    query = httpx2.QueryParams(
        response_type="code",
        client_id=client_id,
        redirect_uri=BACK,
        code_challenge=challenge_of(VERIFIER),
        code_challenge_method="S256",
        resource=f"{house.issuer}/mcp/business",
        scope=BOOK,
    )
    await browser.go(f"{house.issuer}/authorize?{query}")
    form = {
        "grant_type": "authorization_code",
        "client_id": client_id,
        "code": browser.answer["code"][0],
        "code_verifier": VERIFIER,
        "redirect_uri": BACK,
    }
    answer = await house.http.post(f"{house.issuer}/token", data=form)
    assert answer.status_code == 200, answer.text
    return OAuthToken.model_validate(answer.json())
