"""A client's certificate as whoever ended the TLS connection hands it on (RFC 8705, RFC 9440)."""

import hashlib
from dataclasses import dataclass
from typing import Final

from remit.kernel.canonical import b64u

SCOPE_KEY: Final = "remit.certificate"
"""Where the surface leaves a `PresentedCertificate` in the scope of a request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PresentedCertificate:
    """What a client showed in its TLS handshake: its certificate and those above it, as DER."""

    der: bytes
    chain: tuple[bytes, ...] = ()

    @property
    def thumbprint(self) -> str:
        """What `cnf["x5t#S256"]` says of it (RFC 8705 §3.1)."""
        return b64u(hashlib.sha256(self.der).digest())
