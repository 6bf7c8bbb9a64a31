"""A person's yes or no to a client, in one transaction: consent, task and code, or nothing (R28, R35).

Nothing acts as the person. A yes to an agent's client gives that agent a task within exactly what the page
showed; its code stands for the task. A yes to an application lets it learn what the page says, and no more.
"""

from dataclasses import replace
from datetime import datetime
from typing import Final

from remit.authority.consent_service import ConsentService
from remit.authority.errors import (
    BeyondConsent,
    EmptyAuthority,
    NoConsent,
    NotAlive,
    NotYours,
    SegmentCrossed,
)
from remit.authority.intent import seal_goal
from remit.authority.oauth.asking.authorization_request import answer_of
from remit.authority.oauth.asking.pending import Pending, PendingState
from remit.authority.oauth.clients.registration import ClientRegistration
from remit.authority.oauth.consenting import sign_ons
from remit.authority.oauth.consenting.answered import Answered, give_code, record_of
from remit.authority.oauth.endpoints.authorize import require_holder, require_same, shown
from remit.authority.oauth.proving.lineage import registration_dead
from remit.authority.oauth.repository import OAuthTransaction, TransactionView
from remit.authority.oauth.wire.errors import AccessDenied, InvalidRequest, OAuthError
from remit.authority.oauth.wire.options import OAuthOptions
from remit.authority.rights import Ceiling
from remit.authority.task_service import StartTask, TaskService
from remit.authority.tasks import Initiative, Mode, Task
from remit.identity.principals import Principal
from remit.identity.sessions import Session
from remit.kernel.ids import AgentId, Entropy, PrincipalId
from remit.kernel.uow import UnitOfWork

APPROVED: Final = "authority.authorization.approved"
DENIED: Final = "authority.authorization.denied"
_REFUSALS: Final = (BeyondConsent, EmptyAuthority, NoConsent, NotAlive, NotYours, SegmentCrossed)


