"""Proofs of one key are counted by the minute, in bounded memory."""

from datetime import timedelta

import pytest

from remit.authority.oauth.wire.proof_pace import KEYS, ProofPace, TooManyProofs
from support.clock import NOON


def test_the_limit_is_taken_and_one_more_is_not() -> None:
    pace = ProofPace(per_minute=3)
    for _ in range(3):
        pace.take("key", NOON)
    with pytest.raises(TooManyProofs) as refused:
        pace.take("key", NOON + timedelta(seconds=59))
    assert "3 proofs" in refused.value.hint
    pace.take("another", NOON)
    pace.take("key", NOON + timedelta(seconds=60))


@pytest.mark.attack("DP-11")
def test_a_million_keys_take_no_more_memory_than_the_first_ones() -> None:
    pace = ProofPace(per_minute=1)
    for number in range(1_000_000):
        pace.take(str(number), NOON)
    assert pace.counted == KEYS
    with pytest.raises(TooManyProofs):
        pace.take("7", NOON)


@pytest.mark.twin("DP-11")
def test_keys_without_number_would_all_be_held() -> None:
    pace = ProofPace(keys=1 << 62)
    for number in range(KEYS + 1):
        pace.take(str(number), NOON)
    assert pace.counted > KEYS
