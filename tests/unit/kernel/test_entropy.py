"""Bytes for names come in blocks, and never twice."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from remit.kernel.entropy import BLOCK, NAME_BYTES, SystemEntropy


@pytest.mark.attack("KM-06")
@pytest.mark.parametrize("size", [1, 16, NAME_BYTES, NAME_BYTES + 1, 32, 64])
def test_it_gives_as_many_bytes_as_are_asked_for(size: int) -> None:
    entropy = SystemEntropy()
    assert {len(entropy(size)) for _ in range(2 * BLOCK + 1)} == {size}
    assert entropy(0) == b""


@pytest.mark.attack("KM-06")
def test_no_two_threads_get_the_same_bytes() -> None:
    entropy, count = SystemEntropy(), 40 * BLOCK
    with ThreadPoolExecutor(8) as threads:
        given = list(threads.map(lambda _: entropy(NAME_BYTES), range(count)))
    assert len(set(given)) == count


@pytest.mark.attack("KM-06")
def test_what_is_no_name_is_never_held_in_advance() -> None:
    entropy = SystemEntropy()
    entropy(NAME_BYTES + 1)
    assert not vars(entropy)["_names"]


@pytest.mark.attack("KM-06")
def test_a_forked_child_does_not_give_what_its_parent_will() -> None:
    entropy = SystemEntropy()
    entropy(NAME_BYTES)
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(theirs, b"".join(entropy(NAME_BYTES) for _ in range(3)))
        os._exit(0)
    os.waitpid(child, 0)
    told = os.read(ours, 4096)
    os.close(ours)
    os.close(theirs)
    assert len(told) == 3 * NAME_BYTES
    assert not {told[place : place + NAME_BYTES] for place in range(0, len(told), NAME_BYTES)} & {
        entropy(NAME_BYTES) for _ in range(3)
    }
