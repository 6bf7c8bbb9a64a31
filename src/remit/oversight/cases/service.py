"""Opening a case, waiting for it, answering it; the answer goes back into the task it came from (R77)."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from remit.authority.tasks import Task, TaskState
from remit.identity.lifecycle import State
from remit.identity.principals import Kind, Principal
from remit.kernel.canonical import framed_digest
from remit.kernel.clock import Clock
from remit.kernel.ids import CaseId, Entropy, PrincipalId, TaskId, TenantId, mint_id
from remit.kernel.uow import UnitOfWork
from remit.ledger import facts
from remit.ledger.record import Content, Record
from remit.oversight.approvals.routing import eligible
from remit.oversight.cases.case import Case, CaseLimits, CaseState, answered, check_words, ended
from remit.oversight.cases.repository import CaseTransaction
from remit.oversight.errors import (
    CaseOver,
    CaseRefused,
    NoApprover,
    NoSuchCase,
    NotAnApprover,
    TooManyAsks,
)

_POLL_SECONDS: Final = 0.5
"""How often a waiting call looks for an answer given on another node; the bell covers this one."""
_SWEEP: Final = 200
_PAGE: Final = 500
_LIST: Final = "remit case list"


class Hearing(Protocol):
    """Takes note, in the task, of what a person said in it; provenance does."""

    def heard(self, tx: CaseTransaction, case: Case) -> None:
        """The words of an answer are known in the task from now on, with what they are worth."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation:
    """What an agent asks. With a `key`, again is the same case; `to` is empty for the usual person."""

    task: Task
    agent: Principal
    instance: PrincipalId
    user: Principal | None
    question: str
    to: str = ""
    key: str = ""


