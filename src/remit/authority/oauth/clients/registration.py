"""What the authorization server knows of an OAuth client: where it may be sent back, how it proves itself.

Nobody has a shared secret. Whatever a consent page shows is in the digest, so that a change asks again.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from remit.kernel.canonical import Digest, JsonObject, canonical_json, sha256
from remit.kernel.ids import PrincipalId, TenantId
from remit.kernel.jose.algorithms import Algorithm

CODE: Final = "authorization_code"
REFRESH: Final = "refresh_token"
GRANTS: Final = frozenset({CODE, REFRESH})
"""Grants of a client that says nothing: a person signs in, and need not do so every five minutes."""
DEVICE: Final = "urn:ietf:params:oauth:grant-type:device_code"
CIBA: Final = "urn:openid:params:grant-type:ciba"
OFFERED: Final = GRANTS | {DEVICE, CIBA}
"""Grants that a client may register for."""


class RegistrationKind(StrEnum):
    """How a client became known."""

    PRE_REGISTERED = "pre_registered"
    METADATA_DOCUMENT = "metadata_document"
    DYNAMIC = "dynamic"


class ApplicationType(StrEnum):
    """What runs it (OpenID Connect Registration §2); `native` may come back on any loopback port."""

    WEB = "web"
    NATIVE = "native"


class AuthMethod(StrEnum):
    """How a client proves itself at the token endpoint; no method with a shared secret is one of ours."""

    NONE = "none"
    PRIVATE_KEY_JWT = "private_key_jwt"
    TLS = "tls_client_auth"
    SELF_SIGNED_TLS = "self_signed_tls_client_auth"
    SPIFFE_JWT = "spiffe_jwt"

    @property
    def keyless(self) -> bool:
        """Whether no signature of the client's own proves it to us."""
        return self is not AuthMethod.PRIVATE_KEY_JWT


class Delivery(StrEnum):
    """How a client learns that a person whom it asked has answered (CIBA Core §5)."""

    POLL = "poll"
    PING = "ping"
    PUSH = "push"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionLimits:
    """How long what a person gives to a client may last, and how much of it there may be at one time."""

    lifetime: timedelta = timedelta(days=7)
    """From the sign-in until a person is asked again, whatever happens meanwhile."""
    idle: timedelta = timedelta(hours=12)
    """How long it may rest unused."""
    concurrency: int = 10
    """Sessions of one person with one client at one time."""
    refresh_count: int = 10_000
    """How often one session is refreshed at most."""


LIMITS: Final = SessionLimits()
"""What holds where nothing else was registered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRegistration:
    """One client, as it was registered or as its document says.

    `client_id` is our own id (`ins_…`, `app_…`, `cli_…`) or the https URL of a metadata document.
    `principal` is the instance of an agent, or the application that only signs people in.
    `digest` covers what a consent page shows: redirects, keys, method, name.
    """

    client_id: str
    tenant: TenantId
    principal: PrincipalId
    kind: RegistrationKind
    name: str
    redirect_uris: tuple[str, ...]
    application_type: ApplicationType
    auth_method: AuthMethod
    jwks: str | None = None
    """Canonical JSON of a JWK Set (RFC 7517 §5) with public keys alone."""
    jwks_uri: str | None = None
    certificate: tuple[str, str] | None = None
    """For `tls_client_auth`: which name of the certificate, and its value, as in (`san_dns`, `a.example`)."""
    grant_types: frozenset[str] = GRANTS
    scope: str = ""
    require_par: bool = False
    signed_requests: bool = False
    """Whether it asks by request objects alone (RFC 9101 §10.5)."""
    dpop_bound: bool = True
    certificate_bound: bool = False
    """Whether its tokens are bound to its certificate (RFC 8705 §3.4)."""
    id_token_alg: Algorithm = Algorithm.ES256
    """What its ID tokens and logout tokens are signed with (`id_token_signed_response_alg`)."""
    post_logout_redirect_uris: tuple[str, ...] = ()
    backchannel_logout_uri: str | None = None
    delivery: Delivery = Delivery.POLL
    notification_endpoint: str | None = None
    """Where it is told that it may fetch (`backchannel_client_notification_endpoint`)."""
    limits: SessionLimits = LIMITS
    requires: frozenset[str] = frozenset()
    """What a sign-in must be before it counts here (`oidc.conditions.Condition`), at each refresh too."""
    digest: Digest
    access_digest: Digest | None = None
    """SHA-256 of the registration access token (RFC 7592); the token itself is kept nowhere."""
    fresh_until: datetime | None = None
    """Until when a metadata document need not be fetched again."""
    created_at: datetime
    changed_at: datetime
    revoked_at: datetime | None = None

    @property
    def public(self) -> bool:
        """Whether it proves itself by nothing: then PKCE and DPoP carry the weight (OAuth 2.1 §2.1)."""
        return self.auth_method is AuthMethod.NONE

    @property
    def native(self) -> bool:
        """Whether it runs on a person's machine: a loopback redirect may name any port (RFC 8252 §7.3)."""
        return self.application_type is ApplicationType.NATIVE

    def is_as(self, shown: Digest) -> bool:
        """Whether a client that describes itself is what it was when a person said yes to it (standards §6).

        One that an administrator registered is vouched for: its keys may be exchanged under open sessions.
        """
        vouched = self.kind is RegistrationKind.PRE_REGISTERED
        return vouched or not shown or shown == self.digest

    @property
    def live(self) -> bool:
        """Whether it was not revoked; whether its principal lives is another question."""
        return self.revoked_at is None


def digest_of(
    *,
    name: str,
    redirect_uris: tuple[str, ...],
    auth_method: AuthMethod,
    jwks: str | None,
    jwks_uri: str | None,
    certificate: tuple[str, str] | None = None,
    notified: str | None = None,
) -> Digest:
    """Digest what a person was shown, or relied on without seeing it: another digest, another consent."""
    shown: JsonObject = {
        "name": name,
        "redirect_uris": [*sorted(redirect_uris)],
        "auth_method": str(auth_method),
        "jwks": jwks,
        "jwks_uri": jwks_uri,
        "certificate": None if certificate is None else [*certificate],
        **({} if notified is None else {"notified": notified}),
    }
    return sha256(canonical_json(shown))
