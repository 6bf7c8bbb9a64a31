"""Assertions of trusted issuers: verified by numbered steps, over keys that we hold, by our own table."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Final

from remit.identity.federation.claims import Need, text_of
from remit.identity.federation.errors import AssertionRejected
from remit.identity.federation.profiles import Profile, ProfileName
from remit.identity.federation.trust import IssuerKey, KeySet, TrustedIssuer
from remit.identity.spiffe import MalformedSpiffeId, parse_spiffe_id
from remit.kernel.canonical import JsonObject
from remit.kernel.jose import jws
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.claims import SKEW, Claims, unverified_members
from remit.kernel.jose.errors import TokenRejected
from remit.kernel.jose.jwk import PublicKey, parse_jwk
from remit.kernel.jose.jws import Header, Segments
from remit.kernel.jose.profiles import AudienceRule, TokenProfile, TokenType

MOST_UNNAMED: Final = 8
"""Keys that are tried for a JWT-SVID without `kid`."""
STALE: Final = timedelta(hours=24)
"""How long the last good set is believed while its issuer can't be reached."""


class Form(StrEnum):
    """What an assertion is written in; the way by which it comes says it, never its own bytes."""

    JWT = "jwt"
    SAML = "saml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Peeked:
    """What an assertion says of itself; NOTHING of it is proven. Only chooses whose keys to look among."""

    issuer: str
    subject: str
    kid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedAssertion:
    """An assertion whose form, key, type, signature and claims held; replay and rule are the caller's.

    `workload` names the workload within its issuer: the subject and, where pods share one, the pod.
    `digest` is of what was signed: the same assertion under another spelling of its signature has the same.
    """

    issuer: TrustedIssuer
    subject: str
    workload: str
    texts: tuple[tuple[str, str], ...]
    """Every claim of the profile's table that is there and that a rule may name, as text."""
    expires_at: datetime
    digest: str
    jti: str

    def text(self, claim: str) -> str:
        """A claim by the name that rules use; empty if it is absent."""
        return dict(self.texts).get(claim, "")


def peek(text: str) -> Peeked:
    """Read who an assertion says it is from. Raises `AssertionRejected` for what is no JWT at all."""
    try:
        parts = jws.take_apart(text)
        members = unverified_members(parts.payload)
        header = jws.read_header(parts.protected, beside=frozenset({"x5t"}))
    except TokenRejected as broken:
        raise _as_ours(broken) from broken
    issuer, subject = members.get("iss", ""), members.get("sub", "")
    # Both are looked up before anything is proven: a control character is no part of a name, in no store.
    if not all(isinstance(each, str) and each.isprintable() for each in (issuer, subject)):
        raise AssertionRejected(6, "claim_malformed", debug="`iss`, `sub` are not printable text")
    return Peeked(issuer=str(issuer), subject=str(subject), kid=header.kid)


def verify_assertion(text: str, *, issuer: TrustedIssuer, keys: KeySet, at: datetime) -> VerifiedAssertion:
    """Verify an assertion of one trusted issuer (RFC 7523 §3 as updated by RFC 10070; JWT-SVID §4).

    1 form   2 header: `alg`, `kid`, `typ`, and what the profile names beside   3 a key of that issuer, of
    the header's algorithm, last seen less than a day ago   4 `typ` is a plain JWT's   5 signature
    6 `iss` is the issuer, byte for byte (SPIFFE: the trust domain of `sub`); `aud` is ours alone; times,
    life; every required claim is there. Raises `AssertionRejected` with the step.
    """
    try:
        return _verify(text, issuer, keys, at)
    except TokenRejected as rejected:
        raise _as_ours(rejected) from rejected


def _verify(text: str, issuer: TrustedIssuer, keys: KeySet, at: datetime) -> VerifiedAssertion:
    profile = issuer.kind
    # (1, 2) Size first; the header says nothing that we don't ask for.
    parts = jws.take_apart(text)
    header = jws.read_header(parts.protected, beside=profile.beside)
    # (3) The issuer's own record decides the algorithm (RFC 8725 §3.1).
    if at - keys.seen_at > STALE and issuer.address:
        raise AssertionRejected(3, "keys_stale", debug=f"last seen {keys.seen_at}")
    fit = _fit_keys(header, profile, keys)
    # (4) A token of a class of ours, or of another protocol's, is no assertion (RFC 8725 §3.11, §3.12).
    if header.typ not in profile.types:
        raise AssertionRejected(4, "wrong_type", debug=f"typ `{header.typ}`")
    # (5) Over the exact bytes that came.
    if not any(public.verify(parts.signing_input, parts.signature) for public in fit):
        raise AssertionRejected(5, "bad_signature", debug=f"kid `{header.kid}`")
    # (6) Only now is the payload read.
    return _judge(parts, issuer, at)


