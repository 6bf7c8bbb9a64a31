"""Clients of other makes sign assertions without `kid`: the few keys of whom `iss` names are tried."""

import msgspec
import pytest

from remit.kernel.jose import jws
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.keys import PrivateKey
from support.oauth import ISSUER, World

TYP = "client-authentication+jwt"


def unnamed(world: World, who: str, key: PrivateKey) -> str:
    """An assertion as the MCP client for Python writes it."""
    at = int(world.now.timestamp())
    ident = world.actors[who].id
    claims = {"iss": ident, "sub": ident, "aud": ISSUER, "iat": at, "exp": at + 60, "jti": world.fresh()}
    return jws.sign({"typ": TYP}, msgspec.json.encode(claims), key)


@pytest.mark.spec("RFC 7515", "4.1.4")
@pytest.mark.spec("RFC 7523", "3")
async def test_an_assertion_without_kid_is_believed_from_a_registered_key_alone(world: World) -> None:
    assertion = unnamed(world, "calendar-bot", world.actors["calendar-bot"].key)
    good = await world.ask("calendar-bot", grant_type="client_credentials", client_assertion=assertion)
    assert good.status_code == 200, good.text
    again = await world.ask("calendar-bot", grant_type="client_credentials", client_assertion=assertion)
    assert (again.status_code, again.json()["error"]) == (401, "invalid_client")
    for key in (
        world.actors["mail-bot"].key,  # registered, but of another client
        PrivateKey.generate(Algorithm.ED25519, lambda size: b"\x07" * size),
        PrivateKey.generate(Algorithm.ES256, lambda size: b"\x07" * size),  # no key of that algorithm
    ):
        forged = unnamed(world, "calendar-bot", key)
        refused = await world.ask("calendar-bot", grant_type="client_credentials", client_assertion=forged)
        assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
