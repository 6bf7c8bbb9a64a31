"""Dynamic registration (RFC 7591) and what a client may do with itself afterwards (RFC 7592)."""

import json
from datetime import timedelta
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from remit.authority.oauth.clients.invitations import UnfitInvitation, invite
from remit.authority.oauth.clients.metadata import read_metadata
from remit.authority.oauth.clients.registration import RegistrationKind
from remit.authority.oauth.wire.client_options import DynamicClients, RegistrationMode
from remit.authority.oauth.wire.errors import OAuthError
from remit.authority.oauth.wire.options import OAuthOptions
from remit.identity.principals import Kind
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.clock import NOON
from support.documents import document
from support.oauth import ISSUER, TRUST_DOMAIN, World

pytestmark = pytest.mark.req("N34")
STATED = document(client_id=None)


async def open_to_anybody(uow: SqlUnitOfWork, **changes: Any) -> World:
    chosen = {"mode": RegistrationMode.OPEN, "agent": "mail-bot", "per_minute": 100, **changes}
    options = OAuthOptions(issuer=ISSUER, trust_domain=TRUST_DOMAIN, dynamic=DynamicClients(**chosen))
    return await World(uow, options=options).populate()


async def register(world: World, stated: Any = None, *, token: str = "") -> httpx2.Response:
    body = stated if isinstance(stated, bytes) else json.dumps(STATED if stated is None else stated).encode()
    headers = {"content-type": "application/json", **({"authorization": f"Bearer {token}"} if token else {})}
    return await world.http.post("/register", content=body, headers=headers)


async def own(world: World, told: Any, method: str, body: Any = None, *, token: str | None = None) -> Any:
    shown = told["registration_access_token"] if token is None else token
    return await world.http.request(
        method,
        told["registration_client_uri"],
        content=None if body is None else json.dumps(body),
        headers={"content-type": "application/json", "authorization": f"Bearer {shown}"},
    )


async def test_it_is_off_unless_the_operator_wants_it(world: World) -> None:
    assert (await register(world)).status_code == 404
    metadata = (await world.http.get("/.well-known/oauth-authorization-server")).json()
    assert "registration_endpoint" not in metadata
    assert "client_id_metadata_document_supported" not in metadata


@pytest.mark.spec("RFC 7591", "3.2.1")
async def test_a_client_that_registers_is_told_everything(uow: SqlUnitOfWork) -> None:
    world = await open_to_anybody(uow)
    answer = await register(world, {**STATED, "logo_uri": "https://a.example/logo"})
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    told = answer.json()
    assert told["client_id"].startswith("cli_")
    assert told["client_id_issued_at"] == int(world.now.timestamp())
    assert told["redirect_uris"] == STATED["redirect_uris"]
    assert told["token_endpoint_auth_method"] == "none"
    assert told["registration_client_uri"] == f"{ISSUER}/register/{told['client_id']}"
    assert not any(name.startswith("client_secret") or name == "logo_uri" for name in told)
    stored = await world.uow.read(lambda tx: tx.registrations.get(told["client_id"]))
    assert stored is not None
    assert stored.kind is RegistrationKind.DYNAMIC
    assert told["registration_access_token"] not in str(stored)
    instance = await world.identities.get(stored.principal)
    assert (instance.kind, instance.parent) == (Kind.INSTANCE, world.actors["mail-bot"].principal.parent)
    metadata = (await world.http.get("/.well-known/oauth-authorization-server")).json()
    assert metadata["registration_endpoint"] == f"{ISSUER}/register"


@pytest.mark.spec("RFC 7591", "3.2.2")
@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", "invalid_client_metadata"),
        (b"[]", "invalid_client_metadata"),
        (b'{"a":1,"a":2}', "invalid_client_metadata"),
        ({**STATED, "redirect_uris": ["http://a.example"]}, "invalid_redirect_uri"),
        ({**STATED, "redirect_uris": []}, "invalid_redirect_uri"),
        ({**STATED, "token_endpoint_auth_method": "client_secret_basic"}, "invalid_client_metadata"),
        ({**STATED, "grant_types": ["client_credentials"]}, "invalid_client_metadata"),
        ({**STATED, "jwks_uri": "https://a.example/jwks"}, "invalid_client_metadata"),
        ({**STATED, "software_statement": "x"}, "invalid_software_statement"),
        ({**STATED, "software_statement": "a.b.c"}, "unapproved_software_statement"),
        ({**STATED, "client_name": "x" * 20_000}, "invalid_client_metadata"),
    ],
)
async def test_each_fault_has_its_error(body: Any, error: str, sqlite_uow: SqlUnitOfWork) -> None:
    world = await open_to_anybody(sqlite_uow)
    answer = await register(world, body)
    assert (answer.status_code, answer.json()["error"]) == (400, error)
    assert await world.uow.read(lambda tx: tx.registrations.list()) == []


