"""What upstream providers need of storage, inside one open transaction of one tenant; all synchronous."""

from collections.abc import Sequence
from typing import Protocol

from remit.identity.federation.repository import IssuerKeys
from remit.identity.repository import IdentityTransaction
from remit.identity.upstream.linked import LinkedIdentity, LinkId, UpstreamSession
from remit.identity.upstream.provider import IdentityProvider, IdpId
from remit.kernel.ids import PrincipalId, SessionId


class IdentityProviders(Protocol):
    """Providers that are, or were, connected."""

    def add(self, provider: IdentityProvider, sealed: bytes | None) -> bool:
        """Store a new one with our sealed secret there; False if one not retired has its name or issuer."""

    def put(self, provider: IdentityProvider, *, was: IdentityProvider) -> bool:
        """Store a change if it is still exactly `was`; False if somebody was faster."""

    def get(self, ident: IdpId) -> IdentityProvider | None:
        """One provider, whatever its standing."""

    def named(self, name: str) -> IdentityProvider | None:
        """The one of that name that is not retired."""

    def all(self) -> Sequence[IdentityProvider]:
        """Every one that is not retired, by name."""

    def sealed(self, ident: IdpId) -> bytes | None:
        """Our secret at it, sealed; None if there is none."""


class LinkedIdentities(Protocol):
    """Who is who."""

    def add(self, link: LinkedIdentity) -> bool:
        """Store a new one; False if its issuer and subject were ever linked: the unique index says so."""

    def put(self, link: LinkedIdentity, *, was: LinkedIdentity) -> bool:
        """Store a change if it is still exactly `was`; False if somebody was faster."""

    def get(self, ident: LinkId) -> LinkedIdentity | None:
        """One link, whatever its state."""

    def of_subject(self, issuer: str, subject: str) -> LinkedIdentity | None:
        """The link of somebody at an issuer, whatever its state."""

    def of(self, human: PrincipalId) -> Sequence[LinkedIdentity]:
        """All links of a person, oldest first."""


class UpstreamSessions(Protocol):
    """Which sessions stand on a provider's."""

    def add(self, standing: UpstreamSession, hint: bytes | None) -> None:
        """Store a new one, with the sealed hint for signing out there."""

    def get(self, session: SessionId) -> UpstreamSession | None:
        """What a session stands on."""

    def hint(self, session: SessionId) -> bytes | None:
        """The sealed hint of a session."""

    def named(self, provider: IdpId, sid: str) -> Sequence[UpstreamSession]:
        """Those of one session at a provider."""

    def of_provider(self, provider: IdpId, *, after: str, limit: int) -> Sequence[UpstreamSession]:
        """Those of a provider, by session id."""


class UpstreamTransaction(IdentityTransaction, Protocol):
    """The transaction that arrivals are judged in."""

    @property
    def identity_providers(self) -> IdentityProviders:
        """Providers that people come from."""

    @property
    def linked_identities(self) -> LinkedIdentities:
        """Who at a provider is whom here."""

    @property
    def upstream_sessions(self) -> UpstreamSessions:
        """Which sessions stand on a provider's."""

    @property
    def issuer_keys(self) -> IssuerKeys:
        """Keys of providers, as last seen by any node."""