class CaseService:
    """Cases of one tenant."""

    def __init__(
        self,
        *,
        work: UnitOfWork[CaseTransaction],
        limits: CaseLimits,
        hearing: Hearing,
        clock: Clock,
        entropy: Entropy,
        tenant: TenantId,
    ) -> None:
        self._work = work
        self._limits = limits
        self._hearing = hearing
        self._clock = clock
        self._entropy = entropy
        self._tenant = tenant
        self._bells: dict[CaseId, asyncio.Event] = {}  # OWNED BY: the event loop

    async def escalate(self, wanted: Escalation) -> Case:
        """Open a case with whoever is meant, or return the one of the same key.

        Raises `CaseRefused`, `TooManyAsks`, `NoApprover`.
        """
        at = self._clock.now()
        to = wanted.to or self._limits.reach[0]
        if to not in self._limits.reach:
            known = ", ".join(f"`{each}`" for each in self._limits.reach)
            raise CaseRefused(f"an agent can't turn to `{to[:64]}`", next_step=f"one of {known}")
        question = check_words(wanted.question, limit=self._limits.question, what="the question")

        def work(tx: CaseTransaction) -> Case:
            _need_running(tx, wanted.task.id, at=at)
            case = self._drafted(tx, wanted, to=to, question=question, at=at)
            known = tx.cases.get(case.id)
            if known is not None:
                return _repeated(known, case)
            self._check_share(tx, case)
            tx.cases.add(case)
            self._state(tx, case, "opened", actor=case.instance, at=at, texts={"question": question})
            return case

        return await self._work.commit(work)

    async def answer(self, ident: CaseId, *, words: str, by: PrincipalId) -> Case:
        """Give a case its one answer, in the person's own words.

        1 it exists, and the person was asked and lives   2 its task still runs   3 it is still open: one
        conditional update   4 the words are known in the task, with what they are worth, in the same commit.
        """
        at = self._clock.now()
        plain = check_words(words, limit=self._limits.answer, what="the answer")

        def work(tx: CaseTransaction) -> Case:
            case = _found(tx, ident)
            person = tx.principals.get(by)
            if person is None or person.state is not State.ACTIVE or by not in case.asked:
                raise NotAnApprover(f"`{by}` was not asked in `{ident}`", next_step=_LIST)
            _need_running(tx, case.task, at=at)
            told = answered(case, words=plain, by=by, at=at)
            if not tx.cases.settle(told):
                raise CaseOver(
                    f"case `{ident}` was answered a moment ago", next_step=f"remit case show {ident}"
                )
            self._hearing.heard(tx, told)
            self._state(tx, told, "answered", actor=by, at=at, texts={"answer": plain})
            return told

        told = await self._work.commit(work)
        self._ring(ident)
        return told

    async def withdraw(self, ident: CaseId, *, by: PrincipalId) -> Case:
        """The agent needs it no more. Raises `NoSuchCase`, `CaseOver`."""
        at = self._clock.now()

        def work(tx: CaseTransaction) -> Case:
            case = _found(tx, ident)
            if by != case.instance:
                raise NoSuchCase(f"no case `{ident}` of yours", next_step=_LIST)
            over = ended(case, state=CaseState.WITHDRAWN, at=at)
            if not tx.cases.settle(over):
                raise CaseOver(f"case `{ident}` is {case.state} already")
            self._state(tx, over, "withdrawn", actor=by, at=at)
            return over

        over = await self._work.commit(work)
        self._ring(ident)
        return over

    async def get(self, ident: CaseId) -> Case:
        """One case; raises `NoSuchCase`."""
        return await self._work.read(lambda tx: _found(tx, ident))

    async def page(
        self, *, person: PrincipalId | None, state: CaseState | None, after: str, limit: int
    ) -> Sequence[Case]:
        """Newest first."""
        return await self._work.read(
            lambda tx: tx.cases.page(person=person, state=state, after=after, limit=limit)
        )

    async def wait(self, ident: CaseId, *, seconds: float) -> Case:
        """Wait until it is over, at most that long; returns it as it stands then."""
        deadline = self._clock.boottime() + seconds
        while True:
            bell = self._bells.setdefault(ident, asyncio.Event())
            case = await self.get(ident)
            left = deadline - self._clock.boottime()
            if case.state is not CaseState.OPEN or left <= 0:
                return case
            try:
                async with asyncio.timeout(min(left, _POLL_SECONDS)):
                    await bell.wait()
            except TimeoutError:
                continue  # the answer may have been given on another node: look again

    async def expire_due(self) -> int:
        """End every case whose time is over. Idempotent, on any node."""
        at = self._clock.now()
        return await self._end(lambda tx: tx.cases.due(at, _SWEEP), CaseState.EXPIRED, "expired", at=at)

    async def end_of(self, task: TaskId) -> int:
        """End what was asked in a task that is over. Idempotent, on any node."""
        at = self._clock.now()
        return await self._end(
            lambda tx: tx.cases.open_of(task, _SWEEP), CaseState.WITHDRAWN, "withdrawn", at=at
        )

    def has_due(self, tx: CaseTransaction) -> bool:
        """Whether one is over and not told so yet."""
        return bool(tx.cases.due(self._clock.now(), 1))

    async def _end(
        self,
        find: Callable[[CaseTransaction], Sequence[Case]],
        state: CaseState,
        verb: str,
        *,
        at: datetime,
    ) -> int:
        def work(tx: CaseTransaction) -> list[CaseId]:
            gone = []
            for case in find(tx):
                over = ended(case, state=state, at=at)
                if tx.cases.settle(over):
                    self._state(tx, over, verb, actor="system", at=at)
                    gone.append(over.id)
            return gone

        gone = await self._work.commit(work)
        for ident in gone:
            self._ring(ident)
        return len(gone)

    def _drafted(
        self, tx: CaseTransaction, wanted: Escalation, *, to: str, question: str, at: datetime
    ) -> Case:
        task, user = wanted.task, wanted.user
        people = _people(tx, to, wanted)
        if not people:
            raise NoApprover(f"nobody is left whom `{to}` names", next_step="remit user list")
        return Case(
            id=self._ident(wanted, at=at),
            tenant=self._tenant,
            state=CaseState.OPEN,
            agent=wanted.agent.id,
            agent_name=wanted.agent.name,
            instance=wanted.instance,
            user=task.user,
            user_name=(user.email or user.name) if user else "",
            task=task.id,
            purpose=task.purpose,
            to=to,
            asked=tuple(person.id for person in people),
            question=question,
            asked_at=at,
            expires_at=min(at + self._limits.lifetime, task.deadline),
            task_ends_at=task.deadline,
        )

    def _ident(self, wanted: Escalation, *, at: datetime) -> CaseId:
        """A key is worth something only together with the instance and the task that used it first."""
        if not wanted.key:
            return CaseId(mint_id("cas", at=at, entropy=self._entropy))
        parts = [wanted.instance.encode(), wanted.task.id.encode(), wanted.key.encode()]
        return CaseId("cas_" + framed_digest("remit/case/v1", parts)[:36].upper())

    def _check_share(self, tx: CaseTransaction, case: Case) -> None:
        limits = self._limits
        in_task, of_agent, ever = tx.cases.counts(case.agent, case.task)
        for count, limit, what in (
            (in_task, limits.open_per_task, "open in this task"),
            (of_agent, limits.open_per_agent, "open of this agent"),
            (ever, limits.per_task, "asked in this task"),
        ):
            if count >= limit:
                raise TooManyAsks(f"{count} cases are {what}, the limit is {limit}", next_step=_LIST)

    def _state(
        self,
        tx: CaseTransaction,
        case: Case,
        verb: str,
        *,
        actor: str,
        at: datetime,
        texts: dict[str, str] | None = None,
    ) -> None:
        subject = case.user or case.agent
        record = Record(
            id=facts.record_id(at, self._entropy),
            at=at,
            tenant=case.tenant,
            kind=f"oversight.case.{verb}",
            actor=actor,
            user=case.user or "",
            agent=case.agent,
            task=case.task,
            purpose=case.purpose,
            subject=case.id,
            effect=case.state,
            detail=(
                ("to", case.to),
                ("asked", " ".join(case.asked)),
                ("provenance", case.provenance or ""),
            ),
        )
        contents = [Content(name=name, subject=subject, text=text) for name, text in (texts or {}).items()]
        facts.state(tx, record, entropy=self._entropy, contents=contents)

    def _ring(self, ident: CaseId) -> None:
        bell = self._bells.pop(ident, None)
        if bell is not None:
            bell.set()


