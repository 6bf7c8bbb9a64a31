"""Use cases of enrolment links: the first passkey of a person, and the way back after losing the last one."""

from dataclasses import replace
from datetime import timedelta

from remit.identity import events
from remit.identity.ceremonies import Act
from remit.identity.enrolment import LONGEST, SECRET_BYTES, Enrolment, EnrolmentState
from remit.identity.errors import EnrolmentOver, EnrolmentTooLong, UnknownPrincipal
from remit.identity.passkey_desk import PasskeyDesk, Question
from remit.identity.passkey_proofs import read_response
from remit.identity.passkey_service import enrollable, question, store
from remit.identity.principals import Principal
from remit.identity.repository import IdentityTransaction
from remit.identity.session_service import living_human
from remit.identity.sessions import Session, digest_of
from remit.identity.sign_in_service import open_session
from remit.kernel.ids import EnrolmentId, PrincipalId, mint_id
from remit.kernel.secret import Secret


class EnrolmentService:
    """Issues and takes links. INVARIANT: a link is used once, in the transaction of the passkey it brings."""

    def __init__(self, desk: PasskeyDesk) -> None:
        self._desk = desk

    async def issue(
        self, human: PrincipalId, *, by: PrincipalId, lifetime: timedelta
    ) -> tuple[Enrolment, Secret]:
        """Make a link for a living person; older ones are withdrawn. Whether `by` may do so is asked above.

        Raises `EnrolmentTooLong`, `UnknownPrincipal`, and `PasskeysNeedName` where no passkey can be made.
        """
        desk, at = self._desk, self._desk.clock.now()
        if not timedelta(0) < lifetime <= LONGEST:
            raise EnrolmentTooLong(f"a link lives longer than 0 s and at most {LONGEST.total_seconds():g} s")
        desk.party  # noqa: B018 — raises before anybody is sent to a page that can't work
        secret = Secret(desk.entropy(SECRET_BYTES))
        made = Enrolment(
            id=EnrolmentId(mint_id("enr", at=at, entropy=desk.entropy)),
            tenant=desk.tenant,
            human=human,
            secret_digest=digest_of(secret),
            state=EnrolmentState.OPEN,
            issued_by=by,
            issued_at=at,
            expires_at=at + lifetime,
        )

        def work(tx: IdentityTransaction) -> None:
            person = living_human(tx, human)
            if person is None:
                raise UnknownPrincipal(f"no active person `{human[:64]}`", next_step="remit user list")
            self._withdraw(tx, person, by)
            tx.enrolments.add(made)
            self._state(tx, events.ENROLMENT_ISSUED, person, made, by)

        await desk.uow.commit(work)
        return made, secret

    async def withdraw(self, human: PrincipalId, *, by: PrincipalId) -> int:
        """Take back a person's open links; returns how many there were."""

        def work(tx: IdentityTransaction) -> int:
            person = tx.principals.get(human)
            return 0 if person is None else self._withdraw(tx, person, by)

        return await self._desk.uow.commit(work)

    async def ask(self, secret: Secret, *, visit: str) -> tuple[Principal, Question]:
        """Whom the link is for, and the question to their authenticator. Raises `EnrolmentOver`."""
        link, person = await self._desk.uow.read(lambda tx: self._open(tx, secret))
        _, passkeys = await self._desk.uow.read(lambda tx: enrollable(tx, person.id))
        bound_to = _bound(link, visit)
        return person, question(self._desk, Act.ENROL, person, passkeys, bound_to=bound_to)

    async def enrol(
        self, secret: Secret, text: str, *, ticket: str, visit: str, name: str, client: str
    ) -> tuple[Session, Secret]:
        """Register the passkey, use the link up, and sign the person in: the authenticator verified them."""
        desk, at = self._desk, self._desk.clock.now()
        link, _ = await desk.uow.read(lambda tx: self._open(tx, secret))
        ceremony = desk.box.take(ticket, Act.ENROL, bound_to=_bound(link, visit), at=at)
        found = desk.prover().registration(read_response(text), challenge=ceremony.challenge)

        def work(tx: IdentityTransaction) -> tuple[Session, Secret]:
            present, person = self._open(tx, secret)
            used = replace(present, state=EnrolmentState.USED, ended_at=at)
            if not tx.enrolments.settle(used):
                raise over()
            self._state(tx, events.ENROLMENT_USED, person, used, person.id)
            passkey = store(desk, tx, ceremony, found, name=name, at=at, via=used.id)
            proof = desk.proof_of(passkey, at=at)
            return open_session(desk, tx, person, proof=proof, client=client)

        return await desk.uow.commit(work)

    def _open(self, tx: IdentityTransaction, secret: Secret) -> tuple[Enrolment, Principal]:
        """The link and its person, if it is open, in time, and the person lives."""
        link = tx.enrolments.by_secret(digest_of(secret))
        if link is None or link.state is not EnrolmentState.OPEN or self._desk.clock.now() >= link.expires_at:
            raise over()
        person = living_human(tx, link.human)
        if person is None:
            raise over()
        return link, person

    def _withdraw(self, tx: IdentityTransaction, person: Principal, by: PrincipalId) -> int:
        at, count = self._desk.clock.now(), 0
        for link in tx.enrolments.open_of(person.id):
            taken = replace(link, state=EnrolmentState.WITHDRAWN, ended_at=at)
            if tx.enrolments.settle(taken):
                self._state(tx, events.ENROLMENT_WITHDRAWN, person, taken, by)
                count += 1
        return count

    def _state(
        self, tx: IdentityTransaction, fact: str, person: Principal, link: Enrolment, by: PrincipalId
    ) -> None:
        detail = (("enrolment", link.id), ("expires_at", link.expires_at.isoformat()))
        at = self._desk.clock.now()
        events.state(tx, fact, person, by=by, at=at, entropy=self._desk.entropy, detail=detail)


def _bound(link: Enrolment, visit: str) -> str:
    return f"{link.id} {visit}"


def over() -> EnrolmentOver:
    """The one refusal of a link: unknown, used, withdrawn and too old look alike."""
    return EnrolmentOver(
        "this link is not valid any more", next_step="ask an administrator: remit user enrol <name>"
    )
