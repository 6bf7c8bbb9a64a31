"""A key of one's own, and what a client signs with it: assertions, DPoP proofs, hops, answers.

Written with a third-party library and the public standards alone: nothing here comes from the server.
"""

import base64
import hashlib
import json
import os
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from joserfc import jws
from joserfc.jwk import OKPKey

ALGORITHM: Final = "Ed25519"
_REGISTRY: Final = jws.JWSRegistry(algorithms=[ALGORITHM])


class OwnKey:
    """An Ed25519 key pair; the private half stays here, in a file that only its owner can read."""

    def __init__(self, key: OKPKey) -> None:
        self._key = key

    @classmethod
    def load_or_make(cls, path: Path) -> "OwnKey":
        """Read the key from its file, or make one there (mode 0600)."""
        if path.exists():
            return cls(OKPKey.import_key(json.loads(path.read_text(encoding="utf-8"))))
        made = OKPKey.generate_key("Ed25519")
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(made.as_dict(private=True), file)
        return cls(made)

    def public(self) -> dict[str, Any]:
        """The public JWK (RFC 8037 §2), for registration."""
        return {name: value for name, value in self._key.as_dict(private=False).items() if name in _MEMBERS}

    def sign(self, claims: Mapping[str, Any], **header: Any) -> str:
        """A compact JWS (RFC 7515) over the claims."""
        payload = json.dumps(claims, separators=(",", ":")).encode()
        return jws.serialize_compact({"alg": ALGORITHM, **header}, payload, self._key, registry=_REGISTRY)

    def assertion(self, *, client: str, kid: str, issuer: str) -> str:
        """Client authentication (RFC 7523 §3, RFC 10070): the issuer is the sole audience."""
        now = int(time.time())
        claims = {"iss": client, "sub": client, "aud": issuer, "iat": now, "exp": now + 60, "jti": fresh()}
        return self.sign(claims, typ="client-authentication+jwt", kid=kid)

    def proof(self, *, method: str, url: str, token: str = "", nonce: str = "") -> str:
        """A DPoP proof (RFC 9449 §4.2) for one request."""
        target = url.partition("?")[0]
        claims = {"htm": method, "htu": target, "iat": int(time.time()), "jti": fresh()}
        if token:
            claims["ath"] = b64u(hashlib.sha256(token.encode()).digest())
        if nonce:
            claims["nonce"] = nonce
        return self.sign(claims, typ="dpop+jwt", jwk=self.public())


_MEMBERS: Final = frozenset({"kty", "crv", "x"})


def fresh() -> str:
    """An identifier that nobody can guess."""
    return secrets.token_urlsafe(24)


def b64u(data: bytes) -> str:
    """Unpadded base64url."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
