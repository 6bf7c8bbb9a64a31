"""Message encryption for Web Push: `aes128gcm` to a browser's key (RFC 8291 §3, RFC 8188 §2)."""

import hashlib
import hmac
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from remit.oversight.notices.errors import Rejected

LARGEST: Final = 3993
"""Bytes of plain text that every push service takes (RFC 8291 §4, RFC 8030 §7.2)."""
_RECORD: Final = 4096
_AUTH, _SALT, _POINT = 16, 16, 65


def encrypt(
    plain: bytes, *, to: bytes, auth: bytes, private: ec.EllipticCurvePrivateKey, salt: bytes
) -> bytes:
    """One record for the holder of the key `to` and the secret `auth`.

    `private` and `salt` are fresh for each message. Raises `Rejected` for a subscription that is none.
    """
    if len(plain) > LARGEST or len(auth) != _AUTH or len(salt) != _SALT or len(to) != _POINT:
        raise Rejected("subscription can't be encrypted for")
    try:
        receiver = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), to)
    except ValueError as wrong:
        raise Rejected("subscription names no point of P-256") from wrong
    ours = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    shared = private.exchange(ec.ECDH(), receiver)
    # RFC 8291 §3.4: the shared secret and the subscription's own, bound to both keys.
    ikm = _expand(_mac(auth, shared), b"WebPush: info\x00" + to + ours, 32)
    # RFC 8188 §2.2, §2.3: the key and the nonce of the only record; its delimiter says that it is the last.
    prk = _mac(salt, ikm)
    key = _expand(prk, b"Content-Encoding: aes128gcm\x00", 16)
    nonce = _expand(prk, b"Content-Encoding: nonce\x00", 12)
    header = salt + _RECORD.to_bytes(4, "big") + bytes([len(ours)]) + ours
    return header + AESGCM(key).encrypt(nonce, plain + b"\x02", None)


def _mac(key: bytes, text: bytes) -> bytes:
    return hmac.new(key, text, hashlib.sha256).digest()


def _expand(prk: bytes, info: bytes, length: int) -> bytes:
    """HKDF-Expand of at most one block (RFC 5869 §2.3)."""
    return _mac(prk, info + b"\x01")[:length]
