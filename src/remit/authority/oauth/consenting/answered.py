"""One answer of one person about one client, with all that it is about; and the code that it earns."""

from dataclasses import dataclass
from datetime import datetime

from remit.authority.oauth.asking.authorization_request import code_answer
from remit.authority.oauth.asking.codes import LIFE, AuthorizationCode, SignIn
from remit.authority.oauth.asking.families import FamilyId
from remit.authority.oauth.asking.pending import Offer, Pending
from remit.authority.oauth.clients.registration import ClientRegistration
from remit.authority.oauth.repository import OAuthTransaction
from remit.authority.oauth.wire import opaque
from remit.authority.tasks import Task
from remit.identity.sessions import Session
from remit.kernel.ids import Entropy, TaskId, UserId, mint_id
from remit.ledger import facts
from remit.ledger.record import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """The request, what was offered for a yes, the client, and in which session somebody answered."""

    pending: Pending
    offer: Offer
    registration: ClientRegistration
    session: Session
    at: datetime

    @property
    def user(self) -> UserId:
        """Whoever answered."""
        return UserId(self.session.human)


def give_code(
    tx: OAuthTransaction, answered: Answered, task: TaskId | None, *, issuer: str, entropy: Entropy
) -> str:
    """Make the code that a yes earns; where to send the browser with it."""
    code = opaque.make(opaque.CODE, entropy)
    tx.codes.add(code_of(code, answered, task, entropy=entropy))
    return code_answer(code, answered.pending.request.returning, issuer=issuer)


def code_of(code: str, answered: Answered, task: TaskId | None, *, entropy: Entropy) -> AuthorizationCode:
    """What a code stands for; `task` is None for an application."""
    request, session, at = answered.pending.request, answered.session, answered.at
    return AuthorizationCode(
        id=opaque.digest_of(code),
        tenant=answered.pending.tenant,
        family=FamilyId(mint_id("fam", at=at, entropy=entropy)),
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
            marks=session.marks,
        ),
        task=task,
        resource=answered.offer.resource,
        scopes=answered.offer.scopes,
        nonce=request.nonce,
        issued_at=at,
        expires_at=at + LIFE,
        registration=answered.registration.digest,
        disclosure=answered.offer.disclosure,
    )


def record_of(
    answered: Answered,
    kind: str,
    *,
    task: Task | None,
    effect: str,
    entropy: Entropy,
    codes: tuple[str, ...] = (),
) -> Record:
    """The answer as the ledger keeps it."""
    return Record(
        id=facts.record_id(answered.at, entropy),
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
        detail=(
            ("client", answered.registration.client_id),
            ("session", answered.session.id),
            *((("learns", " ".join(sorted(answered.offer.disclosure.scopes))),) if task is None else ()),
        ),
    )
