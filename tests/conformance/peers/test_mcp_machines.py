"""The MCP SDK's clients without a person: a signed assertion earns a token, a secret is refused."""

import json
from typing import Any

import httpx2
import jwt as pyjwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from mcp.client.auth import OAuthClientProvider, OAuthTokenError
from mcp.client.auth.extensions.client_credentials import (
    ClientCredentialsOAuthProvider,
    PrivateKeyJWTOAuthProvider,
    SignedJWTParameters,
)
from mcp.shared.auth import OAuthToken

from functional.test_enterprise_client import Kept, message
from remit.kernel.ids import PrincipalId
from support.federation import pem
from support.house import ACCESS_TOKEN, ASSERTION, TOKEN_EXCHANGE, TXN_TOKEN, House
from support.oauth import claims_in

OPEN = '@id("open") permit(principal, action, resource);'
SPAN = {"start": "2026-05-15T14:00Z", "end": "2026-05-15T15:00Z"}


async def machine(house: House) -> tuple[PrincipalId, str]:
    """An instance of calendar-bot with plain tokens, as such clients have; its id, and its key in PEM."""
    entry = await house.services.identity.get(PrincipalId(house["calendar-bot"].id))
    assert entry.parent is not None
    key = ec.generate_private_key(ec.SECP256R1())
    jwk = json.loads(pyjwt.algorithms.ECAlgorithm.to_jwk(key.public_key()))
    made, _ = await house.services.credentials.instantiate(
        entry.parent,
        {**jwk, "alg": "ES256"},
        by=PrincipalId(house["admin"].id),
        at=house.now(),
        attributes=(("token_binding", "bearer"),),
    )
    await house.policy(OPEN)
    return made.id, pem(key)


def signing(
    house: House, ident: PrincipalId, key: str, kept: Kept | None = None
) -> tuple[PrivateKeyJWTOAuthProvider, Kept]:
    """The peer as it comes."""
    parameters = SignedJWTParameters(issuer=ident, subject=ident, signing_key=key, signing_algorithm="ES256")
    kept = kept or Kept()
    return PrivateKeyJWTOAuthProvider(
        server_url=f"{house.issuer}/mcp/business",
        storage=kept,
        client_id=ident,
        assertion_provider=parameters.create_assertion_provider(),
        issuer=house.issuer,
    ), kept


async def asked(house: House, ident: PrincipalId, key: str, **form: str) -> str:
    """A token that the same key earns where the peer has no provider for the grant."""
    signed = SignedJWTParameters(issuer=ident, subject=ident, signing_key=key, signing_algorithm="ES256")
    assertion = await signed.create_assertion_provider()(house.issuer)
    proof = {"client_assertion_type": ASSERTION, "client_assertion": assertion}
    answer = await house.http.post(f"{house.issuer}/token", data={**form, **proof})
    assert answer.status_code == 200, answer.text
    return str(answer.json()["access_token"])


async def call(house: House, auth: OAuthClientProvider, tool: str, arguments: Any) -> httpx2.Response:
    async with httpx2.AsyncClient(transport=house.http._transport, auth=auth, timeout=60) as client:
        return await client.post(
            f"{house.issuer}/mcp/business",
            **message("tools/call", {"name": tool, "arguments": arguments}),
        )


@pytest.mark.req("N34")
@pytest.mark.spec("MCP", "io.modelcontextprotocol/oauth-client-credentials")
@pytest.mark.spec("RFC 7523", "2.2")
async def test_a_machine_with_a_key_is_let_in_and_works_within_a_task(house: House) -> None:
    ident, key = await machine(house)
    provider, kept = signing(house, ident, key)
    # Let in: the peer found the server and signed for it; what it earned is an identity, and no right.
    read = await call(house, provider, "rooms_free", SPAN)
    assert "Unknown tool" in read.text
    assert kept.tokens is not None
    assert kept.tokens.refresh_token is None
    own = claims_in(kept.tokens.access_token)
    assert (own["client_id"], own["aud"]) == (ident, f"{house.issuer}/mcp/business")
    assert {"act", "txn", "authorization_details"}.isdisjoint(own)
    # With a task's ticket, and the same key, it gets a token that may.
    started = await house.task("calendar-bot")
    actor = await asked(house, ident, key, grant_type="client_credentials", resource=f"{house.issuer}/api")
    token = await asked(
        house,
        ident,
        key,
        grant_type=TOKEN_EXCHANGE,
        subject_token=started.envelope,
        subject_token_type=TXN_TOKEN,
        actor_token=actor,
        actor_token_type=ACCESS_TOKEN,
        resource=f"{house.issuer}/mcp/business",
    )
    kept.tokens = OAuthToken(access_token=token)
    provider, _ = signing(house, ident, key, kept)
    read = await call(house, provider, "rooms_free", SPAN)
    assert read.status_code == 200, read.text
    assert "error" not in read.json(), read.text
    assert len(house.hits) == 1


async def test_a_stolen_name_without_the_key_earns_nothing(house: House) -> None:
    ident, _ = await machine(house)
    other = pem(ec.generate_private_key(ec.SECP256R1()))
    provider, kept = signing(house, ident, other)
    with pytest.raises(OAuthTokenError, match="invalid_client"):
        await call(house, provider, "rooms_free", SPAN)
    assert kept.tokens is None


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
async def test_a_machine_with_a_secret_is_refused_whatever_the_secret(house: House, method: Any) -> None:
    ident, _ = await machine(house)
    kept = Kept()
    provider = ClientCredentialsOAuthProvider(
        server_url=f"{house.issuer}/mcp/business",
        storage=kept,
        client_id=ident,
        client_secret="a secret",
        token_endpoint_auth_method=method,
        issuer=house.issuer,
    )
    with pytest.raises(OAuthTokenError, match="invalid_client"):
        await call(house, provider, "rooms_free", SPAN)
    assert kept.tokens is None
    assert house.hits == []
    # And it could have known: the metadata names no such method.
    metadata = (await house.http.get(f"{house.issuer}/.well-known/oauth-authorization-server")).json()
    assert method not in metadata["token_endpoint_auth_methods_supported"]
