"""Providers and connections as the API shows them: what they are, never what they hold."""

from datetime import datetime
from typing import Annotated, Self

import msgspec

from remit.authority.vault.connection import Connection, ConnectionState
from remit.authority.vault.provider import ClientAuth, Provider, ProviderKind
from remit.authority.vault.provider_service import NewProvider
from remit.identity.tools import Server
from remit.surface.web.schemas.tools import Url
from remit.surface.web.schemas.words import Ident, Name

ScopeName = Annotated[str, msgspec.Meta(max_length=128, pattern=r"^[!#-\[\]-~]+$")]
Scopes = Annotated[list[ScopeName], msgspec.Meta(max_length=64)]
SecretText = Annotated[str, msgspec.Meta(min_length=1, max_length=4096, pattern=r"^[ -~]+$")]
HeaderName = Annotated[str, msgspec.Meta(max_length=64, pattern=r"^[A-Za-z][A-Za-z0-9-]*$")]
SchemeName = Annotated[str, msgspec.Meta(max_length=32, pattern=r"^([A-Za-z][A-Za-z0-9-]*)?$")]
ClientId = Annotated[str, msgspec.Meta(max_length=512, pattern=r"^[!-~]*$")]
Days = Annotated[int, msgspec.Meta(ge=1, le=365)]


class ProviderBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A provider to register; endpoints that are left out come from its metadata (RFC 8414)."""

    name: Name
    kind: ProviderKind = ProviderKind.OAUTH
    issuer: Url = ""
    client_id: ClientId = ""
    auth: ClientAuth = ClientAuth.NONE
    client_secret: SecretText | None = None
    authorization_endpoint: Url = ""
    token_endpoint: Url = ""
    revocation_endpoint: Url = ""
    header: HeaderName = "Authorization"
    scheme: SchemeName = "Bearer"

    def stated(self) -> NewProvider:
        """As the domain says it."""
        return NewProvider(
            name=self.name,
            kind=self.kind,
            issuer=self.issuer,
            client_id=self.client_id,
            auth=self.auth,
            authorization_endpoint=self.authorization_endpoint,
            token_endpoint=self.token_endpoint,
            revocation_endpoint=self.revocation_endpoint,
            header=self.header,
            scheme=self.scheme,
        )


class ProviderView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A provider; `redirect_uri` is what to register there, our secret is never shown."""

    id: str
    name: str
    kind: ProviderKind
    issuer: str = ""
    client_id: str = ""
    auth: ClientAuth = ClientAuth.NONE
    authorization_endpoint: str = ""
    token_endpoint: str = ""
    revocation_endpoint: str = ""
    redirect_uri: str = ""
    header: str
    scheme: str = ""

    @classmethod
    def of(cls, provider: Provider, *, redirect_uri: str) -> Self:
        """From the domain."""
        oauth = provider.kind is ProviderKind.OAUTH
        return cls(
            id=provider.id,
            name=provider.name,
            kind=provider.kind,
            issuer=provider.issuer,
            client_id=provider.client_id,
            auth=provider.auth,
            authorization_endpoint=provider.authorization_endpoint,
            token_endpoint=provider.token_endpoint,
            revocation_endpoint=provider.revocation_endpoint,
            redirect_uri=redirect_uri if oauth else "",
            header=provider.header,
            scheme=provider.scheme,
        )


class RequirementBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which server's calls carry a credential, with exactly which scopes."""

    server: Ident
    scopes: Scopes = []


class RequirementView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a server's calls carry; no provider means no credential."""

    server: str
    provider: str = ""
    scopes: list[str] = []

    @classmethod
    def of(cls, server: Server) -> Self:
        """From the domain."""
        need = server.credential
        return cls(
            server=server.name,
            provider="" if need is None else need.provider,
            scopes=[] if need is None else list(need.scopes),
        )


class KeyBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A static key to seal, or to rotate where one is there. `user` is left out for an agent's own."""

    provider: Ident
    agent: Ident
    user: Ident | None = None
    scopes: Scopes = []
    secret: SecretText
    days: Days = 90


class ConnectionView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A connection; ids with their names beside them."""

    id: str
    provider: str
    agent: str
    agent_name: str = ""
    user: str = ""
    user_name: str = ""
    scopes: list[str] = []
    state: ConnectionState
    version: int
    refreshable: bool = False
    expires_at: datetime | None = None
    created_at: datetime
    changed_at: datetime
    because: str = ""

    @classmethod
    def of(cls, connection: Connection, *, provider: str, agent: str, user: str) -> Self:
        """From the domain, with the names of today."""
        place = connection.place
        return cls(
            id=connection.id,
            provider=provider,
            agent=place.agent,
            agent_name=agent,
            user=place.user or "",
            user_name=user,
            scopes=list(place.scopes),
            state=connection.state,
            version=connection.version,
            refreshable=connection.refreshable,
            expires_at=connection.expires_at,
            created_at=connection.created_at,
            changed_at=connection.changed_at,
            because=connection.because,
        )
