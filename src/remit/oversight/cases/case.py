"""One case: a question of an agent, the person's own words in answer, and what those words are worth."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from remit.decision.provenance.labels import Label
from remit.kernel.ids import CaseId, PrincipalId, TaskId, TenantId, UserId
from remit.oversight.errors import CaseOver, CaseRefused


class CaseState(StrEnum):
    """Each is told as itself: silence is no answer, and none is made up for it."""

    OPEN = "open"
    ANSWERED = "answered"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    """The agent needs it no more, or its task is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseLimits:
    """What one agent may ask. `reach` are those it may turn to, the first of them if it names nobody."""

    reach: tuple[str, ...] = ("user", "owner")
    lifetime: timedelta = timedelta(hours=24)
    question: int = 2_000
    """Characters of a question."""
    answer: int = 8_000
    """Characters of an answer."""
    open_per_task: int = 3
    open_per_agent: int = 5
    per_task: int = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What an agent asked of whom, in which task. The texts lie sealed; this holds none of them.

    INVARIANT: an answer is words. It grants no right, lifts no question of a policy and is no approval; what
    the agent does with it is decided like everything else.
    """

    id: CaseId
    tenant: TenantId
    state: CaseState
    agent: PrincipalId
    agent_name: str
    instance: PrincipalId
    user: UserId | None
    user_name: str
    task: TaskId
    purpose: str
    to: str
    asked: tuple[PrincipalId, ...]
    question: str
    asked_at: datetime
    expires_at: datetime
    task_ends_at: datetime
    answer: str = ""
    answered_by: PrincipalId | None = None
    ended_at: datetime | None = None

    @property
    def provenance(self) -> Label | None:
        """What the words of the answer are worth: the user's own, or those of somebody who answers for it."""
        if self.answered_by is None:
            return None
        own = self.user is not None and self.answered_by == PrincipalId(self.user)
        return Label.USER if own else Label.TRUSTED


def check_words(text: str, *, limit: int, what: str) -> str:
    """A text without its edges; raises `CaseRefused` if nothing is left, or more than the limit."""
    plain = text.strip()
    if not plain:
        raise CaseRefused(f"{what} says nothing")
    if len(plain) > limit:
        raise CaseRefused(f"{what} has {len(plain)} characters, the limit is {limit}")
    return plain


def answered(case: Case, *, words: str, by: PrincipalId, at: datetime) -> Case:
    """Give it its one answer, or say which terminal state it is in already."""
    if case.state is not CaseState.OPEN:
        raise CaseOver(f"case `{case.id}` is {case.state} already", next_step=f"remit case show {case.id}")
    if at >= case.expires_at:
        raise CaseOver(f"case `{case.id}` was over at {case.expires_at.isoformat()}")
    return replace(case, state=CaseState.ANSWERED, answer=words, answered_by=by, ended_at=at)


def ended(case: Case, *, state: CaseState, at: datetime) -> Case:
    """End it without an answer."""
    return replace(case, state=state, ended_at=at)