def _need_running(tx: CaseTransaction, ident: TaskId, *, at: datetime) -> None:
    task = tx.tasks.get(ident)
    if task is None or task.state is not TaskState.RUNNING or at >= task.deadline:
        raise CaseOver("the task that it is asked in is over", next_step=_LIST)


def _found(tx: CaseTransaction, ident: CaseId) -> Case:
    case = tx.cases.get(ident)
    if case is None:
        raise NoSuchCase(f"no case `{ident}`", next_step=_LIST)
    return case


def _repeated(known: Case, again: Case) -> Case:
    if (known.question, known.to) != (again.question, again.to):
        raise CaseRefused("the key stands for another question", next_step="ask under another key")
    return known


def _people(tx: CaseTransaction, to: str, wanted: Escalation) -> Sequence[Principal]:
    """Who is meant, alive: the user themself, or whoever a rule of routing names, with deputies."""
    if to == "user":
        user = wanted.user
        return [user] if user is not None and user.state is State.ACTIVE else []
    return eligible(
        to,
        people=_humans(tx),
        requester=None,
        owner=wanted.agent.owner,
        reversible=True,
    )


def _humans(tx: CaseTransaction) -> list[Principal]:
    found: list[Principal] = []
    while page := tx.principals.page(kind=Kind.HUMAN, after=found[-1].id if found else "", limit=_PAGE):
        found += page
    return found
