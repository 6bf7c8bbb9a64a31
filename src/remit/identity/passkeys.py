"""Passkeys of people (WebAuthn Level 3): the public half of a key that never leaves its authenticator."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from remit.identity.errors import PasskeysNeedName
from remit.kernel.ids import PasskeyId, PrincipalId, TenantId
from remit.kernel.tenancy import origin_of

ALGORITHMS: Final = (-8, -7, -257)
"""COSE algorithms that are accepted, the one preferred first: EdDSA, ES256, RS256 (§5.8.5)."""
HANDLE_BYTES: Final = 32
NAME_LIMIT: Final = 64
PER_PERSON: Final = 20
"""Passkeys of one person that are active at one time."""


class PasskeyState(StrEnum):
    """Whether a passkey may still prove anything."""

    ACTIVE = "active"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Passkey:
    """One credential of one person; texts of bytes are base64url.

    `user_handle` is random, the same for all passkeys of a person, and tells nothing about them (§14.6.1).
    `backup_eligible` and `backed_up` are the flags BE and BS: whether it can be, and is, on several devices.
    INVARIANT: `credential` is registered once, over all people, for ever.
    """

    id: PasskeyId
    tenant: TenantId
    human: PrincipalId
    credential: str
    public_key: str
    """COSE_Key (RFC 9052 §7)."""
    algorithm: int
    sign_count: int
    aaguid: str
    transports: tuple[str, ...]
    backup_eligible: bool
    backed_up: bool
    user_handle: str
    name: str
    state: PasskeyState
    created_at: datetime
    used_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RelyingParty:
    """Whom passkeys are made for: the id is the host, the origin is the one address that may ask (§5.1.2)."""

    id: str
    origin: str


def relying_party(issuer: str) -> RelyingParty:
    """The relying party of an installation. Raises `PasskeysNeedName` where its host is an address.

    §5.1.3: an id is a domain, never an address; on this machine that domain is `localhost`.
    """
    parts = urlsplit(issuer)
    host = parts.hostname or ""
    try:
        address = ip_address(host)
    except ValueError:
        return RelyingParty(id=host, origin=origin_of(issuer))
    port = f":{parts.port}" if parts.port else ""
    if address.is_loopback:
        return RelyingParty(id="localhost", origin=f"{parts.scheme}://localhost{port}")
    raise PasskeysNeedName(
        f"the issuer `{issuer}` is an address, and a passkey is made for a name",
        next_step=f"set `issuer` to a name: {parts.scheme}://remit.example.com{port}",
    )
