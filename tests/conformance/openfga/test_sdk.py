# mypy: disable-error-code="arg-type, dict-item, no-untyped-call"
# The SDK has no types, or narrower ones than it takes.
"""OpenFGA's own client SDK, unchanged, against a real port of ours."""

import secrets
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx2
import openfga_sdk as sdk
import pytest
from openfga_sdk.client import models as client
from openfga_sdk.client.models import ClientTuple as Tuple
from openfga_sdk.client.models.list_users_request import ClientListUsersRequest as ListUsers
from openfga_sdk.credentials import CredentialConfiguration, Credentials
from openfga_sdk.exceptions import ApiException, NotFoundException, UnauthorizedException, ValidationException

from remit.decision.relations.dsl import parse_dsl
from remit.decision.relations.model_json import write_model
from remit.identity.principals import Environment, Kind
from remit.identity.registration import Registration
from remit.kernel.ids import PrincipalId
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.keys import PrivateKey
from support.clients import Party
from support.composed import populated
from support.house import House
from support.relations import DRIVE

pytestmark = pytest.mark.req("R49")
TIMED = """model
  schema 1.1
type user
type room
  relations
    define guest: [user, user:* with until]
condition until(limit: timestamp, current_time: timestamp) { current_time < limit }
"""


async def account(house: House, name: str, *, roles: str) -> Party:
    """A service account whose registration allows tokens that are bound to no key."""
    admin = PrincipalId(house["admin"].id)
    stated = Registration(
        kind=Kind.SERVICE_ACCOUNT,
        name=name,
        owner=admin,
        purpose="keep relations",
        environment=Environment.PRODUCTION,
        attributes=(("roles", roles), ("token_binding", "bearer")),
    )
    entry = await house.services.identity.register(stated, by=admin, at=house.now())
    key = PrivateKey.generate(Algorithm.ED25519, secrets.token_bytes)
    found = await house.services.credentials.register(entry.id, key.public.jwk(), by=admin, at=house.now())
    active = await house.services.identity.activate(entry.id, by=admin, at=house.now())
    await house.services.ground.snapshots.catch_up()
    return house._known(name, active, found.id, key)


async def bearer(house: House, party: Party) -> str:
    form = {
        "grant_type": "client_credentials",
        "resource": f"{house.issuer}/api",
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": party.assertion(),
    }
    reply = await house.http.post(f"{house.issuer}/token", data=form)
    assert reply.status_code == 200, reply.text
    assert reply.json()["token_type"] == "Bearer"
    return str(reply.json()["access_token"])


def configured(house: House, token: str, **ids: str) -> sdk.ClientConfiguration:
    return sdk.ClientConfiguration(
        api_url=f"{house.issuer}/fga",
        credentials=Credentials(method="api_token", configuration=CredentialConfiguration(api_token=token)),
        **ids,
    )


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with populated(tmp_path / "data") as made:
        yield made


@pytest.fixture
async def token(house: House) -> str:
    return await bearer(house, await account(house, "keeper", roles="relations"))


@pytest.fixture
async def fga(house: House, token: str) -> AsyncIterator[sdk.OpenFgaClient]:
    """A client with a store of its own and the model of a drive."""
    async with sdk.OpenFgaClient(configured(house, token)) as found:
        made = await found.create_store(sdk.CreateStoreRequest(name="drive"))
        found.set_store_id(made.id)
        written = await found.write_authorization_model(modelled(DRIVE))
        found.set_authorization_model_id(written.authorization_model_id)
        yield found


def modelled(text: str) -> object:
    """A model as the SDK sends it: JSON as its own models would be."""
    return write_model(parse_dsl(text)[0])


def question(user: str, relation: str, thing: str, **more: object) -> client.ClientCheckRequest:
    return client.ClientCheckRequest(user=user, relation=relation, object=thing, **more)


async def written(fga: sdk.OpenFgaClient, *texts: str) -> None:
    await fga.write(client.ClientWriteRequest(writes=[keyed(text) for text in texts]))


def keyed(text: str) -> Tuple:
    thing, _, rest = text.partition("#")
    relation, _, user = rest.partition("@")
    return Tuple(user=user, relation=relation, object=thing)


