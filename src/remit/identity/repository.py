"""What the directory needs from storage, inside one open transaction of one tenant; all synchronous."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from remit.identity.credentials import Credential
from remit.identity.enrolment import Enrolment
from remit.identity.lifecycle import State
from remit.identity.passkeys import Passkey
from remit.identity.principals import Environment, Kind, Principal
from remit.identity.sessions import Session
from remit.identity.tools import Server, Tool
from remit.kernel.canonical import Digest
from remit.kernel.ids import (
    AgentId,
    KeyId,
    PasskeyId,
    PrincipalId,
    ServerId,
    SessionId,
    TaskId,
    TokenId,
    ToolId,
)
from remit.kernel.uow import Transaction
from remit.ledger.repository import Recorder


class Principals(Protocol):
    """Entries of the directory."""

    def add(self, principal: Principal) -> bool:
        """Store a new one; False if a living one of its kind has the name, or its id was ever used."""

    def save(self, principal: Principal, *, was: State) -> bool:
        """Store a change if the state is still `was`; False if somebody was faster."""

    def get(self, ident: PrincipalId) -> Principal | None:
        """One entry, whatever its state."""

    def count(self, kind: Kind, state: State) -> int:
        """How many entries of a kind are in a state."""

    def named(self, kind: Kind, name: str) -> Principal | None:
        """The entry of that kind and name that is not retired."""

    def page(
        self,
        *,
        kind: Kind | None = None,
        state: State | None = None,
        owner: PrincipalId | None = None,
        environment: Environment | None = None,
        after: str = "",
        limit: int = 100,
    ) -> Sequence[Principal]:
        """Entries by id, filtered; `after` is the last id seen."""

    def children(self, parent: PrincipalId) -> Sequence[Principal]:
        """Instances of an agent, tools of a server: those not retired."""

    def made_from(self, blueprint: PrincipalId) -> Sequence[Principal]:
        """Agents and instances of a blueprint that are not retired."""

    def owned_by(self, owner: PrincipalId) -> Sequence[Principal]:
        """Everything that a principal owns and that is not retired."""

    def bound_to(self, task: TaskId) -> Sequence[Principal]:
        """Instances that were made for a task alone and are not retired."""


class Credentials(Protocol):
    """Public keys of principals."""

    def add(self, credential: Credential) -> bool:
        """Store a new key; False if its thumbprint was ever registered (R7)."""

    def get(self, ident: KeyId) -> Credential | None:
        """One key by its id (the `kid` of what it signs)."""

    def by_thumbprint(self, thumbprint: str) -> Credential | None:
        """One key by its RFC 7638 thumbprint, whatever its state."""

    def of(self, principal: PrincipalId) -> Sequence[Credential]:
        """All keys of a principal, newest first."""

    def revoke(self, ident: KeyId) -> bool:
        """Revoke a key; False if it is not active."""

    def prolong(self, ident: KeyId, not_after: datetime) -> bool:
        """Let an active key that has an end count until a later one; False if nothing changed."""

    def lasting(self) -> Sequence[PrincipalId]:
        """The agents of which a living instance has an active key without an end, by id."""


class Servers(Protocol):
    """MCP servers behind the gateway."""

    def put(self, server: Server) -> None:
        """Store or replace."""

    def get(self, ident: ServerId) -> Server | None:
        """One server."""

    def named(self, name: str) -> Server | None:
        """One server by the name in its path."""

    def all(self) -> Sequence[Server]:
        """All servers, by name."""


class Tools(Protocol):
    """Pinned tools."""

    def put(self, tool: Tool) -> None:
        """Store or replace."""

    def get(self, ident: ToolId) -> Tool | None:
        """One tool."""

    def named(self, server: ServerId, name: str) -> Tool | None:
        """One tool of a server by its name."""

    def of(self, server: ServerId) -> Sequence[Tool]:
        """All tools of a server, by name."""


class Burials(Protocol):
    """Where what is stopped for good is written down."""

    def bury(self, kind: str, ident: str, *, cause: str, epoch: int, at: datetime) -> None:
        """Append a tombstone; a second one for the same id changes nothing."""

    def buried(self, ident: str) -> bool:
        """Whether there is one of this id, whatever its kind."""


class Tokens(Protocol):
    """Issued tokens, as far as an identity's end is theirs; higher wings issue them."""

    def revoke_of_principal(self, principal: PrincipalId, at: datetime) -> Sequence[TokenId]:
        """Revoke all that a principal holds, acts in or is acted for by; which."""


