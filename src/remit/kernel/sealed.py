"""Text that only we can read and nobody can change, carried by those whom it concerns.

AES-256-GCM (NIST SP 800-38D) under a subkey of one purpose and tenant; what it is about is bound as context.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from remit.kernel.canonical import b64u, b64u_decode
from remit.kernel.errors import Invalid
from remit.kernel.ids import Entropy
from remit.kernel.secret import Secret

_NONCE: Final = 12
_TAG: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedBox:
    """Seals and opens; `key` has 32 bytes and serves one purpose of one tenant."""

    key: Secret
    entropy: Entropy

    def seal(self, plain: bytes, *, context: Sequence[bytes]) -> str:
        """Close `plain` so that it opens only together with the same context; base64url."""
        nonce = self.entropy(_NONCE)
        return b64u(nonce + AESGCM(self.key.reveal()).encrypt(nonce, plain, _framed(context)))

    def open(self, text: str, *, context: Sequence[bytes]) -> bytes | None:
        """What was sealed; None if it was not sealed by this key for this context."""
        try:
            sealed = b64u_decode(text)
        except Invalid:
            return None
        if len(sealed) < _NONCE + _TAG:
            return None
        try:
            return AESGCM(self.key.reveal()).decrypt(sealed[:_NONCE], sealed[_NONCE:], _framed(context))
        except InvalidTag:
            return None


def _framed(context: Sequence[bytes]) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in context)
