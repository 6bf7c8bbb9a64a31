"""Signing in by passkey, confirming a session by one (step-up), putting one behind an answer (R17)."""

from collections.abc import Sequence
from dataclasses import dataclass

from remit.identity import events
from remit.identity.ceremonies import Act, Ceremony
from remit.identity.errors import NotFresh
from remit.identity.kept_answers import KeptAnswer, answer_challenge, keep
from remit.identity.passkey_desk import PasskeyDesk, Question
from remit.identity.passkey_proofs import refusal
from remit.identity.passkeys import Passkey, PasskeyState
from remit.identity.principals import Principal
from remit.identity.repository import IdentityTransaction
from remit.identity.session_service import SIGNED_IN_ANEW, end, standing
from remit.identity.sessions import Proof, Session, begin, confirmed, digest_of
from remit.kernel.canonical import JsonObject
from remit.kernel.ids import PrincipalId
from remit.kernel.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerQuestion:
    """One question with a challenge for each lawful answer: what is signed says which was given."""

    ticket: str
    options: dict[str, JsonObject]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenAnswer:
    """A person's passkey stands behind this very answer; `nonce` names it, for its one use."""

    human: PrincipalId
    passkey: str
    nonce: str
    kept: KeptAnswer
    """The signed assertion itself, for whoever verifies it later."""


class SignInService:
    """The three things that an assertion of a known passkey is for."""

    def __init__(self, desk: PasskeyDesk) -> None:
        self._desk = desk

    def ask_sign_in(self, *, bound_to: str) -> Question:
        """Ask whoever is there; nobody is named, so nobody can be found out."""
        ceremony, ticket = self._desk.box.ask(Act.SIGN_IN, bound_to=bound_to, at=self._desk.clock.now())
        return Question(ticket=ticket, options=self._desk.request(ceremony.challenge))

    async def sign_in(
        self, text: str, *, ticket: str, bound_to: str, leaving: Secret | None, client: str
    ) -> tuple[Session, Secret]:
        """Begin a session of whoever answered, with a new secret; the one that they leave ends (CO-07)."""
        desk, at = self._desk, self._desk.clock.now()
        ceremony = desk.box.take(ticket, Act.SIGN_IN, bound_to=bound_to, at=at)
        proven = await desk.prove(ceremony, text, challenge=ceremony.challenge)

        def work(tx: IdentityTransaction) -> tuple[Session, Secret]:
            human = desk.use(tx, proven, at=at)
            if leaving is not None:
                self._leave(tx, leaving, by=human.id)
            return open_session(desk, tx, human, proof=desk.proof_of(proven.passkey, at=at), client=client)

        return await desk.uow.commit(work)

    async def ask_confirm(self, session: Session) -> Question:
        """Ask the person of a session for a fresh proof."""
        ceremony, ticket = self._desk.box.ask(
            Act.CONFIRM, bound_to=session.id, at=self._desk.clock.now(), human=session.human
        )
        passkeys = await self.passkeys_of(session.human)
        return Question(ticket=ticket, options=self._desk.request(ceremony.challenge, passkeys))

    async def confirm(self, text: str, *, ticket: str, session: Session) -> tuple[Session, Secret]:
        """Take a fresh proof of the session's own person: `authenticated_at` moves, the secret changes."""
        desk, at = self._desk, self._desk.clock.now()
        ceremony = desk.box.take(ticket, Act.CONFIRM, bound_to=session.id, at=at)
        proven = await desk.prove(ceremony, text, challenge=ceremony.challenge, human=session.human)

        def work(tx: IdentityTransaction) -> tuple[Session, Secret]:
            human = desk.use(tx, proven, at=at)
            present = standing(tx, tx.sessions.get(session.id), desk.rule, at)
            if present is None:
                raise NotFresh("the session has ended; sign in again")
            proof = desk.proof_of(proven.passkey, at=at)
            moved, secret = confirmed(present, proof=proof, entropy=desk.entropy)
            if not tx.sessions.put(moved, was=present.secret_digest):
                raise refusal("session changed meanwhile")
            _state(desk, tx, events.SESSION_CONFIRMED, human, moved, proof)
            return moved, secret

        return await desk.uow.commit(work)

    async def passkeys_of(self, human: PrincipalId) -> Sequence[Passkey]:
        """The passkeys that a person can answer with."""
        found = await self._desk.uow.read(lambda tx: tx.passkeys.of(human))
        return [each for each in found if each.state is PasskeyState.ACTIVE]

    async def ask_answer(
        self, human: PrincipalId, *, about: str, answers: Sequence[str], bound_to: str
    ) -> AnswerQuestion | None:
        """Ask a person for an answer about a digest; None if they have no passkey to give it with."""
        passkeys = await self.passkeys_of(human)
        if not passkeys:
            return None
        ceremony, ticket = self._desk.box.ask(
            Act.APPROVE, bound_to=bound_to, at=self._desk.clock.now(), human=human
        )
        options = {
            answer: self._desk.request(self._challenge(ceremony, about, answer), passkeys)
            for answer in answers
        }
        return AnswerQuestion(ticket=ticket, options=options)

    async def prove_answer(
        self, text: str, *, ticket: str, human: PrincipalId, about: str, answer: str, bound_to: str
    ) -> ProvenAnswer:
        """Verify that the person's passkey signed this answer about this digest, just now.

        The challenge is computed anew from the ticket's nonce, never taken from the page (WebAuthn §13.4.3).
        """
        desk, at = self._desk, self._desk.clock.now()
        ceremony = desk.box.take(ticket, Act.APPROVE, bound_to=bound_to, at=at)
        challenge = self._challenge(ceremony, about, answer)
        proven = await desk.prove(ceremony, text, challenge=challenge, human=human)
        await desk.uow.commit(lambda tx: desk.use(tx, proven, at=at))
        return ProvenAnswer(
            human=human,
            passkey=proven.passkey.id,
            nonce=ceremony.nonce,
            kept=keep(proven.passkey, question=ceremony.nonce, response=text),
        )

    def _challenge(self, ceremony: Ceremony, about: str, answer: str) -> bytes:
        return answer_challenge(ceremony.challenge, about=about, answer=answer)

    def _leave(self, tx: IdentityTransaction, leaving: Secret, *, by: PrincipalId) -> None:
        session = tx.sessions.by_secret(digest_of(leaving))
        if session is not None and session.ended_at is None:
            at = self._desk.clock.now()
            end(tx, session, by=by, because=SIGNED_IN_ANEW, at=at, entropy=self._desk.entropy)


def open_session(
    desk: PasskeyDesk, tx: IdentityTransaction, human: Principal, *, proof: Proof, client: str
) -> tuple[Session, Secret]:
    """Begin a session inside an open transaction."""
    session, secret = begin(
        human.id, tenant=desk.tenant, proof=proof, rule=desk.rule, entropy=desk.entropy, client=client
    )
    tx.sessions.add(session)
    _state(desk, tx, events.SESSION_BEGUN, human, session, proof)
    return session, secret


def _state(
    desk: PasskeyDesk, tx: IdentityTransaction, fact: str, human: Principal, session: Session, proof: Proof
) -> None:
    detail = (("session", session.id), ("acr", proof.acr), ("means", proof.means))
    events.state(tx, fact, human, by=human.id, at=proof.at, entropy=desk.entropy, detail=detail)