def _fit_keys(header: Header, profile: Profile, keys: KeySet) -> list[PublicKey]:
    if header.kid:
        named = keys.named(header.kid)
        if named is None:
            raise AssertionRejected(3, "key_unknown", debug=f"kid `{header.kid}`")
        candidates: tuple[IssuerKey, ...] = (named,)
    else:
        # JWT-SVID §2: `kid` is optional there, and there alone.
        if profile.name is not ProfileName.SPIFFE or len(keys.keys) > MOST_UNNAMED:
            raise AssertionRejected(3, "kid_missing")
        candidates = keys.keys
    fit = [key for key in candidates if key.algorithm == header.alg]
    if not fit:
        raise AssertionRejected(3, "wrong_algorithm", debug=f"`{header.alg}`")
    return [_public(key.jwk, key.algorithm) for key in fit]


@lru_cache(maxsize=512)
def _public(jwk: str, algorithm: str) -> PublicKey:
    """A pure function of what was stored."""
    return parse_jwk(jwk, algorithm=Algorithm(algorithm))


def _judge(parts: Segments, issuer: TrustedIssuer, at: datetime) -> VerifiedAssertion:
    shape = _shape(issuer)
    claims = Claims.read(parts.payload, shape)
    _check_issuer(claims, issuer)
    if claims.audience != issuer.audience:
        raise AssertionRejected(6, "wrong_audience", debug=f"`{claims.audience}`")
    claims.check_times(shape, at)
    # From our own clock too: an `iat` in the future would stretch the life.
    if claims.expires_at - at > issuer.longest + SKEW:
        raise AssertionRejected(6, "lives_too_long", debug=f"until {claims.expires_at}")
    if not claims.jti.isprintable():
        raise AssertionRejected(6, "claim_malformed", debug="`jti` is not printable")
    texts = _texts(claims.members, issuer.kind)
    return VerifiedAssertion(
        issuer=issuer,
        subject=claims.subject,
        workload=_workload(claims.subject, dict(texts)),
        texts=texts,
        expires_at=claims.expires_at,
        digest=hashlib.sha256(parts.signing_input).hexdigest(),
        jti=claims.jti,
    )


def _shape(issuer: TrustedIssuer) -> TokenProfile:
    spiffe = issuer.profile is ProfileName.SPIFFE
    return TokenProfile(
        type=TokenType.CLIENT_ASSERTION,  # not read here: step 4 has its own list
        key_classes=(),
        required=frozenset({"sub"} if spiffe else {"iss", "sub"}),
        longest=issuer.longest,
        audience=AudienceRule.STRING_OR_ONE,
        needs_issued_at=not spiffe,
    )


def _check_issuer(claims: Claims, issuer: TrustedIssuer) -> None:
    """The key's owner is who speaks; a claim can only agree (JW-21)."""
    if issuer.profile is not ProfileName.SPIFFE:
        if claims.issuer != issuer.issuer:
            raise AssertionRejected(6, "wrong_issuer", debug=f"`{claims.issuer}`")
        return
    # JWT-SVID §3.1: the bundle is chosen by the trust domain of `sub`, so `sub` must be of that one.
    try:
        named = parse_spiffe_id(claims.subject)
    except MalformedSpiffeId as odd:
        raise AssertionRejected(6, "subject_malformed", debug=odd.hint) from odd
    if f"spiffe://{named.trust_domain}" != issuer.issuer or not named.path:
        raise AssertionRejected(6, "wrong_trust_domain", debug=claims.subject)


def _texts(members: JsonObject, profile: Profile) -> tuple[tuple[str, str], ...]:
    found = tuple((row, text_of(members, row)) for row in profile.table if row.need is not Need.IGNORED)
    for row, value in found:
        if row.need is Need.REQUIRED and not value:
            raise AssertionRejected(6, "claim_missing", debug=f"`{row.name}`")
    return tuple((row.name, value) for row, value in found if value)


def _workload(subject: str, texts: dict[str, str]) -> str:
    pod = texts.get("kubernetes.pod.uid", "")
    return f"{subject}#{pod}" if pod else subject


def _as_ours(rejected: TokenRejected) -> AssertionRejected:
    return AssertionRejected(rejected.step, rejected.reason, debug=rejected.debug)
