"""Further tenants through the doors: entered by an operator, served at once, suspended, resumed, retired."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from remit.app.backup import back_up, restore
from remit.app.run import settled
from remit.identity.lifecycle import State
from remit.identity.tenants import OPERATOR, TenantState
from remit.kernel.errors import Invalid
from remit.kernel.ids import PrincipalId
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.keys import KeyClass, PrivateKey
from remit.kernel.tenancy import check_tenant
from remit.ledger.checkpoint import verify_checkpoint
from remit.ledger.encoding import decode_record
from remit.platform.storage.tables.core import signing_key
from remit.platform.storage.tables.schema import metadata
from remit.platform.storage.tenant_work import TenantAway
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork
from support.composed import composed
from support.house import House
from support.stores import TEST_KEK
from support.tenancy import OPERATOR as OPERATOR_ID
from support.tenancy import opened, served


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with composed(tmp_path / "one") as found:
        await found.person("operator@company.com", roles=f"admin {OPERATOR}")
        await found.person("admin@company.com", roles="admin")
        yield found


async def enter(house: House, name: str, **stated: Any) -> Any:
    body = {"name": name, "admin": "admin@acme.example", **stated}
    return await house.api(house["operator"], "POST", "/tenants", body)


@pytest.mark.req("N53")
async def test_a_tenant_is_served_as_soon_as_it_is_entered(house: House) -> None:
    key = PrivateKey.generate(Algorithm.ED25519, secrets.token_bytes)
    answer = await enter(house, "acme", jwk=key.public.jwk())
    assert answer.status_code == 201, answer.text
    told = answer.json()
    assert told["tenant"]["issuer"] == f"{house.issuer}/t/acme"
    assert told["tenant"]["trust_domain"] == "acme.remit.local"
    acme = await served(house, "acme")
    person = await acme.services.identity.get(told["administrator"]["user"])
    admin = acme._known("admin@acme", person, told["administrator"]["key"], key)
    users = await acme.api(admin, "GET", "/users")
    assert [each["name"] for each in users.json()["items"]] == ["admin@acme.example"]
    page = await house.http.get(told["administrator"]["link"].partition("#")[0])
    assert page.status_code == 200
    assert 'href="/t/acme/assets/page.css"' in page.text


@pytest.mark.spec("RFC 8414", "3.1")
@pytest.mark.spec("RFC 9728", "3.1")
async def test_every_document_says_the_issuer_in_the_same_bytes(house: House) -> None:
    acme = await opened(house, "acme")
    issuer = f"{house.issuer}/t/acme"
    server = await house.http.get(f"{house.issuer}/.well-known/oauth-authorization-server/t/acme")
    told = server.json()
    assert told["issuer"] == issuer
    assert all(value.startswith(f"{issuer}/") for name, value in told.items() if name.endswith("_endpoint"))
    resource = await house.http.get(f"{house.issuer}/.well-known/oauth-protected-resource/t/acme/api")
    assert resource.json()["resource"] == f"{issuer}/api"
    assert resource.json()["authorization_servers"] == [issuer]
    own = {each["kid"] for each in (await house.http.get(f"{issuer}/jwks")).json()["keys"]}
    ours = {each["kid"] for each in (await house.http.get(f"{house.issuer}/jwks")).json()["keys"]}
    assert own
    assert not own & ours
    assert acme.services.ground.tenant == "acme"


@pytest.mark.parametrize(
    "name", ["", "a", "default", "Acme", "a b", "-a", "a-", "a--b", "1a", "a/b", "é1", "a" * 33]
)
def test_a_name_is_a_label_of_an_address(name: str) -> None:
    with pytest.raises(Invalid):
        check_tenant(name)


async def test_only_an_operator_of_the_installation_enters_tenants(house: House) -> None:
    for who in ("admin",):
        answer = await house.api(house[who], "POST", "/tenants", {"name": "acme", "admin": "a@acme.example"})
        assert (answer.status_code, answer.json()["code"]) == (403, "not_operator")
    acme = await opened(house, "acme")
    boss = await acme.person("operator@acme.example", roles=f"admin {OPERATOR}")
    nowhere = await acme.api(boss, "GET", "/tenants")
    absent = await acme.api(boss, "GET", "/nothing-of-the-kind")
    assert nowhere.status_code == absent.status_code == 404
    assert nowhere.json()["code"] == absent.json()["code"]


async def test_a_name_is_never_given_twice(house: House) -> None:
    assert (await enter(house, "acme")).status_code == 201
    assert (await enter(house, "acme")).json()["code"] == "tenant_taken"
    gone = await house.api(house["operator"], "POST", "/tenants/acme/retire", {"reason": "moved"})
    assert gone.json()["state"] == "retired"
    assert (await enter(house, "acme")).json()["code"] == "tenant_taken"


@pytest.mark.attack("MT-09")
async def test_what_an_operator_does_is_on_the_tenants_own_record(house: House) -> None:
    await enter(house, "acme")
    operator = house["operator"].id
    acme = await served(house, "acme")
    their = await acme.log()
    assert {each.kind for each in their if each.actor == operator} >= {
        "identity.tenant.created",
        "identity.principal.registered",
        "identity.principal.activated",
    }
    await house.api(house["operator"], "POST", "/tenants/acme/suspend", {"reason": "unpaid"})
    await house.api(house["operator"], "POST", "/tenants/acme/resume", {"reason": "paid"})
    acme = await served(house, "acme")
    kinds = [each.kind for each in await acme.log() if each.kind.startswith("identity.tenant.")]
    ours = [each.kind for each in await house.log() if each.kind.startswith("identity.tenant.")]
    assert kinds == ours == [f"identity.tenant.{verb}" for verb in ("created", "suspended", "resumed")]
    # And there is no other way in: the operator's own token is nobody's there.
    token = await house.own_token(house["operator"])
    url = f"{acme.issuer}/api/v1/users"
    proof = house["operator"].proof("GET", url, token)
    refused = await house.http.get(url, headers={"Authorization": f"DPoP {token}", "DPoP": proof})
    assert refused.status_code == 401


async def test_nobody_is_appointed_where_nothing_is_served(house: House) -> None:
    async def appoint(name: str) -> tuple[int, str]:
        path = f"/tenants/{name}/administrators"
        answer = await house.api(house["operator"], "POST", path, {"admin": "two@acme.example"})
        return answer.status_code, answer.json()["code"]

    assert await appoint("nowhere") == (404, "unknown_tenant")
    await enter(house, "acme")
    await house.api(house["operator"], "POST", "/tenants/acme/suspend", {"reason": "unpaid"})
    assert await appoint("acme") == (409, "tenant_state")


async def test_a_suspended_tenant_is_absent_and_comes_back_as_it_was(house: House) -> None:
    acme = await opened(house, "acme")
    admin = await acme.person("admin@acme.example", roles="admin")
    token = await acme.own_token(admin)
    await house.api(house["operator"], "POST", "/tenants/acme/suspend", {"reason": "unpaid"})
    for path in ("/t/acme/jwks", "/t/acme/api/v1/users", "/t/acme/sign-in"):
        gone = await house.http.get(f"{house.issuer}{path}")
        never = await house.http.get(f"{house.issuer}{path.replace('acme', 'ghost')}")
        assert gone.status_code == never.status_code == 404
        assert {**gone.json(), "request_id": ""} == {**never.json(), "request_id": ""}
    # Whoever still holds its services, as another node for half a second, gets nothing durable done.
    with pytest.raises(TenantAway):
        await acme.services.ground.work.commit(lambda tx: tx.advance_epoch("late"))
    await house.api(house["operator"], "POST", "/tenants/acme/resume", {"reason": "paid"})
    back = await served(house, "acme")
    answer = await back.api(admin, "GET", "/users", token=token)
    assert answer.status_code == 200


@pytest.mark.attack("MT-08")
@pytest.mark.promise("P11")
async def test_a_retired_tenants_data_and_keys_are_gone_and_its_log_still_verifies(house: House) -> None:
    acme = await opened(house, "acme")
    admin = await acme.person("canary@acme.example", roles="admin")
    await acme.own_token(admin)
    await acme.api(admin, "GET", "/users")
    kept = await acme.log()
    answer = await house.api(house["operator"], "POST", "/tenants/acme/retire", {"reason": "contract over"})
    assert answer.json()["state"] == "retired"
    acmes = check_tenant("acme")

    def left(tx: SqlTransaction) -> set[str]:
        tables = [table for table in metadata.tables.values() if "tenant" in table.c]
        return {table.name for table in tables if tx.sql.rows(table.select().where(table.c.tenant == acmes))}

    # Of what changed one row is left, which says that the tenant has ended.
    assert await house.work.read(left) == {
        "tenant", "tenant_epoch", "tenant_revision", "change", "signing_key",
        "ledger_shard", "ledger_entries", "ledger_checkpoint",
    }  # fmt: skip
    sealed = select(signing_key.c.sealed).where(signing_key.c.tenant == acmes)
    assert {bytes(row[0]) for row in await house.work.read(lambda tx: tx.sql.rows(sealed))} == {b""}
    gone = SqlUnitOfWork(house.services.ground.store, tenant=acmes)
    log = await gone.read(
        lambda tx: [decode_record(each) for each in tx.ledger.entries(0, tx.ledger.head().size)]
    )
    assert log[:-1] == kept
    assert log[-1].kind == "identity.tenant.retired"
    head = await gone.read(lambda tx: tx.ledger.latest_checkpoint(tx.ledger.head().shard))
    assert head is not None
    assert verify_checkpoint(head.note, keys=list(acme.services.log.known_keys())).size == len(kept)
    assert (await house.http.get(f"{acme.issuer}/jwks")).status_code == 404


@pytest.mark.twin("MT-08")
async def test_a_tenant_that_is_only_called_retired_leaves_all_it_had(house: House) -> None:
    acme = await opened(house, "acme")
    await acme.person("canary@acme.example", roles="admin")
    acmes = check_tenant("acme")
    plain = SqlUnitOfWork(house.services.ground.store, tenant=acmes)

    def call_it_retired(tx: SqlTransaction) -> None:
        known = tx.tenants.get(acmes)
        assert known is not None
        tx.tenants.put(replace(known, state=TenantState.RETIRED))

    await plain.commit(call_it_retired)
    assert [each.name for each in await plain.read(lambda tx: tx.principals.page(limit=5))] == [
        "canary@acme.example"
    ]
    ring = await plain.read(lambda tx: tx.keys.keyring(TEST_KEK))
    assert ring.signer(KeyClass.ACCESS_TOKEN).kid


@pytest.mark.fault("F34")
@pytest.mark.attack("AU-07")
async def test_a_restore_stops_what_acts_in_every_tenant(tmp_path: Path) -> None:
    async with composed(tmp_path / "data") as house:
        await house.person("admin@company.com", roles="admin")
        settings = house.services.ground.settings
        bots = []
        for name in ("acme", "beta"):
            tenant = await opened(house, name)
            await tenant.person("admin@tenant.example", roles="admin")
            bots.append((tenant, await tenant.agent("their-bot", blueprint=await tenant.blueprint())))
            await tenant.services.heads.sign(house.now())
        tenancy = house.services.tenancy
        assert tenancy is not None
        await tenancy.service.suspend("beta", by=OPERATOR_ID, because="unpaid", at=house.now())
        await tenancy.open.settle()
        own = (await house.services.heads.sign(house.now())).note
        await asyncio.to_thread(back_up, settings, tmp_path / "backup", at=house.now())
    (settings.directory / "remit.db").unlink()
    (settings.directory / "kek").write_bytes(bytes(range(32)).hex().encode())
    (settings.directory / "kek").chmod(0o600)
    # The installation's own head is held, those of its tenants are lost: that proves nothing about them.
    for path in (settings.directory / "anchors").glob("*"):
        path.unlink()
    restored = await restore(settings, tmp_path / "backup", held=[own], accept_older=False, at=house.now())
    assert (restored.proven, restored.suspended) == (False, 2)
    async with composed(tmp_path / "data", port=house.port) as again:
        tenancy = again.services.tenancy
        assert tenancy is not None
        assert {each.name: each.state for each in await tenancy.service.all()} == {
            "acme": TenantState.ACTIVE,
            "beta": TenantState.SUSPENDED,
        }
        await tenancy.service.resume("beta", by=OPERATOR_ID, because="paid", at=again.now())
        for (tenant, bot), name in zip(bots, ("acme", "beta"), strict=True):
            back = await served(again, name)
            agent = await back.services.identity.get(PrincipalId(bot.agent))
            assert (agent.state, tenant.issuer) == (State.SUSPENDED, back.issuer)
            assert (await back.records("platform.store.restored"))[0].tenant == name


async def test_tenants_are_there_after_a_start(tmp_path: Path) -> None:
    async with composed(tmp_path / "one") as first:
        acme = await opened(first, "acme")
        admin = await acme.person("admin@acme.example", roles="admin")
        port = first.port
    async with composed(tmp_path / "one", port=port) as second:
        tenancy = second.services.tenancy
        assert tenancy is not None
        await tenancy.open.settle()
        again = await served(second, "acme")
        await settled(again.services)
        assert (await again.api(admin, "GET", "/users")).status_code == 200
