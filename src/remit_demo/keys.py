"""A key of one's own, and what a client signs with it: assertions, DPoP proofs, hops.

Written with third-party libraries and the public standards alone: nothing here comes from the server.
"""

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from joserfc import jws
from joserfc.jwk import OKPKey

ALGORITHM: Final = "Ed25519"
_REGISTRY: Final = jws.JWSRegistry(algorithms=[ALGORITHM])
_PUBLIC: Final = frozenset({"kty", "crv", "x"})


@dataclass(frozen=True, slots=True)
class OwnKey:
    """An Ed25519 key that only this process reads, with the names under which it is registered."""

    principal: str
    kid: str
    _key: OKPKey

    @classmethod
    def read(cls, path: Path) -> "OwnKey":
        """Read a key file as `remit agent new` and `remit user new` leave it (mode 0600)."""
        stored = json.loads(path.read_text(encoding="utf-8"))
        seed = base64.urlsafe_b64decode(stored["private"] + "=" * (-len(stored["private"]) % 4))
        private = Ed25519PrivateKey.from_private_bytes(seed)
        return cls(stored["user"], stored["kid"], OKPKey.import_key(private))

    def public(self) -> dict[str, Any]:
        """The public JWK (RFC 8037 §2)."""
        return {name: value for name, value in self._key.as_dict(private=False).items() if name in _PUBLIC}

    def sign(self, claims: Mapping[str, Any], **header: Any) -> str:
        """A compact JWS (RFC 7515) over the claims."""
        payload = json.dumps(claims, separators=(",", ":")).encode()
        return jws.serialize_compact({"alg": ALGORITHM, **header}, payload, self._key, registry=_REGISTRY)

    def assertion(self, *, issuer: str) -> str:
        """Client authentication (RFC 7523 §3, RFC 10070): the issuer is the sole audience."""
        now = int(time.time())
        who = {"iss": self.principal, "sub": self.principal}
        claims = {**who, "aud": issuer, "iat": now, "exp": now + 60, "jti": fresh()}
        return self.sign(claims, typ="client-authentication+jwt", kid=self.kid)

    def proof(self, *, method: str, url: str, token: str = "") -> str:
        """A DPoP proof (RFC 9449 §4.2) for one request."""
        target = url.partition("?")[0]
        claims = {"htm": method, "htu": target, "iat": int(time.time()), "jti": fresh()}
        if token:
            claims["ath"] = b64u(hashlib.sha256(token.encode()).digest())
        return self.sign(claims, typ="dpop+jwt", jwk=self.public())


def fresh() -> str:
    """An identifier that nobody can guess."""
    return secrets.token_urlsafe(24)


def b64u(data: bytes) -> str:
    """Unpadded base64url."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
