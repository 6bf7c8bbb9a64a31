"""Further people of a run: each by a consent of their own, never on somebody else's word (R36).

A run for several people does only what every one of them has let its agent do, so that what comes of it
tells none of them more than they may see. Pure but for the open transaction.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from remit.authority.attenuation import meet_all
from remit.authority.consent import Grant, GrantState
from remit.authority.errors import MalformedTask, NoConsent
from remit.authority.repository import AuthorityTransaction
from remit.authority.rights import ANY_PURPOSE
from remit.authority.shares import Beside
from remit.authority.tasks import Companion, Task
from remit.identity.principals import Kind
from remit.kernel.ids import AgentId, GrantId, PrincipalId, UserId

COMPANIONS_CEILING: Final = 7
"""The most people that a run is for besides the one who starts it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invited:
    """A further person that a run is to be for; without `grant` it stands on their newest consent.

    `called` is what whoever starts it calls them: an answer says that, and nothing of who bears the name.
    """

    user: UserId
    grant: GrantId | None = None
    called: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Companionship:
    """A further person whose own consent was found."""

    name: str
    consent: Grant

    @property
    def companion(self) -> Companion:
        """As the task names them."""
        return Companion(user=self.consent.user, grant=self.consent.id)

    @property
    def beside(self) -> Beside:
        """As a factor of effective right."""
        return Beside(name=self.name, consent=self.consent)


def check_company(invited: Sequence[Invited], user: UserId | None) -> None:
    """Refuse a company that is none: without a person at its head, of nobody new, or beyond the limit."""
    people = [each.user for each in invited]
    if len(people) > COMPANIONS_CEILING:
        raise MalformedTask(f"`with` names {len(people)} people, the limit is {COMPANIONS_CEILING}")
    if people and user is None:
        raise MalformedTask("`with` names people, but no person starts the task")
    if len({*people, user}) <= len(people):
        raise MalformedTask("`with` names somebody twice, or the person who starts the task")


def find_company(
    tx: AuthorityTransaction, invited: Sequence[Invited], *, agent: AgentId, purpose: str
) -> tuple[Companionship, ...]:
    """The consent of each further person to this agent, for this purpose. Raises `NoConsent`.

    Whoever is unknown and whoever has not consented look the same.
    """
    return tuple(_one(tx, each, agent, purpose) for each in invited)


def narrowed(task: Task, company: Sequence[Companionship]) -> Task:
    """The task within what every further person allows; its ticket and tokens promise no more than that."""
    if not company:
        return task
    ceiling = meet_all(task.ceiling, *(each.consent.ceiling for each in company))
    return replace(task, ceiling=ceiling, deadline=min(task.deadline, ceiling.window.end))


def consents_beside(tx: AuthorityTransaction, task: Task, agent: AgentId) -> tuple[Grant | None, ...]:
    """What each further person has let another agent do, in the task's order: a brokered worker needs it."""
    return tuple(tx.grants.standing(each.user, agent) for each in task.companions)


def _one(tx: AuthorityTransaction, wanted: Invited, agent: AgentId, purpose: str) -> Companionship:
    person = tx.principals.get(PrincipalId(wanted.user))
    consent = tx.grants.get(wanted.grant) if wanted.grant else tx.grants.standing(wanted.user, agent)
    known = person is not None and person.kind is Kind.HUMAN
    if person is None or not known or consent is None or not _fits(consent, wanted, agent, purpose):
        raise NoConsent(
            f"`{(wanted.called or wanted.user)[:64]}` has not let the agent act for them, for purpose "
            f"`{purpose[:64]}`",
            next_step="let them consent: remit delegation give",
        )
    return Companionship(name=person.name, consent=consent)


def _fits(consent: Grant, wanted: Invited, agent: AgentId, purpose: str) -> bool:
    theirs = (consent.user, consent.agent) == (wanted.user, agent)
    return theirs and consent.state is GrantState.GIVEN and consent.ceiling.purpose in {purpose, ANY_PURPOSE}
