"""Clients of the authorization server, as the API shows and takes them: the names are those of RFC 7591."""

from datetime import timedelta
from typing import Annotated, Any, Literal, Self

import msgspec

from remit.authority.oauth.clients.metadata import StatedClient, read_metadata
from remit.authority.oauth.clients.registration import (
    ApplicationType,
    AuthMethod,
    ClientRegistration,
    Delivery,
    RegistrationKind,
    SessionLimits,
)
from remit.authority.oauth.enrolling.registration_service import Covered
from remit.authority.oidc.conditions import Condition
from remit.identity.principals import Environment
from remit.surface.web.paging import PageQuery
from remit.surface.web.schemas.identity import Purpose
from remit.surface.web.schemas.words import Ident, Instant

Uri = Annotated[str, msgspec.Meta(min_length=1, max_length=2048)]
Uris = Annotated[list[Uri], msgspec.Meta(max_length=16)]
IdTokenAlg = Literal["ES256", "RS256"]
Said = Annotated[str, msgspec.Meta(max_length=1024)]


class ClientQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which clients."""

    kind: RegistrationKind | None = None


class ClientMetadata(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a client is, in its whole; what is left out is not so."""

    client_name: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    redirect_uris: Uris = []
    """Where people are sent back to; a client of devices, or one that asks behind the scenes, has none."""
    grant_types: Annotated[list[Said], msgspec.Meta(max_length=8)] = []
    """Absent: authorization code and refresh tokens; else by their names, as of RFC 8628 or CIBA."""
    application_type: ApplicationType | None = None
    token_endpoint_auth_method: AuthMethod | None = None
    jwks: dict[str, Any] | None = None
    """Public keys (RFC 7517 §5)."""
    tls_client_auth_subject_dn: Said | None = None
    tls_client_auth_san_dns: Said | None = None
    tls_client_auth_san_uri: Said | None = None
    tls_client_auth_san_ip: Said | None = None
    tls_client_auth_san_email: Said | None = None
    tls_client_certificate_bound_access_tokens: bool = False
    dpop_bound_access_tokens: bool = False
    require_pushed_authorization_requests: bool = False
    require_signed_request_object: bool = False
    scope: Said = ""
    id_token_signed_response_alg: IdTokenAlg = "ES256"  # noqa: S105 — the name of an algorithm
    """What its ID tokens and logout tokens are signed with."""
    post_logout_redirect_uris: Uris = []
    backchannel_logout_uri: Uri | None = None
    backchannel_token_delivery_mode: Delivery | None = None
    backchannel_client_notification_endpoint: Uri | None = None
    """Where it is told that a person has answered, in the modes `ping` and `push` (CIBA)."""

    def stated(self) -> StatedClient:
        """As the authority wing takes it: the same reading as for whoever registers itself."""
        members = msgspec.to_builtins(self)
        return read_metadata({name: value for name, value in members.items() if value is not None})


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long what a person gives may last, and how much of it there may be."""

    lifetime_seconds: Annotated[int, msgspec.Meta(ge=60, le=30 * 86_400)] = 7 * 86_400
    idle_seconds: Annotated[int, msgspec.Meta(ge=60, le=30 * 86_400)] = 12 * 3_600
    concurrency: Annotated[int, msgspec.Meta(ge=1, le=1_000)] = 10
    refresh_count: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 10_000

    def limits(self) -> SessionLimits:
        """As the authority wing takes them."""
        return SessionLimits(
            lifetime=timedelta(seconds=self.lifetime_seconds),
            idle=timedelta(seconds=self.idle_seconds),
            concurrency=self.concurrency,
            refresh_count=self.refresh_count,
        )

    @classmethod
    def of(cls, limits: SessionLimits) -> Self:
        """As they are on record."""
        return cls(
            lifetime_seconds=int(limits.lifetime.total_seconds()),
            idle_seconds=int(limits.idle.total_seconds()),
            concurrency=limits.concurrency,
            refresh_count=limits.refresh_count,
        )


class NewClient(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A client that an administrator registers: an instance of an agent, or an application of its own."""

    metadata: ClientMetadata
    agent: Ident | None = None
    """Name or id; absent for an application that only signs people in."""
    purpose: Purpose = ""
    environment: Environment | None = None
    bearer: bool = False
    """Whether it may have tokens bound to no key: shorter, and consequential actions are asked."""
    limits: Limits | None = None
    requires: list[Condition] = []
    """What a sign-in must be before it counts there."""


