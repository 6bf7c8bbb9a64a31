"""Clients that an administrator registered: what they prove, what they may, and how they end."""

from typing import Any

import pytest

from remit.authority.oauth.clients.metadata import read_metadata
from remit.authority.oauth.clients.registration import ClientRegistration, SessionLimits
from remit.authority.oauth.enrolling.enrolment import UnknownClient
from remit.authority.oauth.enrolling.registration_service import RegistrationService
from remit.authority.oauth.wire.errors import InvalidClientMetadata, InvalidToken
from remit.identity.principals import Environment, Kind
from remit.kernel.ids import KeyId
from remit.kernel.jose import jwt
from remit.kernel.jose.dpop import make_proof
from remit.kernel.jose.keys import KeyClass, Signer
from remit.kernel.jose.profiles import TokenType
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.documents import URL, Host, document, open_to_documents
from support.jose import private_key
from support.oauth import ISSUER, World

pytestmark = pytest.mark.req("N34")


def jwks(*names: str) -> Any:
    return {"keys": [{**private_key(name).public.jwk(), "kid": name} for name in names]}


def service(world: World) -> RegistrationService:
    return RegistrationService(uow=world.uow, entropy=world.entropy, tenant=DEFAULT_TENANT)


async def registered(world: World, *, bearer: bool = False, **stated: Any) -> ClientRegistration:
    agent = world.actors["mail-bot"].principal.parent
    assert agent is not None
    metadata = read_metadata(document(**stated))
    return await service(world).register_agent(
        agent, metadata, by=world.actors["ana"].principal.id, at=world.now, bearer=bearer
    )


async def keyed(world: World, *names: str) -> ClientRegistration:
    return await registered(world, jwks=jwks(*names), token_endpoint_auth_method="private_key_jwt")


async def ask(world: World, name: str, key: str, *, proof: str = "", kid: str | None = None) -> Any:
    """Earn the client's own token, by that key, with a proof of that or another."""
    at = int(world.now.timestamp())
    claims: Any = {"iss": name, "sub": name, "aud": ISSUER, "iat": at, "exp": at + 60, "jti": world.fresh()}
    signer = Signer(kid=KeyId(kid or key), key_class=KeyClass.CLIENT, private=private_key(key))
    assertion = jwt.issue(claims, as_type=TokenType.CLIENT_ASSERTION, signer=signer)
    shown = make_proof(
        private_key(proof or key), method="POST", target=f"{ISSUER}/token", jti=world.fresh(), at=world.now
    )
    form = world.form("ana", client_assertion=assertion, grant_type="client_credentials")
    return await world.post("/token", form, headers=[("dpop", shown)])


async def test_a_client_proves_itself_by_the_names_of_its_own_keys(uow: SqlUnitOfWork) -> None:
    world = await World(uow).populate()
    client = await keyed(world, "c1", "c2")
    assert client.client_id == client.principal
    for key in ("c1", "c2"):
        assert (await ask(world, client.client_id, key)).status_code == 200
    # Nothing but its word earns this token: a thief of an assertion gets none for a key of his own.
    stolen = await ask(world, client.client_id, "c1", proof="thief")
    assert (stolen.status_code, stolen.json()["error"]) == (400, "invalid_dpop_proof")
    assert (await ask(world, client.client_id, "thief")).status_code == 401
    assert (await ask(world, client.client_id, "c1", kid="c2")).status_code == 401


async def test_keys_that_are_left_out_are_dead_at_once(uow: SqlUnitOfWork) -> None:
    world = await World(uow).populate()
    client = await keyed(world, "c1", "c2")
    token = (await ask(world, client.client_id, "c1")).json()["access_token"]
    ana = world.actors["ana"].principal.id
    changed = await service(world).rotate_keys(client.client_id, jwks("c2", "c3"), by=ana, at=world.now)
    assert changed.digest != client.digest
    assert changed.grant_types == client.grant_types
    assert (await ask(world, client.client_id, "c1")).status_code == 401
    assert (await ask(world, client.client_id, "c3")).status_code == 200
    await refused(world, token, "c1")
    with pytest.raises(InvalidClientMetadata):
        # One key, one holder, for ever.
        await keyed(world, "c2")


