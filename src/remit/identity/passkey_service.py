"""Use cases of passkeys: add one while freshly signed in, list, name, revoke (WebAuthn §7.1)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from remit.identity import endings, events
from remit.identity.ceremonies import Act, Ceremony
from remit.identity.errors import LastPasskey, NotFresh, PasskeyTaken, TooManyPasskeys, UnknownPasskey
from remit.identity.passkey_desk import PasskeyDesk, Question
from remit.identity.passkey_proofs import Registered, read_response, refusal
from remit.identity.passkeys import HANDLE_BYTES, NAME_LIMIT, PER_PERSON, Passkey, PasskeyState
from remit.identity.principals import Principal
from remit.identity.repository import IdentityTransaction
from remit.identity.session_service import end, living_human, standing
from remit.identity.sessions import ACR_PASSKEY_UV, Session, is_fresh
from remit.kernel.canonical import b64u
from remit.kernel.ids import PasskeyId, PrincipalId, mint_id

FRESH: Final = timedelta(minutes=5)
"""How recent a sign-in must be that a passkey is added or removed on, or an action approved on."""


class PasskeyService:
    """Adds, lists and revokes the passkeys of people."""

    def __init__(self, desk: PasskeyDesk) -> None:
        self._desk = desk

    async def ask_registration(self, session: Session) -> Question:
        """Ask the person of a fresh session for one more passkey. Raises `NotFresh`."""
        require_fresh(session, at=self._desk.clock.now())
        human, passkeys = await self._desk.uow.read(lambda tx: enrollable(tx, session.human))
        return question(self._desk, Act.REGISTER, human, passkeys, bound_to=session.id)

    async def register(self, text: str, *, ticket: str, session: Session, name: str) -> Passkey:
        """Register what the authenticator made, on a session that is still fresh and open."""
        desk, at = self._desk, self._desk.clock.now()
        require_fresh(session, at=at)
        ceremony = desk.box.take(ticket, Act.REGISTER, bound_to=session.id, at=at)
        found = desk.prover().registration(read_response(text), challenge=ceremony.challenge)

        def work(tx: IdentityTransaction) -> Passkey:
            if standing(tx, tx.sessions.get(session.id), desk.rule, at) is None:
                raise NotFresh("the session has ended; sign in again")
            return store(desk, tx, ceremony, found, name=name, at=at)

        return await desk.uow.commit(work)

    async def of(self, human: PrincipalId) -> Sequence[Passkey]:
        """All passkeys of a person, oldest first, revoked ones too."""
        return await self._desk.uow.read(lambda tx: tx.passkeys.of(human))

    async def remove(self, ident: PasskeyId, *, session: Session) -> Passkey:
        """Revoke one's own passkey. Raises `LastPasskey` for the only one, `NotFresh`, `UnknownPasskey`."""
        desk, at = self._desk, self._desk.clock.now()
        require_fresh(session, at=at)

        def work(tx: IdentityTransaction) -> Passkey:
            active = [each for each in tx.passkeys.of(session.human) if each.state is PasskeyState.ACTIVE]
            if [each.id for each in active] == [ident]:
                raise LastPasskey("this is the only passkey; add another one first")
            return revoke(desk, tx, ident, of=session.human, by=session.human, because="removed", at=at)

        return await desk.uow.commit(work)

    async def revoke(self, ident: PasskeyId, *, of: PrincipalId, by: PrincipalId, because: str) -> Passkey:
        """Revoke a person's passkey for them; the sessions that it opened end with it."""
        desk, at = self._desk, self._desk.clock.now()
        return await desk.uow.commit(lambda tx: revoke(desk, tx, ident, of=of, by=by, because=because, at=at))


def require_fresh(session: Session, *, at: datetime) -> None:
    """Raise `NotFresh` unless the person was verified by a passkey within five minutes."""
    if session.acr != ACR_PASSKEY_UV or not is_fresh(session, within=FRESH, at=at):
        raise NotFresh("this needs a sign-in of the last five minutes, by passkey", next_step="sign in again")


