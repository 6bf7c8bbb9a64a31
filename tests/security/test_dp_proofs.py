"""Attacks on DPoP proofs, as far as one proof and one request can tell; and the same without the defence."""

import json
from datetime import datetime, timedelta

import pytest

from remit.kernel.canonical import Json
from remit.kernel.ids import TenantId
from remit.kernel.jose import dpop, jws
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.dpop import VerifiedProof, make_proof, verify_proof
from remit.kernel.jose.errors import NonceRequired, ProofRejected
from remit.kernel.jose.jwk import parse_jwk
from remit.kernel.jose.nonce import BUCKET_SECONDS, NonceBox
from remit.kernel.secret import Secret
from support.clock import NOON
from support.jose import entropy_of, private_key

CLIENT = private_key("client")
TARGET = "https://remit.example/mcp/business"
TOKEN = "header.payload.signature"
BOX = NonceBox(key=Secret(entropy_of(1)(32)), tenant=TenantId("default"))


def proof(**changes: Json) -> str:
    claims: dict[str, Json] = {
        "jti": "a",
        "htm": "POST",
        "htu": TARGET,
        "iat": int(NOON.timestamp()),
        "ath": dpop.access_token_hash(TOKEN),
    }
    kept = {name: value for name, value in (claims | changes).items() if value is not None}
    header: dict[str, Json] = {"typ": "dpop+jwt", "jwk": CLIENT.public.jwk()}
    return jws.sign(header, json.dumps(kept).encode(), CLIENT)


def verify(text: str, *, at: datetime = NOON, nonces: NonceBox | None = None) -> VerifiedProof:
    return verify_proof(text, method="POST", target=TARGET, at=at, access_token=TOKEN, nonces=nonces)


def reason(text: str, *, at: datetime = NOON, nonces: NonceBox | None = None) -> str:
    try:
        verify(text, at=at, nonces=nonces)
    except ProofRejected as refusal:
        return refusal.reason
    return ""


OTHER_TARGETS = [
    "https://other.example/mcp/business",
    "https://remit.example.evil.example/mcp/business",
    "https://remit.example@evil.example/mcp/business",
    "https://remit.example:8443/mcp/business",
    "https://remit.example:80/mcp/business",
    "http://remit.example/mcp/business",
    "https://remit.example/mcp/business/",
    "https://remit.example/mcp/busines%73",
    "https://remit.example/mcp%2Fbusiness",
    "https://remit.example/mcp/./business",
    "https://remit.example/mcp/x/../business",
    "https://remit.example//mcp/business",
    "https://remit.example/MCP/business",
    "https://remit.example/mcp/other",
    "https://remit.example/mcp/business;v=1",
    "https://remit.example./mcp/business",
    "https://remit.example\\/mcp/business",
    " https://remit.example/mcp/business",
    "https://remit.example/mcp/business ",
    "https://remit.example/mcp/business\n",
    "https://remit.example/mcp/busineß",
    "/mcp/business",
    "//remit.example/mcp/business",
    "ftp://remit.example/mcp/business",
    "https:remit.example/mcp/business",
    "",
    "https://remit.example/" + "a" * 3000,
    None,
    7,
    ["https://remit.example/mcp/business"],
]


@pytest.mark.attack("DP-03")
@pytest.mark.spec("RFC 9449", "4.3")
@pytest.mark.parametrize("htu", OTHER_TARGETS)
def test_a_proof_for_another_target_is_refused(htu: Json) -> None:
    assert reason(proof(htu=htu)) == "other_target"


@pytest.mark.attack("DP-03")
@pytest.mark.spec("RFC 9449", "4.3")
@pytest.mark.parametrize(
    "htu",
    [
        TARGET,
        TARGET + "?a=b",
        TARGET + "#f",
        TARGET + "?a=b#f",
        "HTTPS://REMIT.EXAMPLE/mcp/business",
        "https://remit.example:443/mcp/business",
    ],
)
def test_query_fragment_case_of_host_and_default_port_do_not_matter(htu: str) -> None:
    assert reason(proof(htu=htu)) == ""


@pytest.mark.attack("DP-03")
@pytest.mark.parametrize("htm", ["GET", "post", "POST ", "", None, 1, ["POST"]])
def test_a_proof_for_another_method_is_refused(htm: Json) -> None:
    assert reason(proof(htm=htm)) == "other_method"


