"""The page of devices (RFC 8628 §3.3): a person types the code that a device shows, sees, and answers.

The code is typed, never taken from a link. Whoever types it must be signed in; wrong codes are counted, per
person and in all, and a code that several people type is nobody's any more. What is shown and given is what
the authorization endpoint would show and give, and the answer is taken by the same `Consent`.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from remit.authority.oauth.asking import device as rules
from remit.authority.oauth.asking.codes import LIFE
from remit.authority.oauth.asking.device import DeviceRequest, DeviceState, Mark, MarkKind
from remit.authority.oauth.asking.pending import Pending, PendingState
from remit.authority.oauth.clients.registration import ClientRegistration
from remit.authority.oauth.consenting.answered import Answered, code_of, record_of
from remit.authority.oauth.consenting.desk import Desk
from remit.authority.oauth.endpoints.authorize import (
    Ask,
    SignIn,
    offer_of,
    require_holder,
    require_same,
    shown,
    sign_in_needed,
)
from remit.authority.oauth.endpoints.consent import Consent
from remit.authority.oauth.repository import OAuthTransaction
from remit.authority.oauth.wire import opaque
from remit.authority.oauth.wire.errors import AccessDenied, InvalidRequest, OAuthError
from remit.authority.oauth.wire.options import OAuthOptions
from remit.authority.tasks import Task
from remit.identity.sessions import Session
from remit.kernel.errors import Invalid, RemitError
from remit.kernel.ids import Entropy, mint_id
from remit.kernel.secret import Secret
from remit.kernel.uow import UnitOfWork
from remit.ledger import facts
from remit.ledger.record import Record

LOCKED: Final = "authority.device.locked"
SUSPENDED: Final = "authority.device.suspended"
OVER: Final = "this code is over; start again at the device"


class CodeUnknown(Invalid):
    """Nothing waits under this code, or not for this person: both look alike."""

    code = "device_code_unknown"


class TooManyCodes(RemitError):
    """Too many wrong codes came lately, from this person or from all."""

    code = "device_code_locked"
    kind = "rate_limited"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceAsk:
    """What a device asks, of whom, and from where."""

    ask: Ask
    device: DeviceRequest


class DeviceDesk:
    """Takes codes that people type, up to the point where they are asked."""

    def __init__(
        self,
        *,
        uow: UnitOfWork[OAuthTransaction],
        options: OAuthOptions,
        entropy: Entropy,
        codes: Secret,
    ) -> None:
        self._uow = uow
        self._desk = Desk(options=options)
        self._entropy = entropy
        self._codes = codes

    async def enter(self, typed: str, session: Session, *, at: datetime) -> str:
        """The handle of the page for that code. Raises `CodeUnknown`, after some of them `TooManyCodes`."""
        code = rules.read_user_code(typed)
        if not code:
            # It could be nobody's: no guess, so it costs no try.
            raise CodeUnknown(f"a code has {rules.LENGTH} letters, such as BCDF-GHJK")
        found = await self._uow.commit(lambda tx: self._enter(tx, code, session, at))
        if isinstance(found, RemitError):
            raise found
        return found

    async def look(self, handle: str, session: Session | None, *, at: datetime) -> SignIn | DeviceAsk:
        """What the page of a handle has to do. Raises an `OAuthError`, for a page of ours."""
        found = await self._uow.commit(lambda tx: self._look(tx, handle, session, at))
        if isinstance(found, OAuthError):
            raise found
        return found

    def _enter(
        self, tx: OAuthTransaction, code: str, session: Session, at: datetime
    ) -> str | CodeUnknown | TooManyCodes:
        """INVARIANT: a wrong code is counted in the transaction that judged it; so it is told, not raised."""
        own = tx.devices.marks(MarkKind.WRONG_CODE, who=session.human, at=at, limit=rules.TRIES)
        every = tx.devices.marks(MarkKind.WRONG_CODE, who="", at=at, limit=rules.TRIES_IN_ALL)
        if len(own) >= rules.TRIES or len(every) >= rules.TRIES_IN_ALL:
            return TooManyCodes("too many wrong codes came lately; try again in some minutes")
        known = tx.devices.by_user_code(rules.user_code_digest(code, self._codes))
        if known is None or not rules.may_open(known, session.human, at):
            return self._wrong(tx, known, session, at, last=len(own) + 1 == rules.TRIES)
        return self._open(tx, known, session, at)

    def _wrong(
        self, tx: OAuthTransaction, known: DeviceRequest | None, session: Session, at: datetime, *, last: bool
    ) -> CodeUnknown:
        tx.devices.mark(
            Mark(
                id=mint_id("mrk", at=at, entropy=self._entropy),
                kind=MarkKind.WRONG_CODE,
                who=session.human,
                at=at,
                expires_at=at + rules.TRY_WINDOW,
            )
        )
        if last:
            tx.ledger.append(self._locked(session, at))
        if known is not None and rules.lives(known, at):
            _count_stranger(tx, known)
        return CodeUnknown("no device waits for an answer under this code")

    def _open(
        self, tx: OAuthTransaction, known: DeviceRequest, session: Session, at: datetime
    ) -> str | CodeUnknown:
        opened = replace(known, state=DeviceState.OPENED, holder=session.human)
        if not tx.devices.move(opened, was=known):
            return CodeUnknown("no device waits for an answer under this code")
        handle = opaque.make(opaque.REQUEST, self._entropy)
        tx.pendings.add(
            Pending(
                id=opaque.digest_of(handle),
                tenant=known.tenant,
                request=known.request,
                registration=known.registration,
                state=PendingState.SHOWN,
                begun_at=at,
                expires_at=known.expires_at,
                device=known.id,
            )
        )
        return handle

    def _look(
        self, tx: OAuthTransaction, handle: str, session: Session | None, at: datetime
    ) -> SignIn | DeviceAsk | OAuthError:
        pending = shown(tx, handle, at=at, device=True)
        registration = tx.registrations.get(pending.request.returning.client_id)
        device = tx.devices.get(pending.device)
        if registration is None or device is None:
            raise InvalidRequest(OVER, reason="client_unknown")
        require_same(pending, registration)
        if session is None:
            return SignIn(again=False)
        require_holder(pending, session)
        if not rules.may_open(device, session.human, at):
            raise InvalidRequest(OVER, reason="device_over")
        try:
            need = sign_in_needed(pending, session, at, registration)
            return need or self._ask(tx, pending, registration, session, device, at)
        except OAuthError as refused:
            tx.devices.move(replace(device, state=DeviceState.DENIED, cause=refused.reason), was=device)
            return refused

    def _ask(
        self,
        tx: OAuthTransaction,
        pending: Pending,
        registration: ClientRegistration,
        session: Session,
        device: DeviceRequest,
        at: datetime,
    ) -> DeviceAsk:
        person = tx.principals.get(session.human)
        if person is None:
            raise AccessDenied("nobody is signed in", reason="person_unknown")
        found = self._desk.find(tx, pending.request, registration, at=at)
        offer = pending.offer
        if offer is None:
            offer = offer_of(found, session)
            pending = replace(pending, offer=offer)
            tx.pendings.move(pending, was=PendingState.SHOWN)
        ask = Ask(pending=pending, offer=offer, registration=registration, agent=found.agent, person=person)
        return DeviceAsk(ask=ask, device=device)

    def _locked(self, session: Session, at: datetime) -> Record:
        return Record(
            id=facts.record_id(at, self._entropy),
            at=at,
            tenant=session.tenant,
            kind=LOCKED,
            actor=session.human,
            user=session.human,
            effect="deny",
            codes=("device_code_locked",),
            detail=(("session", session.id), ("tries", str(rules.TRIES))),
        )


class DeviceConsent(Consent):
    """Takes the answers: the device fetches what a yes gave; the person stays where they are."""

    def _find(self, tx: OAuthTransaction, handle: str, at: datetime) -> Pending:
        return shown(tx, handle, at=at, device=True)

    def _yes(self, tx: OAuthTransaction, answered: Answered, task: Task) -> str:
        device = _opened(tx, answered)
        if not tx.devices.move(replace(device, state=DeviceState.APPROVED), was=device):
            raise InvalidRequest(OVER, reason="device_over")
        # It can be fetched for as long as the device polls, and at least a minute.
        end = max(device.expires_at, answered.at + LIFE)
        given = code_of("", answered, task.id, entropy=self._entropy)
        tx.codes.add(replace(given, id=device.id, expires_at=end))
        return ""

    def _no(self, tx: OAuthTransaction, answered: Answered, error: OAuthError) -> str:
        device = _opened(tx, answered)
        denied = replace(device, state=DeviceState.DENIED, cause=error.reason)
        if not tx.devices.move(denied, was=device):
            raise InvalidRequest(OVER, reason="device_over")
        if error.reason == AccessDenied.code:
            self._count_no(tx, answered)
        return str(error.reason)

    def _count_no(self, tx: OAuthTransaction, answered: Answered) -> None:
        client, at = answered.registration.client_id, answered.at
        tx.devices.mark(
            Mark(
                id=mint_id("mrk", at=at, entropy=self._entropy),
                kind=MarkKind.DENIED,
                who=client,
                at=at,
                expires_at=at + rules.DENIAL_WINDOW,
            )
        )
        if len(tx.devices.marks(MarkKind.DENIED, who=client, at=at, limit=rules.DENIALS)) == rules.DENIALS:
            codes = ("device_suspended",)
            tx.ledger.append(
                record_of(answered, SUSPENDED, task=None, effect="deny", codes=codes, entropy=self._entropy)
            )


def _opened(tx: OAuthTransaction, answered: Answered) -> DeviceRequest:
    """The device's request, if it is this person's to answer, now."""
    device = tx.devices.get(answered.pending.device)
    mine = device is not None and rules.may_open(device, answered.session.human, answered.at)
    if device is None or not mine or device.state is not DeviceState.OPENED:
        raise InvalidRequest(OVER, reason="device_over")
    return device


def _count_stranger(tx: OAuthTransaction, known: DeviceRequest) -> None:
    """A code that several people type was sent around: it is nobody's any more (CB-11)."""
    counted = replace(known, strangers=known.strangers + 1)
    if counted.strangers >= rules.STRANGERS:
        counted = replace(counted, state=DeviceState.DENIED, cause="device_code_shared")
    tx.devices.move(counted, was=known)
