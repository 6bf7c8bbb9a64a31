"""Identifiers and secrets."""

import itertools
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.kernel.canonical import same_bytes
from remit.kernel.ids import mint_id, system_entropy
from remit.kernel.secret import Secret
from support.clock import NOON
from support.jose import entropy_of


@pytest.mark.attack("KM-06")
def test_an_id_holds_130_bits_of_chance_behind_its_time() -> None:
    highest, lowest = (mint_id("tok", at=NOON, entropy=lambda n, b=b: b * n) for b in (b"\xff", b"\x00"))  # type: ignore[misc]  # a lambda with a bound default
    assert highest[:14] == lowest[:14]
    assert highest[14:] == "Z" * 26
    assert lowest[14:] == "0" * 26
    assert 26 * 5 >= 128


@pytest.mark.attack("KM-06")
def test_ids_do_not_repeat_and_use_all_the_entropy_they_ask_for() -> None:
    assert len({mint_id("tok", at=NOON, entropy=system_entropy) for _ in range(1000)}) == 1000
    flipped = set()
    for place, bit in itertools.product(range(26), range(5)):
        raw = bytes(place) + bytes([1 << bit]) + bytes(25 - place)
        flipped.add(mint_id("tok", at=NOON, entropy=lambda _, raw=raw: raw))  # type: ignore[misc]  # a lambda with a bound default
    assert len(flipped) == 130


def test_ids_sort_by_time() -> None:
    entropy = entropy_of(1)
    made = [mint_id("tok", at=NOON + timedelta(milliseconds=n), entropy=entropy) for n in range(100)]
    assert made == sorted(made)


@pytest.mark.promise("P14")
def test_a_secret_shows_nothing_and_is_compared_in_constant_time() -> None:
    secret = Secret(b"hunter2")
    assert "hunter2" not in f"{secret} {secret!r} {[secret]} {secret.__dir__()}"
    assert same_bytes(secret.reveal(), b"hunter2")
    assert not same_bytes(secret.reveal(), b"hunter3")


@given(st.integers(0, 10**13), st.binary(min_size=26, max_size=26))
def test_an_id_is_its_two_numbers_in_base_32(after: int, chance: bytes) -> None:
    at = NOON + timedelta(milliseconds=after)
    moment = int(at.timestamp() * 1000)
    numbers = [*(moment >> 5 * n & 31 for n in range(9, -1, -1)), *(byte & 31 for byte in chance)]
    digits = "".join("0123456789ABCDEFGHJKMNPQRSTVWXYZ"[number] for number in numbers)
    assert mint_id("tok", at=at, entropy=lambda _: chance) == f"tok_{digits}"