@pytest.mark.twin("DP-03")
def test_a_verifier_that_believes_the_requests_own_host_takes_a_foreign_proof() -> None:
    """The target comes from configuration; taken from `X-Forwarded-Host`, the attacker chooses it."""
    stolen = make_proof(CLIENT, method="POST", target="https://evil.example/mcp/business", jti="a", at=NOON)
    claimed_by_request = "https://evil.example/mcp/business"
    verify_proof(stolen, method="POST", target=claimed_by_request, at=NOON, access_token=None)
    with pytest.raises(ProofRejected):
        verify_proof(stolen, method="POST", target=TARGET, at=NOON, access_token=None)


@pytest.mark.attack("DP-04")
@pytest.mark.spec("RFC 9449", "7")
@pytest.mark.parametrize(
    "ath",
    [
        None,
        "",
        dpop.access_token_hash(TOKEN + "x"),
        dpop.access_token_hash(TOKEN) + "=",
        dpop.access_token_hash(TOKEN).lower(),
        TOKEN,
        0,
        [dpop.access_token_hash(TOKEN)],
    ],
)
def test_a_proof_made_for_another_token_is_refused(ath: Json) -> None:
    assert reason(proof(ath=ath)) == "other_token"


@pytest.mark.twin("DP-04")
def test_a_resource_that_passes_no_token_takes_any_proof() -> None:
    stolen = proof(ath=dpop.access_token_hash("another token of the same client"))
    assert reason(stolen) == "other_token"
    verify_proof(stolen, method="POST", target=TARGET, at=NOON, access_token=None)


@pytest.mark.attack("DP-05")
@pytest.mark.spec("RFC 9449", "6.1")
def test_a_proof_by_another_key_than_the_tokens_is_refused() -> None:
    thief = private_key("thief")
    good = verify_proof(
        make_proof(thief, method="POST", target=TARGET, jti="a", at=NOON, access_token=TOKEN),
        method="POST", target=TARGET, at=NOON, access_token=TOKEN,
    )  # fmt: skip
    good.require_key(thief.public.thumbprint)
    for bound in (CLIENT.public.thumbprint, "", thief.public.thumbprint[:-1], thief.public.thumbprint + "="):
        with pytest.raises(ProofRejected):
            good.require_key(bound)


@pytest.mark.twin("DP-05")
def test_without_the_comparison_any_key_proves_itself() -> None:
    thief = private_key("thief")
    text = make_proof(thief, method="POST", target=TARGET, jti="a", at=NOON, access_token=TOKEN)
    assert verify(text).thumbprint != CLIENT.public.thumbprint


@pytest.mark.attack("DP-05")
def test_the_signature_must_be_that_of_the_key_in_the_header() -> None:
    thief = private_key("thief")
    header: dict[str, Json] = {"typ": "dpop+jwt", "jwk": CLIENT.public.jwk()}
    payload = jws.take_apart(proof()).payload
    assert reason(jws.sign(header, payload, thief)) == "bad_signature"


@pytest.mark.attack("DP-07")
@pytest.mark.spec("RFC 9449", "11.1")
@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, ""), (60, ""), (-60, ""), (61, "not_fresh"), (-61, "not_fresh"), (86_400, "not_fresh")],
)
def test_a_proof_counts_for_a_minute_around_now(seconds: int, expected: str) -> None:
    assert reason(proof(iat=int(NOON.timestamp()) + seconds)) == expected


@pytest.mark.attack("DP-07")
@pytest.mark.parametrize("iat", [None, "1778846400", 1778846400.0, True, -1, 0, 1 << 40, [1]])
def test_a_proof_without_a_sane_time_is_refused(iat: Json) -> None:
    assert reason(proof(iat=iat)) == "claim_malformed"


@pytest.mark.attack("DP-07")
@pytest.mark.spec("RFC 9449", "8")
def test_where_a_nonce_is_asked_for_only_ours_and_only_a_fresh_one_counts() -> None:
    nonce = BOX.issue(at=NOON)
    assert reason(proof(nonce=nonce), nonces=BOX) == ""
    other_tenant = NonceBox(key=BOX.key, tenant=TenantId("other"))
    other_key = NonceBox(key=Secret(entropy_of(2)(32)), tenant=BOX.tenant)
    for wrong in (
        None,
        "",
        "x",
        nonce + "=",
        nonce.swapcase(),
        7,
        other_tenant.issue(at=NOON),
        other_key.issue(at=NOON),
        BOX.issue(at=NOON - timedelta(seconds=2 * BUCKET_SECONDS)),
        BOX.issue(at=NOON + timedelta(seconds=BUCKET_SECONDS)),
        BOX.issue(at=NOON, generation=1),
    ):
        with pytest.raises(NonceRequired) as refusal:
            verify(proof(nonce=wrong), nonces=BOX)
        assert refusal.value.code == "use_dpop_nonce"


