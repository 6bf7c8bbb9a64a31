"""A second, plain verifier of access tokens with one defence removed: what the corpus must get through."""

import hashlib
import hmac
import json
from datetime import datetime
from typing import Any

from remit.kernel.canonical import JsonObject, b64u_decode
from remit.kernel.errors import RemitError
from remit.kernel.jose.jwk import PublicKey, parse_jwk
from remit.kernel.jose.keys import KeyRecord
from support.jw_corpus import public_bytes

DIGESTS = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}
KNOWN = {"alg", "kid", "typ"}


class LaxVerifier:
    """Verifies as careless libraries do; `missing` names the one defence that it lacks (empty: none)."""

    def __init__(self, record: KeyRecord, *, audience: str, at: datetime, missing: str) -> None:
        self.record = record
        self.audience = audience
        self.at = int(at.timestamp())
        self.missing = missing

    def accepts(self, token: str) -> bool:
        try:
            return self._accepts(token)
        except (RemitError, ValueError, TypeError, KeyError, ArithmeticError, RecursionError):
            return False

    def _accepts(self, token: str) -> bool:
        protected, body, mark = token.split(".")
        header, claims = self._read(protected), self._read(body)
        return (
            self._header_fits(header)
            and self._signed(header, f"{protected}.{body}".encode(), mark)
            and self._claims_fit(claims)
        )

    def _read(self, segment: str) -> dict[str, Any]:
        raw = b64u_decode(segment).decode()
        if self.missing != "size" and (len(raw) > 16 << 10 or raw.count("[") + raw.count("{") > 64):
            raise ValueError(len(raw))
        return dict(json.loads(raw, object_pairs_hook=self._members))

    def _members(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if self.missing != "unique_members" and len(dict(pairs)) != len(pairs):
            raise ValueError("twice")
        return dict(pairs)

    def _header_fits(self, header: dict[str, Any]) -> bool:
        known = KNOWN | ({"jwk"} if self.missing == "no_header_key" else set())
        if self.missing != "known_members" and header.keys() - known:
            return False
        if self.missing != "kid_decides" and header.get("kid") != self.record.kid:
            return False
        return self.missing == "type" or header.get("typ") == "at+jwt"

    def _signed(self, header: dict[str, Any], signing_input: bytes, mark: str) -> bool:
        name = header.get("alg")
        if self.missing == "no_none" and str(name).strip().lower() == "none":
            return True
        if self.missing == "record_decides" and name in DIGESTS:
            forms = public_bytes(self.record.public)
            macs = [hmac.new(form, signing_input, DIGESTS[name]).digest() for form in forms.values()]
            return b64u_decode(mark) in macs
        if self.missing != "record_decides" and name != self.record.algorithm:
            return False
        return self._key(header).verify(signing_input, b64u_decode(mark))

    def _key(self, header: dict[str, Any]) -> PublicKey:
        if self.missing == "no_header_key" and "jwk" in header:
            return parse_jwk(header["jwk"])
        return self.record.public

    def _claims_fit(self, claims: dict[str, Any]) -> bool:
        return self._audience_fits(claims) and self._issuer_fits(claims) and self._times_fit(claims)

    def _audience_fits(self, claims: dict[str, Any]) -> bool:
        found = claims["aud"]
        if self.missing == "audience":
            return self.audience in found
        return bool(found == self.audience)

    def _issuer_fits(self, claims: dict[str, Any]) -> bool:
        return self.missing == "issuer" or claims.get("iss") == self.record.issuer

    def _times_fit(self, claims: dict[str, Any]) -> bool:
        times = [claims[name] for name in ("exp", "iat", "nbf") if name in claims]
        if self.missing == "integers":
            return float(claims["exp"]) > self.at
        if not all(type(value) is int and 1 << 30 < value < 1 << 33 for value in times):
            return False
        return bool(self.at < claims["exp"] <= claims["iat"] + 3600 and claims.get("nbf", 0) <= self.at)


def read_any_key(jwk: JsonObject) -> PublicKey:
    """JW-20: a reader of keys that does not care what a key was made for."""
    return parse_jwk({name: value for name, value in jwk.items() if name not in {"use", "key_ops"}})
