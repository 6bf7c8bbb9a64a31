"""A person's yes or no to a client, in one transaction: consent, task and code, or nothing (R28, R35).

Nothing acts as the person. A yes to an agent's client gives that agent a task within exactly what the page
showed; its code stands for the task. A yes to an application lets it learn what the page says, and no more.
"""

from dataclasses import dataclass, replace
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
from remit.authority.oauth import opaque
from remit.authority.oauth.authorization_request import answer_of, code_answer
from remit.authority.oauth.codes import LIFE, AuthorizationCode, SignIn
from remit.authority.oauth.endpoints.authorize import require_holder, require_same, shown
from remit.authority.oauth.errors import AccessDenied, InvalidRequest, OAuthError
from remit.authority.oauth.families import FamilyId
from remit.authority.oauth.options import OAuthOptions
from remit.authority.oauth.pending import Offer, Pending, PendingState
from remit.authority.oauth.registration import ClientRegistration
from remit.authority.oauth.repository import OAuthTransaction
from remit.authority.rights import Ceiling
from remit.authority.task_service import StartTask, TaskService
from remit.authority.tasks import Initiative, Mode, Task
from remit.identity.principals import Principal
from remit.identity.sessions import Session
from remit.kernel.ids import AgentId, Entropy, PrincipalId, RecordId, TaskId, UserId, mint_id
from remit.kernel.uow import UnitOfWork
from remit.ledger.record import Record

APPROVED: Final = "authority.authorization.approved"
DENIED: Final = "authority.authorization.denied"
_REFUSALS: Final = (BeyondConsent, EmptyAuthority, NoConsent, NotAlive, NotYours, SegmentCrossed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One answer with all that it is about."""

    pending: Pending
    offer: Offer
    registration: ClientRegistration
    session: Session
    at: datetime

    @property
    def user(self) -> UserId:
        """Whoever answered."""
        return UserId(self.session.human)


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
            tx.ledger.append(self._record(answered, DENIED, task=None, effect="deny"))
            return self._no(tx, answered, AccessDenied("the person said no"))
        ceiling = answered.offer.ceiling
        if ceiling is None:
            tx.ledger.append(self._record(answered, APPROVED, task=None, effect="permit"))
            return self._admit(tx, answered)
        try:
            task = self._give(tx, answered, ceiling)
        except _REFUSALS as refused:
            raise _Refused(AccessDenied(refused.hint, reason=refused.code)) from refused
        tx.ledger.append(self._record(answered, APPROVED, task=task, effect="permit"))
        return self._yes(tx, answered, task)

    def _refuse(
        self, tx: OAuthTransaction, handle: str, session: Session, error: OAuthError, at: datetime
    ) -> str:
        answered = self._close(tx, handle, session, at)
        tx.ledger.append(self._record(answered, DENIED, task=None, effect="deny", codes=(error.reason,)))
        return self._no(tx, answered, error)

    def _find(self, tx: OAuthTransaction, handle: str, at: datetime) -> Pending:
        return shown(tx, handle, at=at)

    def _yes(self, tx: OAuthTransaction, answered: Answered, task: Task) -> str:
        """Make what the client earns its tokens with, and say where the person goes on."""
        code = opaque.make(opaque.CODE, self._entropy)
        tx.codes.add(self._code(code, answered, task.id))
        where = answered.pending.request.returning
        return code_answer(code, where, issuer=self._options.issuer)

    def _admit(self, tx: OAuthTransaction, answered: Answered) -> str:
        """Let an application learn what it asked for: a code that stands for no task."""
        if answered.pending.device:
            raise _Refused(AccessDenied("an application signs people in by a browser", reason="no_task"))
        code = opaque.make(opaque.CODE, self._entropy)
        tx.codes.add(self._code(code, answered, None))
        return code_answer(code, answered.pending.request.returning, issuer=self._options.issuer)

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

    def _code(self, code: str, answered: Answered, task: TaskId | None) -> AuthorizationCode:
        request, session, at = answered.pending.request, answered.session, answered.at
        return AuthorizationCode(
            id=opaque.digest_of(code),
            tenant=answered.pending.tenant,
            family=FamilyId(mint_id("fam", at=at, entropy=self._entropy)),
            client_id=request.returning.client_id,
            redirect_uri=request.returning.redirect_uri,
            challenge=request.challenge,
            key=request.key,
            sign_in=SignIn(
                session=session.id,
                user=answered.user,
                at=session.authenticated_at,
                acr=session.acr,
                amr=session.amr,
            ),
            task=task,
            resource=answered.offer.resource,
            scopes=answered.offer.scopes,
            nonce=request.nonce,
            issued_at=at,
            expires_at=at + LIFE,
            disclosure=answered.offer.disclosure,
        )

    def _record(
        self,
        answered: Answered,
        kind: str,
        *,
        task: Task | None,
        effect: str,
        codes: tuple[str, ...] = (),
    ) -> Record:
        return Record(
            id=RecordId(mint_id("rec", at=answered.at, entropy=self._entropy)),
            at=answered.at,
            tenant=answered.pending.tenant,
            kind=kind,
            actor=answered.session.human,
            user=answered.user,
            agent="" if task is None else task.agent,
            task="" if task is None else task.id,
            grant="" if task is None or task.grant is None else task.grant,
            resource=answered.offer.resource,
            subject=answered.registration.principal,
            effect=effect,
            codes=codes,
            digests=(("client", answered.registration.digest),),
            detail=(("client", answered.registration.client_id), ("session", answered.session.id)),
        )


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
