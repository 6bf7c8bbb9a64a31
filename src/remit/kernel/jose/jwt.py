"""JSON Web Tokens (RFC 7519) of the classes in `profiles`: issue, and verify by numbered steps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec

from remit.kernel.building import builder
from remit.kernel.canonical import Json, JsonObject
from remit.kernel.errors import Invalid
from remit.kernel.jose import jws
from remit.kernel.jose.claims import CLAIM_LIMITS, Claims, unverified_members
from remit.kernel.jose.errors import KeyMisused, TokenRejected
from remit.kernel.jose.jws import Header, Segments
from remit.kernel.jose.keys import KeyLookup, KeyRecord, Signer
from remit.kernel.jose.profiles import AudienceRule, TokenProfile, TokenType, profile_of

_encode: Final = msgspec.json.Encoder().encode

MAX_UNNAMED: Final = 8
"""Keys that are tried for a token that names none: what one signature may cost us."""


class UnfitClaims(Invalid):
    """Claims that a verifier of ours would refuse: stopped before they are signed."""

    code = "unfit_claims"


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedJwt:
    """A token whose form, key, type, signature and claims all held.

    Tenant and issuer are those of `record`. Replay and life (steps 7, 8) are still the caller's.
    """

    record: KeyRecord
    claims: Claims
    raw: str


_verified = builder(VerifiedJwt)


def issue(claims: Mapping[str, Json], *, as_type: TokenType, signer: Signer) -> str:
    """Sign claims as a token of that class.

    Raises `KeyMisused` if the key is of another class, `UnfitClaims` if our own verifier would refuse them.
    """
    profile = profile_of(as_type)
    if signer.key_class not in profile.key_classes:
        raise KeyMisused(f"key of class `{signer.key_class}` can't sign `{as_type}`")
    payload = _encode(claims)
    if len(payload) > CLAIM_LIMITS.size:
        raise UnfitClaims(f"claims have {len(payload)} bytes, the limit is {CLAIM_LIMITS.size}")
    if not profile.named <= claims.keys():
        raise UnfitClaims(f"`{as_type}` needs the claim `{min(profile.named - claims.keys())}`")
    return jws.sign_named(signer.kid, as_type.value, payload, signer.private)


class Unproven:
    """A token taken apart, of which NOTHING is proven yet."""

    __slots__ = ("_members", "parts", "text")

    def __init__(self, text: str, parts: Segments) -> None:
        self.text = text
        self.parts = parts
        self._members: JsonObject | None = None

    @property
    def header(self) -> Header:
        """What it says of itself; raises `TokenRejected` (step 2)."""
        return jws.header_of(self.parts.protected)

    @property
    def issuer(self) -> str:
        """Its `iss`, only to choose whose keys to look among; raises `TokenRejected`."""
        issuer = self.members().get("iss")
        if not isinstance(issuer, str) or not issuer:
            raise TokenRejected(6, "claim_missing", debug="`iss` must be a string")
        return issuer

    def members(self) -> JsonObject:
        """Its claims as strict JSON, read once; raises `TokenRejected` (step 6)."""
        if self._members is None:
            self._members = unverified_members(self.parts.payload)
        return self._members


def unproven(token: str) -> Unproven:
    """Do step 1 alone, for who must look into a token before its key is known."""
    return Unproven(token, jws.take_apart(token))


def verify(
    token: str,
    *,
    as_type: TokenType,
    keys: KeyLookup,
    at: datetime,
    audience: str | None,
    unnamed: Sequence[KeyRecord] = (),
) -> VerifiedJwt:
    """Verify a token of the class that this place expects (RFC 7515 §5.2, RFC 7519 §7.2, RFC 8725 §3).

    1 form and 2 header (`jws`)   3 the key is one of ours, believed now, and `alg` is the key's
    4 `typ` is the expected class's     5 the signature holds
    6 claims: strict JSON, `iss` is the key owner's, `aud` exactly `audience`, within its times
    Replay (7) and whether all are still alive (8) are the caller's. Raises `TokenRejected` with the step.
    `unnamed` are the few keys that may have signed where the header names none; without them it must.
    """
    return verify_unproven(
        unproven(token), as_type=as_type, keys=keys, at=at, audience=audience, unnamed=unnamed
    )


def verify_unproven(
    token: Unproven,
    *,
    as_type: TokenType,
    keys: KeyLookup,
    at: datetime,
    audience: str | None,
    unnamed: Sequence[KeyRecord] = (),
) -> VerifiedJwt:
    """Do the rest of what `verify` does, from step 2 on."""
    profile = profile_of(as_type)
    # (1, 2) Form and header.
    parts, header = token.parts, token.header
    # (3) The record decides the algorithm; the header may only agree (RFC 8725 §3.1).
    record = (
        _find_key(header, profile, keys, at) if header.kid else _try_keys(parts, header, profile, unnamed, at)
    )
    # (4) The class that this place expects, whatever the token would like to be.
    if not profile.accepts_typ(header.typ):
        raise TokenRejected(4, "wrong_type", debug=f"typ `{header.typ}`, expected `{as_type}`")
    # (5) Over the exact bytes that came.
    if not record.public.verify(parts.signing_input, parts.signature):
        raise TokenRejected(5, "bad_signature", debug=f"kid `{record.kid}`")
    # (6) Only now does anything that the payload says count.
    claims = _judge_claims(token, profile, record, audience, at)
    return _verified(record=record, claims=claims, raw=token.text)


def peek_issuer(token: str) -> str:
    """Read `iss` of a token of which NOTHING is proven, only to choose whose keys to look among."""
    return unproven(token).issuer


def _try_keys(
    parts: Segments, header: Header, profile: TokenProfile, unnamed: Sequence[KeyRecord], at: datetime
) -> KeyRecord:
    """The one of a few keys that signed it. COMPAT: RFC 7515 §4.1.4 leaves `kid` out at will."""
    if not 0 < len(unnamed) <= MAX_UNNAMED:
        raise TokenRejected(3, "kid_missing")
    fit = [
        record
        for record in unnamed
        if record.key_class in profile.key_classes
        and record.verifies(at)
        and record.accepts_header(header.alg)
    ]
    if not fit:
        raise TokenRejected(3, "key_unknown", debug=f"no key of `{header.alg}` among {len(unnamed)}")
    found = next((each for each in fit if each.public.verify(parts.signing_input, parts.signature)), None)
    if found is None:
        raise TokenRejected(5, "bad_signature", debug=f"none of {len(fit)} keys")
    return found


def _find_key(header: Header, profile: TokenProfile, keys: KeyLookup, at: datetime) -> KeyRecord:
    for key_class in profile.key_classes:
        record = keys.find(header.kid, key_class)
        if record is None:
            continue
        if record.key_class is not key_class or record.kid != header.kid:
            raise TokenRejected(3, "key_unknown", debug="the lookup gave another key than it was asked for")
        if not record.verifies(at):
            raise TokenRejected(3, "key_not_believed", debug=f"kid `{record.kid}` is `{record.state}`")
        if not record.accepts_header(header.alg):
            raise TokenRejected(3, "wrong_algorithm", debug=f"`{header.alg}`, key is `{record.algorithm}`")
        return record
    raise TokenRejected(3, "key_unknown", debug=f"kid `{header.kid}`")


def _judge_claims(
    token: Unproven, profile: TokenProfile, record: KeyRecord, audience: str | None, at: datetime
) -> Claims:
    claims = Claims.of(token.members(), profile)
    # INVARIANT: tenant and issuer are the key owner's; a claim can only agree (JW-21).
    if claims.issuer != record.issuer:
        raise TokenRejected(6, "wrong_issuer", debug=f"`{claims.issuer}`, key is of `{record.issuer}`")
    # An unset audience never matches: `None` is for classes that have none.
    if profile.audience is not AudienceRule.ABSENT and (audience is None or claims.audience != audience):
        raise TokenRejected(6, "wrong_audience", debug=f"`{claims.audience}`, expected `{audience}`")
    claims.check_times(profile, at)
    return claims
