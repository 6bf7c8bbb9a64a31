"""Clients that are told when a person has answered: to whom, with what, how often (CB-12)."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from remit.authority.oauth.asking import backchannel_notices as rules
from remit.authority.oauth.asking.backchannel_notices import Notice
from remit.authority.oauth.clients.metadata import read_metadata
from remit.authority.oauth.clients.registration import CIBA, Delivery
from remit.authority.oauth.flows.backchannel_telling import TellingService
from remit.authority.oauth.provider import OAuth
from remit.authority.oauth.wire.errors import InvalidClientMetadata
from remit.authority.oidc.id_token import hash_of
from remit.authority.oidc.logout import Outcome
from remit.kernel.errors import Unavailable
from remit.kernel.ids import PrincipalId
from remit.kernel.outbound import AddressRule, Destination, OutboundRefused, OutboundRequest, OutboundResponse
from remit.kernel.sealed import SealedBox
from remit.kernel.secret import Secret
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.tables.backchannel import notice as notices
from remit.platform.storage.tables.backchannel import request as requests
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.authorizing import with_codes
from support.backchannel import ASKING, BackchannelWorld, flow_of
from support.jose import private_key
from support.oauth import claims_in

URI = "https://client.example/ping"
TOKEN = "tok-8d67dc78.7faa-4d41"


@dataclass
class Listener:
    """`Outbound` towards a client that answers as it is told, and keeps what it heard."""

    answers: list[int] = field(default_factory=lambda: [204])
    heard: list[OutboundRequest] = field(default_factory=list)

    async def send(self, request: OutboundRequest) -> OutboundResponse:
        self.heard.append(request)
        status = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if not status:
            raise Unavailable("nobody answers")
        return OutboundResponse(status=status, headers={"location": "https://evil.example/"}, body=b"")


def opening(listener: Any, **parts: Any) -> OAuth:
    return with_codes(**{**parts, "outbound": listener})


class PingWorld(BackchannelWorld):
    """The world whose client is told."""

    def __init__(self, uow: SqlUnitOfWork, *, listener: Any = None, **options: Any) -> None:
        self.listener = listener or Listener()
        super().__init__(uow, build=lambda **parts: opening(self.listener, **parts), **options)

    async def populate(self) -> "PingWorld":
        await super().populate()
        await self.change("box", grant_types=ASKING, delivery=Delivery.PING, notification_endpoint=URI)
        return self

    async def told(self) -> int:
        telling = flow_of(self.oauth).telling
        assert isinstance(telling, TellingService)
        return await telling.run_due()


@pytest.fixture
async def world(sqlite_uow: SqlUnitOfWork) -> PingWorld:
    return await PingWorld(sqlite_uow).populate()


@pytest.fixture
async def each(uow: SqlUnitOfWork) -> PingWorld:
    return await PingWorld(uow).populate()


@pytest.mark.req("R68", "R69")
@pytest.mark.spec("CIBA Core", "10.2")
@pytest.mark.parametrize("said", ["allow", "deny"])
async def test_a_client_is_told_once_that_its_person_has_answered(each: PingWorld, said: str) -> None:
    world = each
    ident = await world.asked("box", client_notification_token=TOKEN)
    assert await world.told() == 0
    await world.answer(await world.sign_in(), said)
    assert await world.told() == 1
    assert await world.told() == 0
    (sent,) = world.listener.heard
    assert (sent.method, sent.url, sent.headers["authorization"]) == ("POST", URI, f"Bearer {TOKEN}")
    assert msgspec.json.decode(sent.body) == {"auth_req_id": ident}
    answer = await world.fetch(ident, "box")
    assert answer.status_code == (200 if said == "allow" else 400)
    (record,) = await world.records("authority.ping.delivered")
    assert record.subject == world.clients["box"].client_id


@pytest.mark.spec("CIBA Core", "7.1")
@pytest.mark.parametrize("token", ["", "x" * 1025, "two words", "line\u2028break"])
async def test_what_tells_our_notice_from_a_forgers_is_needed_and_fit(world: PingWorld, token: str) -> None:
    assert await world.bc_error("box", client_notification_token=token) == "invalid_request"


@pytest.mark.attack("CB-12")
async def test_what_is_told_is_sealed_where_it_rests_and_gone_when_it_was_told(world: PingWorld) -> None:
    ident = await world.asked("box", client_notification_token=TOKEN)
    await world.answer(await world.sign_in())
    assert not await stored(world, TOKEN, ident)
    await world.told()
    (body,) = await world.uow.read(lambda tx: tx.sql.rows(select(notices.c.body)))
    assert msgspec.json.decode(body[0], type=Notice).call == ""


async def stored(world: PingWorld, *secrets: str) -> bool:
    """Whether any of them can be read in what is stored."""

    def work(tx: Any) -> str:
        return str([tx.sql.rows(select(table.c.body)) for table in (requests, notices)])

    text = await world.uow.read(work)
    return any(secret in text for secret in secrets)


class Open(SealedBox):
    """Seals nothing."""

    def seal(self, plain: bytes, *, context: Any) -> str:
        return plain.decode()


@pytest.mark.twin("CB-12")
async def test_without_a_seal_whoever_reads_the_store_could_speak_for_us(sqlite_uow: SqlUnitOfWork) -> None:
    world = await PingWorld(sqlite_uow).populate()
    flow_of(world.oauth).authentication._box = Open(key=Secret(b"c" * 32), entropy=world.entropy)
    await world.asked("box", client_notification_token=TOKEN)
    assert await stored(world, TOKEN)


_PLACE = {"backchannel_client_notification_endpoint": URI}


@pytest.mark.attack("CB-12")
@pytest.mark.spec("CIBA Core", "4")
@pytest.mark.parametrize(
    "uri", ["http://client.example/ping", "https://user@client.example/", "ftp://x/y", ""]
)
def test_only_a_fit_https_address_is_registered(uri: str) -> None:
    keys = {"keys": [private_key("a client's").public.jwk()]}
    document: dict[str, Any] = {
        "client_name": "x",
        "grant_types": [CIBA],
        "jwks": keys,
        "backchannel_token_delivery_mode": "ping",
        "backchannel_client_notification_endpoint": uri,
    }
    with pytest.raises(InvalidClientMetadata):
        read_metadata(document)
    assert read_metadata({**document, "backchannel_client_notification_endpoint": URI}).delivery == "ping"
    with pytest.raises(InvalidClientMetadata):
        read_metadata({**document, "backchannel_token_delivery_mode": "poll", **_PLACE})


@pytest.mark.attack("CB-12")
async def test_no_redirect_is_followed_and_no_refusal_repeated(world: PingWorld) -> None:
    world.listener.answers = [302]
    await world.asked("box", client_notification_token=TOKEN)
    await world.answer(await world.sign_in())
    for _ in range(3):
        assert await world.told() == 0
        world.pass_time(seconds=60)
    assert [sent.url for sent in world.listener.heard] == [URI]
    (record,) = await world.records("authority.ping.refused")
    assert dict(record.detail)["last"] == "status 302"


async def test_who_does_not_answer_is_told_again_until_nothing_can_be_fetched(world: PingWorld) -> None:
    world.listener.answers = [0, 503, 204]
    await world.asked("box", client_notification_token=TOKEN)
    await world.answer(await world.sign_in())
    done = []
    for _ in range(4):
        done.append(await world.told())
        world.pass_time(seconds=2)
    assert done == [0, 0, 1, 0]


class Guarded:
    """The way out with the installation's own rule, towards a name that leads into the house."""

    def __init__(self) -> None:
        self.sent = 0

    async def send(self, _: OutboundRequest) -> OutboundResponse:
        AddressRule().check(Destination(host="client.example", port=443), ip_address("169.254.169.254"))
        self.sent += 1
        return OutboundResponse(status=204, headers={}, body=b"")


