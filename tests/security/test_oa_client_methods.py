"""OA-21, OA-22: several ways to say who one is at once, and who hears whether there is such a client."""

import json
from base64 import b64encode
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from remit.authority.oauth.provider import OAuth
from remit.authority.oauth.proving.client_auth import Authenticated, ClientAuthenticator
from remit.authority.oauth.wire.errors import InvalidClient
from remit.authority.oauth.wire.parameters import Parameters
from remit.kernel.canonical import b64u_decode
from remit.kernel.jose import jws
from remit.kernel.jose.errors import TokenRejected
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.authorizing import AuthorizingWorld, with_codes
from support.jose import private_key


class FirstThatFits(ClientAuthenticator):
    """OA-21: takes the method that it likes best and does not look at the others."""

    def authenticate(self, parameters: Parameters, **shown: Any) -> Authenticated:
        kept = {name: value for name, value in parameters.values.items() if name != "client_secret"}
        return super().authenticate(Parameters(values=kept), **{**shown, "authorization": ""})


class Talkative(ClientAuthenticator):
    """OA-22: tells a client that is none from a proof that is none, as it would help whoever debugs."""

    def authenticate(self, parameters: Parameters, **shown: Any) -> Authenticated:
        payload = parameters.get("client_assertion").split(".")[1]
        try:
            self._client(json.loads(b64u_decode(payload))["iss"], shown["view"])
        except TokenRejected as rejected:
            raise InvalidClient("there is no such client", reason=rejected.reason) from rejected
        return super().authenticate(parameters, **shown)


def knowing(clients: type[ClientAuthenticator]) -> Callable[..., OAuth]:
    """A server that finds out in that way who sends a request."""

    def build(**parts: Any) -> OAuth:
        whole = with_codes(**parts)
        whole.token._clients = clients(options=parts["options"], tenant=parts["tenant"])
        return whole

    return build


def basic(name: str, secret: str, *, escaped: bool = False) -> tuple[str, str]:
    """RFC 6749 §2.3.1; `escaped` spells each character that need not be escaped (RFC 7617 does not)."""
    pair = [
        "".join(f"%{byte:02X}" for byte in each.encode()) if escaped else quote(each)
        for each in (name, secret)
    ]
    return "authorization", f"Basic {b64encode(':'.join(pair).encode()).decode()}"


async def mixed(world: AuthorizingWorld) -> dict[str, int]:
    """Each mixture for a client with a key, and a secret for one that has none: the statuses."""
    bot = world.actors["calendar-bot"]
    own = {"grant_type": "client_credentials"}
    found = {
        "assertion and secret": await world.ask("calendar-bot", client_secret="s", **own),
        "assertion and Basic": await world.ask("calendar-bot", headers=[basic(bot.id, "s")], **own),
        "assertion and escaped Basic": await world.ask(
            "calendar-bot", headers=[basic(bot.id, "s", escaped=True)], **own
        ),
        "assertion and empty Basic": await world.ask("calendar-bot", headers=[basic("", "")], **own),
        "assertion and Bearer": await world.ask(
            "calendar-bot", headers=[("authorization", "Bearer x")], **own
        ),
        "all three": await world.ask("calendar-bot", client_secret="s", headers=[basic(bot.id, "s")], **own),
    }
    person = await world.sign_in()
    code = await world.code(person)
    found["public with secret"] = await world.redeem(code, client_secret="s")
    return {name: answer.status_code for name, answer in found.items()}


@pytest.mark.attack("OA-21")
@pytest.mark.spec("RFC 6749", "2.3")
async def test_several_methods_at_once_are_none(uow: SqlUnitOfWork) -> None:
    world = await AuthorizingWorld(uow).populate()
    assert set((await mixed(world)).values()) <= {400, 401}
    # Neither is any of the others one, alone.
    bot = world.actors["calendar-bot"]
    for form, headers in (
        ({"client_id": bot.id, "client_secret": "s"}, []),
        ({}, [basic(bot.id, "s")]),
        ({}, [basic(bot.id, "s", escaped=True)]),
        ({"client_id": bot.id}, []),
    ):
        answer = await world.post("/token", {"grant_type": "client_credentials", **form}, headers=headers)
        assert answer.status_code in {400, 401}
        assert answer.json()["error"] in {"invalid_request", "invalid_client"}


@pytest.mark.twin("OA-21")
async def test_a_server_that_takes_the_first_that_fits_serves_every_mixture(
    sqlite_uow: SqlUnitOfWork,
) -> None:
    world = await AuthorizingWorld(sqlite_uow, build=knowing(FirstThatFits)).populate()
    assert set((await mixed(world)).values()) == {200}


async def told_to_strangers(world: AuthorizingWorld) -> set[tuple[int, str]]:
    """What a thief hears who asks as somebody, and as nobody."""
    thief, at = private_key("key of a thief"), int(world.now.timestamp())
    told = set()
    for who in ("ins_nobody", "usr_nobody", world.actors["calendar-bot"].id, world.actors["ana"].id):
        claims = {"iss": who, "sub": who, "aud": world.options.issuer, "iat": at, "exp": at + 60}
        shown = json.dumps({**claims, "jti": world.fresh()}).encode()
        assertion = jws.sign({"typ": "JWT", "kid": "key_x"}, shown, thief)
        answer = await world.ask("calendar-bot", grant_type="client_credentials", client_assertion=assertion)
        assert answer.status_code == 401
        told.add((answer.status_code, answer.text))
    return told


@pytest.mark.twin("OA-22")
async def test_a_server_that_helps_to_debug_tells_who_is_a_client(sqlite_uow: SqlUnitOfWork) -> None:
    whole = await AuthorizingWorld(sqlite_uow).populate()
    assert len(await told_to_strangers(whole)) == 1
    whole.oauth.token._clients = Talkative(options=whole.options, tenant=whole.access_key.tenant)
    assert len(await told_to_strangers(whole)) == 2