async def test_stores_are_made_listed_and_removed(house: House, token: str, fga: sdk.OpenFgaClient) -> None:
    for number in range(3):
        await fga.create_store(sdk.CreateStoreRequest(name=f"store {number}"))
    names, after = [], ""
    while True:
        page = await fga.list_stores(
            {"page_size": 2, "continuation_token": after} if after else {"page_size": 2}
        )
        names += [each.name for each in page.stores]
        after = page.continuation_token
        if not after:
            break
    assert names == ["drive", "store 0", "store 1", "store 2"]
    assert [each.name for each in (await fga.list_stores({"name": "store 1"})).stores] == ["store 1"]
    assert (await fga.get_store()).name == "drive"
    await fga.delete_store()
    with pytest.raises(NotFoundException) as refused:
        await fga.get_store()
    assert refused.value.code == "store_id_not_found"


async def test_models_are_written_and_read_back(fga: sdk.OpenFgaClient) -> None:
    first = fga.get_authorization_model_id()
    second = (await fga.write_authorization_model(modelled(TIMED))).authorization_model_id
    assert second > first
    latest = await fga.read_latest_authorization_model()
    assert latest.authorization_model.id == second
    assert latest.authorization_model.conditions["until"].expression.strip() == "current_time < limit"
    page = await fga.read_authorization_models({"page_size": 1})
    assert [each.id for each in page.authorization_models] == [second]
    rest = await fga.read_authorization_models({"continuation_token": page.continuation_token})
    assert [each.id for each in rest.authorization_models] == [first]
    known = await fga.read_authorization_model({"authorization_model_id": first})
    assert [each.type for each in known.authorization_model.type_definitions] == [
        "user", "group", "folder", "document",
    ]  # fmt: skip


async def test_checks_lists_and_batches_say_the_same(fga: sdk.OpenFgaClient) -> None:
    await written(
        fga,
        "group:eng#member@user:ana",
        "folder:top#viewer@group:eng#member",
        "document:plan#parent@folder:top",
        "document:memo#viewer@user:*",
        "document:memo#blocked@user:ben",
    )
    expected = {
        ("user:ana", "document:plan"): True,
        ("user:ben", "document:plan"): False,
        ("user:ana", "document:memo"): True,
        ("user:ben", "document:memo"): False,
    }
    for (user, thing), allowed in expected.items():
        assert (await fga.check(question(user, "viewer", thing))).allowed is allowed
    items = [
        client.ClientBatchCheckItem(user=user, relation="viewer", object=thing, correlation_id=f"q-{number}")
        for number, (user, thing) in enumerate(expected)
    ]
    batch = await fga.batch_check(client.ClientBatchCheckRequest(checks=items))
    assert [each.allowed for each in sorted(batch.result, key=lambda one: one.correlation_id)] == [
        *expected.values()
    ]
    asked = client.ClientListObjectsRequest(user="user:ana", relation="viewer", type="document")
    assert (await fga.list_objects(asked)).objects == ["document:memo", "document:plan"]
    streamed = [each.object async for each in fga.streamed_list_objects(asked)]
    assert streamed == ["document:memo", "document:plan"]
    found = await fga.list_users(
        ListUsers(
            object=sdk.FgaObject(type="document", id="plan"),
            relation="viewer",
            user_filters=[sdk.UserTypeFilter(type="user")],
        )
    )
    assert [each.object.id for each in found.users] == ["ana"]
    tree = await fga.expand(client.ClientExpandRequest(relation="viewer", object="folder:top"))
    assert tree.tree.root.name == "folder:top#viewer"
    assert tree.tree.root.union.nodes[0].leaf.users.users == ["group:eng#member"]
    relations = await fga.list_relations(
        client.ClientListRelationsRequest(
            user="user:ana", object="document:plan", relations=["viewer", "editor"]
        )
    )
    assert relations == ["viewer"]


async def test_what_a_question_brings_along_counts_for_it_alone(fga: sdk.OpenFgaClient) -> None:
    brought = [keyed("document:plan#viewer@user:cleo")]
    asked = question("user:cleo", "viewer", "document:plan")
    with_tuples = question("user:cleo", "viewer", "document:plan", contextual_tuples=brought)
    assert (await fga.check(with_tuples)).allowed
    strict = {"consistency": sdk.ConsistencyPreference.HIGHER_CONSISTENCY}
    assert not (await fga.check(asked, strict)).allowed