@pytest.mark.attack("CB-12")
async def test_an_address_inside_the_house_is_told_nothing(sqlite_uow: SqlUnitOfWork) -> None:
    guarded = Guarded()
    world = await PingWorld(sqlite_uow, listener=guarded).populate()
    await world.asked("box", client_notification_token=TOKEN)
    await world.answer(await world.sign_in())
    for _ in range(12):
        await world.told()
        world.pass_time(seconds=60)
    assert guarded.sent == 0
    (record,) = await world.records("authority.ping.abandoned")
    assert dict(record.detail)["last"] == OutboundRefused.code


def test_a_notice_ends_one_way_or_another() -> None:
    at = datetime.fromisoformat("2026-05-15T14:00:00+00:00")
    notice = Notice(
        id="i",
        tenant=DEFAULT_TENANT,
        client_id="c",
        uri=URI,
        call="sealed",
        due=at,
        ends_at=at + timedelta(minutes=1),
    )
    outcomes = {
        status: rules.judged(notice, status, at=at).outcome for status in (200, 204, 302, 401, 404, 500)
    }
    assert outcomes == {
        200: Outcome.DELIVERED,
        204: Outcome.DELIVERED,
        302: Outcome.REFUSED,
        401: Outcome.REFUSED,
        404: Outcome.REFUSED,
        500: Outcome.OPEN,
    }
    late = replace(notice, tries=9)
    assert rules.failed(late, "x", at=at + timedelta(seconds=50)).outcome is Outcome.ABANDONED


