"""Access tokens (RFC 9068): what is in them, and what a resource accepts."""

import pytest

from remit.authority.oauth.proving.verifier import AccessTokenVerifier
from remit.authority.oauth.wire.errors import InsufficientScope, InvalidToken, MissingToken
from remit.kernel.canonical import b64u_decode
from support.oauth import ABSENT, ISSUER, World, claims_in


@pytest.mark.spec("RFC 9068", "2")
async def test_a_token_has_its_type_and_every_required_claim(world: World) -> None:
    token = await world.task_token()
    header = b64u_decode(token.split(".")[0])
    assert b'"typ":"at+jwt"' in header
    assert claims_in(token).keys() >= {"iss", "exp", "aud", "sub", "client_id", "iat", "jti"}
    assert isinstance(claims_in(token)["aud"], str)


@pytest.mark.spec("RFC 9068", "4")
@pytest.mark.req("R13")
async def test_a_verified_token_says_who_acts_for_whom(each_world: World) -> None:
    world = each_world
    subject = await world.verify(await world.task_token())
    bot = world.actors["calendar-bot"]
    assert (str(subject.instance), str(subject.client)) == (bot.id, bot.id)
    assert str(subject.agent) == bot.principal.parent
    assert subject.chain == (bot.id,)
    assert subject.key == bot.key.public.thumbprint
    assert subject.proof is not None
    assert subject.ceiling is not None
    own = await world.verify(await world.own_token("calendar-bot"), audience=f"{ISSUER}/api")
    assert (own.user, own.task, own.ceiling) == (None, None, None)
    person = await world.verify(await world.own_token("ana"), who="ana", audience=f"{ISSUER}/api")
    assert (person.user, person.instance, person.chain) == (world.actors["ana"].id, "", ())


@pytest.mark.spec("RFC 8707", "2")
async def test_a_token_for_another_resource_is_refused(world: World) -> None:
    token = await world.task_token()
    for audience in (f"{ISSUER}/mcp/mail", f"{ISSUER}/api", f"{ISSUER}/mcp/business/", ISSUER, ""):
        with pytest.raises(InvalidToken):
            await world.verify(token, audience=audience, url=f"{ISSUER}/mcp/business")


@pytest.mark.spec("RFC 6750", "3.1")
async def test_missing_and_insufficient_are_different(world: World) -> None:
    token = await world.task_token()
    for scheme in ("", "Basic", "Token", "DPoPx"):
        with pytest.raises(MissingToken):
            await world.verify(token, scheme=scheme)
    with pytest.raises(InsufficientScope):
        await world.verify(token, scopes=frozenset({"remit.admin"}))


async def test_a_bearer_token_is_for_those_who_are_registered_for_it(world: World) -> None:
    await world.agent("old-bot", attributes=(("token_binding", "bearer"),))
    answer = await world.ask("old-bot", grant_type="client_credentials", proof="")
    assert answer.status_code == 400
    answer = await world.ask("old-bot", grant_type="client_credentials", proof=ABSENT)
    assert answer.json()["token_type"] == "Bearer"
    assert answer.json()["expires_in"] == 120
    token = answer.json()["access_token"]
    subject = await world.verify(token, audience=f"{ISSUER}/api", scheme="Bearer", proofs=[])
    assert subject.proof is None
    with pytest.raises(InvalidToken):
        await world.verify(token, who="old-bot", audience=f"{ISSUER}/api")
    bot = world.actors["old-bot"].principal
    await world.identities.change(bot.id, by=bot.id, at=world.now, attributes=())
    with pytest.raises(InvalidToken):
        await world.verify(token, audience=f"{ISSUER}/api", scheme="Bearer", proofs=[])


async def test_what_is_remembered_is_bounded_and_dies_in_time(world: World) -> None:
    small = AccessTokenVerifier(keys=world.keyring, standings=world.view, clock=world.clock, size=2)
    tokens = [await world.task_token() for _ in range(4)]
    for token in tokens:
        await world.verify(token, verifier=small)
    assert len(small._known) == 2
    world.clock.advance(300)
    for token in tokens:
        with pytest.raises(InvalidToken):
            await world.verify(token, verifier=small)


@pytest.mark.promise("P16", "P12")
@pytest.mark.req("N2")
async def test_a_step_back_of_the_clock_revives_nothing(world: World) -> None:
    token = await world.task_token()
    await world.verify(token)
    world.clock.step(-10)
    with pytest.raises(InvalidToken):
        await world.verify(token)
    assert (await world.introspect("calendar-bot", token)).json() == {"active": False}
    fresh = await world.task_token(subject_token=world.envelope)
    await world.verify(fresh)