async def test_conditions_are_judged_with_the_context_that_is_sent(fga: sdk.OpenFgaClient) -> None:
    model = await fga.write_authorization_model(modelled(TIMED))
    fga.set_authorization_model_id(model.authorization_model_id)
    limit = sdk.RelationshipCondition(name="until", context={"limit": "2026-01-01T00:00:00Z"})
    everyone = Tuple(user="user:*", relation="guest", object="room:1", condition=limit)
    await fga.write(client.ClientWriteRequest(writes=[everyone]))
    for at, allowed in (("2025-12-31T23:59:59Z", True), ("2026-01-01T00:00:00Z", False)):
        asked = question("user:ana", "guest", "room:1", context={"current_time": at})
        assert (await fga.check(asked)).allowed is allowed
    with pytest.raises(ValidationException) as refused:
        await fga.check(question("user:ana", "guest", "room:1"))
    assert refused.value.code == "validation_error"
    kept = await fga.read(sdk.ReadRequestTupleKey(object="room:1"))
    assert kept.tuples[0].key.condition.context == {"limit": "2026-01-01T00:00:00Z"}


async def test_tuples_and_changes_are_read_in_pages(fga: sdk.OpenFgaClient) -> None:
    texts = [f"folder:{place}#owner@user:ana" for place in "abcde"]
    await written(fga, *texts)
    await fga.write(client.ClientWriteRequest(deletes=[keyed(texts[0])]))
    found, token = [], ""
    while True:
        options = {"page_size": 2, **({"continuation_token": token} if token else {})}
        page = await fga.read(sdk.ReadRequestTupleKey(user="user:ana", object="folder:"), options)
        found += [each.key.object for each in page.tuples]
        token = page.continuation_token
        if not token:
            break
    assert found == ["folder:b", "folder:c", "folder:d", "folder:e"]
    changes, token = [], ""
    for _ in range(4):
        options = {"page_size": 2, **({"continuation_token": token} if token else {})}
        page = await fga.read_changes(client.ClientReadChangesRequest(type="folder"), options)
        changes += [(each.operation, each.tuple_key.object) for each in page.changes]
        token = page.continuation_token
    assert changes == [
        *(("TUPLE_OPERATION_WRITE", f"folder:{place}") for place in "abcde"),
        ("TUPLE_OPERATION_DELETE", "folder:a"),
    ]
    with pytest.raises(ValidationException) as refused:
        await fga.read_changes(
            client.ClientReadChangesRequest(type="document"), {"continuation_token": token}
        )
    assert refused.value.code == "query_string_type_continuation_token_mismatch"


async def test_a_token_from_before_the_changes_that_are_kept_is_refused(
    house: House, fga: sdk.OpenFgaClient
) -> None:
    asked = client.ClientReadChangesRequest(type="folder")
    for place in "ab":
        await written(fga, f"folder:{place}#owner@user:ana")
    first = await fga.read_changes(asked, {"page_size": 1})
    last = await fga.read_changes(asked, {"continuation_token": first.continuation_token})
    later = house.now() + timedelta(days=1)
    await house.services.ground.work.commit(lambda tx: tx.relations.forget_changes(later, 100))
    with pytest.raises(ValidationException) as refused:
        await fga.read_changes(asked, {"continuation_token": first.continuation_token})
    assert refused.value.code == "invalid_continuation_token"
    # Whoever has read to the end goes on, and what is new comes from the beginning too.
    await written(fga, "folder:c#owner@user:ana")
    for options in ({"continuation_token": last.continuation_token}, {}):
        found = await fga.read_changes(asked, options)
        assert [each.tuple_key.object for each in found.changes] == ["folder:c"]


