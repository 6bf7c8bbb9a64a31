"""An MCP client of somebody else's making, let in by its enterprise: nobody is asked (N30)."""

import json
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from mcp.client.auth.extensions.identity_assertion import IdentityAssertionOAuthProvider
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken

from remit.authority.domains.trust import Direction
from remit.authority.oauth.domains.service import StatedDomain, StatedRule
from remit.kernel.ids import PrincipalId, UserId
from support.clients import Party
from support.domains import ENTERPRISE, Enterprise
from support.gateway import modern, modern_headers
from support.house import BOOKING, House

EXTENSION = "io.modelcontextprotocol/enterprise-managed-authorization"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@dataclass
class Kept:
    """What the client keeps."""

    tokens: OAuthToken | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return None

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        """Nothing: the client is known already."""


class WithoutSecret(IdentityAssertionOAuthProvider):
    """The peer as it comes, but for its secret: there are none here, so it signs an assertion instead."""

    def __init__(self, *, party: Party, **options: Any) -> None:
        super().__init__(client_secret="unused", **options)
        self._party = party

    def _build_token_request(self, scope: str | None, assertion: str) -> httpx2.Request:
        built = super()._build_token_request(scope, assertion)
        form = dict(httpx2.QueryParams(built.content.decode()))
        form.pop("client_secret")
        proof = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": self._party.assertion()}
        return httpx2.Request("POST", built.url, data={**form, **proof})


async def let_in(house: House, idp: Enterprise) -> Party:
    """An instance whose tokens are plain, as most clients' are, and a rule of the enterprise for it."""
    admin = PrincipalId(house["admin"].id)
    entry = await house.services.identity.get(PrincipalId(house["calendar-bot"].id))
    assert entry.parent is not None
    party = await house.instance("desktop", entry.parent, attributes=(("token_binding", "bearer"),))
    domain = await house.services.domains.trust(
        StatedDomain(name="idp", issuer=ENTERPRISE, direction=Direction.INBOUND, keys=idp.jwks()),
        by=admin,
        at=house.now(),
    )
    rule = StatedRule(
        who="everybody",
        client=entry.parent,
        text="The desktop client books rooms.",
        ceiling=house.ceiling(purpose="scheduling"),
    )
    await house.services.domains.allow(domain.id, rule, by=admin, at=house.now())
    user = UserId(house["user"].id)
    await house.services.domains.link(domain.id, "00u1", user, by=admin, at=house.now())
    return party


@pytest.mark.req("N30", "R26")
@pytest.mark.spec("MCP", EXTENSION)
async def test_an_mcp_client_comes_in_by_its_enterprise(house: House) -> None:
    idp = Enterprise()
    party = await let_in(house, idp)
    asked: list[tuple[str, str]] = []

    async def fetch(audience: str, resource: str) -> str:
        asked.append((audience, resource))
        at = int(house.now().timestamp())
        claims = {
            "iss": ENTERPRISE,
            "sub": "00u1",
            "aud": audience,
            "client_id": party.id,
            "jti": f"jag-{at}",
            "iat": at,
            "exp": at + 300,
            "resource": resource,
            "scope": "mcp",
        }
        return idp.signed(claims)

    url, kept = f"{house.issuer}/mcp/business", Kept()
    provider = WithoutSecret(
        party=party,
        server_url=url,
        storage=kept,
        client_id=party.id,
        issuer=house.issuer,
        assertion_provider=fetch,
        scope="mcp",
    )
    transport = house.http._transport
    async with httpx2.AsyncClient(transport=transport, auth=provider, timeout=60) as client:
        listed = await client.post(url, **message("server/discover", {}))
        called = await client.post(url, **message("tools/call", {"name": "rooms_book", "arguments": BOOKING}))
    assert listed.status_code == 200, listed.text
    assert EXTENSION in listed.json()["result"]["capabilities"]["extensions"]
    assert called.status_code == 200, called.text
    assert asked == [(house.issuer, url)], "one grant, until it has run out"
    assert kept.tokens is not None
    assert kept.tokens.refresh_token is None
    decided = await house.records("decision.action.decided")
    # What was asked was asked by the agent for the person, never as the person.
    assert {(each.user, each.chain) for each in decided} == {(house["user"].id, (party.id,))}


def message(method: str, params: dict[str, Any]) -> dict[str, Any]:
    headers = {
        **modern_headers(method, str(params.get("name", ""))),
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
    }
    return {"content": json.dumps(modern(method, params)).encode(), "headers": headers}
