"""What federation needs of storage, inside one open transaction of one tenant; all synchronous."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from remit.identity.federation.trust import (
    IssuerId,
    KeySet,
    RuleId,
    TrustedIssuer,
    TrustRule,
    Workload,
)
from remit.identity.repository import IdentityTransaction
from remit.kernel.ids import AgentId, PrincipalId


class Issuers(Protocol):
    """Issuers that are, or were, trusted."""

    def add(self, issuer: TrustedIssuer) -> bool:
        """Store a new one; False if one that counts has its name or its address."""

    def get(self, ident: IssuerId) -> TrustedIssuer | None:
        """One issuer, trusted or not."""

    def trusted(self, issuer: str) -> TrustedIssuer | None:
        """The one whose `iss` is exactly this, if it counts."""

    def all(self) -> Sequence[TrustedIssuer]:
        """Every one, by id."""

    def withdraw(self, issuer: TrustedIssuer) -> bool:
        """Store that it counts no more; False if it did not. One conditional update."""


class IssuerKeys(Protocol):
    """Keys of issuers, as last seen by any node."""

    def get(self, issuer: IssuerId) -> KeySet | None:
        """The last good set."""

    def put(self, keys: KeySet) -> bool:
        """Store a set; False if the one that is there has a higher sequence. One conditional update."""

    def claim(self, issuer: IssuerId, *, at: datetime, unless_after: datetime) -> bool:
        """Take the right to ask the issuer now; False if somebody asked after that moment."""


class TrustRules(Protocol):
    """Rules over workloads."""

    def add(self, rule: TrustRule) -> None:
        """Store a new one."""

    def get(self, ident: RuleId) -> TrustRule | None:
        """One rule, in force or not."""

    def of_issuer(self, issuer: IssuerId) -> Sequence[TrustRule]:
        """Those in force over an issuer, by id."""

    def of_agent(self, agent: AgentId) -> Sequence[TrustRule]:
        """Those in force that make workloads this agent, by id."""

    def withdraw(self, rule: TrustRule) -> bool:
        """Store that it is not in force; False if it was not. One conditional update."""


class Workloads(Protocol):
    """Workloads that have proven themselves, each as one instance."""

    def add(self, workload: Workload) -> None:
        """Store a new one."""

    def of_subject(self, issuer: IssuerId, subject: str, at: datetime) -> Sequence[Workload]:
        """All of one workload whose time has not run out, stopped ones included."""

    def of_rule(self, rule: RuleId, at: datetime) -> Sequence[Workload]:
        """All that stand on a rule and whose time has not run out."""

    def prolong(self, instance: PrincipalId, ends_at: datetime) -> None:
        """Let one go on for longer; a moment before its present end changes nothing."""

    def end(self, instance: PrincipalId, at: datetime) -> None:
        """Note that one has ended."""

    def due(self, at: datetime, limit: int) -> Sequence[Workload]:
        """Those whose time has run out and that are not noted as ended."""


class FederationTransaction(IdentityTransaction, Protocol):
    """The transaction that federation works in; it reaches into the directory."""

    @property
    def issuers(self) -> Issuers:
        """Trusted issuers."""

    @property
    def issuer_keys(self) -> IssuerKeys:
        """Their keys."""

    @property
    def trust_rules(self) -> TrustRules:
        """Rules over their workloads."""

    @property
    def workloads(self) -> Workloads:
        """Workloads that have proven themselves."""
