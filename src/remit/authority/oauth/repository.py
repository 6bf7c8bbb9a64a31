"""What the authorization server needs of the directory, of storage and of higher wings."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from remit.authority.alive import Graveyard, TaskLife, Tombstone
from remit.authority.consent import GrantState
from remit.authority.delegations import RecordedEnvelope
from remit.authority.domains.repository import Domains
from remit.authority.lineage import line_of
from remit.authority.oauth.asking.backchannel import Backchannels
from remit.authority.oauth.asking.backchannel_notices import Notices
from remit.authority.oauth.asking.codes import AuthorizationCode
from remit.authority.oauth.asking.device import Devices
from remit.authority.oauth.asking.families import Family, FamilyId, RefreshToken
from remit.authority.oauth.asking.pending import Pending, PendingState
from remit.authority.oauth.clients.invitations import Invitations
from remit.authority.oauth.clients.registration import ClientRegistration, RegistrationKind
from remit.authority.oauth.tokens.access import AccessToken
from remit.authority.oauth.tokens.status_list import Statuses
from remit.authority.oidc.logout import LogoutNotice
from remit.authority.oidc.sign_on import SignOn, SignOnId
from remit.authority.repository import AuthorityTransaction
from remit.authority.tasks import Task
from remit.authority.verify import VerifiedEnvelope
from remit.identity.credentials import Credential
from remit.identity.federation.repository import FederationTransaction
from remit.identity.lifecycle import State
from remit.identity.principals import Principal
from remit.identity.repository import Servers
from remit.identity.tools import Server
from remit.identity.upstream.repository import LinkedIdentities
from remit.kernel.canonical import Digest, JsonObject
from remit.kernel.ids import GrantId, PrincipalId, TaskId, UserId
from remit.kernel.jose.keys import KeyClass, KeyLookup, Signer


class Standing(Graveyard, Protocol):
    """What must be known to say whether a token lives: a snapshot in memory, or an open transaction.

    A key that was revoked has a tombstone by its id, as everything has that was stopped.
    """

    def principal(self, ident: PrincipalId) -> Principal | None:
        """Anybody or anything of the directory, by id."""

    def line(self, ident: PrincipalId) -> frozenset[PrincipalId]:
        """A principal with all whose end is its end (`authority.lineage.line_of`)."""

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

    def registration(self, client_id: str) -> ClientRegistration | None:
        """What a client was registered for."""

    def registrations_of(self, principal: PrincipalId) -> Sequence[ClientRegistration]:
        """The clients that are this instance or application."""


class Views(Protocol):
    """Gives what this node holds in memory: it may lag by a moment, and says at which epoch it stands.

    What it knows, it knows whole; what it does not know may have come since.
    """

    def current(self) -> View:
        """The newest one; never waits."""


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

    def crowd(self, kind: RegistrationKind) -> int:
        """How many of a kind were not revoked."""

    def list(
        self, *, kind: RegistrationKind | None = None, after: str = "", limit: int = 100
    ) -> Sequence[ClientRegistration]:
        """Clients by their principals, revoked ones included; `after` is the last principal seen."""


class Pendings(Protocol):
    """Requests that wait for a person."""

    def add(self, pending: Pending) -> None:
        """Store a new one."""

    def get(self, ident: Digest) -> Pending | None:
        """One request, whatever its state."""

    def move(self, changed: Pending, *, was: PendingState) -> bool:
        """Store the next step; False if it is no longer where it was. One conditional update."""

    def crowded(self, client: str, *, share: int, limit: int) -> bool:
        """Whether as many as `share` are kept of this client, or `limit` of all."""

    def forget(self, before: datetime, limit: int) -> int:
        """Drop what ran out before that moment; how many."""


class Codes(Protocol):
    """Authorization codes."""

    def add(self, code: AuthorizationCode) -> None:
        """Store a new one."""

    def get(self, ident: Digest) -> AuthorizationCode | None:
        """One code, spent or not."""

    def spend(self, code: AuthorizationCode, at: datetime) -> bool:
        """Use it up; True for exactly one of all callers. One conditional update."""

    def forget(self, before: datetime, limit: int) -> int:
        """Drop those that ran out before that moment; how many."""


class Families(Protocol):
    """What came of codes, and the refresh tokens that renew it."""

    def add(self, family: Family) -> None:
        """Store a new one."""

    def get(self, ident: FamilyId) -> Family | None:
        """One family, live or not."""

    def move(self, changed: Family, *, was: int) -> bool:
        """Store a use; False if it ended, or was used meanwhile. One conditional update."""

    def end(self, family: Family, *, cause: str) -> bool:
        """End a live one; False if it had ended. One conditional update."""

    def live_of(self, user: UserId, client_id: str, at: datetime) -> Sequence[Family]:
        """Live families of a person with a client, oldest first."""

    def of_user(self, user: UserId) -> Sequence[Family]:
        """Every family of a person that is still kept, live or not."""

    def add_token(self, token: RefreshToken) -> None:
        """Store a refresh token that is being given."""

    def token(self, ident: Digest) -> RefreshToken | None:
        """One refresh token, used or not."""

    def use(self, used: RefreshToken, at: datetime) -> bool:
        """Use it up; True for exactly one of all callers. One conditional update."""

    def forget(self, before: datetime, limit: int) -> int:
        """Drop families that ended before that moment, with their tokens; how many."""


class SignOns(Protocol):
    """Yeses of people to applications."""

    def add(self, sign_on: SignOn) -> None:
        """Store a new one."""

    def get(self, ident: SignOnId) -> SignOn | None:
        """One, whether it stands or not."""

    def of(self, user: UserId) -> Sequence[SignOn]:
        """All of a person, newest first."""

    def standing(self, user: UserId, client_id: str) -> Sequence[SignOn]:
        """Those of a person to a client that were not taken back."""

    def withdraw(self, sign_on: SignOn, at: datetime) -> bool:
        """Take one back; False if it was. One conditional update."""


class Logouts(Protocol):
    """Clients to be told that a session has ended."""

    def add(self, notice: LogoutNotice) -> None:
        """Store a new one, unless that client was told of that end, or is about to be."""

    def due(self, at: datetime, limit: int) -> Sequence[LogoutNotice]:
        """Open ones whose time has come, oldest first."""

    def save(self, notice: LogoutNotice, *, was: int) -> bool:
        """Store what became of a try; False if another node has tried meanwhile. One conditional update."""

    def forget(self, before: datetime, limit: int) -> int:
        """Drop what was settled before that moment; how many."""


class OAuthTransaction(AuthorityTransaction, FederationTransaction, Protocol):
    """What a unit of work of the authorization server may touch."""

    @property
    def pendings(self) -> Pendings:
        """Requests that wait for a person."""

    @property
    def codes(self) -> Codes:
        """Authorization codes."""

    @property
    def devices(self) -> Devices:
        """Requests of devices without a browser."""

    @property
    def backchannels(self) -> Backchannels:
        """Requests to people behind the scenes."""

    @property
    def notices(self) -> Notices:
        """Clients to be told that they may fetch."""

    @property
    def sign_ons(self) -> SignOns:
        """Yeses to applications."""

    @property
    def logouts(self) -> Logouts:
        """Notices of logout."""

    @property
    def families(self) -> Families:
        """What came of codes."""

    @property
    def registrations(self) -> Registrations:
        """Clients."""

    @property
    def invitations(self) -> Invitations:
        """Initial access tokens."""

    @property
    def statuses(self) -> Statuses:
        """Places in status lists."""

    @property
    def linked_identities(self) -> LinkedIdentities:
        """Who at a provider is whom here."""

    @property
    def domains(self) -> Domains:
        """Trust across domains."""

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

    def line(self, ident: PrincipalId) -> frozenset[PrincipalId]:
        """A principal with all whose end is its end, as they stand now."""
        return line_of(ident, self.principal)

    def credentials_of(self, principal: PrincipalId) -> Sequence[Credential]:
        """The registered keys of a principal, revoked ones included."""
        return self._tx.credentials.of(principal)

    def server_named(self, name: str) -> Server | None:
        """An MCP server behind the gateway, by name."""
        return self._tx.servers.named(name)

    def registration(self, client_id: str) -> ClientRegistration | None:
        """A client by its id, revoked or not."""
        return self._tx.registrations.get(client_id)

    def registrations_of(self, principal: PrincipalId) -> Sequence[ClientRegistration]:
        """The clients that are this instance or application."""
        return self._tx.registrations.of(principal)

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

    async def prepare(self, key_class: KeyClass, *, at: datetime) -> None:
        """See that there is a key of a class to sign with: some are made when the first client needs one."""

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
