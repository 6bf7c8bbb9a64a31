"""DPoP: proof that whoever sends a request holds a key (RFC 9449)."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from remit.kernel.building import builder
from remit.kernel.canonical import Json, JsonLimits, JsonObject, b64u, parse_object
from remit.kernel.errors import Invalid, RemitError
from remit.kernel.jose import jws
from remit.kernel.jose.algorithms import EDDSA, Algorithm
from remit.kernel.jose.errors import NonceRequired, ProofRejected, TokenRejected
from remit.kernel.jose.jwk import PublicKey, parse_jwk
from remit.kernel.jose.keys import PrivateKey
from remit.kernel.jose.nonce import NonceBox
from remit.kernel.jose.target import comparable

WINDOW: Final = timedelta(seconds=60)
"""How far `iat` may lie from our clock, either way (RFC 9449 §11.1)."""

MARGIN: Final = timedelta(seconds=30)
"""How much longer than its window a proof is remembered: more than a clock may step back unnoticed (5 s)."""

ALGORITHMS: Final[Mapping[str, Algorithm]] = {
    "Ed25519": Algorithm.ED25519,
    EDDSA: Algorithm.ED25519,  # COMPAT: common client libraries know only the older name
    "ES256": Algorithm.ES256,
}
"""What a proof's header may say, and which kind of key it then must bring."""

TYP: Final = "dpop+jwt"

_LIMITS: Final = JsonLimits(size=8 << 10, depth=8, members=64, string=4 << 10)
_LONGEST_JTI = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedProof:
    """A proof that held. INVARIANT: (`thumbprint`, `jti`) is accepted once, until `keep_until`.

    The caller burns that pair in the transaction that acts on the request, and compares the thumbprint with
    the token's `cnf.jkt` by `require_key`.
    """

    thumbprint: str
    jti: str
    issued_at: datetime
    keep_until: datetime

    def require_key(self, thumbprint: str) -> None:
        """Refuse unless the proof's key is the one that the token is bound to (RFC 9449 §6.1)."""
        if not thumbprint or not hmac.compare_digest(self.thumbprint.encode(), thumbprint.encode()):
            raise ProofRejected(4, "other_key", debug=f"`{self.thumbprint}`, bound to `{thumbprint}`")


_verified = builder(VerifiedProof)


def verify_proof(
    proof: str,
    *,
    method: str,
    target: str,
    at: datetime,
    access_token: str | None,
    nonces: NonceBox | None = None,
    generation: int = 0,
) -> VerifiedProof:
    """Prove that the sender holds the key that the proof names (RFC 9449 §4.3).

    1 one well-formed proof of at most 16 KiB  2 `typ` and algorithm are ours, known header members only
    3 the key is public and fit, its signature holds
    4 `htm` is `method`, `htu` is `target`, `ath` is the hash of `access_token`
    5 made within 60 s of `at`, and where `nonces` is given with a nonce of ours
    `target` is the configured external URL, never one that the request claims. `access_token` is None only
    where none is presented (the token endpoint). That a proof is never seen twice is the caller's: last, so
    that a forged proof can't burn an honest one's `jti`.
    Raises `ProofRejected` with the step that failed, or `NonceRequired`; `Invalid` if `target` is no URL.
    """
    ath = None if access_token is None else access_token_hash(access_token)
    return verify_proof_for(
        proof, method=method, target=target, at=at, ath=ath, nonces=nonces, generation=generation
    )


def verify_proof_for(
    proof: str,
    *,
    method: str,
    target: str,
    at: datetime,
    ath: str | None,
    nonces: NonceBox | None = None,
    generation: int = 0,
) -> VerifiedProof:
    """Do what `verify_proof` does, for a token whose `access_token_hash` is known already."""
    # (1, 2, 3) The algorithm comes from our list; the header only chooses among its entries.
    try:
        parsed = jws.take_apart(proof)
        key = _key(parsed.protected)
    except TokenRejected as broken:
        raise ProofRejected(broken.step, broken.reason, debug=broken.debug) from broken
    if not key.verify(parsed.signing_input, parsed.signature):
        raise ProofRejected(3, "bad_signature", debug=f"key `{key.thumbprint}`")
    claims = _claims(parsed.payload)
    # (4) This request, this target, this token.
    _check_request(claims, method, target, ath)
    # (5) Freshness: the nonce first, as its error tells the client what to do.
    if nonces is not None:
        _check_nonce(claims, nonces, at, generation)
    span = _span(claims)
    if not span.earliest <= at <= span.latest:
        raise ProofRejected(5, "not_fresh", debug=f"made at {span.made}, now {at}, the limit is {WINDOW}")
    return _verified(
        thumbprint=key.thumbprint, jti=_jti(claims), issued_at=span.made, keep_until=span.keep_until
    )