def enrollable(tx: IdentityTransaction, ident: PrincipalId) -> tuple[Principal, list[Passkey]]:
    """A person who may register one more passkey, with the passkeys that they have or had."""
    human, passkeys = living_human(tx, ident), list(tx.passkeys.of(ident))
    if human is None:
        raise refusal("person does not live")
    if sum(each.state is PasskeyState.ACTIVE for each in passkeys) >= PER_PERSON:
        raise TooManyPasskeys(f"{PER_PERSON} passkeys are active, the limit is {PER_PERSON}")
    return human, passkeys


def question(
    desk: PasskeyDesk, act: Act, human: Principal, passkeys: Sequence[Passkey], *, bound_to: str
) -> Question:
    """Ask for a new credential, for the handle that the person's other passkeys have."""
    handle = passkeys[0].user_handle if passkeys else b64u(desk.entropy(HANDLE_BYTES))
    ceremony, ticket = desk.box.ask(
        act, bound_to=bound_to, at=desk.clock.now(), human=human.id, handle=handle
    )
    active = [each for each in passkeys if each.state is PasskeyState.ACTIVE]
    options = desk.creation(ceremony.challenge, human=human, handle=handle, passkeys=active)
    return Question(ticket=ticket, options=options)


def store(
    desk: PasskeyDesk,
    tx: IdentityTransaction,
    ceremony: Ceremony,
    found: Registered,
    *,
    name: str,
    at: datetime,
    via: str = "",
) -> Passkey:
    """Register a verified credential inside an open transaction; the question is burnt with it."""
    desk.burn(tx, ceremony)
    human, _ = enrollable(tx, PrincipalId(ceremony.human))
    passkey = Passkey(
        id=PasskeyId(mint_id("psk", at=at, entropy=desk.entropy)),
        tenant=desk.tenant,
        human=human.id,
        credential=found.credential,
        public_key=found.public_key,
        algorithm=found.algorithm,
        sign_count=found.sign_count,
        aaguid=found.aaguid,
        transports=found.transports,
        backup_eligible=found.backup_eligible,
        backed_up=found.backed_up,
        user_handle=ceremony.handle,
        name=_named(name),
        state=PasskeyState.ACTIVE,
        created_at=at,
    )
    if not tx.passkeys.add(passkey):
        raise PasskeyTaken("this authenticator's passkey is registered already; use another one")
    detail = (("passkey", passkey.id), ("aaguid", passkey.aaguid), *((("enrolment", via),) if via else ()))
    events.state(
        tx, events.PASSKEY_REGISTERED, human, by=human.id, at=at, entropy=desk.entropy, detail=detail
    )
    return passkey


def revoke(
    desk: PasskeyDesk,
    tx: IdentityTransaction,
    ident: PasskeyId,
    *,
    of: PrincipalId,
    by: PrincipalId,
    because: str,
    at: datetime,
) -> Passkey:
    """Revoke inside an open transaction, with the sessions that it opened."""
    passkey = tx.passkeys.get(ident)
    if passkey is None or passkey.human != of:
        raise UnknownPasskey(f"no passkey `{ident[:64]}`")
    if passkey.state is PasskeyState.REVOKED:
        return passkey
    revoked = endings.revoke_passkey(tx, passkey, by=by, because=because, at=at, entropy=desk.entropy)
    for session in tx.sessions.of(of):
        if session.means == ident:
            end(tx, session, by=by, because="passkey revoked", at=at, entropy=desk.entropy)
    return revoked


def _named(name: str) -> str:
    """What the person calls it; characters that can't be seen are dropped, it is shown as text anyway."""
    kept = "".join(letter for letter in name if letter.isprintable()).strip()
    return kept[:NAME_LIMIT] or "passkey"
