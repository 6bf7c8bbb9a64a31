"""Secrets at rest: envelope encryption with AES-256-GCM (SP 800-38D).

Each secret has a data key of its own, which the key-encryption key (KEK) wraps. Both carry the same context
as associated data, so a sealed secret opens only in the place that it was sealed for.

Layout: `RS1` · KEK id (8) · nonce (12) · wrapped data key (32 + 16) · nonce (12) · ciphertext + tag (16).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from remit.kernel.derivation import Purpose, subkey
from remit.kernel.errors import Invalid, Unavailable
from remit.kernel.ids import Entropy, TenantId
from remit.kernel.secret import Secret

KEK_SIZE: Final = 32
LARGEST_PLAIN: Final = 64 << 10

_MAGIC: Final = b"RS1"
_ID, _NONCE, _TAG = 8, 12, 16
_WRAPPED = KEK_SIZE + _TAG
_HEAD = len(_MAGIC) + _ID
_SHORTEST = _HEAD + _NONCE + _WRAPPED + _NONCE + _TAG


class KekUnfit(Invalid):
    """The bytes given as KEK are not a key of 256 bits."""

    code = "kek_unfit"


class KekWrong(Unavailable):
    """The secret was sealed under another KEK: refuse to start, never make a new key in silence."""

    code = "kek_wrong"


class SealBroken(Invalid):
    """The sealed bytes were changed, cut, or belong to another place."""

    code = "seal_broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kek:
    """A key-encryption key; `id` names it without telling anything of it."""

    id: bytes
    _key: Secret = field(repr=False, compare=False)

    @classmethod
    def of(cls, key: Secret) -> Self:
        """Take 32 uniformly random bytes. Raises `KekUnfit` for another length, or one byte repeated."""
        raw = key.reveal()
        if len(raw) != KEK_SIZE:
            raise KekUnfit(f"key-encryption key has {len(raw)} bytes, must have {KEK_SIZE}")
        if len(set(raw)) == 1:
            raise KekUnfit("key-encryption key is one byte repeated: generate 32 random bytes")
        return cls(id=hashlib.sha256(b"remit/kek-id/v1" + raw).digest()[:_ID], _key=key)

    def cipher(self) -> AESGCM:
        """Give the cipher that wraps data keys."""
        return AESGCM(self._key.reveal())

    def subkey(self, *, purpose: Purpose, tenant: TenantId) -> Secret:
        """Derive the key of one purpose and tenant; nothing of this key can be told from it."""
        return subkey(self._key, purpose=purpose, tenant=tenant)


def seal(plain: Secret, *, kek: Kek, context: Sequence[bytes], entropy: Entropy) -> bytes:
    """Encrypt a secret for one place; `context` names it, as in tenant, table, kid.

    INVARIANT: a data key encrypts once, so its nonce can't repeat; the KEK's nonces are random, 96 bits, and
    serve at most 2^32 secrets.
    """
    if len(plain.reveal()) > LARGEST_PLAIN:
        raise Invalid(f"secret has {len(plain.reveal())} bytes, the limit is {LARGEST_PLAIN}")
    data_key, nonce = entropy(KEK_SIZE), entropy(_NONCE)
    body = nonce + AESGCM(data_key).encrypt(nonce, plain.reveal(), _framed(b"data", context))
    return _wrap(data_key, kek, context, entropy) + body


def unseal(sealed: bytes, *, kek: Kek, context: Sequence[bytes]) -> Secret:
    """Decrypt. Raises `KekWrong` if another KEK sealed it, `SealBroken` if anything else does not fit."""
    data_key = _unwrap(sealed, kek, context)
    body = sealed[_HEAD + _NONCE + _WRAPPED :]
    try:
        plain = AESGCM(data_key).decrypt(body[:_NONCE], body[_NONCE:], _framed(b"data", context))
    except InvalidTag as broken:
        raise SealBroken("sealed secret was changed, or belongs to another place") from broken
    return Secret(plain)


def rewrap(sealed: bytes, *, old: Kek, new: Kek, context: Sequence[bytes], entropy: Entropy) -> bytes:
    """Move a sealed secret to another KEK; the secret itself is not decrypted."""
    data_key = _unwrap(sealed, old, context)
    return _wrap(data_key, new, context, entropy) + sealed[_HEAD + _NONCE + _WRAPPED :]


def _wrap(data_key: bytes, kek: Kek, context: Sequence[bytes], entropy: Entropy) -> bytes:
    nonce = entropy(_NONCE)
    return _MAGIC + kek.id + nonce + kek.cipher().encrypt(nonce, data_key, _framed(b"key", context))


def _unwrap(sealed: bytes, kek: Kek, context: Sequence[bytes]) -> bytes:
    if len(sealed) < _SHORTEST or not sealed.startswith(_MAGIC):
        raise SealBroken("bytes are not a sealed secret")
    if sealed[len(_MAGIC) : _HEAD] != kek.id:
        raise KekWrong(
            "secret was sealed under another key-encryption key",
            debug=f"sealed under `{sealed[len(_MAGIC) : _HEAD].hex()}`, given `{kek.id.hex()}`",
        )
    nonce, wrapped = sealed[_HEAD : _HEAD + _NONCE], sealed[_HEAD + _NONCE : _HEAD + _NONCE + _WRAPPED]
    try:
        return kek.cipher().decrypt(nonce, wrapped, _framed(b"key", context))
    except InvalidTag as broken:
        raise SealBroken("sealed secret was changed, or belongs to another place") from broken


def _framed(label: bytes, context: Sequence[bytes]) -> bytes:
    """Put each part behind its length, so that no two contexts share bytes."""
    return b"".join(len(part).to_bytes(4, "big") + part for part in (label, *context))