class NewTerms(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long sessions with a client last from now on, and what a sign-in must be.

    What is left out is as for a client of which nothing was said.
    """

    limits: Limits = Limits()
    requires: list[Condition] = []


class NewKeys(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The keys that a client has from now on."""

    jwks: dict[str, Any]


class NewInvitation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who may register itself: so many clients, as instances of this agent, until then."""

    agent: Ident
    uses: Annotated[int, msgspec.Meta(ge=1, le=100)] = 1
    lifetime_seconds: Annotated[int, msgspec.Meta(ge=60, le=30 * 86_400)] = 86_400


class InvitationView(msgspec.Struct, frozen=True, kw_only=True):
    """An initial access token (RFC 7591 §3); it is shown this once."""

    initial_access_token: str
    agent: str
    uses: int
    expires_at: Instant


class CoveredView(msgspec.Struct, frozen=True, kw_only=True):
    """One application of the directory; `ungoverned`: nobody signs in to it here."""

    id: str
    name: str
    owner: str
    client_id: str
    requires: list[str]
    state: str

    @classmethod
    def of(cls, covered: Covered) -> Self:
        """As it is on record."""
        client = covered.client
        return cls(
            id=covered.application.id,
            name=covered.application.name,
            owner=covered.application.owner or "",
            client_id="" if client is None else client.client_id,
            requires=[] if client is None else [*sorted(client.requires)],
            state="ungoverned" if client is None else "governed",
        )


class CoverageView(msgspec.Struct, frozen=True, kw_only=True):
    """Every application that is in use, and how many of them people sign in to here."""

    governed: int
    ungoverned: int
    items: list[CoveredView]


class ClientView(msgspec.Struct, frozen=True, kw_only=True):
    """One client; `digest` is what a person's consent is bound to."""

    client_id: str
    id: str
    """The instance of an agent, or the application, that it is."""
    kind: RegistrationKind
    name: str
    state: str
    redirect_uris: list[str]
    application_type: ApplicationType
    auth_method: AuthMethod
    grant_types: list[str]
    scope: str
    jwks_uri: str | None
    dpop_bound: bool
    certificate_bound: bool
    require_par: bool
    signed_requests: bool
    limits: Limits
    requires: list[str]
    id_token_alg: str
    post_logout_redirect_uris: list[str]
    backchannel_logout_uri: str | None
    delivery: str
    """How it learns of answers of people whom it asked: `poll`, `ping` or `push`."""
    notification_endpoint: str | None
    digest: str
    created_at: Instant
    changed_at: Instant
    revoked_at: Instant | None

    @classmethod
    def of(cls, client: ClientRegistration) -> Self:
        """As it is on record."""
        return cls(
            client_id=client.client_id,
            id=client.principal,
            kind=client.kind,
            name=client.name,
            state="active" if client.live else "revoked",
            redirect_uris=[*client.redirect_uris],
            application_type=client.application_type,
            auth_method=client.auth_method,
            grant_types=[*sorted(client.grant_types)],
            scope=client.scope,
            jwks_uri=client.jwks_uri,
            dpop_bound=client.dpop_bound,
            certificate_bound=client.certificate_bound,
            require_par=client.require_par,
            signed_requests=client.signed_requests,
            limits=Limits.of(client.limits),
            requires=[*sorted(client.requires)],
            id_token_alg=client.id_token_alg,
            post_logout_redirect_uris=[*client.post_logout_redirect_uris],
            backchannel_logout_uri=client.backchannel_logout_uri,
            delivery=client.delivery,
            notification_endpoint=client.notification_endpoint,
            digest=client.digest,
            created_at=client.created_at,
            changed_at=client.changed_at,
            revoked_at=client.revoked_at,
        )
