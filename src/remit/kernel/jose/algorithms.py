"""Signature algorithms (RFC 7518 §3, RFC 8037, RFC 9864), each bound to one kind of key.

Ed25519 runs on libsodium, which refuses small-order keys and non-canonical signatures; the others on OpenSSL.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Final, TypeAlias

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from nacl.bindings import crypto_sign, crypto_sign_open
from nacl.exceptions import BadSignatureError


class Algorithm(StrEnum):
    """`alg` values that a key record may carry. There is no `none`, and nothing symmetric."""

    ED25519 = "Ed25519"
    ES256 = "ES256"
    ES384 = "ES384"
    PS256 = "PS256"
    RS256 = "RS256"


SIGNING: Final = frozenset({Algorithm.ED25519, Algorithm.ES256, Algorithm.ES384, Algorithm.RS256})
"""What we make keys for; RS256 only where a peer knows nothing else (OpenID Connect Core §15.1)."""

EDDSA: Final = "EdDSA"
"""The older name of Ed25519 (RFC 8037 §3.1, deprecated by RFC 9864): never issued, accepted by exception."""

Check: TypeAlias = Callable[[bytes, bytes], bool]
"""Whether (message, signature) fit the key that the function was made for; never raises."""

_ED25519_SIGNATURE = 64
_CURVES: Final = {Algorithm.ES256: 32, Algorithm.ES384: 48}
_DIGESTS: Final[dict[Algorithm, hashes.HashAlgorithm]] = {
    Algorithm.ES256: hashes.SHA256(),
    Algorithm.ES384: hashes.SHA384(),
}


def coordinate_size(algorithm: Algorithm) -> int:
    """Bytes of one coordinate, and of each half of a signature (RFC 7518 §3.4, §6.2.1.2)."""
    return _CURVES[algorithm]


def check_ed25519(public: bytes) -> Check:
    """Make the check of one Ed25519 key (RFC 8032 §5.1.7, strict)."""

    def check(message: bytes, signature: bytes) -> bool:
        if len(signature) != _ED25519_SIGNATURE:
            return False
        try:
            crypto_sign_open(signature + message, public)
        except BadSignatureError:
            return False
        return True

    return check


def check_ecdsa(public: ec.EllipticCurvePublicKey, algorithm: Algorithm) -> Check:
    """Make the check of one ECDSA key; the signature is `r ‖ s`, each of full width (RFC 7518 §3.4)."""
    size, scheme = _CURVES[algorithm], ec.ECDSA(_DIGESTS[algorithm])

    def check(message: bytes, signature: bytes) -> bool:
        if len(signature) != 2 * size:
            return False
        r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
        try:
            public.verify(encode_dss_signature(r, s), message, scheme)
        except InvalidSignature:
            return False
        return True

    return check


def check_rsa(public: rsa.RSAPublicKey, algorithm: Algorithm) -> Check:
    """Make the check of one RSA key: PKCS #1 v1.5, or PSS with a salt of 32 bytes (RFC 7518 §3.3, §3.5)."""
    digest = hashes.SHA256()
    scheme = padding.PKCS1v15() if algorithm is Algorithm.RS256 else padding.PSS(padding.MGF1(digest), 32)

    def check(message: bytes, signature: bytes) -> bool:
        try:
            public.verify(signature, message, scheme, digest)
        except InvalidSignature:
            return False
        return True

    return check


def sign_ed25519(secret: bytes, message: bytes) -> bytes:
    """Sign with libsodium's 64 byte form of a key (seed, then public half)."""
    return crypto_sign(message, secret)[:_ED25519_SIGNATURE]


def sign_rsa(secret: rsa.RSAPrivateKey, message: bytes) -> bytes:
    """Sign by PKCS #1 v1.5 with SHA-256 (RFC 7518 §3.3)."""
    return secret.sign(message, padding.PKCS1v15(), hashes.SHA256())


def sign_ecdsa(secret: ec.EllipticCurvePrivateKey, algorithm: Algorithm, message: bytes) -> bytes:
    """Sign; OpenSSL's DER becomes `r ‖ s` (RFC 7518 §3.4)."""
    r, s = decode_dss_signature(secret.sign(message, ec.ECDSA(_DIGESTS[algorithm])))
    size = _CURVES[algorithm]
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")
