"""Signatures, checked by what made no part of them: `cryptography` for the curve, the RFC for the vector."""

import json

from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from remit_sdk.keys import Key, b64u_decode

SEED = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"
PUBLIC = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
"""RFC 8037 Appendix A.1."""


def test_the_key_of_rfc_8037_has_its_public_half() -> None:
    key = Key(ed25519.Ed25519PrivateKey.from_private_bytes(b64u_decode(SEED)))
    assert key.jwk == {"kty": "OKP", "crv": "Ed25519", "x": PUBLIC}


def test_what_is_signed_verifies_and_names_its_algorithm() -> None:
    for key in (Key.make(), Key(ec.generate_private_key(ec.SECP256R1()))):
        head, payload, signature = key.sign({"typ": "x"}, {"a": 1}).split(".")
        assert json.loads(b64u_decode(head)) == {"alg": key.algorithm, "typ": "x"}
        raw = b64u_decode(signature)
        assert len(raw) == 64
        if isinstance(key.private, ed25519.Ed25519PrivateKey):
            key.private.public_key().verify(raw, f"{head}.{payload}".encode())
