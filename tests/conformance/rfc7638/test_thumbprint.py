"""Thumbprints of the RFCs' own keys."""

import pytest

from remit.kernel.canonical import JsonObject
from remit.kernel.jose.jwk import parse_jwk

# RFC 7638 §3.1, published by the IETF.
RSA: JsonObject = {
    "kty": "RSA",
    "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWK"
    "RXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-"
    "65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-"
    "bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
    "e": "AQAB",
    "alg": "RS256",
    "kid": "2011-04-29",
}


@pytest.mark.spec("RFC 7638", "3.1")
def test_the_example_has_its_thumbprint() -> None:
    assert parse_jwk(RSA).thumbprint == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


@pytest.mark.spec("RFC 7638", "3.2")
def test_only_required_members_count() -> None:
    more = RSA | {"use": "sig", "x5t": "AAAA", "key_ops": ["verify"]}
    reordered = dict(reversed(list(more.items())))
    assert parse_jwk(reordered).thumbprint == parse_jwk(RSA).thumbprint
    assert parse_jwk(more).jwk().keys() == {"kty", "n", "e"}


@pytest.mark.spec("RFC 8037", "A.3")
def test_the_ed25519_example_has_its_thumbprint() -> None:
    key: JsonObject = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    assert parse_jwk(key).thumbprint == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
