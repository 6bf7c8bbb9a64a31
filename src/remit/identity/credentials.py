"""Keys by which principals prove who they are: public halves only; we never hold the private one."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from remit.kernel.ids import KeyId, PrincipalId, TenantId


class CredentialState(StrEnum):
    """Whether a key may still prove anything."""

    ACTIVE = "active"
    REVOKED = "revoked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """A public key of one principal (an instance, a human's device, a service account).

    `jwk` is canonical JSON of the public JWK (RFC 7517), `thumbprint` its RFC 7638 SHA-256 in base64url.
    INVARIANT: a thumbprint is registered once, over all principals, for ever (R7).
    """

    id: KeyId
    tenant: TenantId
    principal: PrincipalId
    thumbprint: str
    algorithm: str
    jwk: str
    state: CredentialState
    created_at: datetime
    not_after: datetime | None = None
