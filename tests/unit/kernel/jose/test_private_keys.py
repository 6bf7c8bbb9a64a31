"""Private keys: made from the entropy given, shown to nobody."""

import pickle
import traceback

import pytest

from remit.kernel.canonical import b64u, b64u_decode
from remit.kernel.jose.algorithms import SIGNING, Algorithm
from remit.kernel.jose.errors import KeyRefused
from remit.kernel.jose.keys import KeyClass, PrivateKey
from remit.kernel.secret import Secret
from support.jose import entropy_of, party, private_key


@pytest.mark.parametrize("algorithm", sorted(SIGNING - {Algorithm.RS256}))
def test_the_same_entropy_gives_the_same_key_and_other_entropy_another(algorithm: Algorithm) -> None:
    one = PrivateKey.generate(algorithm, entropy_of(1))
    assert PrivateKey.generate(algorithm, entropy_of(1)).public == one.public
    assert PrivateKey.generate(algorithm, entropy_of(2)).public != one.public


def test_pss_keys_are_never_made_here() -> None:
    with pytest.raises(KeyRefused):
        PrivateKey.generate(Algorithm.PS256, entropy_of(1))
    with pytest.raises(KeyRefused):
        PrivateKey.load(Algorithm.PS256, Secret(bytes(32)))


@pytest.mark.attack("KM-09")
def test_an_rsa_key_is_strong_and_comes_back_from_what_is_stored_as_it_was() -> None:
    one = PrivateKey.generate(Algorithm.RS256, entropy_of(1))
    again = PrivateKey.load(Algorithm.RS256, one.export())
    assert again.public == one.public != PrivateKey.generate(Algorithm.RS256, entropy_of(1)).public
    assert one.public.verify(b"said", again.sign(b"said"))
    assert not one.public.verify(b"other", again.sign(b"said"))
    assert len(b64u_decode(str(one.public.jwk()["n"]))) * 8 == 2048
    assert one.public.jwk()["e"] == "AQAB"
    with pytest.raises(KeyRefused):
        PrivateKey.load(Algorithm.ES256, one.export())


@pytest.mark.parametrize(
    ("algorithm", "raw"),
    [
        (Algorithm.ED25519, bytes(31)),
        (Algorithm.ED25519, bytes(33)),
        (Algorithm.ES256, bytes(32)),
        (Algorithm.ES256, b"\xff" * 32),
        (Algorithm.ES256, b"\x01" * 31),
        (Algorithm.ES384, b"\x01" * 32),
        (Algorithm.RS256, bytes(32)),
    ],
)
def test_what_is_no_private_key_is_refused(algorithm: Algorithm, raw: bytes) -> None:
    with pytest.raises(KeyRefused):
        PrivateKey.load(algorithm, Secret(raw))


@pytest.mark.attack("KM-03")
@pytest.mark.promise("P14")
@pytest.mark.parametrize("algorithm", sorted(SIGNING))
def test_a_private_key_shows_itself_nowhere(algorithm: Algorithm) -> None:
    key = private_key("hidden", algorithm)
    raw = key.export().reveal()
    owner = party(KeyClass.LEDGER, algorithm=algorithm)
    with pytest.raises(KeyRefused) as failure:
        raise KeyRefused(f"{key} {owner.signer}")
    told = "".join(traceback.format_exception(failure.value))
    shown = f"{told} {key!r} {key.export()} {owner!r}"
    for secret in (raw, owner.private.export().reveal()):
        for form in (b64u(secret), secret.hex(), repr(secret), str(int.from_bytes(secret, "big"))):
            assert form not in shown


@pytest.mark.attack("KM-03")
def test_a_private_key_is_never_pickled() -> None:
    with pytest.raises((TypeError, AttributeError, pickle.PicklingError)):
        pickle.dumps(private_key("hidden"))
    with pytest.raises(TypeError):
        pickle.dumps(Secret(b"x"))