@pytest.mark.spec("RFC 7592", "2")
async def test_a_client_reads_changes_and_ends_itself(uow: SqlUnitOfWork) -> None:
    world = await open_to_anybody(uow)
    told = (await register(world)).json()
    read = await own(world, told, "GET")
    assert (read.status_code, read.json()) == (200, told)
    changed = await own(world, told, "PUT", {**STATED, "client_id": told["client_id"], "client_name": "New"})
    assert (changed.status_code, changed.json()["client_name"]) == (200, "New")
    assert (await own(world, told, "GET")).json()["client_name"] == "New"
    ended = await own(world, told, "DELETE")
    assert (ended.status_code, ended.content) == (204, b"")
    assert (await own(world, told, "GET")).status_code == 401
    stored = await world.uow.read(lambda tx: tx.registrations.get(told["client_id"]))
    assert stored is not None
    assert not stored.live
    assert (await world.identities.get(stored.principal)).state.value == "retired"
    assert await world.uow.read(lambda tx: tx.lineage.buried(told["client_id"]))


@pytest.mark.spec("RFC 7592", "2.2")
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"client_id": "cli_other"},
        {"registration_access_token": "x"},
        {"registration_client_uri": "https://a.example"},
        {"client_id_issued_at": 1},
        {"client_secret": "x"},
    ],
)
async def test_what_only_we_may_set_is_refused(changes: dict[str, Any], sqlite_uow: SqlUnitOfWork) -> None:
    world = await open_to_anybody(sqlite_uow)
    told = (await register(world)).json()
    named = {"client_id": told["client_id"]} if changes else {}
    assert (await own(world, told, "PUT", {**STATED, **named, **changes})).status_code == 400


@pytest.mark.spec("RFC 7592", "2")
async def test_another_clients_token_is_none(sqlite_uow: SqlUnitOfWork) -> None:
    world = await open_to_anybody(sqlite_uow)
    one, other = [(await register(world)).json() for _ in range(2)]
    unknown = {**one, "registration_client_uri": f"{ISSUER}/register/cli_unknown"}
    answers = [
        await own(world, one, "GET", token=other["registration_access_token"]),
        await own(world, one, "DELETE", token="x" * 43),
        await own(world, unknown, "GET"),
    ]
    assert {(each.status_code, each.content) for each in answers} == {(401, answers[0].content)}
    bare = await world.http.get(one["registration_client_uri"])
    assert bare.status_code == 401
    assert "error=" not in bare.headers["www-authenticate"]


@pytest.mark.spec("RFC 7591", "3")
async def test_an_initial_access_token_is_for_its_agent_and_its_number_of_clients(
    uow: SqlUnitOfWork,
) -> None:
    world = await open_to_anybody(uow, mode=RegistrationMode.TOKEN, agent="")
    agent = world.actors["calendar-bot"].principal.parent
    assert agent is not None
    made, text = invite(
        agent,
        tenant=DEFAULT_TENANT,
        by=world.actors["ana"].principal.id,
        uses=2,
        lifetime=timedelta(minutes=10),
        at=world.now,
        entropy=world.entropy,
    )
    await world.uow.commit(lambda tx: tx.invitations.add(made))
    assert (await register(world)).status_code == 401
    assert (await register(world, token="x" * 43)).status_code == 401
    told = (await register(world, token=text)).json()
    stored = await world.uow.read(lambda tx: tx.registrations.get(told["client_id"]))
    assert stored is not None
    assert (await world.identities.get(stored.principal)).parent == agent
    # A body that is refused uses nothing up.
    assert (await register(world, {}, token=text)).status_code == 400
    assert (await register(world, token=text)).status_code == 201
    assert (await register(world, token=text)).status_code == 401


@pytest.mark.parametrize(("uses", "days"), [(0, 1), (101, 1), (1, 0), (1, 31)])
def test_an_initial_access_token_has_limits(uses: int, days: int) -> None:
    with pytest.raises(UnfitInvitation):
        invite(
            "agt_1", tenant=DEFAULT_TENANT, by="usr_1", uses=uses, lifetime=timedelta(days=days),  # type: ignore[arg-type]  # ids
            at=NOON, entropy=lambda size: b"x" * size,
        )  # fmt: skip


@pytest.mark.attack("OA-25")
async def test_nobody_registers_clients_without_end(sqlite_uow: SqlUnitOfWork) -> None:
    world = await open_to_anybody(sqlite_uow, per_minute=3, most=4)
    assert [(await register(world)).status_code for _ in range(4)] == [201, 201, 201, 429]
    late = await register(world)
    assert late.headers["retry-after"] == "60"
    world.clock.advance(60)
    assert [(await register(world)).status_code for _ in range(2)] == [201, 429]
    assert len(await world.uow.read(lambda tx: tx.registrations.list())) == 4


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = st.sampled_from([*STATED, "jwks", "jwks_uri", "scope", "application_type", "software_statement",
                           "tls_client_auth_san_dns", "backchannel_logout_uri", "contacts"])  # fmt: skip


@pytest.mark.attack("OA-25")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes=st.dictionaries(MEMBERS, JSON, min_size=1, max_size=3))
def test_no_metadata_break_the_reader(changes: dict[str, Any]) -> None:
    try:
        said = read_metadata({**STATED, **changes})
    except OAuthError:
        return
    assert said.redirect_uris
    assert said.grant_types <= {"authorization_code", "refresh_token"}
