"""Signatures of the RFCs' own examples, by our checks; and our tokens, by two other implementations."""

import json

import joserfc.jwk
import joserfc.jwt
import jwt as pyjwt
import pytest

from remit.kernel.canonical import b64u, b64u_decode
from remit.kernel.jose import dpop, jws
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.jwk import parse_jwk
from remit.kernel.jose.keys import PrivateKey
from remit.kernel.jose.profiles import TokenType
from remit.kernel.secret import Secret
from support.clock import NOON
from support.jose import AUDIENCE, claims_of, key_class_of, party, private_key, valid_token

# RFC 7515 Appendix A.3, published by the IETF; line ends removed.
A3_KEY = {
    "kty": "EC",
    "crv": "P-256",
    "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}
A3_SECRET = "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"
A3_TOKEN = (
    "eyJhbGciOiJFUzI1NiJ9"
    ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
    ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
)

# RFC 8037 Appendix A.1, A.2, A.4 and A.5.
A4_SEED = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
A4_KEY = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
A4_TOKEN = (
    "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
    ".hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
)


@pytest.mark.spec("RFC 7515", "A.3")
def test_es256_example_verifies() -> None:
    parts = jws.take_apart(A3_TOKEN)
    key = parse_jwk(A3_KEY)
    assert key.algorithm is Algorithm.ES256
    assert key.verify(parts.signing_input, parts.signature)
    assert not key.verify(parts.signing_input + b"x", parts.signature)


@pytest.mark.spec("RFC 7515", "A.3")
def test_the_private_half_of_the_es256_example_gives_its_public_half() -> None:
    key = PrivateKey.load(Algorithm.ES256, Secret(b64u_decode(A3_SECRET)))
    assert key.public.jwk() == A3_KEY
    parts = jws.take_apart(A3_TOKEN)
    assert key.public.verify(parts.signing_input, key.sign(parts.signing_input))


@pytest.mark.spec("RFC 8037", "A.5")
def test_ed25519_example_verifies() -> None:
    parts = jws.take_apart(A4_TOKEN)
    assert parts.payload == b"Example of Ed25519 signing"
    assert parse_jwk(A4_KEY).verify(parts.signing_input, parts.signature)


@pytest.mark.spec("RFC 8037", "A.4")
def test_signing_the_ed25519_example_gives_its_very_bytes() -> None:
    key = PrivateKey.load(Algorithm.ED25519, Secret(b64u_decode(A4_SEED)))
    assert key.public.jwk() == A4_KEY
    parts = jws.take_apart(A4_TOKEN)
    assert key.sign(parts.signing_input) == parts.signature


@pytest.mark.parametrize("algorithm", [Algorithm.ES256, Algorithm.ES384])
def test_pyjwt_and_joserfc_verify_what_we_sign(algorithm: Algorithm) -> None:
    owner = party(key_class_of(TokenType.ACCESS_TOKEN), algorithm=algorithm)
    token = valid_token(TokenType.ACCESS_TOKEN, owner)
    jwk = owner.private.public.jwk()
    read = pyjwt.decode(
        token,
        pyjwt.PyJWK(jwk, algorithm=algorithm).key,
        algorithms=[algorithm],
        audience=AUDIENCE,
        options={"verify_exp": False, "verify_iat": False},
    )
    assert read == claims_of(TokenType.ACCESS_TOKEN)
    by_joserfc = joserfc.jwt.decode(
        token,
        joserfc.jwk.ECKey.import_key(json.loads(owner.private.public.canonical)),
        algorithms=[algorithm],
    )
    assert by_joserfc.claims == read
    assert by_joserfc.header == {"alg": algorithm, "kid": owner.record.kid, "typ": "at+jwt"}


def test_pyjwt_and_joserfc_verify_what_we_sign_with_ed25519() -> None:
    owner = party(key_class_of(TokenType.ACCESS_TOKEN))
    token = valid_token(TokenType.ACCESS_TOKEN, owner)
    key = joserfc.jwk.OKPKey.import_key(json.loads(owner.private.public.canonical))
    assert joserfc.jwt.decode(token, key, algorithms=["Ed25519"]).claims == claims_of(TokenType.ACCESS_TOKEN)
    parts = jws.take_apart(token)
    # PyJWT knows the algorithm by its older name only; its check of the signature is the same.
    okp = pyjwt.algorithms.OKPAlgorithm()
    assert okp.verify(
        parts.signing_input, okp.from_jwk(json.dumps(owner.private.public.jwk())), parts.signature
    )


@pytest.mark.parametrize("name", ["EdDSA", "ES256"])
def test_proofs_made_by_pyjwt_are_accepted(name: str) -> None:
    private = private_key("peer", Algorithm.ES256 if name == "ES256" else Algorithm.ED25519)
    members = private.public.jwk() | {"d": b64u(private.export().reveal())}
    claims = {"jti": "a", "htm": "POST", "htu": "https://remit.example/token", "iat": int(NOON.timestamp())}
    proof = pyjwt.encode(
        claims,
        pyjwt.PyJWK(members, algorithm=name).key,
        algorithm=name,
        headers={"typ": "dpop+jwt", "jwk": private.public.jwk()},
    )
    held = dpop.verify_proof(
        proof, method="POST", target="https://remit.example/token", at=NOON, access_token=None
    )
    assert held.thumbprint == private.public.thumbprint


@pytest.mark.parametrize("algorithm", [Algorithm.RS256, Algorithm.PS256])
def test_rsa_signatures_of_a_peer_verify(algorithm: Algorithm) -> None:
    peer = joserfc.jwk.RSAKey.generate_key(2048)
    token = joserfc.jwt.encode({"alg": algorithm}, {"iss": "x"}, peer, algorithms=[algorithm])
    public = peer.as_dict(private=False)
    parts = jws.take_apart(token)
    key = parse_jwk({name: str(public[name]) for name in ("kty", "n", "e")}, algorithm=algorithm)
    assert key.verify(parts.signing_input, parts.signature)
    assert not key.verify(parts.signing_input, bytes(256))
    other = Algorithm.PS256 if algorithm is Algorithm.RS256 else Algorithm.RS256
    swapped = parse_jwk({name: str(public[name]) for name in ("kty", "n", "e")}, algorithm=other)
    assert not swapped.verify(parts.signing_input, parts.signature)
