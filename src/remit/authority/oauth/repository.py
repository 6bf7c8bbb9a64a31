"""What the authorization server needs of the directory, of storage and of higher wings."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from remit.authority.alive import Graveyard, TaskLife, Tombstone
from remit.authority.consent import GrantState
from remit.authority.delegations import RecordedEnvelope
from remit.authority.oauth.access import AccessToken
from remit.authority.oauth.registration import ClientRegistration, RegistrationKind
from remit.authority.repository import AuthorityTransaction
from remit.authority.tasks import Task
from remit.authority.verify import VerifiedEnvelope
from remit.identity.credentials import Credential
from remit.identity.lifecycle import State
from remit.identity.principals import Principal
from remit.identity.repository import Servers
from remit.identity.tools import Server
from remit.kernel.canonical import JsonObject
from remit.kernel.ids import GrantId, PrincipalId, TaskId
from remit.kernel.jose.keys import KeyClass, KeyLookup, Signer


class Standing(Graveyard, Protocol):
    """What must be known to say whether a token lives: a snapshot in memory, or an open transaction.

    A key that was revoked has a tombstone by its id, as everything has that was stopped.
    """

    def principal(self, ident: PrincipalId) -> Principal | None:
        """Anybody or anything of the directory, by id."""

    def task(self, ident: TaskId) -> Task | None:
        """A task, running or not."""

    def epoch(self) -> int:
        """The epoch at which this view was taken."""


class View(Standing, Protocol):
    """What must be known to issue a token."""

    def credentials_of(self, principal: PrincipalId) -> Sequence[Credential]:
        """The registered keys of a principal, revoked ones included."""

    def server_named(self, name: str) -> Server | None:
        """An MCP server behind the gateway, by name."""


class Standings(Protocol):
    """Gives the newest snapshot in memory, and a newer one on demand."""

    def current(self) -> Standing:
        """What this node decides on now; never waits."""

    async def catch_up(self) -> None:
        """Return once `current` shows everything that was committed before this was called."""


class Registrations(Protocol):
    """Clients, however they became known."""

    def add(self, registration: ClientRegistration) -> bool:
        """Store a new one; False if its id was ever used."""

    def put(self, registration: ClientRegistration) -> bool:
        """Store a change; False if it is not there, or was revoked: nothing revives it."""

    def get(self, client_id: str) -> ClientRegistration | None:
        """One client by its id, revoked or not."""

    def of(self, principal: PrincipalId) -> Sequence[ClientRegistration]:
        """The clients that are this instance or application, by id."""

    def list(
        self, *, kind: RegistrationKind | None = None, after: str = "", limit: int = 100
    ) -> Sequence[ClientRegistration]:
        """Clients by id, revoked ones included; `after` is the last id seen."""


class OAuthTransaction(AuthorityTransaction, Protocol):
    """What a unit of work of the authorization server may touch."""

    @property
    def registrations(self) -> Registrations:
        """Clients."""

    @property
    def servers(self) -> Servers:
        """MCP servers."""


class TransactionView:
    """An open transaction, seen as a `View`: what is about to be issued is judged on the state it joins."""

    def __init__(self, tx: OAuthTransaction) -> None:
        self._tx = tx

    def principal(self, ident: PrincipalId) -> Principal | None:
        """Anybody or anything of the directory, by id."""
        return self._tx.principals.get(ident)

    def credentials_of(self, principal: PrincipalId) -> Sequence[Credential]:
        """The registered keys of a principal, revoked ones included."""
        return self._tx.credentials.of(principal)

    def server_named(self, name: str) -> Server | None:
        """An MCP server behind the gateway, by name."""
        return self._tx.servers.named(name)

    def task(self, ident: TaskId) -> Task | None:
        """A task, running or not."""
        return self._tx.tasks.get(ident)

    def epoch(self) -> int:
        """The epoch as this transaction sees it."""
        return self._tx.epoch()

    def tombstone(self, ident: str) -> Tombstone | None:
        """The first tombstone of this id."""
        return self._tx.lineage.tombstone(ident)

    def state_of(self, principal: PrincipalId) -> State | None:
        """Where in its life a principal is."""
        return self._tx.lineage.state_of(principal)

    def life_of(self, task: TaskId) -> TaskLife | None:
        """State and deadline of a task."""
        return self._tx.lineage.life_of(task)

    def standing_of(self, grant: GrantId) -> GrantState | None:
        """Whether a consent stands."""
        return self._tx.lineage.standing_of(grant)


class Delegations(Protocol):
    """Delegation envelopes within one transaction; `app` binds `authority.delegation_service`."""

    def verify(self, tx: "OAuthTransaction", text: str, *, at: datetime) -> VerifiedEnvelope:
        """Verify every part, or raise `EnvelopeRejected` or `EnvelopeTooLarge`."""

    def record(self, tx: "OAuthTransaction", verified: VerifiedEnvelope, *, at: datetime) -> RecordedEnvelope:
        """Put a verified envelope on record, once; raises if it may not go on (dead, unlisted, crossed)."""


class SigningKeys(KeyLookup, Protocol):
    """Our own keys; `kernel.jose.keyring.Keyring`, or whatever always gives the newest one."""

    def signer(self, key_class: KeyClass) -> Signer:
        """The key to sign with now."""

    def jwks(self, *, at: datetime) -> JsonObject:
        """Public halves, for `/jwks`."""


class IssuanceGate(Protocol):
    """A higher wing's veto over issuance; `app` binds it (budgets, risk and holds live above)."""

    def objection(self, token: AccessToken, at: datetime) -> str:
        """A stable reason code why this token must not be issued, or an empty string."""


class NoObjection:
    """The gate of an installation in which no higher wing has a say."""

    def objection(self, token: AccessToken, at: datetime) -> str:  # noqa: ARG002 — the Protocol's arguments
        """Never objects."""
        return ""