def shown_key(proof: str) -> PublicKey:
    """Read the key that a proof names, of which NOTHING is proven yet. Raises `ProofRejected`."""
    try:
        return _key(jws.take_apart(proof).protected)
    except TokenRejected as broken:
        raise ProofRejected(broken.step, broken.reason, debug=broken.debug) from broken


def make_proof(
    private: PrivateKey,
    *,
    method: str,
    target: str,
    jti: str,
    at: datetime,
    access_token: str | None = None,
    nonce: str | None = None,
) -> str:
    """Make a proof for one request, as a client does (RFC 9449 §4.2)."""
    claims: JsonObject = {"jti": jti, "htm": method, "htu": comparable(target), "iat": int(at.timestamp())}
    if access_token is not None:
        claims["ath"] = access_token_hash(access_token)
    if nonce is not None:
        claims["nonce"] = nonce
    header: dict[str, Json] = {"typ": TYP, "jwk": private.public.jwk()}
    return jws.sign(header, msgspec.json.encode(claims), private)


def access_token_hash(token: str) -> str:
    """SHA-256 of the token's ASCII in base64url: what `ath` must be (RFC 9449 §4.2)."""
    return b64u(hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest())


@lru_cache(maxsize=1024)
def _key(protected: str) -> PublicKey:
    """Read typ, algorithm and key out of a header.

    SAFETY: a pure function of at most 2 KiB; remembered, because a client sends one header again and again.
    The signature is checked each time.
    """
    header = jws.read_header(protected, with_key=True)
    if header.typ != TYP:
        raise ProofRejected(2, "wrong_type", debug=f"typ `{header.typ}`")
    algorithm = ALGORITHMS.get(header.alg)
    if algorithm is None:
        raise ProofRejected(2, "wrong_algorithm", debug=f"alg `{header.alg}`")
    if header.jwk is None:
        raise ProofRejected(2, "key_missing")
    try:
        return parse_jwk(header.jwk, algorithm=algorithm)
    except RemitError as broken:
        raise ProofRejected(3, "key_refused", debug=broken.hint) from broken


def _claims(payload: bytes) -> JsonObject:
    try:
        return parse_object(payload, limits=_LIMITS)
    except RemitError as broken:
        raise ProofRejected(4, "claims_malformed", debug=broken.hint) from broken


def _check_request(claims: JsonObject, method: str, target: str, ath: str | None) -> None:
    # RFC 9110 §9.1: methods are case-sensitive.
    if claims.get("htm") != method:
        raise ProofRejected(4, "other_method", debug=f"`{claims.get('htm')}`, request is `{method}`")
    htu, wanted = claims.get("htu"), comparable(target)
    if htu != wanted and (not isinstance(htu, str) or not _same_target(htu, wanted)):
        raise ProofRejected(4, "other_target", debug=f"`{htu}`, request is `{target}`")
    if ath is not None and claims.get("ath") != ath:
        raise ProofRejected(4, "other_token", debug="`ath` is not the hash of the token presented")


def _same_target(htu: str, wanted: str) -> bool:
    try:
        return comparable(htu) == wanted
    except Invalid:
        return False


def _check_nonce(claims: JsonObject, nonces: NonceBox, at: datetime, generation: int) -> None:
    nonce = claims.get("nonce")
    if not isinstance(nonce, str) or not nonces.accepts(nonce, at=at, generation=generation):
        raise NonceRequired(5, "nonce_missing_or_old")


class _Span(NamedTuple):
    """When a proof was made, between when it counts, and until when it is remembered."""

    made: datetime
    earliest: datetime
    latest: datetime
    keep_until: datetime


def _span(claims: JsonObject) -> _Span:
    value = claims.get("iat")
    if type(value) is not int or not 0 < value < 1 << 33:
        raise ProofRejected(5, "claim_malformed", debug="`iat` is not a sane time")
    return _span_of(value)


@lru_cache(maxsize=256)
def _span_of(seconds: int) -> _Span:
    """Pure; all proofs of one second share it."""
    made = datetime.fromtimestamp(seconds, UTC)
    return _Span(made, made - WINDOW, made + WINDOW, made + WINDOW + MARGIN)


def _jti(claims: JsonObject) -> str:
    value = claims.get("jti")
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_JTI or "\0" in value:
        raise ProofRejected(4, "claim_malformed", debug=f"`jti` must have 1 to {_LONGEST_JTI} characters")
    return value
