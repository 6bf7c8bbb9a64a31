"""Secrets at rest: only the right key, in the right place, unchanged."""

import pytest

from remit.kernel.errors import Invalid
from remit.kernel.sealing import LARGEST_PLAIN, Kek, KekUnfit, KekWrong, SealBroken, rewrap, seal, unseal
from remit.kernel.secret import Secret
from support.jose import entropy_of

KEK = Kek.of(Secret(entropy_of("kek")(32)))
OTHER = Kek.of(Secret(entropy_of("other")(32)))
CONTEXT = (b"default", b"keys", b"key_1")
PLAIN = Secret(b"a private key of some bytes.....")


def sealed(plain: Secret = PLAIN) -> bytes:
    return seal(plain, kek=KEK, context=CONTEXT, entropy=entropy_of(1))


def test_what_was_sealed_opens_with_the_same_key_and_place() -> None:
    assert unseal(sealed(), kek=KEK, context=CONTEXT).reveal() == PLAIN.reveal()
    assert PLAIN.reveal() not in sealed()
    assert unseal(sealed(Secret(b"")), kek=KEK, context=CONTEXT).reveal() == b""


@pytest.mark.attack("KM-04")
def test_another_key_encryption_key_is_named_as_such() -> None:
    with pytest.raises(KekWrong) as refusal:
        unseal(sealed(), kek=OTHER, context=CONTEXT)
    assert refusal.value.code == "kek_wrong"
    assert refusal.value.kind == "unavailable"


@pytest.mark.attack("KM-04")
@pytest.mark.parametrize("key", [b"", bytes(31), bytes(33), bytes(32), b"k" * 32])
def test_what_is_no_key_is_refused(key: bytes) -> None:
    with pytest.raises(KekUnfit):
        Kek.of(Secret(key))


def test_every_changed_bit_is_found() -> None:
    whole = sealed()
    for position in range(len(whole)):
        changed = bytearray(whole)
        changed[position] ^= 1
        with pytest.raises((SealBroken, KekWrong)):
            unseal(bytes(changed), kek=KEK, context=CONTEXT)


def test_every_cut_is_found() -> None:
    for size in range(len(sealed())):
        with pytest.raises(SealBroken):
            unseal(sealed()[:size], kek=KEK, context=CONTEXT)
    with pytest.raises(SealBroken):
        unseal(sealed() + b"\0", kek=KEK, context=CONTEXT)


@pytest.mark.parametrize(
    "context",
    [
        (),
        (b"default", b"keys"),
        (b"other", b"keys", b"key_1"),
        (b"default", b"keyskey_1"),
        (b"default", b"keys", b"key_1", b""),
    ],
)
def test_a_secret_opens_only_in_its_own_place(context: tuple[bytes, ...]) -> None:
    with pytest.raises(SealBroken):
        unseal(sealed(), kek=KEK, context=context)


@pytest.mark.attack("KM-07")
def test_a_repeated_nonce_never_meets_the_same_key() -> None:
    """Even if a restored snapshot repeats its randomness under a new KEK, data keys are fresh per secret."""
    first = seal(PLAIN, kek=KEK, context=CONTEXT, entropy=entropy_of(1))
    second = seal(PLAIN, kek=KEK, context=CONTEXT, entropy=entropy_of(2))
    assert first[11:] != second[11:]
    assert (
        len({seal(PLAIN, kek=KEK, context=CONTEXT, entropy=entropy_of(n))[11:23] for n in range(200)}) == 200
    )


def test_a_secret_moves_to_another_key_without_being_opened() -> None:
    moved = rewrap(sealed(), old=KEK, new=OTHER, context=CONTEXT, entropy=entropy_of(3))
    assert unseal(moved, kek=OTHER, context=CONTEXT).reveal() == PLAIN.reveal()
    with pytest.raises(KekWrong):
        unseal(moved, kek=KEK, context=CONTEXT)


def test_a_secret_has_a_largest_size() -> None:
    sealed(Secret(bytes(LARGEST_PLAIN)))
    with pytest.raises(Invalid):
        sealed(Secret(bytes(LARGEST_PLAIN + 1)))


def test_a_key_encryption_key_shows_nothing() -> None:
    assert str(entropy_of("kek")(32)) not in repr(KEK)
    assert "_key" not in repr(KEK)
