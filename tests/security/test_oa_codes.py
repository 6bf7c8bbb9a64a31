"""Attacks on authorization codes and on the way to them (security, class OA)."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from remit.authority.oauth.asking import codes
from remit.authority.oauth.asking.codes import AuthorizationCode, Shown
from remit.authority.oauth.clients import redirects
from remit.authority.oauth.clients.registration import CODE, ClientRegistration, RegistrationKind
from remit.authority.oauth.grants.authorization_code import AuthorizationCodeGrant
from remit.authority.oauth.issuing.redeeming import SpendCode
from remit.authority.oauth.proving.requests import Asking
from remit.authority.oauth.wire import opaque
from remit.authority.oauth.wire.client_options import DocumentClients, DocumentPolicy
from remit.authority.oauth.wire.pkce import challenge_of
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.authorizing import BACK, LOOPBACK, MCP, VERIFIER, AuthorizingWorld, told, with_codes
from support.jose import private_key
from support.oauth import ABSENT, OPTIONS, claims_in

MUTATIONS = (
    *(
        BACK + tail
        for tail in ("/", "/x", "?", "?x", "?x=1", "#", "#x", ";x", "%20", " ", ".", "\\", "%2f", "&x")
    ),
    *(
        BACK.replace("client.example", host)
        for host in (
            "client.example.",
            "CLIENT.example",
            "client.example:443",
            "client.example:8443",
            "user@client.example",
            "client.example@evil.example",
            "client.example.evil.example",
            "evil.example/client.example",
            "evil.example\\@client.example",
            "client.example%2eevil.example",
            "client.example%00.evil.example",
            "xclient.example",
            "[client.example]",
            "client。example",
        )
    ),
    "http://client.example/callback",
    "HTTPS://client.example/callback",
    "https:/client.example/callback",
    "https:client.example/callback",
    "//client.example/callback",
    "/callback",
    "https://client.example/Callback",
    "https://client.example//callback",
    "https://client.example/./callback",
    "https://client.example/x/../callback",
    "https://client.example/%63allback",
    "https://client.example",
    "https://client.example/callback/../evil",
    "javascript:alert(1)//https://client.example/callback",
    "data:text/html,https://client.example/callback",
    f" {BACK}",
    f"{BACK}\u2028",
)


PORTS = {
    "http://127.0.0.1:1/callback": True,
    "http://127.0.0.1:65535/callback": True,
    "http://127.0.0.1/callback": True,
    "http://127.0.0.1:65536/callback": False,
    "http://127.0.0.1:0/callback": False,
    "http://127.0.0.1:080/callback": False,
    "http://127.0.0.1:/callback": False,
    "http://127.0.0.1:x/callback": False,
    "http://127.0.0.2:4567/callback": False,
    "http://127.1:4567/callback": False,
    "http://localhost:4567/callback": False,
    "http://[::1]:4567/callback": False,
    "http://127.0.0.1.evil.example:4567/callback": False,
    "http://127.0.0.1:4567@evil.example/callback": False,
    "http://evil@127.0.0.1:4567/callback": False,
    "https://127.0.0.1:4567/callback": False,
    "http://127.0.0.1:4567/other": False,
    "http://127.0.0.1:4567/callback?x=1": False,
}


@pytest.fixture
async def world(sqlite_uow: SqlUnitOfWork) -> AuthorizingWorld:
    return await AuthorizingWorld(sqlite_uow).populate()


@pytest.fixture
async def each(uow: SqlUnitOfWork) -> AuthorizingWorld:
    return await AuthorizingWorld(uow).populate()


# -- redirect URIs


@pytest.mark.attack("OA-01", "OA-02")
@pytest.mark.spec("RFC 9700", "4.1.3")
async def test_no_mutation_of_a_redirect_uri_is_answered(world: AuthorizingWorld) -> None:
    taken = [uri for uri in MUTATIONS if (await world.begin(redirect_uri=uri)).status_code != 400]
    assert not taken
    assert len(MUTATIONS) >= 40


@pytest.mark.attack("OA-02")
@pytest.mark.spec("RFC 8252", "7.3")
async def test_only_the_port_of_a_loopback_address_varies(world: AuthorizingWorld) -> None:
    native = await world.public("native", redirect_uris=(LOOPBACK,))
    assert {uri: redirects.accepts(native, uri) for uri in PORTS} == PORTS
    web = await world.confidential("fixed", "mail-bot", redirect_uris=(LOOPBACK,))
    assert not redirects.accepts(web, "http://127.0.0.1:1/callback")
    assert redirects.accepts(web, LOOPBACK)


# -- codes: what must fit


WRONG: dict[str, dict[str, Any]] = {
    "another verifier": {"code_verifier": VERIFIER + "x"},
    "no verifier": {"code_verifier": ABSENT},
    "the challenge for a verifier": {"code_verifier": challenge_of(VERIFIER)},
    "a short verifier": {"code_verifier": "a" * 42},
    "a long verifier": {"code_verifier": "a" * 129},
    "a verifier with odd characters": {"code_verifier": VERIFIER + "!"},
    "another redirect": {"redirect_uri": "https://client.example/other"},
    "another code": {"code": "rmt_ac_" + "A" * 43},
    "no form of ours": {"code": "A" * 50},
    "a refresh token for a code": {"code": "rmt_rt_" + "A" * 43},
}


@pytest.mark.attack("OA-05", "OA-06", "OA-09")
@pytest.mark.spec("RFC 7636", "4.6")
@pytest.mark.spec("RFC 6749", "4.1.3")
@pytest.mark.spec("RFC 6749", "5.2")
async def test_a_code_is_worth_nothing_with_anything_wrong(world: AuthorizingWorld) -> None:
    person = await world.sign_in()
    code = await world.code(person)
    said = set()
    for changed in WRONG.values():
        answer = await world.redeem(**{"code": code, **changed})
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant"), changed
        said.add(answer.json()["error_description"])
    assert len(said) == 1, "no oracle by text"
    # A stranger's attempts use nothing up: its own client still gets what the person gave.
    assert (await world.redeem(code)).status_code == 200


@pytest.mark.attack("OA-09")
async def test_a_code_is_its_own_clients_alone(world: AuthorizingWorld) -> None:
    await world.public("other", "mail-bot")
    person = await world.sign_in()
    code = await world.code(person)
    for other in ("other", "web"):
        answer = await world.redeem(code, other, proof=None if other == "other" else world.proof("web"))
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert (await world.redeem(code)).status_code == 200


class AnyClient(AuthorizationCodeGrant):
    """A grant that does not ask whose code it is."""

    def _code(self, asking: Asking, registration: ClientRegistration) -> AuthorizationCode:
        known = asking.tx.codes.get(opaque.digest_of(asking.request.parameters.need("code")))
        assert known is not None
        return replace(known, client_id=registration.client_id)


def planted(kind: type[AuthorizationCodeGrant]) -> Any:
    def build(**parts: Any) -> Any:
        whole = with_codes(**parts)
        grants = dict(whole.token._grants)
        ours: Any = grants[CODE]
        grants[CODE] = kind(mint=ours._mint, entropy=ours._entropy)
        whole.token._grants = grants
        return whole

    return build


@pytest.mark.twin("OA-05", "OA-06", "OA-09")
async def test_any_client_would_be_served_without_the_checks(sqlite_uow: SqlUnitOfWork) -> None:
    world = await AuthorizingWorld(sqlite_uow, build=planted(AnyClient)).populate()
    await world.public("other")
    code = await world.code(await world.sign_in())
    assert (await world.redeem(code, "other", code_verifier=ABSENT)).status_code == 200


@pytest.mark.attack("OA-09", "DP-08")
@pytest.mark.spec("RFC 9449", "10")
async def test_a_code_that_names_a_key_is_redeemed_with_that_key(world: AuthorizingWorld) -> None:
    jkt = world.device.public.thumbprint
    person = await world.sign_in()
    code = await world.code(person, dpop_jkt=jkt)
    thief = world.device_proof(key=private_key("key of a thief"))
    answer = await world.redeem(code, proof=thief)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    assert (await world.redeem(code)).status_code == 200


class AnyKey(AuthorizationCodeGrant):
    """A grant that does not ask which key the code was begun with."""

    def _code(self, asking: Asking, registration: ClientRegistration) -> AuthorizationCode:
        parameters = asking.request.parameters
        known = asking.tx.codes.get(opaque.digest_of(parameters.need("code")))
        assert known is not None
        whose = Shown(
            client_id=registration.client_id,
            redirect_uri=parameters.get("redirect_uri"),
            verifier=parameters.get("code_verifier"),
            key="",
        )
        codes.check(replace(known, key=""), whose, at=asking.request.at)
        return known


@pytest.mark.twin("DP-08")
async def test_a_stolen_code_would_be_redeemed_with_the_key_of_a_thief(sqlite_uow: SqlUnitOfWork) -> None:
    world = await AuthorizingWorld(sqlite_uow, build=planted(AnyKey)).populate()
    code = await world.code(await world.sign_in(), dpop_jkt=world.device.public.thumbprint)
    thief = private_key("key of a thief")
    answer = await world.redeem(code, proof=world.device_proof(key=thief))
    assert claims_in(answer.json()["access_token"])["cnf"] == {"jkt": thief.public.thumbprint}


@pytest.mark.spec("RFC 6749", "4.1.2")
async def test_a_code_lasts_a_minute(world: AuthorizingWorld) -> None:
    person = await world.sign_in()
    code, late = await world.code(person), await world.code(person)
    world.pass_time(seconds=59)
    assert (await world.redeem(code)).status_code == 200
    world.pass_time(seconds=1)
    assert (await world.redeem(late)).json()["error"] == "invalid_grant"


@pytest.mark.spec("RFC 8707", "2.2")
@pytest.mark.spec("RFC 9396", "6.1")
async def test_at_the_token_endpoint_everything_only_narrows(world: AuthorizingWorld) -> None:
    person = await world.sign_in()
    other = await world.redeem(await world.code(person), resource=MCP.replace("business", "mail"))
    assert other.json()["error"] == "invalid_target"
    wider = await world.redeem(await world.code(person), scope="mcp remit.act")
    assert wider.json()["error"] == "invalid_scope"
    asked = '[{"type":"remit_action","rights":[{"action":"mail/mail.send","resource_type":"Thing",'
    beyond = await world.redeem(
        await world.code(person), authorization_details=asked + '"resources":"any","constraints":[]}]}]'
    )
    assert beyond.json()["error"] == "invalid_authorization_details"


# -- replay and race


async def lives(world: AuthorizingWorld, token: str) -> bool:
    """Whether a token of the public client still serves at its resource."""
    from remit.authority.oauth.wire.errors import OAuthError

    shown = world.device_proof("/mcp/business", access_token=token)
    try:
        await world.verify(token, proofs=[shown])
    except OAuthError:
        return False
    return True


@pytest.mark.attack("OA-07")
@pytest.mark.spec("RFC 6749", "4.1.2")
@pytest.mark.req("R27")
async def test_a_code_that_comes_twice_takes_everything_back(each: AuthorizingWorld) -> None:
    person = await each.sign_in()
    code = await each.code(person)
    first = (await each.redeem(code)).json()
    renewed = (await each.refresh(first["refresh_token"])).json()
    assert await lives(each, first["access_token"])
    again = await each.redeem(code)
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    for token in (first["access_token"], renewed["access_token"]):
        assert not await lives(each, token)
    assert (await each.refresh(renewed["refresh_token"])).json()["error"] == "invalid_grant"
    ended = await each.records("authority.family.ended")
    assert [record.codes for record in ended] == [("code_replayed",)]


@pytest.mark.attack("OA-08")
async def test_of_fifty_who_redeem_one_code_at_most_one_is_served(each: AuthorizingWorld) -> None:
    for _ in range(2):
        code = await each.code(await each.sign_in())
        answers = await asyncio.gather(*(each.redeem(code) for _ in range(50)))
        won = [answer for answer in answers if answer.status_code == 200]
        assert len(won) <= 1
        assert {answer.json()["error"] for answer in answers if answer not in won} == {"invalid_grant"}
        # Whoever came second had it too: nothing of it goes on.
        assert not [answer for answer in won if await lives(each, answer.json()["access_token"])]


class Unspent(SpendCode):
    """Spends without asking whether it was the first."""

    def apply(self, tx: Any, *, at: datetime) -> str:
        tx.codes.spend(self.code, at)
        return ""


class Careless(AuthorizationCodeGrant):
    """A grant that looks whether a code was spent, and spends it, in two steps."""

    def draft(self, asking: Asking) -> Any:
        drafted = super().draft(asking)
        spend: Any = drafted.spend
        return replace(
            drafted,
            spend=Unspent(
                code=spend.code,
                family=spend.family,
                registration=spend.registration,
                entropy=spend.entropy,
            ),
        )


@pytest.mark.twin("OA-07", "OA-08")
async def test_several_would_be_served_without_the_conditional_update(sqlite_uow: SqlUnitOfWork) -> None:
    world = await AuthorizingWorld(sqlite_uow, build=planted(Careless)).populate()
    code = await world.code(await world.sign_in())
    answers = await asyncio.gather(*(world.redeem(code) for _ in range(10)))
    assert sum(answer.status_code == 200 for answer in answers) > 1


# -- the person's part


@pytest.mark.attack("OA-13")
async def test_nobody_answers_for_another_session(world: AuthorizingWorld) -> None:
    ana, ben = await world.sign_in("ana"), await world.sign_in("ben")
    page = await world.show(ana)
    assert (await world.get(page.path, ben)).status_code == 400
    foreign = await world.say(ben, page)
    assert foreign.status_code == 403
    assert (await world.say(ana, page, csrf="0" * 64)).status_code == 403
    headers = [("cookie", ana.cookie), ("origin", "https://evil.example")]
    crossed = await world.post(page.path, {"csrf": page.csrf, "answer": "allow"}, headers=headers)
    assert crossed.status_code == 403
    assert "code" in told(await world.say(ana, page))


@pytest.mark.attack("OA-13")
async def test_an_answer_is_given_once(world: AuthorizingWorld) -> None:
    person = await world.sign_in()
    page = await world.show(person)
    assert "code" in told(await world.say(person, page))
    again = await world.say(person, page)
    assert again.status_code == 400
    assert "location" not in again.headers


@pytest.mark.attack("OA-26")
@pytest.mark.req("R35")
async def test_no_starts_nothing_and_is_on_record(world: AuthorizingWorld) -> None:
    person = await world.sign_in()
    found = told(await world.say(person, await world.show(person), "deny"))
    assert (found["error"], found["state"]) == ("access_denied", "a state")
    assert not await world.records("authority.grant.given")
    assert len(await world.records("authority.authorization.denied")) == 1


@pytest.mark.attack("OA-26")
async def test_a_client_that_changed_is_asked_for_anew(world: AuthorizingWorld) -> None:
    person = await world.sign_in()
    page = await world.show(person)
    await world.change("strict", digest="0" * 64, redirect_uris=("https://evil.example/",))
    answer = await world.say(person, page)
    assert answer.status_code == 400
    assert "location" not in answer.headers


@pytest.mark.attack("OA-26")
async def test_yes_gives_exactly_what_was_shown(world: AuthorizingWorld) -> None:
    """The agent may do more by the time of the answer; the yes was to less."""
    person = await world.sign_in()
    page = await world.show(person)
    await world.allow_agent("calendar-bot", world.ceiling("business/rooms.book", "business/vault.open"))
    issued = await world.redeem(told(await world.say(person, page))["code"])
    rights = issued.json()["authorization_details"][0]["rights"]
    assert [right["action"] for right in rights] == ["business/rooms.book"]
    given = await world.records("authority.grant.given")
    assert len(given) == 1


@pytest.mark.attack("OA-24")
async def test_a_person_is_warned_of_what_nobody_can_prove(sqlite_uow: SqlUnitOfWork) -> None:
    allowed = DocumentClients(policy=DocumentPolicy.LISTED, agents={"app.example": "calendar-bot"})
    world = await AuthorizingWorld(sqlite_uow, options=replace(OPTIONS, documents=allowed)).populate()
    await world.public(
        "document",
        redirect_uris=(LOOPBACK,),
        client_id="https://app.example/client",
        kind=RegistrationKind.METADATA_DOCUMENT,
        fresh_until=world.now + timedelta(hours=1),
    )
    person = await world.sign_in()
    page = await world.show(person, "document", redirect_uri="http://127.0.0.1:9/callback")
    assert "app.example" in page.text
    assert "127.0.0.1:9" in page.text
    assert "nobody can say which" in page.text
    assert "nobody can say which" not in (await world.show(person)).text


@pytest.mark.attack("OA-12")
@pytest.mark.parametrize("kind", ["password", "implicit", "urn:ietf:params:oauth:grant-type:device_code"])
async def test_no_grant_that_is_not_served(world: AuthorizingWorld, kind: str) -> None:
    answer = await world.send("/token", "strict", {"grant_type": kind, "username": "u", "password": "p"})
    assert (answer.status_code, answer.json()["error"]) == (400, "unsupported_grant_type")


@pytest.mark.spec("OIDC Core", "3.1.2.1")
async def test_a_person_proves_it_again_where_the_client_says_so(world: AuthorizingWorld) -> None:
    person = await world.sign_in()
    world.pass_time(minutes=5)
    for changed in ({"prompt": "login"}, {"max_age": "299"}, {"max_age": "0"}):
        where = (await world.begin(**changed)).headers["location"]
        sent = await world.get(where, person)
        assert sent.headers["location"].startswith("/sign-in?")
        assert "again=1" in sent.headers["location"]
    old = (await world.begin(max_age="300")).headers["location"]
    assert (await world.get(old, person)).status_code == 200
    # Whoever has proven it since the request came is not sent away again.
    where = (await world.begin(prompt="login", max_age="0")).headers["location"]
    fresh = await world.sign_in()
    assert (await world.get(where, fresh)).status_code == 200


@pytest.mark.spec("RFC 9470", "5")
async def test_what_nobody_can_meet_is_told_so(world: AuthorizingWorld) -> None:
    person = await world.sign_in()
    met = (await world.begin(acr_values="urn:other urn:remit:acr:passkey")).headers["location"]
    assert (await world.get(met, person)).status_code == 200
    unmet = (await world.begin(acr_values="urn:other")).headers["location"]
    assert told(await world.get(unmet, person))["error"] == "unmet_authentication_requirements"


async def test_somebody_who_is_not_signed_in_comes_back_here(world: AuthorizingWorld) -> None:
    where = (await world.begin()).headers["location"]
    sent = await world.get(where)
    assert sent.status_code == 303
    assert sent.headers["location"].startswith("/sign-in?next=%2Fauthorize%2Frmt_ar_")


def test_a_code_says_nothing_of_itself() -> None:
    assert "code" not in AuthorizationCode.__slots__
    assert codes.LIFE.total_seconds() == 60
    assert Shown(client_id="", redirect_uri="", verifier="", key="").key == ""