async def test_refusals_have_openfgas_codes(fga: sdk.OpenFgaClient) -> None:
    await written(fga, "folder:a#owner@user:ana")
    twice = [keyed("folder:b#owner@user:ana")] * 2
    many = [keyed(f"folder:{number}#owner@user:ana") for number in range(101)]
    cases = {
        "write_failed_due_to_invalid_input": {"writes": [keyed("folder:a#owner@user:ana")]},
        "cannot_allow_duplicate_tuples_in_one_request": {"writes": twice},
        "exceeded_entity_limit": {"writes": many},
        "validation_error": {"writes": [keyed("folder:a#viewer@robot:1")]},
    }
    for code, request in cases.items():
        with pytest.raises(ValidationException) as refused:
            await fga.write(client.ClientWriteRequest(**request))
        assert refused.value.code == code
        assert refused.value.error_message
    with pytest.raises(ValidationException) as refused:
        await fga.check(question("user:ana", "reader", "folder:a"))
    assert refused.value.code == "validation_error"
    with pytest.raises(ValidationException) as refused:
        await fga.check(
            question("user:ana", "owner", "folder:a"),
            {"authorization_model_id": "01HVMMBCMGZNT3SED4Z17ECXCA"},
        )
    assert refused.value.code == "authorization_model_not_found"
    with pytest.raises(ValidationException) as refused:
        await fga.write_authorization_model({"schema_version": "1.1", "type_definitions": [{"type": "a b"}]})
    assert refused.value.code == "invalid_authorization_model"


async def test_repeated_writes_are_passed_over_where_the_sdk_says_so(fga: sdk.OpenFgaClient) -> None:
    conflict = client.ConflictOptions(
        on_duplicate_writes=client.ClientWriteRequestOnDuplicateWrites.IGNORE,
        on_missing_deletes=client.ClientWriteRequestOnMissingDeletes.IGNORE,
    )
    request = client.ClientWriteRequest(
        writes=[keyed("folder:a#owner@user:ana")], deletes=[keyed("folder:z#owner@user:ana")]
    )
    for _ in range(2):
        await fga.write(request, {"conflict": conflict})
    assert len((await fga.read_changes(client.ClientReadChangesRequest(type=""))).changes) == 1


@pytest.mark.req("R49")
async def test_only_an_account_with_the_role_comes_in_and_a_reader_writes_nothing(
    house: House, fga: sdk.OpenFgaClient
) -> None:
    store, model = fga.get_store_id(), fga.get_authorization_model_id()
    ids = {"store_id": store, "authorization_model_id": model}
    reader = await bearer(house, await account(house, "reader", roles="relations-reader"))
    async with sdk.OpenFgaClient(configured(house, reader, **ids)) as reading:
        assert not (await reading.check(question("user:ana", "owner", "folder:a"))).allowed
        with pytest.raises(ApiException) as refused:
            await written(reading, "folder:a#owner@user:ana")
        assert (refused.value.status, refused.value.code) == (403, "forbidden")
    pep = await bearer(house, await account(house, "other", roles="pep"))
    async with sdk.OpenFgaClient(configured(house, pep, **ids)) as outside:
        with pytest.raises(ApiException) as refused:
            await outside.check(question("user:ana", "owner", "folder:a"))
        assert (refused.value.status, refused.value.code) == (403, "forbidden")
    async with sdk.OpenFgaClient(configured(house, "nonsense", **ids)) as nobody:
        with pytest.raises(UnauthorizedException):
            await nobody.check(question("user:ana", "owner", "folder:a"))
    bare = await house.http.post(f"{house.issuer}/fga/stores/{store}/check", content=b"{}")
    assert (bare.status_code, bare.json()["code"]) == (401, "bearer_token_missing")


async def test_malformed_bodies_are_refused_in_openfgas_shape(
    house: House, token: str, fga: sdk.OpenFgaClient
) -> None:
    url = f"{house.issuer}/fga/stores/{fga.get_store_id()}/check"
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    for body in (b"[]", b"{", b'{"tuple_key": 3}', b'{"tuple_key": {"user": "\\u0000"}}'):
        reply: httpx2.Response = await house.http.post(url, content=body, headers=headers)
        assert (reply.status_code, reply.json()["code"]) == (400, "validation_error")
    for query in (
        "name=%00",
        "page_size=0",
        "page_size=101",
        "continuation_token=AAAA",
        "continuation_token=x",
    ):
        reply = await house.http.get(f"{house.issuer}/fga/stores?{query}", headers=headers)
        assert reply.status_code == 400, (query, reply.text)
