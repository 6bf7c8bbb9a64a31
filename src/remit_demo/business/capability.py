"""Enforcement at the resource itself: a call is served only with a capability for exactly this call (R60).

Written against the format alone (JWT, JWKS), with another JOSE library than the issuer's, so that a resource
owner sees how little it takes.
"""

import hashlib
import time
from collections.abc import Callable
from typing import Any, Final

import httpx2
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jws import extract_compact

from remit_demo.business.store import Store

_ALGORITHMS: Final = ["Ed25519", "ES256"]
_TYPE: Final = "remit-cap+jwt"
_REFETCH_SECONDS: Final = 5.0
_SKEW_SECONDS: Final = 30


class CapabilityRefused(Exception):
    """The call carries no capability for it."""


class IssuerKeys:
    """The issuer's published keys, fetched again at most every few seconds when one is unknown."""

    def __init__(self, fetch: Callable[[], dict[str, Any]]) -> None:
        self._fetch = fetch
        self._keys = KeySet([])
        self._fetched_at = float("-inf")

    def find(self, kid: str) -> KeySet:
        """A set that holds this key, if it is published."""
        if not self._holds(kid) and time.monotonic() - self._fetched_at > _REFETCH_SECONDS:
            self._fetched_at = time.monotonic()
            published = self._fetch()
            self._keys = KeySet.import_key_set(published) if published.get("keys") else KeySet([])  # type: ignore[arg-type]  # a parsed JWKS is one
        if not self._holds(kid):
            raise CapabilityRefused("capability is signed with a key that its issuer does not publish")
        return self._keys

    def _holds(self, kid: str) -> bool:
        return any(key.kid == kid for key in self._keys.keys)


def fetch_from(issuer: str) -> Callable[[], dict[str, Any]]:
    """Read `<issuer>/jwks`."""

    def fetch() -> dict[str, Any]:
        answer = httpx2.get(f"{issuer}/jwks", timeout=3, trust_env=False)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    return fetch


class CapabilityCheck:
    """Verifies and spends capabilities for one audience."""

    def __init__(
        self, *, store: Store, keys: IssuerKeys, issuer: str, audience: str, actions: dict[str, str]
    ) -> None:
        self._store = store
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._actions = actions
        """Tool name → action, as this server's owner registered it."""

    def spend(self, token: str, *, tool: str, arguments: bytes) -> dict[str, Any]:
        """Verify a capability for these very bytes and use it up; its claims. Raises `CapabilityRefused`."""
        claims = self._claims(token)
        now = time.time()
        expected = {
            "iss": self._issuer,
            "aud": self._audience,
            "action": self._actions.get(tool),
            "args_sha256": hashlib.sha256(arguments).hexdigest(),
        }
        for name, value in expected.items():
            if value is None or claims.get(name) != value:
                raise CapabilityRefused(f"capability is for another `{name}`")
        if not _time(claims, "exp") > now - _SKEW_SECONDS or not _time(claims, "iat") < now + _SKEW_SECONDS:
            raise CapabilityRefused("capability is not of this time")
        if not isinstance(claims.get("jti"), str) or not self._store.spend(claims["jti"]):
            raise CapabilityRefused("capability was used before")
        return claims

    def _claims(self, token: str) -> dict[str, Any]:
        try:
            header = extract_compact(token.encode()).headers()
            if header.get("typ") != _TYPE or not isinstance(header.get("kid"), str):
                raise CapabilityRefused("token is no capability")
            decoded = jwt.decode(token, self._keys.find(header["kid"]), algorithms=_ALGORITHMS)
        except httpx2.HTTPError as unreachable:
            raise CapabilityRefused("the issuer's keys can't be read") from unreachable
        except (JoseError, ValueError) as broken:
            raise CapabilityRefused("capability does not verify") from broken
        return dict(decoded.claims)


def _time(claims: dict[str, Any], name: str) -> float:
    value = claims.get(name)
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else float("nan")
