"""One key: what proves the agent's instance, and what its tokens are bound to (RFC 7517, 8037)."""

import base64
import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from remit_sdk.errors import NoProof

_WIDTH = 32


def b64u(raw: bytes) -> str:
    """Base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def b64u_decode(text: str) -> bytes:
    """The bytes of that."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass(frozen=True)
class Key:
    """A private key; it has no text form, and never leaves the process by itself."""

    private: ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey

    def __repr__(self) -> str:
        """Nothing of it."""
        return "Key(...)"

    @classmethod
    def make(cls) -> "Key":
        """A new one, in memory alone."""
        return cls(ed25519.Ed25519PrivateKey.generate())

    @property
    def algorithm(self) -> str:
        """As JOSE calls it (RFC 9864)."""
        return "Ed25519" if isinstance(self.private, ed25519.Ed25519PrivateKey) else "ES256"

    @property
    def jwk(self) -> dict[str, str]:
        """The public half."""
        if isinstance(self.private, ed25519.Ed25519PrivateKey):
            raw = self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
            return {"kty": "OKP", "crv": "Ed25519", "x": b64u(raw)}
        point = self.private.public_key().public_numbers()
        x, y = point.x.to_bytes(_WIDTH, "big"), point.y.to_bytes(_WIDTH, "big")
        return {"kty": "EC", "crv": "P-256", "x": b64u(x), "y": b64u(y)}

    def sign(self, header: dict[str, Any], claims: dict[str, Any]) -> str:
        """A compact JWS (RFC 7515 §7.1)."""
        head = _part({"alg": self.algorithm, **header})
        text = f"{head}.{_part(claims)}"
        return f"{text}.{b64u(self._signature(text.encode()))}"

    def _signature(self, message: bytes) -> bytes:
        if isinstance(self.private, ed25519.Ed25519PrivateKey):
            return self.private.sign(message)
        r, s = decode_dss_signature(self.private.sign(message, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(_WIDTH, "big") + s.to_bytes(_WIDTH, "big")


@dataclass(frozen=True)
class StoredKey:
    """A key in a file, with the names under which it is registered."""

    key: Key
    instance: str
    kid: str


def read_key(path: Path) -> StoredKey:
    """Read the file that `remit agent new` or `remit agent join` wrote. Raises `NoProof`."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        stored = json.loads(path.read_bytes())
        key = Key(_private(stored["algorithm"], b64u_decode(stored["private"])))
        found = StoredKey(key=key, instance=str(stored["user"]), kid=str(stored["kid"]))
    except (OSError, ValueError, KeyError, TypeError) as broken:
        raise NoProof(
            f"`{path}` cannot be read as a key", code="key_broken", next_step="set REMIT_KEY to another file"
        ) from broken
    if os.name == "posix" and mode & 0o077:
        raise NoProof(
            f"`{path}` has mode {mode:04o}: others can use it",
            code="key_open",
            next_step=f"chmod 600 {path}",
        )
    return found


def _private(algorithm: str, raw: bytes) -> ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey:
    if algorithm == "Ed25519":
        return ed25519.Ed25519PrivateKey.from_private_bytes(raw)
    if algorithm == "ES256" and len(raw) == _WIDTH:
        return ec.derive_private_key(int.from_bytes(raw, "big"), ec.SECP256R1())
    raise ValueError("no algorithm of ours")


def _part(members: dict[str, Any]) -> str:
    return b64u(json.dumps(members, separators=(",", ":")).encode())
