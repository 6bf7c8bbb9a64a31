"""Clients that are documents (draft-ietf-oauth-client-id-metadata-document), at the directory of clients."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from remit.authority.oauth.clients.fetched import DOCUMENT_BYTES, DocumentRefused, freshness
from remit.authority.oauth.clients.registration import ClientRegistration, RegistrationKind
from remit.authority.oauth.enrolling.client_directory import FETCHES
from remit.authority.oauth.wire.client_options import DocumentClients, DocumentPolicy
from remit.authority.oauth.wire.errors import InvalidClient
from remit.identity.principals import Kind
from remit.kernel.ids import KeyId
from remit.kernel.jose import jwt
from remit.kernel.jose.keys import KeyClass, Signer
from remit.kernel.jose.profiles import TokenType
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.documents import LISTED, URL, Host, document, open_to_documents
from support.jose import private_key
from support.oauth import World

KEYS = {"keys": [{**private_key("notes").public.jwk(), "kid": "n1"}]}
OTHER_KEYS = {"keys": [{**private_key("notes 2").public.jwk(), "kid": "n2"}]}
pytestmark = pytest.mark.req("N34")


async def resolve(world: World, client_id: str = URL) -> ClientRegistration:
    return await world.oauth.directory.resolve(client_id, at=world.now)


async def refusal(world: World, client_id: str = URL) -> str:
    with pytest.raises(InvalidClient) as refused:
        await resolve(world, client_id)
    return refused.value.reason


@pytest.mark.spec("draft-ietf-oauth-client-id-metadata-document", "4")
async def test_a_document_makes_an_instance_of_the_agent_of_its_host(uow: SqlUnitOfWork) -> None:
    host = Host()
    host.put(document())
    world = await open_to_documents(uow, host)
    client = await resolve(world)
    assert client.client_id == URL
    assert client.kind is RegistrationKind.METADATA_DOCUMENT
    assert client.public
    instance = await world.identities.get(client.principal)
    assert instance.kind is Kind.INSTANCE
    assert instance.parent == world.actors["mail-bot"].principal.parent
    assert [asked.url for asked in host.asked] == [URL]
    assert host.asked[0].method == "GET"
    assert host.asked[0].largest_answer == DOCUMENT_BYTES
    assert host.asked[0].timeout == 3.0
    assert len(await world.records("authority.client.registered")) == 1


@pytest.mark.spec("draft-ietf-oauth-client-id-metadata-document", "4.4")
async def test_a_document_counts_as_long_as_it_says_and_no_failure_is_remembered(
    sqlite_uow: SqlUnitOfWork,
) -> None:
    host = Host()
    world = await open_to_documents(sqlite_uow, host)
    assert await refusal(world) == "document_unreachable"
    host.put(document(), cache_control="public, max-age=600")
    first = await resolve(world)
    world.clock.advance(599)
    assert await resolve(world) == first
    assert len(host.asked) == 2
    world.clock.advance(1)
    host.put(document(client_name="Other"), status=500)
    assert await refusal(world) == "document_status"
    host.put(document())
    again = await resolve(world)
    assert len(host.asked) == 4
    assert again.digest == first.digest
    assert again.principal == first.principal


@pytest.mark.spec("draft-ietf-oauth-client-id-metadata-document", "4.4")
@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("", 300),
        ("max-age=5", 60),
        ("max-age=999999", 86_400),
        ("no-store", 60),
        ("max-age=3600, public", 3600),
    ],
)
def test_freshness_lies_between_a_minute_and_a_day(said: str, seconds: int) -> None:
    assert freshness({"cache-control": said}) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"client_name": "Other"}, False),
        ({"redirect_uris": ["https://notes.example/other"]}, False),
        ({"jwks": KEYS, "token_endpoint_auth_method": "private_key_jwt"}, False),
        ({"jwks_uri": "https://notes.example/keys", "token_endpoint_auth_method": "private_key_jwt"}, False),
        ({"client_uri": "https://notes.example/about"}, True),
        ({"contacts": ["user@company.com"]}, True),
    ],
)
async def test_what_consent_showed_is_in_the_digest(
    changes: dict[str, Any], same: bool, sqlite_uow: SqlUnitOfWork
) -> None:
    host = Host()
    host.put(document())
    host.put(KEYS, url="https://notes.example/keys")
    world = await open_to_documents(sqlite_uow, host)
    before = await resolve(world)
    host.put(document(**changes))
    world.clock.advance(301)
    after = await resolve(world)
    assert (after.digest == before.digest) is same
    assert len(await world.records("authority.client.changed")) == (0 if same else 1)


async def test_a_client_with_keys_proves_itself_by_them_and_not_by_those_it_left(
    sqlite_uow: SqlUnitOfWork,
) -> None:
    host = Host()
    host.put(document(jwks=KEYS, token_endpoint_auth_method="private_key_jwt"))
    world = await open_to_documents(sqlite_uow, host)
    client = await resolve(world)
    assert (await ask(world, client, "notes", "n1")).json()["error"] == "unauthorized_client"
    assert (await ask(world, client, "notes 2", "n2")).status_code == 401
    host.put(document(jwks=OTHER_KEYS, token_endpoint_auth_method="private_key_jwt"))
    world.clock.advance(301)
    assert (await ask(world, client, "notes 2", "n2")).json()["error"] == "unauthorized_client"
    assert (await ask(world, client, "notes", "n1")).status_code == 401


async def ask(world: World, client: ClientRegistration, key: str, kid: str) -> Any:
    """Who is believed learns that this grant is not its own; who is not learns nothing."""
    signer = Signer(kid=KeyId(kid), key_class=KeyClass.CLIENT, private=private_key(key))
    at = int(world.now.timestamp())
    claims: Any = {"iss": URL, "sub": URL, "aud": world.options.issuer, "iat": at, "exp": at + 60,
                   "jti": world.fresh()}  # fmt: skip
    assertion = jwt.issue(claims, as_type=TokenType.CLIENT_ASSERTION, signer=signer)
    return await world.post(
        "/token", world.form("ana", client_assertion=assertion, grant_type="client_credentials")
    )


@pytest.mark.attack("OA-24")
@pytest.mark.spec("draft-ietf-oauth-client-id-metadata-document", "4.1")
@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"client_id": "https://notes.example/other.json"}, "document_id"),
        ({"client_id": f"{URL}/"}, "document_id"),
        ({"client_id": URL.upper()}, "document_id"),
        ({"client_id": None}, "document_id"),
        ({"client_id": [URL]}, "document_id"),
        ({"client_secret": "s"}, "document_metadata"),
        ({"token_endpoint_auth_method": "client_secret_basic"}, "document_metadata"),
        ({"redirect_uris": []}, "document_metadata"),
        ({"redirect_uris": ["javascript:alert(1)"]}, "document_metadata"),
        ({"client_name": ""}, "document_metadata"),
    ],
)
async def test_a_document_that_does_not_hold_is_no_client(
    said: dict[str, Any], reason: str, sqlite_uow: SqlUnitOfWork
) -> None:
    host = Host()
    host.put(document(**said))
    world = await open_to_documents(sqlite_uow, host)
    assert await refusal(world) == reason
    assert await world.uow.read(lambda tx: tx.registrations.get(URL)) is None


@pytest.mark.attack("OA-23")
@pytest.mark.parametrize(
    ("put", "reason"),
    [
        ({"status": 302, "location": "http://169.254.169.254/"}, "document_status"),
        ({"status": 301, "location": URL}, "document_status"),
        ({"status": 404}, "document_status"),
        ({"status": 206}, "document_status"),
        ({"media": "text/html"}, "document_status"),
        ({"media": "application/jsonp"}, "document_status"),
        ({"document": b"{"}, "document_json"),
        ({"document": b"[]"}, "document_json"),
        ({"document": b'{"client_id":"a","client_id":"b"}'}, "document_json"),
        ({"document": b'{"a":' * 64 + b"1" + b"}" * 64}, "document_json"),
    ],
)
async def test_only_a_plain_answer_with_json_counts(
    put: dict[str, Any], reason: str, sqlite_uow: SqlUnitOfWork
) -> None:
    host = Host()
    host.put(put.pop("document", document()), **put)
    world = await open_to_documents(sqlite_uow, host)
    assert await refusal(world) == reason
    assert len(host.asked) == 1


@pytest.mark.parametrize(
    ("allowed", "url"),
    [
        (DocumentClients(), URL),
        (LISTED, "https://other.example/client.json"),
        (LISTED, "https://notes.example.evil.example/client.json"),
        (LISTED, "https://evil.example/notes.example/client.json"),
        (DocumentClients(policy=DocumentPolicy.ANY), URL),
        (DocumentClients(policy=DocumentPolicy.ANY, others="nobody"), URL),
    ],
)
async def test_a_host_that_nobody_named_is_not_even_asked(
    allowed: DocumentClients, url: str, sqlite_uow: SqlUnitOfWork
) -> None:
    host = Host()
    host.put(document(client_id=url), url=url)
    world = await open_to_documents(sqlite_uow, host, allowed=allowed)
    assert await refusal(world, url) in {"document_host", "document_agent"}
    assert bool(host.asked) is (allowed.others == "nobody")


async def test_a_dead_client_stays_dead_whatever_its_document_says(sqlite_uow: SqlUnitOfWork) -> None:
    host = Host()
    host.put(document())
    world = await open_to_documents(sqlite_uow, host)
    client = await resolve(world)
    ana = world.actors["ana"].principal.id
    await world.identities.suspend(client.principal, by=ana, because="test", at=world.now)
    assert await refusal(world) == "client_unknown"
    world.clock.advance(301)
    host.put(document(client_name="Other"))
    assert await refusal(world) == "client_unknown"


async def test_many_who_ask_at_once_cost_one_fetch(sqlite_uow: SqlUnitOfWork) -> None:
    host = Host()
    host.put(document())
    world = await open_to_documents(sqlite_uow, host)
    found = await asyncio.gather(*(resolve(world) for _ in range(10)))
    assert len(set(found)) == 1
    assert len(host.asked) == 1


async def test_strangers_make_us_fetch_no_more_than_so_much(sqlite_uow: SqlUnitOfWork) -> None:
    host = Host()
    anybody = DocumentClients(policy=DocumentPolicy.ANY, others="mail-bot")
    world = await open_to_documents(sqlite_uow, host, allowed=anybody)
    for number in range(FETCHES):
        assert await refusal(world, f"https://a{number}.example/c") == "document_unreachable"
    assert await refusal(world, URL) == "document_rate"
    assert len(host.asked) == FETCHES
    world.clock.advance(60)
    host.put(document())
    assert (await resolve(world)).client_id == URL


def test_a_refusal_is_an_invalid_client() -> None:
    assert issubclass(DocumentRefused, InvalidClient)
