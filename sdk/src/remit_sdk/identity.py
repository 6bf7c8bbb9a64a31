"""Who the agent is to Remit: an instance with a key, by its own file or by its platform's word."""

import hashlib
import json
import secrets
import time
from dataclasses import dataclass, field
from typing import Any

from remit_sdk import wire
from remit_sdk.errors import Unreachable
from remit_sdk.keys import Key, b64u, b64u_decode
from remit_sdk.runtime import KeyFile, Proof, Vouched

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SPIFFE_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-spiffe"
_BAD_REQUEST = 400
_EARLY = 30
"""Seconds before its end that anything is renewed."""


@dataclass
class Identity:
    """One instance. With a platform's word it is joined again before that word ends, by the same key."""

    issuer: str
    proof: Proof
    key: Key = field(init=False)
    instance: str = field(init=False, default="")
    kid: str = field(init=False, default="")
    _ends_at: float = field(init=False, default=0.0)
    _nonce: str = field(init=False, default="", repr=False)

    def __post_init__(self) -> None:
        """Take the key of the file, or make one."""
        if isinstance(self.proof, KeyFile):
            stored = self.proof.stored
            self.key, self.instance, self.kid = stored.key, stored.instance, stored.kid
            self._ends_at = float("inf")
        else:
            self.key = Key.make()

    def token(self, form: dict[str, str]) -> dict[str, Any]:
        """Ask the token endpoint as this instance. Raises `Refused`."""
        self._present()
        return wire.granted(self._send(f"{self.issuer}/token", self._client() | form))

    def ask(self, form: dict[str, str]) -> dict[str, Any]:
        """Ask for a person's yes (CIBA). Raises `Refused`."""
        self._present()
        return wire.granted(wire.post_form(f"{self.issuer}/bc-authorize", self._client() | form, {}))

    def own_token(self) -> str:
        """A token of the instance itself."""
        body = self.token({"grant_type": "client_credentials", "resource": f"{self.issuer}/api"})
        return str(body["access_token"])

    def proof_of(self, method: str, url: str, *, token: str = "", nonce: str = "") -> str:
        """A DPoP proof for one request (RFC 9449 §4.2)."""
        claims: dict[str, Any] = {
            "jti": secrets.token_urlsafe(18),
            "htm": method,
            "htu": url.partition("?")[0],
            "iat": int(time.time()),
        }
        if token:
            claims["ath"] = b64u(hashlib.sha256(token.encode()).digest())
        if nonce:
            claims["nonce"] = nonce
        return self.key.sign({"typ": "dpop+jwt", "jwk": self.key.jwk}, claims)

    def _present(self) -> None:
        """Join, or join again, where the platform's word is about to end."""
        if isinstance(self.proof, Vouched) and time.time() > self._ends_at - _EARLY:
            self._join(self.proof)

    def _join(self, proof: Vouched) -> None:
        assertion = proof.fetch()
        form = {"resource": f"{self.issuer}/api"}
        if proof.svid:
            form |= {
                "grant_type": "client_credentials",
                "client_assertion_type": SPIFFE_ASSERTION,
                "client_assertion": assertion,
            }
        else:
            form |= {"grant_type": JWT_BEARER, "assertion": assertion}
        body = wire.granted(self._send(f"{self.issuer}/token", form))
        claims = claims_of(str(body["access_token"]))
        self.instance, self.kid = str(claims["client_id"]), str(claims["dev.remit"]["kid"])
        self._ends_at = float(claims_of(assertion)["exp"])

    def _send(self, url: str, form: dict[str, str]) -> wire.Answer:
        """Send a form with a proof; once more if the server wants its nonce in it (RFC 9449 §8)."""
        answer = wire.post_form(url, form, {"dpop": self.proof_of("POST", url, nonce=self._nonce)})
        nonce = answer.headers.get("dpop-nonce", "")
        if not nonce:
            return answer
        self._nonce = nonce
        if answer.status != _BAD_REQUEST or wire.object_of(answer).get("error") != "use_dpop_nonce":
            return answer
        if "client_assertion" in form and form.get("client_assertion_type") == ASSERTION:
            form = form | self._client()
        return wire.post_form(url, form, {"dpop": self.proof_of("POST", url, nonce=nonce)})

    def _client(self) -> dict[str, str]:
        """Proof of the client (RFC 7523 §2.2), for one request."""
        at = int(time.time())
        claims = {
            "iss": self.instance,
            "sub": self.instance,
            "aud": self.issuer,
            "iat": at,
            "exp": at + 60,
            "jti": secrets.token_urlsafe(18),
        }
        header = {"typ": "client-authentication+jwt", "kid": self.kid}
        return {"client_assertion_type": ASSERTION, "client_assertion": self.key.sign(header, claims)}


def claims_of(token: str) -> dict[str, Any]:
    """The payload of a token, to plan by; whoever takes the token verifies it."""
    try:
        found: dict[str, Any] = json.loads(b64u_decode(token.split(".")[1]))
    except (IndexError, ValueError) as broken:
        raise Unreachable("a token is no JWT", code="token_malformed") from broken
    return found
