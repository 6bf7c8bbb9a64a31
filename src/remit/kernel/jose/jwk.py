"""Public keys as JWK (RFC 7517): read strictly, written bare, named by their thumbprint (RFC 7638)."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from nacl.bindings import crypto_core_ed25519_is_valid_point

from remit.kernel.canonical import Json, JsonLimits, JsonObject, b64u, b64u_decode, parse_object
from remit.kernel.errors import Invalid
from remit.kernel.jose import algorithms
from remit.kernel.jose.algorithms import Algorithm, Check
from remit.kernel.jose.errors import KeyRefused

JWK_LIMITS: Final = JsonLimits(size=8 << 10, depth=4, members=64, string=4 << 10)

_PRIVATE: Final = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})
_RSA_BITS: Final = range(2048, 8193)
_RSA_EXPONENTS: Final = range(65537, 1 << 32, 2)
_CURVES: Final[dict[str, tuple[Algorithm, ec.EllipticCurve]]] = {
    "P-256": (Algorithm.ES256, ec.SECP256R1()),
    "P-384": (Algorithm.ES384, ec.SECP384R1()),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A key that may check signatures of exactly one algorithm (RFC 8725 §3.1).

    `thumbprint` is SHA-256 over `canonical`, base64url (RFC 7638 §3).
    """

    algorithm: Algorithm
    thumbprint: str
    canonical: bytes
    """Required members only, in lexical order, without blanks: the input of the thumbprint."""
    check: Check = field(compare=False, repr=False)

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Whether this key's owner signed these bytes; never raises."""
        return self.check(message, signature)

    def jwk(self) -> JsonObject:
        """Give the public members alone: what was never read can't be published."""
        members: JsonObject = json.loads(self.canonical)
        return members


def parse_jwk(source: bytes | str | Mapping[str, Json], *, algorithm: Algorithm | None = None) -> PublicKey:
    """Read a public JWK that may verify signatures.

    `algorithm` is needed for RSA keys without `alg`, and checked where the key says one.
    Raises `KeyRefused`; `MalformedJson` or `JsonTooLarge` if it is no JSON object within 8 KiB.
    """
    jwk = dict(source) if isinstance(source, Mapping) else parse_object(_raw(source), limits=JWK_LIMITS)
    if found := sorted(_PRIVATE & jwk.keys()):
        raise KeyRefused(f"key holds the private member `{found[0]}`: send the public half only")
    _check_use(jwk)
    reader = _READERS.get(_text(jwk, "kty"))
    if reader is None:
        raise KeyRefused("key type is not one of `OKP`, `EC`, `RSA`")
    return reader(jwk, _stated(jwk, algorithm))


def public_from_members(algorithm: Algorithm, members: JsonObject, check: Check) -> PublicKey:
    """Name a key by its required members (RFC 7638 §3.2, RFC 8037 §2)."""
    # SAFETY: all values are base64url or fixed names, so sorted compact JSON is the form of RFC 7638 §3.3.
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":")).encode()
    return PublicKey(algorithm=algorithm, thumbprint=thumbprint(canonical), canonical=canonical, check=check)


def thumbprint(canonical: bytes) -> str:
    """SHA-256 in base64url (RFC 7638 §3)."""
    return b64u(hashlib.sha256(canonical).digest())


def _read_okp(jwk: JsonObject, stated: Algorithm | None) -> PublicKey:
    if _text(jwk, "crv") != "Ed25519":
        raise KeyRefused("curve of an `OKP` key must be `Ed25519`")
    _must_be(Algorithm.ED25519, stated)
    point = _octets(jwk, "x", size=32)
    # RFC 8032 §5.1.7; libsodium also refuses points of small order, which verify what nobody signed.
    if not crypto_core_ed25519_is_valid_point(point):
        raise KeyRefused("`x` is not a point of Ed25519")
    members: JsonObject = {"crv": "Ed25519", "kty": "OKP", "x": b64u(point)}
    return public_from_members(Algorithm.ED25519, members, algorithms.check_ed25519(point))


