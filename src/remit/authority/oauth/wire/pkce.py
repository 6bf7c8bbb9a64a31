"""Proof Key for Code Exchange (RFC 7636), by S256 alone: `plain` proves nothing once a request leaks."""

import hashlib
import re
from typing import Final

from remit.authority.oauth.wire.errors import InvalidRequest
from remit.kernel.canonical import b64u, same_bytes

METHOD: Final = "S256"
_CHALLENGE: Final = re.compile(r"[A-Za-z0-9_-]{43}")
"""SHA-256 in base64url without padding (§4.2)."""
_VERIFIER: Final = re.compile(r"[A-Za-z0-9._~-]{43,128}")
"""`unreserved` characters, 43 to 128 of them (§4.1)."""


def check_challenge(challenge: str, method: str) -> str:
    """Read what a request says of its proof to come.

    An absent method would mean `plain` (§4.3), so it is refused as that is. Raises `InvalidRequest` (§4.4.1).
    """
    if not challenge:
        raise InvalidRequest("`code_challenge` is missing", reason="pkce_missing")
    if method != METHOD:
        raise InvalidRequest("`code_challenge_method` must be `S256`", reason="pkce_method")
    if not _CHALLENGE.fullmatch(challenge):
        raise InvalidRequest("`code_challenge` is no SHA-256 in base64url", reason="pkce_malformed")
    return challenge


def challenge_of(verifier: str) -> str:
    """What a verifier's request must have said (§4.2)."""
    return b64u(hashlib.sha256(verifier.encode("ascii")).digest())


def proves(verifier: str, challenge: str) -> bool:
    """Whether the verifier is the one that the challenge was made of (§4.6); a malformed one never is."""
    if not _VERIFIER.fullmatch(verifier):
        return False
    return same_bytes(challenge_of(verifier).encode(), challenge.encode())
