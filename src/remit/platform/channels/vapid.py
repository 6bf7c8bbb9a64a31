"""Who sends a push: a token signed with the channel's own key (RFC 8292)."""

from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from remit.kernel.canonical import b64u, b64u_decode

LIFE: Final = timedelta(hours=12)
"""RFC 8292 §2: at most a day."""
_SIZE: Final = 32


def make_pair() -> tuple[str, str]:
    """A new P-256 key, private and public half, base64url."""
    key = ec.generate_private_key(ec.SECP256R1())
    return b64u(key.private_numbers().private_value.to_bytes(_SIZE, "big")), public_of(key)


def public_of(key: ec.EllipticCurvePrivateKey) -> str:
    """The public half as `k` and `applicationServerKey` take it (RFC 8292 §3.2)."""
    return b64u(key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))


def authorization(private: str, *, endpoint: str, contact: str, at: datetime) -> str:
    """The header's value: the audience is the origin of this very push service, and no other's (§2)."""
    key = ec.derive_private_key(int.from_bytes(b64u_decode(private), "big"), ec.SECP256R1())
    parts = urlsplit(endpoint)
    claims = {
        "aud": f"{parts.scheme}://{parts.netloc}",
        "exp": int((at + LIFE).timestamp()),
        "sub": contact,
    }
    head = b64u(msgspec.json.encode({"typ": "JWT", "alg": "ES256"}))
    signed = f"{head}.{b64u(msgspec.json.encode(claims))}"
    r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))
    signature = b64u(r.to_bytes(_SIZE, "big") + s.to_bytes(_SIZE, "big"))
    return f"vapid t={signed}.{signature}, k={public_of(key)}"