def _read_ec(jwk: JsonObject, stated: Algorithm | None) -> PublicKey:
    curve = _text(jwk, "crv")
    if curve not in _CURVES:
        raise KeyRefused("curve of an `EC` key must be `P-256` or `P-384`")
    algorithm, group = _CURVES[curve]
    _must_be(algorithm, stated)
    size = algorithms.coordinate_size(algorithm)
    x, y = _octets(jwk, "x", size=size), _octets(jwk, "y", size=size)
    try:
        numbers = ec.EllipticCurvePublicNumbers(int.from_bytes(x, "big"), int.from_bytes(y, "big"), group)
        public = numbers.public_key()
    except ValueError as broken:
        raise KeyRefused(f"`x`, `y` is not a point of `{curve}`") from broken
    members: JsonObject = {"crv": curve, "kty": "EC", "x": b64u(x), "y": b64u(y)}
    return public_from_members(algorithm, members, algorithms.check_ecdsa(public, algorithm))


def _read_rsa(jwk: JsonObject, stated: Algorithm | None) -> PublicKey:
    if stated not in {Algorithm.PS256, Algorithm.RS256}:
        raise KeyRefused("`RSA` key must state its algorithm: `PS256` or `RS256`")
    n, e = _octets(jwk, "n"), _octets(jwk, "e")
    modulus, exponent = int.from_bytes(n, "big"), int.from_bytes(e, "big")
    if n[:1] == b"\0" or e[:1] == b"\0":
        raise KeyRefused("`n` and `e` must not begin with a zero octet (RFC 7518 §6.3.1)")
    if modulus.bit_length() not in _RSA_BITS or modulus % 2 == 0:
        raise KeyRefused(f"`RSA` key has {modulus.bit_length()} bits, the limits are 2048 and 8192")
    if exponent not in _RSA_EXPONENTS:
        raise KeyRefused("exponent of an `RSA` key must be odd, at least 65537 and below 2^32")
    public = rsa.RSAPublicNumbers(exponent, modulus).public_key()
    members: JsonObject = {"e": b64u(e), "kty": "RSA", "n": b64u(n)}
    return public_from_members(stated, members, algorithms.check_rsa(public, stated))


_READERS: Final[dict[str, Callable[[JsonObject, Algorithm | None], PublicKey]]] = {
    "OKP": _read_okp,
    "EC": _read_ec,
    "RSA": _read_rsa,
}


def _check_use(jwk: JsonObject) -> None:
    """RFC 7517 §4.2, §4.3: a key that is made for encryption or signing-only does not verify."""
    if jwk.get("use", "sig") != "sig":
        raise KeyRefused("`use` of the key must be `sig`")
    operations = jwk.get("key_ops", ["verify"])
    if operations != ["verify"]:
        raise KeyRefused('`key_ops` of the key must be `["verify"]`')


def _stated(jwk: JsonObject, expected: Algorithm | None) -> Algorithm | None:
    """Find the one algorithm that the key, its registration, or both agree on (RFC 7517 §4.4)."""
    if "alg" not in jwk:
        return expected
    name = _text(jwk, "alg")
    if name == algorithms.EDDSA:
        name = Algorithm.ED25519.value
    if name not in set(Algorithm):
        raise KeyRefused("`alg` of the key is not one that this server verifies")
    found = Algorithm(name)
    if expected not in {None, found}:
        raise KeyRefused(f"key says `{found}`, its registration says `{expected}`")
    return found


def _must_be(own: Algorithm, stated: Algorithm | None) -> None:
    if stated not in {None, own}:
        raise KeyRefused(f"key is of `{own}`, not of `{stated}`")


def _text(jwk: JsonObject, name: str) -> str:
    value: Json = jwk.get(name)
    if not isinstance(value, str):
        raise KeyRefused(f"key must have `{name}` as a string")
    return value


def _octets(jwk: JsonObject, name: str, *, size: int | None = None) -> bytes:
    try:
        octets = b64u_decode(_text(jwk, name))
    except Invalid as broken:
        raise KeyRefused(f"`{name}` is not canonical base64url") from broken
    if size is not None and len(octets) != size:
        raise KeyRefused(f"`{name}` has {len(octets)} octets, must have {size}")
    return octets


def _raw(source: bytes | str) -> bytes:
    if isinstance(source, bytes):
        return source
    try:
        return source.encode()
    except UnicodeEncodeError as broken:
        raise KeyRefused("key is not UTF-8") from broken
