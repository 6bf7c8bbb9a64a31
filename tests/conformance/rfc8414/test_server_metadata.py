"""Metadata of the authorization server (RFC 8414) and its keys: only what is on, always the same issuer."""

import pytest

from remit.authority.oauth.metadata import well_known
from remit.kernel.jose.jwk import parse_jwk
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.oauth import ISSUER, OPTIONS, World

PATH = "/.well-known/oauth-authorization-server"


@pytest.mark.spec("RFC 8414", "3.3")
async def test_the_issuer_is_the_configured_one_whatever_the_request_says(world: World) -> None:
    for headers in ({}, {"host": "attacker.example"}, {"x-forwarded-host": "attacker.example"}):
        body = (await world.http.get(PATH, headers=headers)).json()
        assert body["issuer"] == ISSUER
        assert "attacker" not in str(body)


@pytest.mark.spec("RFC 8414", "2")
async def test_only_what_is_on_is_advertised(world: World) -> None:
    answer = await world.http.get(PATH)
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert body["token_endpoint"] == f"{ISSUER}/token"
    assert body["token_endpoint_auth_methods_supported"] == ["private_key_jwt", "none"]
    assert body["grant_types_supported"] == [
        "client_credentials",
        "urn:ietf:params:oauth:grant-type:token-exchange",
    ]
    assert body["dpop_signing_alg_values_supported"] == ["ES256", "Ed25519"]
    assert body["authorization_details_types_supported"] == ["remit_action"]
    assert "authorization_endpoint" not in body
    assert "code_challenge_methods_supported" not in body
    assert "HS256" not in str(body)


async def test_every_advertised_endpoint_answers(world: World) -> None:
    body = (await world.http.get(PATH)).json()
    for name in ("token_endpoint", "introspection_endpoint", "revocation_endpoint"):
        assert (await world.http.post(body[name])).status_code == 400
    assert (await world.http.get(body["jwks_uri"])).status_code == 200


@pytest.mark.spec("RFC 8414", "3.1")
async def test_the_well_known_name_is_inserted_before_a_path(sqlite_uow: SqlUnitOfWork) -> None:
    import dataclasses

    issuer = "https://remit.example/t/acme"
    world = World(sqlite_uow, options=dataclasses.replace(OPTIONS, issuer=issuer))
    assert well_known("oauth-authorization-server", issuer) == f"https://remit.example{PATH}/t/acme"
    host = "https://remit.example"
    assert (await world.http.get(f"{host}{PATH}/t/acme")).json()["issuer"] == issuer
    assert (await world.http.get(f"{host}/t/acme{PATH}")).status_code == 404
    assert (await world.http.get(f"{host}{PATH}")).status_code == 404
    # Whoever routes tenants cuts the path before it comes here.
    assert (await world.http.post(f"{host}/token")).status_code == 400


@pytest.mark.spec("RFC 7517", "5")
async def test_the_key_set_holds_public_keys_alone(world: World) -> None:
    keys = (await world.http.get("/jwks")).json()["keys"]
    assert {key["kid"] for key in keys} >= {world.access_key.kid}
    for key in keys:
        assert not key.keys() & {"d", "p", "q", "k", "dp", "dq", "qi"}
        parse_jwk({name: value for name, value in key.items() if name != "kid"})