class Consent:
    """Takes the answers."""

    def __init__(
        self,
        *,
        uow: UnitOfWork[OAuthTransaction],
        consents: ConsentService,
        tasks: TaskService,
        options: OAuthOptions,
        entropy: Entropy,
    ) -> None:
        self._uow = uow
        self._consents = consents
        self._tasks = tasks
        self._options = options
        self._entropy = entropy

    async def answer(self, handle: str, session: Session, *, approve: bool, at: datetime) -> str:
        """Where to send the browser. Raises `InvalidRequest` for a request that is over, or another's."""
        try:
            return await self._uow.commit(
                lambda tx: self._answer(tx, handle, session, approve=approve, at=at)
            )
        except _Refused as refused:
            error = refused.error
            return await self._uow.commit(lambda tx: self._refuse(tx, handle, session, error, at))

    def _answer(
        self, tx: OAuthTransaction, handle: str, session: Session, *, approve: bool, at: datetime
    ) -> str:
        answered = self._close(tx, handle, session, at)
        if not approve:
            tx.ledger.append(record_of(answered, DENIED, task=None, effect="deny", entropy=self._entropy))
            return self._no(tx, answered, AccessDenied("the person said no"))
        ceiling = answered.offer.ceiling
        if ceiling is None:
            tx.ledger.append(record_of(answered, APPROVED, task=None, effect="permit", entropy=self._entropy))
            return self._admit(tx, answered)
        try:
            task = self._give(tx, answered, ceiling)
        except _REFUSALS as refused:
            raise _Refused(AccessDenied(refused.hint, reason=refused.code)) from refused
        tx.ledger.append(record_of(answered, APPROVED, task=task, effect="permit", entropy=self._entropy))
        return self._yes(tx, answered, task)

    def _refuse(
        self, tx: OAuthTransaction, handle: str, session: Session, error: OAuthError, at: datetime
    ) -> str:
        answered = self._close(tx, handle, session, at)
        tx.ledger.append(
            record_of(
                answered, DENIED, task=None, effect="deny", codes=(error.reason,), entropy=self._entropy
            )
        )
        return self._no(tx, answered, error)

    def _find(self, tx: OAuthTransaction, handle: str, at: datetime) -> Pending:
        return shown(tx, handle, at=at)

    def _yes(self, tx: OAuthTransaction, answered: Answered, task: Task) -> str:
        """Make what the client earns its tokens with, and say where the person goes on."""
        return give_code(tx, answered, task.id, issuer=self._options.issuer, entropy=self._entropy)

    def _admit(self, tx: OAuthTransaction, answered: Answered) -> str:
        """Let an application learn what it asked for: a code that stands for no task."""
        if answered.pending.device:
            raise _Refused(AccessDenied("an application signs people in by a browser", reason="no_task"))
        sign_ons.remember(tx, answered, entropy=self._entropy)
        return give_code(tx, answered, None, issuer=self._options.issuer, entropy=self._entropy)

    def _no(self, tx: OAuthTransaction, answered: Answered, error: OAuthError) -> str:  # noqa: ARG002 — for answers that are kept
        """Tell the client, and say where the person goes on."""
        return answer_of(error, answered.pending.request.returning, issuer=self._options.issuer)

    def _close(self, tx: OAuthTransaction, handle: str, session: Session, at: datetime) -> Answered:
        """The request is answered by this, once, by the session that was shown it, of a client unchanged."""
        pending = self._find(tx, handle, at)
        require_holder(pending, session)
        registration = tx.registrations.get(pending.request.returning.client_id)
        if pending.offer is None:
            raise InvalidRequest("the request was not shown yet; open its page", reason="pending_unseen")
        if registration is None:
            raise InvalidRequest("the application is not registered any more", reason="client_unknown")
        require_same(pending, registration)
        # N2: what was shown while the client lived is no answer to one that has died since.
        if dead := registration_dead(TransactionView(tx), registration, at=at):
            raise InvalidRequest("the application is not registered any more", reason=dead)
        if not tx.pendings.move(replace(pending, state=PendingState.OVER), was=PendingState.SHOWN):
            raise InvalidRequest("this request was answered already", reason="pending_over")
        return Answered(
            pending=pending, offer=pending.offer, registration=registration, session=session, at=at
        )

    def _give(self, tx: OAuthTransaction, answered: Answered, ceiling: Ceiling) -> Task:
        """The consent, and the task of the client's agent."""
        agent = _agent_of(tx, answered.registration)
        by = PrincipalId(answered.user)
        given = self._consents.give_in(
            tx,
            user=answered.user,
            agent=AgentId(agent.id),
            ceiling=ceiling,
            text="\n".join((_headline(answered, agent), *answered.offer.lines)),
            by=by,
            at=answered.at,
        )
        intent = seal_goal(_goal(answered), entropy=self._entropy)
        wanted = _task(answered, agent, ceiling)
        return self._tasks.start_in(tx, wanted, intent, by=by, at=answered.at, given=given).task


class _Refused(Exception):
    def __init__(self, error: OAuthError) -> None:
        super().__init__(error.reason)
        self.error = error


def _agent_of(tx: OAuthTransaction, registration: ClientRegistration) -> Principal:
    instance = tx.principals.get(registration.principal)
    agent = None if instance is None or instance.parent is None else tx.principals.get(instance.parent)
    if agent is None:
        raise NotYours("the agent of this client is not there any more")
    return agent


def _headline(answered: Answered, agent: Principal) -> str:
    return f"{answered.registration.name} may act for me as {agent.name} at {answered.offer.resource}, and:"


def _goal(answered: Answered) -> str:
    when = answered.at.strftime("%Y-%m-%d %H:%M UTC")
    return f"session of {answered.registration.name} begun by the user at {when}"


def _task(answered: Answered, agent: Principal, ceiling: Ceiling) -> StartTask:
    return StartTask(
        user=answered.user,
        agent=AgentId(agent.id),
        goal=_goal(answered),
        purpose=ceiling.purpose,
        ceiling=ceiling,
        deadline=min(answered.offer.ends_at, ceiling.window.end),
        mode=Mode.INTERACTIVE,
        initiative=Initiative.USER,
    )
