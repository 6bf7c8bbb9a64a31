"""Metadata of protected resources (RFC 9728) and the challenge that leads to it."""

import pytest

from remit.authority.oauth.wire.errors import InsufficientScope, InvalidToken, MissingToken
from remit.surface.web.challenge import challenge_of
from support.oauth import ISSUER, World

PATH = "/.well-known/oauth-protected-resource"


@pytest.mark.spec("RFC 9728", "3.3")
@pytest.mark.parametrize("resource", ["/api", "/mcp/business", "/mcp/mail"])
async def test_the_resource_is_the_url_that_clients_call(world: World, resource: str) -> None:
    answer = await world.http.get(f"{PATH}{resource}")
    body = answer.json()
    assert body["resource"] == f"{ISSUER}{resource}"
    assert body["authorization_servers"] == [ISSUER]
    assert body["bearer_methods_supported"] == ["header"]
    assert "offline_access" not in body["scopes_supported"]
    assert "dpop_bound_access_tokens" not in body


@pytest.mark.spec("RFC 9728", "3.1")
async def test_what_is_not_protected_here_has_no_document(world: World) -> None:
    for path in ("/mcp/nowhere", "/mcp/business/x", "/mcp/", "", "/scim"):
        assert (await world.http.get(f"{PATH}{path}")).status_code == 404


@pytest.mark.spec("RFC 9728", "5.1")
@pytest.mark.spec("RFC 6750", "3.1")
def test_a_challenge_says_where_to_get_in_and_what_was_wrong() -> None:
    resource, scopes = f"{ISSUER}/mcp/business", frozenset({"mcp"})
    bare = challenge_of(MissingToken("x"), resource=resource, scopes=scopes, bearer=True)
    assert "error" not in bare
    assert f'resource_metadata="{ISSUER}{PATH}/mcp/business"' in bare
    assert bare.startswith('DPoP algs="ES256 Ed25519"')
    assert "Bearer resource_metadata=" in bare
    bad = challenge_of(InvalidToken("x"), resource=resource, scopes=scopes)
    assert 'error="invalid_token"' in bad
    assert "Bearer" not in bad
    more = challenge_of(
        InsufficientScope("x", scopes=frozenset({"remit.act"})), resource=resource, scopes=scopes
    )
    assert 'error="insufficient_scope"' in more
    assert 'scope="mcp remit.act"' in more