@pytest.mark.attack("DP-07")
def test_a_nonce_lives_for_its_bucket_and_the_next() -> None:
    nonce = BOX.issue(at=NOON)
    for seconds in range(0, 4 * BUCKET_SECONDS, 10):
        accepted = BOX.accepts(nonce, at=NOON + timedelta(seconds=seconds))
        assert accepted == (seconds < 2 * BUCKET_SECONDS)


@pytest.mark.twin("DP-07")
def test_without_nonces_a_proof_made_ahead_is_good_when_its_minute_comes() -> None:
    later = NOON + timedelta(hours=1)
    hoarded = proof(iat=int(later.timestamp()))
    assert reason(hoarded, at=later) == ""
    assert reason(hoarded, at=later, nonces=BOX) == "nonce_missing_or_old"


def test_a_proof_is_remembered_for_longer_than_it_can_be_accepted() -> None:
    """The caller burns (thumbprint, jti); it must stay burnt while the proof would still pass."""
    for seconds in (-60, 0, 60):
        text = proof(iat=int(NOON.timestamp()) + seconds)
        held = verify(text)
        assert (held.thumbprint, held.jti) == (verify(text).thumbprint, "a")
        step_back_that_goes_unnoticed = timedelta(seconds=5)
        assert reason(text, at=held.keep_until - step_back_that_goes_unnoticed) == "not_fresh"


@pytest.mark.parametrize("jti", [None, "", "a" * 129, 7, "\0"])
def test_a_proof_needs_an_identifier_that_can_be_remembered(jti: Json) -> None:
    assert reason(proof(jti=jti)) == "claim_malformed"


@pytest.mark.attack("JW-12", "JW-19", "JW-20")
@pytest.mark.parametrize(
    "jwk",
    [
        None,
        {},
        "key",
        [CLIENT.public.jwk()],
        CLIENT.public.jwk() | {"d": "AAAA"},
        CLIENT.public.jwk() | {"use": "enc"},
        CLIENT.public.jwk() | {"alg": "ES256"},
        CLIENT.public.jwk() | {"crv": "X25519"},
        {"kty": "oct", "k": "AAAA"},
        private_key("a", Algorithm.ES256).public.jwk(),
        private_key("a", Algorithm.ES384).public.jwk(),
    ],
)
def test_a_proof_must_bring_a_fit_public_key(jwk: Json) -> None:
    header: dict[str, Json] = {"typ": "dpop+jwt", "jwk": jwk}
    text = jws.sign(header, jws.take_apart(proof()).payload, CLIENT)
    assert reason(text) in {"key_refused", "key_missing", "header_malformed", "bad_signature"}


def test_a_private_key_in_a_proof_is_never_shown() -> None:
    secret = "c2VjcmV0LXNlY3JldA"
    header: dict[str, Json] = {"typ": "dpop+jwt", "jwk": CLIENT.public.jwk() | {"d": secret}}
    with pytest.raises(ProofRejected) as refusal:
        verify(jws.sign(header, b"{}", CLIENT))
    assert secret not in f"{refusal.value} {refusal.value.debug} {refusal.value.hint}"


def test_proofs_by_both_algorithms_are_accepted() -> None:
    for algorithm in (Algorithm.ED25519, Algorithm.ES256):
        key = private_key("both", algorithm)
        text = make_proof(key, method="GET", target=TARGET + "?q=1", jti="b", at=NOON, access_token=TOKEN)
        held = verify_proof(text, method="GET", target=TARGET, at=NOON, access_token=TOKEN)
        held.require_key(parse_jwk(key.public.jwk()).thumbprint)


def test_proofs_of_ever_new_keys_fill_no_memory() -> None:
    """What the verifier remembers is bounded; the rows of burnt proofs are limited per key by their store."""
    remembered = dpop._key.cache_info().maxsize
    assert remembered is not None
    assert remembered * jws.LONGEST_HEADER <= 4 << 20
