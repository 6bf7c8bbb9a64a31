"""Applications that verify RS256 and nothing else (OpenID Connect Core §15.1), in a whole installation."""

import base64
import hashlib
from typing import Any

import jwt
import pytest

from remit.kernel.ids import PrincipalId
from remit.kernel.jose.keys import KeyClass, KeyState
from support.house import House
from support.portals import BACK, Listener, come, portal, settle, sign_in, sign_out, telling, told, visitor

RS256: dict[str, Any] = {"id_token_signed_response_alg": "RS256"}


async def published(house: House) -> list[dict[str, Any]]:
    return list((await house.http.get(f"{house.issuer}/jwks")).json()["keys"])


async def verified(house: House, text: str, client_id: str, algorithm: str) -> dict[str, Any]:
    """By another implementation, and by what is published alone."""
    kid = jwt.get_unverified_header(text)["kid"]
    (key,) = [each for each in await published(house) if each["kid"] == kid]
    assert key["alg"] == algorithm
    said: dict[str, Any] = jwt.decode(
        text,
        jwt.PyJWK(key),
        [algorithm],
        audience=client_id,
        options={"verify_exp": False, "verify_iat": False},
    )
    return said


def kinds(keys: list[dict[str, Any]]) -> list[str]:
    return [each["kty"] for each in keys if each["kty"] == "RSA"]


@pytest.mark.spec("OIDC Core", "15.1")
@pytest.mark.spec("OIDC Core", "3.1.3.6")
@pytest.mark.spec("OIDC Back-Channel Logout", "2.4")
@pytest.mark.attack("KM-09")
async def test_each_client_is_answered_in_the_algorithm_that_it_registered(house: House) -> None:
    plain, old, who = await portal(house), await portal(house, "Old", **RS256), await visitor(house)
    await sign_in(house, plain, who)
    assert kinds(await published(house)) == [], "no key that nobody needs"
    held = await sign_in(house, old, who)
    said = await verified(house, held["id_token"], old.client_id, "RS256")
    digest = hashlib.sha256(held["access_token"].encode()).digest()
    assert said["at_hash"] == base64.urlsafe_b64encode(digest[:16]).decode().rstrip("=")
    assert kinds(await published(house)) == ["RSA"]
    other = await sign_in(house, plain, who)
    await verified(house, other["id_token"], plain.client_id, "ES256")
    await sign_out(house, who)
    await settle(house)
    listener = Listener()
    assert await telling(house, listener).run_due() == 2
    algorithms = set()
    for heard in listener.heard:
        token = heard["logout_token"]
        aud = jwt.decode(token, options={"verify_signature": False})["aud"]
        algorithm = "RS256" if aud == old.client_id else "ES256"
        await verified(house, token, aud, algorithm)
        algorithms.add(algorithm)
    assert algorithms == {"ES256", "RS256"}


@pytest.mark.spec("OIDC Core", "3.1.2.1")
async def test_an_rs256_token_is_a_hint_like_any_other(house: House) -> None:
    old, who = await portal(house, "Old", **RS256), await visitor(house)
    held = await sign_in(house, old, who)
    again = await come(house, old, who, prompt="none", id_token_hint=held["id_token"])
    assert "code" in told(again)
    other = await visitor(house, "lead")
    refused = await come(house, old, other, prompt="none", id_token_hint=held["id_token"])
    assert told(refused)["error"] == "login_required"


@pytest.mark.attack("KM-02")
async def test_the_rsa_key_changes_like_the_others(house: House) -> None:
    old, who = await portal(house, "Old", **RS256), await visitor(house)
    first = await sign_in(house, old, who)
    keys, by = house.services.ground.keys, PrincipalId(house["admin"].id)
    changed = await keys.force(KeyClass.ID_TOKEN_RSA, compromised=False, by=by, at=house.now())
    assert sorted(each.state for each in changed) == [KeyState.ACTIVE, KeyState.VERIFY_ONLY]
    second = await sign_in(house, old, who)
    for each in (first, second):
        await verified(house, each["id_token"], old.client_id, "RS256")
    assert "code" in told(await come(house, old, who, prompt="none", id_token_hint=first["id_token"]))
    await keys.force(KeyClass.ID_TOKEN_RSA, compromised=True, by=by, at=house.now())
    dead = await come(house, old, who, prompt="none", id_token_hint=second["id_token"])
    assert "code" not in dead.headers.get("location", "")
    assert kinds(await published(house)) == ["RSA"], "the next one signs at once"
    assert await keys.rotate(house.now()) == ()


async def test_a_client_says_its_algorithm_where_it_is_registered(house: House) -> None:
    metadata = {"client_name": "old", "redirect_uris": [BACK], "token_endpoint_auth_method": "none", **RS256}
    made = await house.api(house["admin"], "POST", "/clients", {"metadata": metadata})
    assert made.json()["id_token_alg"] == "RS256"
    refused = await house.api(
        house["admin"],
        "POST",
        "/clients",
        {"metadata": metadata | {"id_token_signed_response_alg": "none"}},
    )
    assert refused.status_code == 400
    found = (await house.http.get(f"{house.issuer}/.well-known/openid-configuration")).json()
    assert found["id_token_signing_alg_values_supported"] == ["ES256", "RS256"]
