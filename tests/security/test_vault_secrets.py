"""Downstream credentials stand in the vault alone, and there each opens in its own place alone."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from remit.app.ground import Ground
from remit.app.services import Services, build
from remit.authority.vault.connection import Connection, ConnectionId, ConnectionState, Place
from remit.authority.vault.connection_service import ConnectionService
from remit.authority.vault.provider import ProviderId
from remit.authority.vault.sealing import Tokens, VaultSeal, place_of
from remit.authority.vault.upstream import ProviderClient
from remit.kernel.ids import AgentId, PrincipalId, UserId, system_entropy
from remit.kernel.sealing import SealBroken
from remit.kernel.secret import Secret
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.oversight.containment.kill import TargetKind
from support.clock import NOON
from support.stores import TEST_KEK
from support.vault import Scene, vaulted

HELD = Connection(
    id=ConnectionId("con_1"),
    tenant=DEFAULT_TENANT,
    place=Place(
        user=UserId("usr_1"), agent=AgentId("agt_1"), provider=ProviderId("prv_1"), scopes=("a", "b")
    ),
    state=ConnectionState.ACTIVE,
    created_at=NOON,
    changed_at=NOON,
)
OTHERS = [
    replace(HELD, id=ConnectionId("con_2")),
    replace(HELD, place=replace(HELD.place, user=UserId("usr_2"))),
    replace(HELD, place=replace(HELD.place, user=None)),
    replace(HELD, place=replace(HELD.place, agent=AgentId("agt_2"))),
    replace(HELD, place=replace(HELD.place, provider=ProviderId("prv_2"))),
    replace(HELD, place=replace(HELD.place, scopes=("a",))),
    replace(HELD, place=replace(HELD.place, scopes=("a", "b", "c"))),
]
TOKENS = Tokens(access=Secret(b"the-access-token"), refresh=Secret(b"the-refresh-token"))
SEAL = VaultSeal(kek=TEST_KEK, entropy=system_entropy)


@pytest.mark.req("N28")
@pytest.mark.attack("KM-08")
@pytest.mark.parametrize("other", OTHERS, ids=["id", "person", "nobody", "agent", "provider", "less", "more"])
def test_a_credential_that_was_moved_opens_for_nobody(other: Connection) -> None:
    sealed = SEAL.close(TOKENS, place_of(HELD))
    assert SEAL.open(sealed, place_of(HELD)).access.reveal() == b"the-access-token"
    with pytest.raises(SealBroken):
        SEAL.open(sealed, place_of(other))


class Placeless(VaultSeal):
    """Every place is the same."""

    def close(self, tokens: Tokens, context: Sequence[bytes]) -> bytes:
        return super().close(tokens, (b"vault",))

    def open(self, sealed: bytes, context: Sequence[bytes]) -> Tokens:
        return super().open(sealed, (b"vault",))


@pytest.mark.twin("KM-08")
def test_without_the_place_a_moved_row_opens() -> None:
    seal = Placeless(kek=TEST_KEK, entropy=system_entropy)
    sealed = seal.close(TOKENS, place_of(HELD))
    assert seal.open(sealed, place_of(OTHERS[1])).access.reveal() == b"the-access-token"


def test_nothing_shows_a_credential_by_chance() -> None:
    assert "the-" not in repr(TOKENS)
    assert "the-" not in f"{TOKENS.access} {TOKENS}"


async def story(on: Scene) -> None:
    """Everything that touches a credential: connect, use, renew, disconnect, fail to renew."""
    made = await on.connect()
    await on.call()
    await on.age(made, timedelta(hours=2))
    await on.call()
    by = PrincipalId(on.house["user"].id)
    await on.services.vault.connections.disconnect(made.id, by=by, because="asked")
    again = await on.connect()
    on.acme.refresh.clear()
    await on.age(again, timedelta(hours=2))
    await on.call()


def everywhere(folder: Path) -> bytes:
    """Every byte of every file of the installation."""
    return b"".join(each.read_bytes() for each in sorted(folder.rglob("*")) if each.is_file())


@pytest.mark.promise("P14")
@pytest.mark.attack("KM-03")
@pytest.mark.req("N28")
async def test_no_file_no_record_and_no_log_holds_a_credential(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    async with vaulted(tmp_path / "data") as on:
        await story(on)
        secrets = [text.encode() for text in on.acme.secrets()]
        assert len(secrets) > 8
        said = capfd.readouterr()
        written = everywhere(tmp_path / "data") + f"{said.out}{said.err}{caplog.text}".encode()
    written += everywhere(tmp_path / "data")
    assert [secret for secret in secrets if secret in written] == []


class Plain(VaultSeal):
    """Seals nothing of a connection."""

    def close(self, tokens: Tokens, context: Sequence[bytes]) -> bytes:
        return tokens.access.reveal()


def unsealed(ground: Ground) -> Services:
    services = build(ground)
    plain = ConnectionService(
        uow=ground.work,
        client=ProviderClient(services.vault.exit),
        seal=Plain(kek=ground.kek, entropy=ground.entropy),
        tenant=ground.tenant,
        issuer=ground.issuer,
        clock=ground.clock,
    )
    return replace(services, vault=replace(services.vault, connections=plain))


@pytest.mark.twin("P14", "KM-03")
async def test_without_the_seal_the_files_hold_them(tmp_path: Path) -> None:
    async with vaulted(tmp_path / "data", make=unsealed) as on:
        await on.connect()
        secrets = [text.encode() for text in on.acme.access]
        written = everywhere(tmp_path / "data")
    written += everywhere(tmp_path / "data")
    assert [secret for secret in secrets if secret in written] == secrets


@pytest.mark.req("N3", "N28")
@pytest.mark.promise("P1")
@pytest.mark.parametrize("kind", [TargetKind.AGENT, TargetKind.CHAIN])
async def test_a_kill_between_the_permit_and_the_opening_sends_nothing(
    tmp_path: Path, kind: TargetKind
) -> None:
    """The permit is on record, the credential is being renewed, and the agent is stopped."""
    async with vaulted(tmp_path / "data") as on:
        made = await on.connect()
        await on.age(made, timedelta(hours=2))
        entered, go = asyncio.Event(), asyncio.Event()

        async def slow() -> None:
            entered.set()
            await go.wait()

        on.acme.before_token = slow
        calling = asyncio.create_task(on.call())
        await asyncio.wait_for(entered.wait(), 10)
        started = (await on.records("authority.task.started"))[-1]
        chain = await on.house.work.read(lambda tx: tx.envelopes.of_task(started.task)[0].digest)
        await on.house.kill(kind, chain if kind is TargetKind.CHAIN else on.house["calendar-bot"].agent)
        go.set()
        assert not (await calling).ran
        assert on.shown == []
        finished = (await on.records("enforcement.call.finished"))[-1]
        assert dict(finished.detail)["sent"] == "false"
        await on.services.vault.revoker.run_due()
        # What the provider gave meanwhile ended too, unless its agent goes on in other tasks.
        assert (on.acme.access == {}) == (kind is TargetKind.AGENT)
