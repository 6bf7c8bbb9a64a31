"""A connect flow ends where it began: mixed up, fed across, or finished by another, it connects nothing."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from remit.app.bindings.vault import ProviderExit
from remit.authority.vault.connection import Connection
from remit.authority.vault.connection_service import ConnectionService
from remit.authority.vault.errors import FlowRefused
from remit.authority.vault.flow import Flow, Returned
from remit.authority.vault.provider import ClientAuth, ProviderKind
from remit.authority.vault.provider_service import NewProvider
from remit.authority.vault.sealing import VaultSeal
from remit.authority.vault.upstream import ProviderClient
from remit.identity.sessions import Session
from remit.kernel.ids import PrincipalId, UserId
from remit.platform.storage.repositories.vault import VaultRepository
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork
from support.blindness import VeiledWork
from support.providers import CLIENT, Provider, provider
from support.vault import AGENT, CONNECTED, Scene, vaulted

REFUSED = "authority.connection.refused"


@pytest.fixture
async def on(tmp_path: Path) -> AsyncIterator[Scene]:
    async with vaulted(tmp_path / "data") as scene:
        await scene.house.task(AGENT)
        yield scene


@pytest.fixture
async def evil(on: Scene) -> AsyncIterator[Provider]:
    """Another provider that an administrator registered too, in good faith."""
    async with provider(basic=False) as made:
        stated = NewProvider(
            name="evil",
            kind=ProviderKind.OAUTH,
            issuer=made.issuer,
            client_id=CLIENT,
            auth=ClientAuth.NONE,
        )
        admin = PrincipalId(on.house["admin"].id)
        await on.services.vault.providers.register(stated, None, by=admin, at=on.house.now())
        yield made


async def refused(on: Scene, back: Returned, session: Session, *, at: str = "acme") -> FlowRefused:
    """Come back with this answer; nothing is connected, and the log says why."""
    with pytest.raises(FlowRefused) as caught:
        await on.services.vault.connections.finish(at, back, session=session)
    assert await on.records(CONNECTED) == []
    record = (await on.records(REFUSED))[-1]
    assert record.codes == (caught.value.reason,)
    assert (record.actor, dict(record.detail)["step"]) == (session.human, str(caught.value.step))
    return caught.value


@pytest.mark.attack("OA-28")
@pytest.mark.req("N29")
async def test_a_flow_that_another_person_finishes_connects_nothing_and_names_both(on: Scene) -> None:
    """The attacker begins, and has the victim sign in at the provider."""
    attacker, victim = await on.session("user"), await on.session("lead")
    back = await on.visit(await on.begin(attacker))
    assert (await refused(on, back, victim)).reason == "other_session"
    record = (await on.records(REFUSED))[-1]
    assert (record.actor, dict(record.detail)["begun_by"]) == (victim.human, attacker.human)
    assert on.acme.access == {}, "the code was not even redeemed"
    assert (await refused(on, back, attacker)).reason == "unknown", "the flow is over for everybody"


@pytest.mark.attack("OA-13", "OA-28")
@pytest.mark.spec("RFC 9700", "4.7")
async def test_another_session_of_the_same_person_ends_nothing(on: Scene) -> None:
    here, there = await on.session("user"), await on.session("user")
    assert (await refused(on, await on.visit(await on.begin(here)), there)).reason == "other_session"


@pytest.mark.attack("OA-13")
@pytest.mark.parametrize("state", ["", "guessed", "A" * 43])
async def test_an_answer_that_nobody_asked_for_connects_nothing(on: Scene, state: str) -> None:
    session = await on.session("user")
    back = await on.visit(await on.begin(session))
    assert (await refused(on, replace(back, state=state), session)).reason == "unknown"


async def test_an_answer_counts_once(on: Scene) -> None:
    session = await on.session("user")
    back = await on.visit(await on.begin(session))
    await on.finish(back, session)
    with pytest.raises(FlowRefused, match="not open"):
        await on.finish(back, session)
    assert len(on.acme.access) == 1


@pytest.mark.attack("OA-27")
async def test_an_answer_at_another_providers_address_connects_nothing(on: Scene, evil: Provider) -> None:
    session = await on.session("user")
    back = await on.visit(await on.begin(session))
    mixed = replace(back, iss=evil.issuer)
    assert (await refused(on, mixed, session, at="evil")).reason == "other_provider"
    assert evil.asked == [], "neither code nor verifier went there"


@pytest.mark.attack("OA-10")
@pytest.mark.spec("RFC 9207", "2.4")
@pytest.mark.parametrize("iss", ["", "https://evil.example", "{issuer}/", "{issuer}#"])
async def test_an_issuer_that_is_wrong_or_absent_connects_nothing(on: Scene, iss: str) -> None:
    session = await on.session("user")
    back = await on.visit(await on.begin(session))
    told = replace(back, iss=iss.format(issuer=on.acme.issuer))
    assert (await refused(on, told, session)).reason == "other_issuer"
    assert on.acme.access == {}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"code": "", "error": "access_denied"}, "provider_said_no"),
        ({"code": "", "error": "<script>"}, "provider_said_no"),
        ({"code": ""}, "no_code"),
        ({"code": "other"}, "invalid_grant"),
    ],
)
async def test_what_the_provider_refuses_is_told(on: Scene, changes: dict[str, str], reason: str) -> None:
    session = await on.session("user")
    back = await on.visit(await on.begin(session))
    found = await refused(on, replace(back, **changes), session)
    assert found.reason == reason
    assert "<" not in found.hint


async def test_less_than_the_server_needs_is_not_kept_and_ended_upstream(on: Scene) -> None:
    on.acme.scope = "files.read"
    session = await on.session("user")
    back = await on.visit(await on.begin(session))
    assert (await refused(on, back, session)).reason == "scope_not_granted"
    await on.services.vault.revoker.run_due()
    assert on.acme.access == {}


async def test_an_agent_that_ended_meanwhile_gets_nothing(on: Scene) -> None:
    session = await on.session("user")
    back = await on.visit(await on.begin(session))
    agent, admin = PrincipalId(on.house[AGENT].agent), PrincipalId(on.house["admin"].id)
    await on.services.identity.suspend(agent, by=admin, because="a test", at=on.house.now())
    assert (await refused(on, back, session)).reason == "not_alive"
    await on.services.vault.revoker.run_due()
    assert on.acme.access == {}


# -- the same with the defence left out


class Seen(VaultRepository):
    """Flows as whoever comes back would like them to be."""

    changes: dict[str, Any]

    def spend_flow(self, state: str) -> tuple[Flow, bytes] | None:
        found = super().spend_flow(state)
        return None if found is None else (replace(found[0], **self.changes), found[1])


def careless(
    on: Scene, kind: type[ConnectionService] = ConnectionService, **changes: Any
) -> ConnectionService:
    """Connections over a store that shows flows so."""
    ground = on.services.ground

    def shown(tx: SqlTransaction) -> Seen:
        store = Seen(tx.sql, tx.tenant)
        store.changes = changes
        return store

    way_out = ProviderExit()
    on.house.stack.push_async_callback(way_out.close)
    work: SqlUnitOfWork = VeiledWork(ground.work, vault=shown)
    return kind(
        uow=work,
        client=ProviderClient(way_out),
        seal=VaultSeal(kek=ground.kek, entropy=ground.entropy),
        tenant=ground.tenant,
        issuer=ground.issuer,
        clock=ground.clock,
    )


@pytest.mark.twin("OA-28", "OA-13")
async def test_without_the_session_the_victims_account_is_the_attackers(on: Scene) -> None:
    attacker, victim = await on.session("user"), await on.session("lead")
    back = await on.visit(await on.begin(attacker))
    service = careless(on, session=victim.id, user=victim.human)
    made = await service.finish("acme", back, session=victim)
    assert made.place.user == UserId(attacker.human)
    assert (await on.call()).ran, "the attacker's agent works in the victim's account"


@pytest.mark.twin("OA-27")
async def test_without_the_address_the_code_goes_to_the_other_provider(on: Scene, evil: Provider) -> None:
    session = await on.session("user")
    back = await on.visit(await on.begin(session))
    there = await on.services.vault.providers.get("evil")
    wanted = await on.services.vault.connections.wanted(
        "acme", server="slow", agent=AGENT, user=UserId(session.human)
    )
    service = careless(on, place=replace(wanted.place, provider=there.id))
    with pytest.raises(FlowRefused, match="invalid_grant"):
        await service.finish("evil", replace(back, iss=evil.issuer), session=session)
    (_, form) = evil.asked[0]
    assert form["code"] == back.code
    assert form["code_verifier"], "all that redeems it at the right one"


class Believing(ConnectionService):
    """Whoever answers is the provider that was asked."""

    async def finish(self, provider: str, returned: Returned, *, session: Session) -> Connection:
        asked = await self._uow.read(lambda tx: tx.vault.provider_named(provider))
        assert asked is not None
        return await super().finish(provider, replace(returned, iss=asked.issuer), session=session)


@pytest.mark.twin("OA-10")
async def test_without_the_issuer_an_answer_of_another_one_is_redeemed(on: Scene) -> None:
    session = await on.session("user")
    back = await on.visit(await on.begin(session))
    service = careless(on, Believing)
    made = await service.finish("acme", replace(back, iss="https://evil.example"), session=session)
    assert made.place.user == UserId(session.human)
    assert len(on.acme.access) == 1