class Sessions(Protocol):
    """People who are signed in."""

    def add(self, session: Session) -> None:
        """Store a new one."""

    def put(self, session: Session, *, was: Digest) -> bool:
        """Store a change; False if it was ended, or its secret is no longer `was`."""

    def end(self, session: Session) -> bool:
        """Store that it ended; False if it had ended before: what ended never goes on."""

    def get(self, ident: SessionId) -> Session | None:
        """One session, ended or not."""

    def by_secret(self, digest: Digest) -> Session | None:
        """The session whose cookie has this digest, ended or not."""

    def of(self, human: PrincipalId) -> Sequence[Session]:
        """The sessions of a person that were not ended, newest first."""


class Passkeys(Protocol):
    """Passkeys of people."""

    def add(self, passkey: Passkey) -> bool:
        """Store a new one; False if its credential was ever registered."""

    def put(self, passkey: Passkey, *, was: Passkey) -> bool:
        """Store a change if it is still exactly `was`; False if somebody was faster."""

    def get(self, ident: PasskeyId) -> Passkey | None:
        """One passkey, whatever its state."""

    def by_credential(self, credential: str) -> Passkey | None:
        """The passkey of a credential id, whatever its state."""

    def of(self, human: PrincipalId) -> Sequence[Passkey]:
        """All passkeys of a person, oldest first."""


class Enrolments(Protocol):
    """Links by which people register a passkey."""

    def add(self, enrolment: Enrolment) -> None:
        """Store a new one."""

    def settle(self, enrolment: Enrolment) -> bool:
        """Store its end if it is still open; False if somebody was faster."""

    def by_secret(self, digest: Digest) -> Enrolment | None:
        """The link whose secret has this digest, whatever its state."""

    def open_of(self, human: PrincipalId) -> Sequence[Enrolment]:
        """The links of a person that are neither used nor withdrawn."""


class Challenges(Protocol):
    """Questions to authenticators that were answered."""

    def spend(self, digest: Digest, *, keep_until: datetime) -> bool:
        """Remember that it was answered; False if it was before."""


class FederatedProofs(Protocol):
    """Ways for an agent to prove itself without a key of its own; `identity.federation` owns them."""

    def of_agent(self, agent: AgentId) -> Sequence[object]:
        """Rules in force that make workloads this agent."""


class IdentityTransaction(Transaction, Protocol):
    """The transaction that the directory works in."""

    @property
    def principals(self) -> Principals:
        """The directory."""

    @property
    def credentials(self) -> Credentials:
        """Public keys."""

    @property
    def servers(self) -> Servers:
        """MCP servers."""

    @property
    def tools(self) -> Tools:
        """Tools."""

    @property
    def tokens(self) -> Tokens:
        """Issued tokens."""

    @property
    def sessions(self) -> Sessions:
        """People who are signed in."""

    @property
    def trust_rules(self) -> FederatedProofs:
        """Rules by which workloads of other issuers are agents."""

    @property
    def passkeys(self) -> Passkeys:
        """Passkeys of people."""

    @property
    def enrolments(self) -> Enrolments:
        """Links by which people register a passkey."""

    @property
    def challenges(self) -> Challenges:
        """Questions to authenticators that were answered."""

    @property
    def lineage(self) -> Burials:
        """Tombstones."""

    @property
    def ledger(self) -> Recorder:
        """The record."""
