"""An authenticator in software that verifies its person: what a phone answers, with every part to be bent."""

import hashlib
import json
import os
from dataclasses import dataclass, field
from struct import pack
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from fido2 import cbor  # type: ignore[import-untyped]  # the package has no types
from fido2.cose import ES256  # type: ignore[import-untyped]  # as above

from remit.kernel.canonical import b64u, b64u_decode

UP, UV, BE, BS, AT = 0x01, 0x04, 0x08, 0x10, 0x40


@dataclass
class Authenticator:
    """One resident credential; `flags` go into each answer, `step` is how far the counter moves."""

    origin: str
    flags: int = UP | UV
    step: int = 1
    rp_id: str | None = None
    """Claimed instead of the one that is asked for."""
    client: dict[str, Any] = field(default_factory=dict)
    """Members that go into the client data besides, or instead."""
    count: int = 0
    handle: str = ""
    credential: bytes = b""
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def create(self, options: dict[str, Any], *, credential: bytes = b"") -> str:
        """Answer `navigator.credentials.create`, as JSON."""
        self.credential, self.handle = credential or os.urandom(32), options["user"]["id"]
        key = cbor.encode(dict(ES256.from_cryptography_key(self.key.public_key())))
        attested = bytes(16) + pack(">H", len(self.credential)) + self.credential + key
        data = self._data(self.rp_id or options["rp"]["id"], AT) + attested
        client = self._client("webauthn.create", options)
        return self._answer({
            "clientDataJSON": b64u(client),
            "attestationObject": b64u(cbor.encode({"fmt": "none", "attStmt": {}, "authData": data})),
            "transports": ["internal", "hybrid", "unheard-of"],
        })  # fmt: skip

    def get(self, options: dict[str, Any], **instead: Any) -> str:
        """Answer `navigator.credentials.get`, as JSON; `instead` replaces members of the response."""
        self.count += self.step
        data = self._data(self.rp_id or options["rpId"], 0)
        client = self._client("webauthn.get", options)
        signature = self.key.sign(data + _sha256(client), ec.ECDSA(hashes.SHA256()))
        response = {
            "clientDataJSON": b64u(client),
            "authenticatorData": b64u(data),
            "signature": b64u(signature),
            "userHandle": self.handle,
        }
        return self._answer({**response, **instead})

    def _data(self, rp_id: str, more: int) -> bytes:
        return _sha256(rp_id.encode()) + bytes([self.flags | more]) + pack(">I", self.count)

    def _client(self, kind: str, options: dict[str, Any]) -> bytes:
        told = {"type": kind, "challenge": options["challenge"], "origin": self.origin, "crossOrigin": False}
        return json.dumps({**told, **self.client}).encode()

    def _answer(self, response: dict[str, Any]) -> str:
        ident = b64u(self.credential)
        whole = {"id": ident, "rawId": ident, "type": "public-key", "response": response}
        return json.dumps(whole)


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def from_soft(answer: dict[str, Any]) -> str:
    """What `soft-webauthn` gives, as a browser's `toJSON` would write it."""

    def text(value: Any) -> Any:
        return b64u(value) if isinstance(value, bytes) else value

    raw = answer["rawId"]
    return json.dumps({
        "id": b64u(raw),
        "rawId": b64u(raw),
        "type": answer["type"],
        "response": {name: text(value) for name, value in answer["response"].items()},
    })  # fmt: skip


def for_soft(options: dict[str, Any]) -> dict[str, Any]:
    """Our options as `soft-webauthn` takes them: bytes where a browser has buffers."""
    told = {**options, "challenge": b64u_decode(options["challenge"])}
    if "user" in options:
        told["user"] = {**options["user"], "id": b64u_decode(options["user"]["id"])}
    return {"publicKey": told}
