"""Attacks on keys: weak, private, off their curve, of another class, tenant or state."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import joserfc.jwk
import joserfc.jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from remit.kernel.canonical import Json, JsonObject, b64u, b64u_decode
from remit.kernel.ids import TenantId
from remit.kernel.jose import jwt
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.errors import KeyMisused, KeyRefused, TokenRejected
from remit.kernel.jose.jwk import PublicKey, parse_jwk
from remit.kernel.jose.keyring import Keyring
from remit.kernel.jose.keys import KeyClass, KeyState
from remit.kernel.jose.profiles import TokenType, profile_of
from support.clock import NOON
from support.jose import AUDIENCE, Keys, claims_of, key_class_of, party, private_key, valid_token
from twins.jose import read_any_key

ED = private_key("a").public.jwk()
EC = private_key("a", Algorithm.ES256).public.jwk()


def rsa_jwk(bits: int, exponent: int = 65537) -> JsonObject:
    numbers = rsa.generate_private_key(65537, bits).public_key().public_numbers()
    return {
        "kty": "RSA",
        "alg": "RS256",
        "n": b64u(numbers.n.to_bytes(bits // 8, "big")),
        "e": b64u(exponent.to_bytes(4, "big").lstrip(b"\0")),
    }


@pytest.mark.attack("JW-19")
@pytest.mark.parametrize(
    "jwk",
    [
        {"kty": "oct", "k": "AAAA"},
        {"kty": "oct", "k": b64u(bytes(32))},
        rsa_jwk(1024),
        rsa_jwk(2048, 1),
        rsa_jwk(2048, 3),
        rsa_jwk(2048, 65538),
        rsa_jwk(2048) | {"alg": "HS256"},
        rsa_jwk(2048) | {"alg": "none"},
        {name: value for name, value in rsa_jwk(2048).items() if name != "alg"},
        rsa_jwk(2048) | {"n": b64u(b"\0" + bytes([255]) * 256)},
        rsa_jwk(2048) | {"n": b64u(bytes([255]) * 2048)},
        rsa_jwk(2048) | {"n": b64u(bytes([254]) * 256)},
    ],
)
def test_weak_and_symmetric_keys_are_refused(jwk: JsonObject) -> None:
    with pytest.raises(KeyRefused):
        parse_jwk(jwk)


@pytest.mark.attack("JW-12")
@pytest.mark.parametrize(
    "jwk",
    [
        EC | {"crv": "P-384"},
        EC | {"crv": "P-521"},
        EC | {"crv": "secp256k1"},
        EC | {"crv": "Ed25519"},
        EC | {"y": b64u(bytes(32))},
        EC | {"x": b64u(bytes(32)), "y": b64u(bytes(32))},
        EC | {"x": str(EC["x"])[:-2]},
        EC | {"x": str(EC["x"]) + "="},
        EC | {"x": b64u(b"\0" + b64u_decode(str(EC["x"])))},
        EC | {"y": None},
        EC | {"alg": "ES384"},
        EC | {"alg": "Ed25519"},
        ED | {"crv": "X25519"},
        ED | {"crv": "Ed448"},
        ED | {"crv": "P-256"},
        ED | {"x": b64u(bytes(32))},  # of small order: verifies what nobody signed
        ED | {"x": b64u(b"\x01" + bytes(31))},  # the identity
        ED | {"x": b64u(b"\xff" * 32)},  # not canonical
        ED | {"x": b64u(bytes(31))},
        ED | {"alg": "ES256"},
        ED | {"kty": "EC"},
        ED | {"kty": "okp"},
        ED | {"kty": None},
    ],
)
def test_a_key_off_its_curve_is_refused(jwk: JsonObject) -> None:
    with pytest.raises(KeyRefused):
        parse_jwk(jwk)


@pytest.mark.twin("JW-12")
def test_a_reader_that_takes_any_point_verifies_what_nobody_signed() -> None:
    """The identity as key, the identity and zero as signature: the equation holds for every message."""
    identity = b"\x01" + bytes(31)
    forged = identity + bytes(32)
    for message in (b"any", b"message"):
        Ed25519PublicKey.from_public_bytes(identity).verify(forged, message)
    with pytest.raises(KeyRefused):
        parse_jwk(ED | {"x": b64u(identity)})


@pytest.mark.twin("JW-19")
def test_a_reader_that_takes_symmetric_keys_verifies_what_anybody_signed() -> None:
    jwk: dict[str, Any] = {"kty": "oct", "k": b64u(b"a secret that the key set shows to all")}
    forged = joserfc.jwt.encode({"alg": "HS256"}, {"sub": "admin"}, joserfc.jwk.import_key(jwk))
    assert joserfc.jwt.decode(forged, joserfc.jwk.import_key(jwk)).claims == {"sub": "admin"}
    with pytest.raises(KeyRefused):
        parse_jwk(jwk)


@pytest.mark.attack("JW-20")
@pytest.mark.parametrize(
    "members",
    [
        {"use": "enc"},
        {"use": ""},
        {"use": ["sig"]},
        {"key_ops": ["encrypt"]},
        {"key_ops": ["sign"]},
        {"key_ops": ["verify", "deriveKey"]},
        {"key_ops": []},
        {"key_ops": "verify"},
    ],
)
def test_a_key_made_for_something_else_is_refused(members: dict[str, Json]) -> None:
    parse_jwk(ED | {"use": "sig", "key_ops": ["verify"]})
    with pytest.raises(KeyRefused):
        parse_jwk(ED | members)


@pytest.mark.twin("JW-20")
@pytest.mark.parametrize("members", [{"use": "enc"}, {"key_ops": ["encrypt"]}, {"key_ops": ["sign"]}])
def test_an_encryption_key_would_verify_tokens_where_its_purpose_is_not_read(members: JsonObject) -> None:
    owner = party(KeyClass.CLIENT, issuer="ins_1")
    token = valid_token(TokenType.CLIENT_ASSERTION, owner)

    def verifies(read: Callable[[JsonObject], PublicKey]) -> bool:
        try:
            record = replace(owner.record, public=read(owner.private.public.jwk() | members))
        except KeyRefused:
            return False
        return refusal_of(token, Keys([record]), TokenType.CLIENT_ASSERTION) == ""

    assert not verifies(parse_jwk)
    assert verifies(read_any_key)


@pytest.mark.attack("KM-05")
@pytest.mark.parametrize("member", ["d", "p", "q", "dp", "dq", "qi", "oth", "k"])
def test_a_private_member_is_refused_and_not_echoed(member: str) -> None:
    with pytest.raises(KeyRefused) as refusal:
        parse_jwk(ED | {member: "c2VjcmV0"})
    assert "c2VjcmV0" not in str(refusal.value) + refusal.value.debug


@pytest.mark.attack("KM-05")
def test_what_is_published_has_public_members_alone() -> None:
    parties = [party(key_class) for key_class in KeyClass]
    ring = Keyring.of([one.record for one in parties], {one.record.kid: one.private for one in parties})
    shown = json.dumps(ring.jwks(at=NOON))
    assert {name for key in json.loads(shown)["keys"] for name in key} == {
        "kty", "crv", "x", "kid", "alg", "use",
    }  # fmt: skip
    for one in parties:
        assert b64u(one.private.export().reveal()) not in shown + repr(one) + repr(ring)


@pytest.mark.attack("JW-07")
@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (KeyState.RETIRED, "key_not_believed"),
        (KeyState.COMPROMISED, "key_not_believed"),
        (KeyState.VERIFY_ONLY, ""),
        (KeyState.ACTIVE, ""),
        (KeyState.PENDING, ""),
    ],
)
def test_a_retired_key_verifies_nothing(state: KeyState, reason: str) -> None:
    owner = party(KeyClass.ACCESS_TOKEN, state=state)
    assert refusal_of(valid_token(TokenType.ACCESS_TOKEN, owner), Keys([owner.record])) == reason


@pytest.mark.attack("JW-07")
def test_a_key_past_its_end_verifies_nothing() -> None:
    owner = party(KeyClass.ACCESS_TOKEN, not_after=NOON)
    assert refusal_of(valid_token(TokenType.ACCESS_TOKEN, owner), Keys([owner.record])) == "key_not_believed"


@pytest.mark.attack("KM-02")
def test_a_compromised_key_is_dead_for_what_it_signed_before() -> None:
    owner = party(KeyClass.ACCESS_TOKEN)
    token = valid_token(TokenType.ACCESS_TOKEN, owner, at=NOON - timedelta(seconds=30))
    assert refusal_of(token, Keys([owner.record])) == ""
    dead = party(KeyClass.ACCESS_TOKEN, state=KeyState.COMPROMISED)
    assert dead.record.kid == owner.record.kid
    assert refusal_of(token, Keys([dead.record])) == "key_not_believed"


@pytest.mark.attack("JW-21")
def test_tenant_and_issuer_are_the_key_owners_whatever_the_claim_says() -> None:
    ours = party(KeyClass.ACCESS_TOKEN)
    theirs = party(KeyClass.ACCESS_TOKEN, issuer="https://remit.example/t/other", tenant=TenantId("other"))
    keys = Keys([ours.record, theirs.record])
    claims = claims_of(TokenType.ACCESS_TOKEN, issuer=ours.record.issuer)
    forged = jwt.issue(claims, as_type=TokenType.ACCESS_TOKEN, signer=theirs.signer)
    assert refusal_of(forged, keys) == "wrong_issuer"
    honest = jwt.verify(
        valid_token(TokenType.ACCESS_TOKEN, theirs),
        as_type=TokenType.ACCESS_TOKEN, keys=keys, at=NOON, audience=AUDIENCE,
    )  # fmt: skip
    assert honest.record.tenant == "other"


@pytest.mark.attack("JW-24", "KM-08")
@pytest.mark.parametrize("claimed", list(TokenType))
@pytest.mark.parametrize("expected", list(TokenType))
def test_a_token_of_one_class_is_no_other(claimed: TokenType, expected: TokenType) -> None:
    if claimed is expected:
        return
    owners = {token_type: party(key_class_of(token_type)) for token_type in TokenType}
    keys = Keys([owner.record for owner in owners.values()])
    token = valid_token(claimed, owners[claimed])
    # A person's key signs two classes; then `typ` tells them apart.
    shared = key_class_of(claimed) in profile_of(expected).key_classes
    assert refusal_of(token, keys, expected) == ("wrong_type" if shared else "key_unknown")


SAME_TYP = {
    (TokenType.ENVELOPE, TokenType.TRANSACTION),
    (TokenType.ID_TOKEN, TokenType.CLIENT_ASSERTION),
}


@pytest.mark.attack("JW-24", "JW-09")
@pytest.mark.parametrize("expected", list(TokenType))
def test_a_key_under_two_classes_is_still_held_apart_by_the_type(expected: TokenType) -> None:
    """An instance's one credential is listed as CLIENT and as HOP: then `typ` alone separates the two."""
    one = party(KeyClass.CLIENT, issuer="ins_1")
    every = [one.record]
    for key_class in KeyClass:
        twin = party(key_class, issuer="ins_1").record
        every.append(
            type(twin)(
                tenant=twin.tenant, issuer=twin.issuer, kid=one.record.kid, key_class=key_class,
                public=one.record.public, state=twin.state, not_before=twin.not_before,
            )
        )  # fmt: skip
    for claimed in TokenType:
        if claimed is expected:
            continue
        signer = type(one.signer)(kid=one.record.kid, key_class=key_class_of(claimed), private=one.private)
        claims = claims_of(claimed, issuer="ins_1")
        token = jwt.issue(claims, as_type=claimed, signer=signer)
        # Their standards give both the same `typ`: then what only one of them must have tells them apart.
        same = (claimed, expected) in SAME_TYP
        assert refusal_of(token, Keys(every), expected) == ("claim_missing" if same else "wrong_type")


