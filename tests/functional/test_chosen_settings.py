"""Settings that change what the running product does: each is read where it counts, within its ceiling."""

import os
from pathlib import Path

import httpx2
import pytest

from remit.app.bootstrap import prepare_directory
from remit.app.ground import open_ground
from remit.app.keys import IssuerChanged
from remit.app.services import build
from remit.kernel.jose.dpop import make_proof
from remit.platform.settings.load import BadSetting, load
from remit.platform.settings.refusals import StartRefused
from remit.platform.stdio import ChildProcesses
from support.installation import installation
from support.stores import TEST_KEK

NOBODY = 65_534


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("authority.capability", "91s", "`capability` is `0:01:31`"),
        ("authority.access_token", "11m", "`access_token`"),
        ("authority.bearer_token", "6m", "`authority.bearer_token` is 6m"),
        ("authority.task", "31d", "`task`"),
        ("gateway.hold", "61s", "`gateway.hold` is 61s"),
        ("gateway.streams", 0, "`gateway.streams` is 0"),
        ("gateway.total_timeout", "2h", "between 1ms and 1h"),
        ("approvals.lifetime", "8d", "`approvals.lifetime` is 8d"),
        ("approvals.denials_in_a_row", 0, "between 1 and 50"),
    ],
)
def test_no_setting_lifts_a_ceiling(name: str, value: object, said: str) -> None:
    with pytest.raises(BadSetting) as refused:
        load(file=None, environ={}, flags={name: value})
    assert said in refused.value.hint


@pytest.mark.spec("RFC 9449", "8")
def test_nonces_can_be_required_and_the_command_line_brings_them(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    (data / "settings.toml").write_text('[oauth]\nrequire_nonce = true\n[authority]\naccess_token = "60s"\n')
    with installation(tmp_path) as here:
        from datetime import UTC, datetime

        from remit.kernel.jose.algorithms import Algorithm
        from remit.kernel.jose.keys import PrivateKey
        from remit.surface.cli.client import Client

        listed = here.remit("agent", "list")
        assert listed.code == 0, listed.err
        stranger = PrivateKey.generate(Algorithm.ED25519, os.urandom)
        endpoint = f"{here.url}/token"
        proof = make_proof(stranger, method="POST", target=endpoint, jti="x" * 22, at=datetime.now(UTC))
        with Client.open(here.environment()) as client:
            form = {
                "grant_type": "client_credentials",
                "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                "client_assertion": client._assertion(),
            }
        reply = httpx2.post(endpoint, data=form, headers={"dpop": proof})
        assert reply.json()["error"] == "use_dpop_nonce"
        assert reply.headers["dpop-nonce"]


@pytest.mark.attack("MC-23")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root may start programs as somebody else")
@pytest.mark.fault("F35")
async def test_another_address_over_the_same_data_is_refused_before_anybody_is_locked_out(
    tmp_path: Path,
) -> None:
    here = {"data": str(tmp_path / "data"), "issuer": "http://127.0.0.1:7480"}
    settings = load(file=None, environ={}, flags=here)
    prepare_directory(settings)
    first = await open_ground(settings, kek=TEST_KEK)
    await first.store.close()
    moved = load(file=None, environ={}, flags={**here, "issuer": "http://127.0.0.1:7481"})
    with pytest.raises(IssuerChanged, match=r"belongs to the issuer") as refused:
        await open_ground(moved, kek=TEST_KEK)
    assert "--issuer http://127.0.0.1:7480" in refused.value.next_step


async def test_a_child_runs_as_the_chosen_user_and_reads_nothing_of_ours(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    (data / "kek").write_text("secret")
    (data / "kek").chmod(0o600)
    spawner = ChildProcesses(directory=Path("/"), user=NOBODY)
    script = f"id -u; id -G; cat {data}/kek || echo denied"
    child = await spawner.spawn(("/bin/sh", "-c", script), ())
    assert [await child.read() for _ in range(3)] == [b"65534", b"65534", b"denied"]
    await child.stop()


@pytest.mark.attack("MC-23")
async def test_a_user_that_cannot_be_taken_stops_the_start(tmp_path: Path) -> None:
    flags = {"data": str(tmp_path / "data"), "gateway.child_user": NOBODY}
    settings = load(file=None, environ={}, flags=flags)
    prepare_directory(settings)
    ground = await open_ground(settings, kek=TEST_KEK)
    try:
        if os.geteuid() == 0:
            assert build(ground).upstreams is not None
            return
        with pytest.raises(StartRefused, match="only root"):
            build(ground)
    finally:
        await ground.store.close()
