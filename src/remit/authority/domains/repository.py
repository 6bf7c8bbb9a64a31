"""What trust across domains needs of storage, inside one open transaction of one tenant."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from remit.authority.domains.trust import (
    Direction,
    DomainId,
    DomainPerson,
    DomainRule,
    DomainRuleId,
    DomainRun,
    TrustedDomain,
)
from remit.kernel.ids import AgentId, TaskId, UserId


class Domains(Protocol):
    """The trust matrix."""

    def add(self, domain: TrustedDomain) -> bool:
        """Store a new one; False if one that counts has its name, or its issuer and direction."""

    def get(self, ident: DomainId) -> TrustedDomain | None:
        """One domain, trusted or not."""

    def trusted(self, issuer: str, direction: Direction) -> TrustedDomain | None:
        """The one of exactly this issuer, if it counts in that direction."""

    def all(self) -> Sequence[TrustedDomain]:
        """Every one, by id."""

    def withdraw(self, domain: TrustedDomain) -> bool:
        """Store that it counts no more; False if it did not. One conditional update."""

    def add_rule(self, rule: DomainRule) -> None:
        """Store a new rule."""

    def rule(self, ident: DomainRuleId) -> DomainRule | None:
        """One rule, in force or not."""

    def rules(self, domain: DomainId) -> Sequence[DomainRule]:
        """Those in force, by id."""

    def withdraw_rule(self, rule: DomainRule) -> bool:
        """Store that it is not in force; False if it was not. One conditional update."""

    def link(self, person: DomainPerson) -> bool:
        """Store who a subject is; False if it is linked already."""

    def unlink(self, person: DomainPerson) -> bool:
        """Forget it; False if it was not linked."""

    def person(self, domain: DomainId, theirs: str, subject: str) -> DomainPerson | None:
        """Who a subject is."""

    def people(self, domain: DomainId, limit: int) -> Sequence[DomainPerson]:
        """All that are linked, by subject."""

    def begin(self, run: DomainRun) -> bool:
        """Store a task's beginning; False if the grant began one already."""

    def run(self, ident: str) -> DomainRun | None:
        """What a grant began."""

    def last(self, rule: DomainRuleId, user: UserId, agent: AgentId) -> DomainRun | None:
        """The newest that began by that rule, for that person, with that agent."""

    def came_with(self, task: TaskId) -> DomainRun | None:
        """How a task came from another domain, if it did."""

    def open_runs(self, domain: DomainId, at: datetime) -> Sequence[DomainRun]:
        """Those whose tasks may still run."""

    def forget(self, before: datetime, limit: int) -> int:
        """Drop those that ended before that moment; how many."""
