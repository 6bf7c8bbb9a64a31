"""JWK Sets and SPIFFE bundles of others, read strictly: the useless is dropped, what lies is refused."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from remit.identity.federation.errors import KeysUnfit
from remit.identity.federation.profiles import Profile, ProfileName
from remit.identity.federation.trust import IssuerId, IssuerKey, KeySet
from remit.kernel.canonical import Json, JsonLimits, JsonObject, canonical_json, parse_object
from remit.kernel.errors import RemitError
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.errors import KeyRefused
from remit.kernel.jose.jwk import parse_jwk

SET_LIMITS: Final = JsonLimits(size=64 << 10, depth=8, members=2000, string=16 << 10)
MOST_KEYS: Final = 50
REFRESH: Final = timedelta(hours=1)
"""How old a set may be before it is asked for again, where the issuer gives no hint."""
SOONEST, LATEST = timedelta(minutes=1), timedelta(hours=24)
"""Bounds of an issuer's own hint."""

_VERIFYING: Final = frozenset({"kty", "alg", "crv", "x", "y", "n", "e"})
_LARGEST_SEQUENCE: Final = (1 << 53) - 1


def read_keys(raw: bytes, profile: Profile, *, issuer: IssuerId, at: datetime, entity: str = "") -> KeySet:
    """Read a JWK Set (RFC 7517 §5), for SPIFFE a bundle (SPIFFE Trust Domain and Bundle §4).

    For SAML: metadata of the `entity`, or certificates as PEM.

    Dropped: symmetric keys, keys for encryption, other curves, weak ones, algorithms that the profile does
    not have. Refused as a whole, with `KeysUnfit`: no JSON of at most 64 KiB, more than 50 keys, a `kid`
    that comes twice, and for anything but SPIFFE a set in which nothing is left. An empty SPIFFE bundle
    says that all its keys are revoked.
    """
    if profile.name is ProfileName.SAML:
        return _certificates(raw, issuer, entity, at)
    document = _document(raw)
    members = document.get("keys")
    if not isinstance(members, list) or not all(isinstance(each, dict) for each in members):
        raise KeysUnfit("key set holds no list of `keys`")
    if len(members) > MOST_KEYS:
        raise KeysUnfit(f"key set has {len(members)} keys, the limit is {MOST_KEYS}")
    entries = [each for each in members if isinstance(each, dict)]
    found = tuple(key for each in entries if (key := _key(each, profile)) is not None)
    if len({key.kid for key in found}) != len(found):
        raise KeysUnfit("key set holds a `kid` twice")
    bundle = profile.name is ProfileName.SPIFFE
    if not found and not bundle:
        raise KeysUnfit("key set holds no key that could verify an assertion")
    return KeySet(
        issuer=issuer,
        keys=found,
        authorities=tuple(root for each in entries for root in _authority(each)) if bundle else (),
        sequence=_sequence(document) if bundle else None,
        seen_at=at,
        refresh_at=at + (_hint(document) if bundle else REFRESH),
    )


def check_successor(new: KeySet, known: KeySet | None) -> None:
    """Refuse a bundle that is older than the one we have (AS-08).

    One without a number never follows one that has one: else leaving it out would be a way back.
    """
    if known is None or known.sequence is None:
        return
    if new.sequence is None or new.sequence < known.sequence:
        raise KeysUnfit(f"bundle has sequence `{new.sequence}`, the one we have is `{known.sequence}`")


def _certificates(raw: bytes, issuer: IssuerId, entity: str, at: datetime) -> KeySet:
    from remit.identity.federation.saml.metadata import read_certificates  # noqa: PLC0415 — an XML reader that few need

    found = read_certificates(raw, entity=entity, at=at)
    return KeySet(issuer=issuer, keys=(), authorities=found, seen_at=at, refresh_at=at + REFRESH)


def _document(raw: bytes) -> JsonObject:
    try:
        return parse_object(raw, limits=SET_LIMITS)
    except RemitError as broken:
        raise KeysUnfit(f"key set can't be read: {broken.hint}") from broken


def _key(jwk: JsonObject, profile: Profile) -> IssuerKey | None:
    """A key that verifies assertions of the profile, or None for one that is for something else."""
    bundle = profile.name is ProfileName.SPIFFE
    if jwk.get("use", "" if bundle else "sig") != ("jwt-svid" if bundle else "sig"):
        return None
    kid = jwk.get("kid")
    if not isinstance(kid, str) or not kid:
        return None
    try:
        public = parse_jwk(
            {name: value for name, value in jwk.items() if name in _VERIFYING}, algorithm=_stated(jwk)
        )
    except KeyRefused:
        return None  # RFC 7517 §5: what can't be used is ignored; nothing is verified by it
    if public.algorithm not in profile.algorithms or "d" in jwk:
        return None
    jwk_text = canonical_json(public.jwk()).decode()
    return IssuerKey(kid=kid, algorithm=public.algorithm, jwk=jwk_text)


def _stated(jwk: Mapping[str, Json]) -> Algorithm | None:
    """RSA keys without `alg` are for RS256; the curve says it of all others (security 2.5 (3))."""
    return Algorithm.RS256 if jwk.get("kty") == "RSA" and "alg" not in jwk else None


def _authority(jwk: JsonObject) -> tuple[str, ...]:
    """The root certificate of an `x509-svid` entry (X509-SVID §6.1: exactly one)."""
    chain = jwk.get("x5c")
    if jwk.get("use") != "x509-svid" or not isinstance(chain, list) or len(chain) != 1:
        return ()
    return (chain[0],) if isinstance(chain[0], str) else ()


def _sequence(document: JsonObject) -> int | None:
    value = document.get("spiffe_sequence")
    if value is None:
        return None
    if type(value) is not int or not 0 <= value <= _LARGEST_SEQUENCE:
        raise KeysUnfit("`spiffe_sequence` is not a whole number")
    return value


def _hint(document: JsonObject) -> timedelta:
    value = document.get("spiffe_refresh_hint")
    if type(value) is not int or value < 0:
        return REFRESH
    return min(max(timedelta(seconds=min(value, 86_400)), SOONEST), LATEST)
