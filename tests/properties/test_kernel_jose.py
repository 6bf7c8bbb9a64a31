"""Laws of the JOSE front over all inputs."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.kernel.canonical import b64u, b64u_decode
from remit.kernel.errors import Invalid, RemitError
from remit.kernel.jose import dpop, jws, jwt
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.jwk import parse_jwk
from remit.kernel.jose.keys import PrivateKey
from remit.kernel.jose.profiles import TokenType
from remit.kernel.jose.target import comparable
from support.clock import NOON
from support.jose import AUDIENCE, Keys, key_class_of, party, private_key, valid_token

OWNER = party(key_class_of(TokenType.ACCESS_TOKEN))
KEYS = Keys([OWNER.record])
TOKEN = valid_token(TokenType.ACCESS_TOKEN, OWNER)
TARGET = "https://remit.example/token"
PROOF = dpop.make_proof(private_key("c"), method="POST", target=TARGET, jti="a", at=NOON)

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
documents = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
header_names = st.sampled_from(["alg", "kid", "typ", "jwk", "crit", "b64"])
claim_names = st.sampled_from(["iss", "sub", "aud", "exp", "iat", "nbf", "jti", "htm", "htu", "ath", "nonce"])


def dump(value: object) -> bytes:
    """Write JSON as a careless peer does: `NaN` and lone surrogates included."""
    import json

    return json.dumps(value).encode("utf-8", "surrogatepass")


def verify(text: str) -> jwt.VerifiedJwt:
    return jwt.verify(text, as_type=TokenType.ACCESS_TOKEN, keys=KEYS, at=NOON, audience=AUDIENCE)


def verify_proof(text: str) -> dpop.VerifiedProof:
    return dpop.verify_proof(text, method="POST", target=TARGET, at=NOON, access_token=None)


@given(st.text(max_size=300))
def test_only_our_errors_leave_the_readers_whatever_the_text(text: str) -> None:
    for read in (verify, verify_proof, jwt.peek_issuer, jws.take_apart, parse_jwk):
        with pytest.raises(RemitError):
            read(text)


@given(st.binary(max_size=200), st.binary(max_size=200), st.binary(max_size=80))
def test_only_our_errors_leave_the_readers_whatever_the_segments(
    head: bytes, body: bytes, mark: bytes
) -> None:
    text = f"{b64u(head)}.{b64u(body)}.{b64u(mark)}"
    for read in (verify, verify_proof):
        with pytest.raises(RemitError):
            read(text)


@given(st.dictionaries(header_names, documents), st.dictionaries(claim_names, documents))
def test_only_our_errors_leave_the_verifiers_whatever_was_signed(
    header: dict[str, object], claims: dict[str, object]
) -> None:
    for own in ({"kid": OWNER.record.kid, "typ": "at+jwt", "alg": "Ed25519"}, {}):
        signing_input = f"{b64u(dump({**header, **own}))}.{b64u(dump(claims))}"
        text = f"{signing_input}.{b64u(OWNER.private.sign(signing_input.encode()))}"
        for read in (verify, verify_proof):
            with pytest.raises(RemitError):
                read(text)


@given(st.dictionaries(claim_names, documents))
def test_only_our_errors_leave_the_proof_verifier_whatever_its_claims(claims: dict[str, object]) -> None:
    key = private_key("c")
    head = PROOF.split(".")[0]
    signing_input = f"{head}.{b64u(dump(claims))}"
    with contextlib.suppress(RemitError):
        verify_proof(f"{signing_input}.{b64u(key.sign(signing_input.encode()))}")


@given(
    st.dictionaries(
        st.sampled_from(["kty", "crv", "x", "y", "n", "e", "alg", "use", "key_ops", "d"]), documents
    )
)
def test_only_our_errors_leave_the_key_reader(jwk: dict[str, object]) -> None:
    with contextlib.suppress(RemitError):
        parse_jwk(dump(jwk))


@given(st.integers(0, len(TOKEN) - 1), st.characters(max_codepoint=0x2FF))
def test_no_other_character_anywhere_leaves_a_token_valid(position: int, character: str) -> None:
    changed = TOKEN[:position] + character + TOKEN[position + 1 :]
    if changed != TOKEN:
        with pytest.raises(RemitError):
            verify(changed)


@given(st.integers(0, len(PROOF) - 1), st.characters(max_codepoint=0x2FF))
def test_no_other_character_anywhere_leaves_a_proof_valid(position: int, character: str) -> None:
    changed = PROOF[:position] + character + PROOF[position + 1 :]
    if changed != PROOF:
        with pytest.raises(RemitError):
            verify_proof(changed)


@given(st.binary(max_size=100))
def test_reading_base64url_undoes_writing_it(data: bytes) -> None:
    assert b64u_decode(b64u(data)) == data


@given(st.text(alphabet="ABCz09-_+/= \n.é", max_size=12))
def test_bytes_have_one_base64url_form(text: str) -> None:
    try:
        data = b64u_decode(text)
    except Invalid:
        return
    assert b64u(data) == text


@given(
    st.binary(min_size=72, max_size=72),
    st.sampled_from([Algorithm.ED25519, Algorithm.ES256, Algorithm.ES384]),
)
def test_what_a_key_signs_it_verifies_and_what_it_exports_it_loads(seed: bytes, algorithm: Algorithm) -> None:
    made = PrivateKey.generate(algorithm, lambda size: seed[:size])
    loaded = PrivateKey.load(algorithm, made.export())
    assert loaded.public == made.public == parse_jwk(made.public.jwk())
    assert made.public.verify(b"message", loaded.sign(b"message"))
    assert not made.public.verify(b"messagf", loaded.sign(b"message"))


@given(st.text(max_size=60))
def test_a_comparable_target_is_its_own_comparable_form(text: str) -> None:
    for uri in (text, f"https://{text}", f"https://remit.example/{text}"):
        try:
            once = comparable(uri)
        except Invalid:
            continue
        assert comparable(once) == once
        assert "?" not in once
        assert "#" not in once
