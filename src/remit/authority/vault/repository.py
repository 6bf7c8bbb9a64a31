"""What the vault needs from storage, inside one open transaction of one tenant; all synchronous."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from remit.authority.repository import AuthorityTransaction
from remit.authority.vault.connection import Connection, ConnectionId, Place
from remit.authority.vault.flow import Flow
from remit.authority.vault.provider import Provider, ProviderId
from remit.authority.vault.revocation import Revocation
from remit.kernel.canonical import Digest
from remit.kernel.ids import PrincipalId, UserId


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """A connection and its credential, which only its own place opens; None once it has ended."""

    connection: Connection
    sealed: bytes | None


class Vault(Protocol):
    """Providers, connections, flows, and what waits to be revoked."""

    def add_provider(self, provider: Provider, secret: bytes | None) -> bool:
        """Store a new one with our sealed secret there; False if a living one has the name."""

    def save_provider(self, provider: Provider) -> None:
        """Store a change; its secret stays."""

    def provider(self, ident: ProviderId) -> Provider | None:
        """One provider, retired or not."""

    def provider_named(self, name: str) -> Provider | None:
        """The provider of that name that is not retired."""

    def providers(self) -> Sequence[Provider]:
        """All that are not retired, by name."""

    def provider_secret(self, ident: ProviderId) -> bytes | None:
        """Our sealed secret at a provider."""

    def add(self, connection: Connection, sealed: bytes) -> bool:
        """Store a new connection; False if its place has one that has not ended."""

    def get(self, ident: ConnectionId) -> Sealed | None:
        """One connection, whatever its state."""

    def at(self, place: Place) -> Sealed | None:
        """The connection of a place that has not ended: never another one."""

    def renew(self, connection: Connection, sealed: bytes, *, was: int) -> bool:
        """Store another credential if the version is still `was` and it has not ended."""

    def save(self, connection: Connection, *, was: int) -> bool:
        """Store a change of state if the version is still `was` and it has not ended; its end drops what was
        sealed.
        """

    def lease(self, ident: ConnectionId, *, version: int, until: datetime, at: datetime) -> bool:
        """Take the right to renew this version: one of all callers on all nodes gets it (single flight)."""

    def release(self, ident: ConnectionId, *, version: int, until: datetime) -> None:
        """Give it back at that moment: nobody tries before."""

    def of(
        self,
        *,
        user: UserId | None = None,
        agents: Sequence[PrincipalId] = (),
        provider: ProviderId | None = None,
        after: str = "",
        limit: int = 100,
    ) -> Sequence[Connection]:
        """Connections that have not ended, by id; of everybody unless one is named."""

    def add_flow(self, flow: Flow, verifier: bytes, *, open_at_once: int, at: datetime) -> bool:
        """Store a flow; False if its person has that many open ones."""

    def spend_flow(self, state: Digest) -> tuple[Flow, bytes] | None:
        """Take a flow away; None if it is not there: one of all callers gets it."""

    def forget_flows(self, before: datetime) -> int:
        """Drop flows that ran out."""

    def add_revocation(self, revocation: Revocation, sealed: bytes) -> None:
        """Put a credential on the list of what the provider must end."""

    def save_revocation(self, revocation: Revocation, *, was: int) -> bool:
        """Store how it went if the count of tries is still `was`; a finished one drops what was sealed."""

    def revocations(self, *, due: datetime, limit: int) -> Sequence[tuple[Revocation, bytes]]:
        """Open ones that are due, oldest first."""

    def open_revocations(self, *, limit: int) -> Sequence[Revocation]:
        """Those that are not finished, the next due first."""

    def has_due_revocation(self, at: datetime) -> bool:
        """Whether one is due."""


class VaultTransaction(AuthorityTransaction, Protocol):
    """The transaction that the vault works in."""

    @property
    def vault(self) -> Vault:
        """Credentials of other services."""