@pytest.mark.attack("KM-08")
@pytest.mark.parametrize("token_type", list(TokenType))
def test_a_key_of_another_class_does_not_sign(token_type: TokenType) -> None:
    for key_class in KeyClass:
        if key_class not in profile_of(token_type).key_classes:
            with pytest.raises(KeyMisused):
                jwt.issue(claims_of(token_type), as_type=token_type, signer=party(key_class).signer)


@pytest.mark.attack("KM-09")
def test_one_key_has_one_algorithm() -> None:
    numbers = rsa_jwk(2048)
    assert parse_jwk(numbers).algorithm is Algorithm.RS256
    with pytest.raises(KeyRefused):
        parse_jwk(numbers, algorithm=Algorithm.PS256)


@pytest.mark.attack("JW-03")
def test_the_older_name_of_ed25519_is_accepted_only_where_the_record_says_so() -> None:
    for alias, reason in ((False, "wrong_algorithm"), (True, "")):
        peer = party(KeyClass.CLIENT, issuer="ins_1", eddsa_alias=alias)
        header = b64u(json.dumps({"alg": "EdDSA", "kid": peer.record.kid, "typ": "JWT"}).encode())
        body = b64u(json.dumps(claims_of(TokenType.CLIENT_ASSERTION, issuer="ins_1")).encode())
        token = f"{header}.{body}.{b64u(peer.private.sign(f'{header}.{body}'.encode()))}"
        assert refusal_of(token, Keys([peer.record]), TokenType.CLIENT_ASSERTION) == reason


def test_a_lookup_that_gives_another_key_than_asked_for_is_not_trusted() -> None:
    owner, other = party(KeyClass.ACCESS_TOKEN), party(KeyClass.ENVELOPE)

    class Confused:
        def find(self, kid: str, key_class: KeyClass) -> object:
            return other.record

    token = valid_token(TokenType.ACCESS_TOKEN, owner)
    assert refusal_of(token, Confused()) == "key_unknown"  # type: ignore[arg-type]  # the attack


def refusal_of(token: str, keys: Keys, expected: TokenType = TokenType.ACCESS_TOKEN) -> str:
    audience = None if expected is TokenType.HOP else AUDIENCE
    try:
        jwt.verify(token, as_type=expected, keys=keys, at=NOON, audience=audience)
    except TokenRejected as refusal:
        return refusal.reason
    return ""