# -- push


class PushWorld(PingWorld):
    """The world whose client is pushed its tokens."""

    async def populate(self) -> "PushWorld":
        await super().populate()
        await self.change("box", delivery=Delivery.PUSH)
        return self

    async def asked_for(self, said: str = "allow") -> str:
        ident = await self.asked(
            "box", client_notification_token=TOKEN, dpop_jkt=self.device.public.thumbprint
        )
        await self.answer(await self.sign_in(), said)
        return ident

    def bodies(self) -> list[dict[str, Any]]:
        return [msgspec.json.decode(sent.body) for sent in self.listener.heard]


@pytest.fixture
async def pushing(uow: SqlUnitOfWork) -> PushWorld:
    return await PushWorld(uow).populate()


@pytest.mark.req("R68", "R69")
@pytest.mark.spec("CIBA Core", "10.3.1")
async def test_a_client_is_pushed_what_its_person_allowed_once(pushing: PushWorld) -> None:
    world = pushing
    ident = await world.asked_for()
    assert await world.told() == 1
    assert await world.told() == 0
    (body,) = world.bodies()
    (sent,) = world.listener.heard
    assert sent.headers["authorization"] == f"Bearer {TOKEN}"
    assert body["auth_req_id"] == ident
    claims, told = claims_in(body["access_token"]), claims_in(body["id_token"])
    assert claims["cnf"]["jkt"] == world.device.public.thumbprint
    assert claims["act"]["sub"].endswith(world.clients["box"].principal)
    assert told["urn:openid:params:jwt:claim:auth_req_id"] == ident
    assert told["urn:openid:params:jwt:claim:rt_hash"] == hash_of(body["refresh_token"])
    assert told["at_hash"] == hash_of(body["access_token"])
    assert (await world.refresh(body["refresh_token"], "box")).status_code == 200
    assert await world.error(ident, "box") == "unauthorized_client"
    assert len(await world.records("authority.task.started")) == 1


@pytest.mark.attack("CB-05")
async def test_each_try_brings_the_same_and_nothing_of_it_can_be_read_at_rest(pushing: PushWorld) -> None:
    world = pushing
    world.listener.answers = [503, 0, 204]
    await world.asked_for()
    for _ in range(3):
        await world.told()
        world.pass_time(seconds=4)
    first, *others = world.bodies()
    assert others == [first, first]
    assert not await stored(world, first["access_token"], first["refresh_token"], first["id_token"])


@pytest.mark.spec("CIBA Core", "12")
async def test_a_no_is_pushed_as_one(pushing: PushWorld) -> None:
    ident = await pushing.asked_for("deny")
    await pushing.told()
    (body,) = pushing.bodies()
    assert (body["auth_req_id"], body["error"]) == (ident, "access_denied")
    assert "access_token" not in body


@pytest.mark.req("N2")
async def test_nothing_is_pushed_to_who_was_stopped_meanwhile(pushing: PushWorld) -> None:
    world = pushing
    await world.asked_for()
    agent = PrincipalId(str(world.actors["mail-bot"].principal.parent))
    await world.identities.suspend(agent, by=PrincipalId("system"), because="test", at=world.now)
    await world.told()
    (body,) = world.bodies()
    assert body["error"] == "invalid_grant"
    assert "access_token" not in body


async def test_what_is_pushed_is_bound_to_a_key_that_was_named(pushing: PushWorld) -> None:
    assert await pushing.bc_error("box", client_notification_token=TOKEN) == "invalid_dpop_proof"


@pytest.mark.attack("CB-05")
async def test_of_two_nodes_that_push_one_makes_the_tokens(pushing: PushWorld) -> None:
    world = pushing
    await world.asked_for()
    telling = flow_of(world.oauth).telling
    (notice,) = await world.uow.read(lambda tx: tx.notices.due(world.now, 10))
    call = rules.open_call(telling._box, notice)
    made = [await telling._pusher.mint(notice, call) for _ in range(2)]
    assert made[0] is not None
    assert made[1] is None
    assert await world.told() == 1
    (body,) = world.bodies()
    assert (await world.refresh(body["refresh_token"], "box")).status_code == 200
