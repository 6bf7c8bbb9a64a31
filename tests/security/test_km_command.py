"""KM-12: a KMS that is slow, down or talking nonsense: Remit does not start, and makes no key of its own."""

import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from remit.app.bootstrap import open_kek
from remit.app.ground import open_ground
from remit.app.kek import KekElsewhere, require_file
from remit.kernel.errors import Invalid, RemitError
from remit.kernel.sealing import Kek, KekWrong
from remit.platform.settings.load import load
from remit.platform.settings.model import Settings
from remit.platform.storage.kek import KekExposed, make_kek
from remit.platform.storage.kek_command import ANSWER_LIMIT, KekUnavailable
from remit.platform.storage.migrate import migrate_sqlite

KEY = "5f" * 16 + "a1" * 16
PATIENCE = timedelta(seconds=20)
Make = Callable[[str], Settings]


@pytest.fixture
def given(tmp_path: Path) -> Make:
    """Settings whose key comes from a script of this body."""

    def make(body: str, *, patience: timedelta = PATIENCE) -> Settings:
        program = tmp_path / "kms"
        program.write_text(f"#!/bin/sh\n{body}\n", encoding="ascii")
        program.chmod(0o700)
        data = tmp_path / "data"
        data.mkdir(exist_ok=True)
        settings = load(file=None, environ={}, flags={"data": str(data), "demo": False})
        keys = replace(settings.keys, kek_command=(str(program), "decrypt", "a b"), kek_patience=patience)
        return replace(settings, keys=keys)

    return make


def asked(settings: Settings) -> Kek:
    return open_kek(settings, entropy=secrets.token_bytes)


def test_the_key_is_what_the_program_prints_and_no_file_holds_it(given: Make) -> None:
    settings = given(f'test "$1 $2" = "decrypt a b" && echo {KEY}')
    assert asked(settings) == asked(settings)
    assert list(settings.directory.iterdir()) == []
    with pytest.raises(KekElsewhere):
        require_file(settings)


BROKEN = {
    "down": "exit 7",
    "refuses and prints": f"echo {KEY}; exit 1",
    "silent": "exit 0",
    "nonsense": "echo AccessDeniedException",
    "half a key": f"echo {KEY[:32]}",
    "too much": f"head -c {4 * ANSWER_LIMIT} /dev/zero",
    "one byte repeated": f"echo {'00' * 32}",
}


@pytest.mark.attack("KM-12", "KM-04")
@pytest.mark.promise("P5")
@pytest.mark.parametrize("how", BROKEN)
def test_what_gives_no_key_lets_nothing_start(given: Make, how: str) -> None:
    settings = given(BROKEN[how])
    with pytest.raises(RemitError) as refused:
        asked(settings)
    assert isinstance(refused.value, KekUnavailable | Invalid)
    assert KEY[:16] not in f"{refused.value.hint} {refused.value.debug}"
    assert list(settings.directory.iterdir()) == [], "no key was made up"


@pytest.mark.attack("KM-12")
@pytest.mark.promise("P5")
@pytest.mark.parametrize("body", ["sleep 600", f"echo {KEY}; sleep 600", f"sleep 600 & echo {KEY}"])
def test_one_that_is_slow_is_not_waited_for_and_leaves_nothing_behind(given: Make, body: str) -> None:
    settings = given(body, patience=timedelta(milliseconds=300))  # type: ignore[call-arg]  # of the fixture alone
    begun = time.monotonic()
    with pytest.raises(KekUnavailable) as late:
        asked(settings)
    assert "0.3 s" in late.value.hint
    assert time.monotonic() - begun < 60


@pytest.mark.attack("KM-12", "KM-03")
def test_a_program_that_others_can_change_is_not_run(given: Make) -> None:
    settings = given("touch ran; exit 1")
    program = Path(settings.keys.kek_command[0])
    program.chmod(0o722)
    with pytest.raises(KekExposed):
        asked(settings)
    for command in (("kms",), (str(program.parent),), (str(program.parent / "none"),)):
        with pytest.raises(KekUnavailable):
            asked(replace(settings, keys=replace(settings.keys, kek_command=command)))


@pytest.mark.attack("KM-12", "KM-04")
@pytest.mark.promise("P5")
async def test_a_store_opens_under_its_own_key_and_under_no_other(given: Make) -> None:
    settings = given(f"echo {KEY}")
    migrate_sqlite(settings.directory / "remit.db")
    ground = await open_ground(settings, kek=asked(settings))
    await ground.store.close()
    with pytest.raises(KekWrong):
        await open_ground(settings, kek=asked(given(f"echo {KEY[::-1]}")))
    again = await open_ground(settings, kek=asked(given(f"echo {KEY}")))
    await again.store.close()


def helpful(settings: Settings) -> Kek:
    """Makes a key where the KMS gives none, so that the service stays up."""
    try:
        return asked(settings)
    except RemitError:
        return make_kek(settings.directory / "kek", entropy=secrets.token_bytes)


@pytest.mark.twin("KM-12")
def test_who_helps_out_with_a_key_of_its_own_would_start_without_the_kms(given: Make) -> None:
    settings = given("exit 7")
    assert helpful(settings) != asked(given(f"echo {KEY}"))
    assert (settings.directory / "kek").exists()