async def refused(world: World, token: str, key: str) -> None:
    proof = make_proof(
        private_key(key), method="POST", target=f"{ISSUER}/api", jti=world.fresh(), at=world.now,
        access_token=token,
    )  # fmt: skip
    with pytest.raises(InvalidToken):
        await world.verify(token, audience=f"{ISSUER}/api", proofs=[proof])


async def test_a_revoked_client_is_nobody_and_its_tokens_are_dead(uow: SqlUnitOfWork) -> None:
    world = await World(uow).populate()
    client = await keyed(world, "c1")
    token = (await ask(world, client.client_id, "c1")).json()["access_token"]
    ana = world.actors["ana"].principal.id
    await service(world).revoke(client.client_id, by=ana, because="gone", at=world.now)
    await refused(world, token, "c1")
    assert (await ask(world, client.client_id, "c1")).status_code == 401
    with pytest.raises(UnknownClient):
        await service(world).revoke(client.client_id, by=ana, because="gone", at=world.now)
    assert (await service(world).find(client.principal)).revoked_at == world.now
    assert len(await world.records("authority.client.revoked")) == 1


async def test_killing_the_agent_ends_its_clients(sqlite_uow: SqlUnitOfWork) -> None:
    world = await World(sqlite_uow).populate()
    client = await keyed(world, "c1")
    agent = world.actors["mail-bot"].principal.parent
    assert agent is not None
    await world.identities.suspend(agent, by=world.actors["ana"].principal.id, because="x", at=world.now)
    answer = await ask(world, client.client_id, "c1")
    assert answer.status_code == 400
    assert answer.json()["error"] == "access_denied"


@pytest.mark.attack("OA-21")
async def test_an_instance_has_one_name_as_a_client(sqlite_uow: SqlUnitOfWork) -> None:
    host = Host()
    host.put(document(jwks=jwks("d1"), token_endpoint_auth_method="private_key_jwt"))
    world = await open_to_documents(sqlite_uow, host)
    client = await world.oauth.directory.resolve(URL, at=world.now)
    # Under the name of its instance it would escape what it was registered for.
    assert (await ask(world, client.principal, "d1")).status_code == 401
    own = await ask(world, URL, "d1")
    assert (own.status_code, own.json()["error"]) == (400, "unauthorized_client")


async def test_an_application_signs_people_in_and_does_nothing_else(sqlite_uow: SqlUnitOfWork) -> None:
    world = await World(sqlite_uow).populate()
    stated = read_metadata(document(jwks=jwks("a1"), token_endpoint_auth_method="private_key_jwt"))
    client = await service(world).register_application(
        stated,
        purpose="portal",
        environment=Environment.PRODUCTION,
        by=world.actors["ana"].principal.id,
        at=world.now,
        limits=SessionLimits(concurrency=1),
    )
    entry = await world.identities.get(client.principal)
    assert (entry.kind, entry.state.value) == (Kind.APPLICATION, "active")
    assert client.limits.concurrency == 1
    answer = await ask(world, client.client_id, "a1")
    assert (answer.status_code, answer.json()["error"]) == (400, "unauthorized_client")


async def test_a_client_may_be_let_off_binding_and_no_other(sqlite_uow: SqlUnitOfWork) -> None:
    world = await World(sqlite_uow).populate()
    bound = await registered(world)
    loose = await registered(world, bearer=True)
    assert (bound.dpop_bound, loose.dpop_bound) == (True, False)
    strict = await registered(world, bearer=True, dpop_bound_access_tokens=True)
    assert strict.dpop_bound
