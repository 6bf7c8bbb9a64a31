"""DPoP nonces (RFC 9449 §8): a clock that the server winds, so that proofs can't be made in advance.

Nothing is stored: a nonce is a MAC over tenant, clock generation and time bucket. It proves that the proof
was made within the last two buckets; that it was not used before is the replay row's business.
"""

import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from remit.kernel.canonical import b64u
from remit.kernel.ids import TenantId
from remit.kernel.secret import Secret

BUCKET_SECONDS: Final = 120
"""A nonce is accepted in its own bucket and the next: for 2 to 4 minutes."""

_TAG = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class NonceBox:
    """Gives and recognizes the nonces of one tenant; `key` is its `Purpose.DPOP_NONCE` subkey."""

    key: Secret
    tenant: TenantId

    def issue(self, *, at: datetime, generation: int = 0) -> str:
        """Give the nonce of this moment."""
        return self._make(_bucket(at), generation)

    def accepts(self, nonce: str, *, at: datetime, generation: int = 0) -> bool:
        """Whether we gave that nonce in this bucket or the one before, in the same clock generation."""
        candidate = nonce.encode("utf-8", "surrogatepass")
        return any(hmac.compare_digest(candidate, ours) for ours in self._current(at, generation))

    def _current(self, at: datetime, generation: int) -> Iterator[bytes]:
        for bucket in (_bucket(at), _bucket(at) - 1):
            yield self._make(bucket, generation).encode()

    def _make(self, bucket: int, generation: int) -> str:
        tenant = self.tenant.encode()
        message = b"".join(
            (
                len(tenant).to_bytes(4, "big"),
                tenant,
                generation.to_bytes(8, "big"),
                bucket.to_bytes(8, "big"),
            )
        )
        return b64u(hmac.new(self.key.reveal(), message, hashlib.sha256).digest()[:_TAG])


def _bucket(at: datetime) -> int:
    return int(at.timestamp()) // BUCKET_SECONDS
