"""Use cases of sessions: who is signed in by a cookie, and the ends of sessions."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from remit.identity import events
from remit.identity.errors import UnknownSession
from remit.identity.lifecycle import State
from remit.identity.principals import Kind, Principal
from remit.identity.repository import IdentityTransaction
from remit.identity.sessions import Session, SessionRule, digest_of, is_open
from remit.kernel.clock import Clock
from remit.kernel.ids import Entropy, PrincipalId, SessionId
from remit.kernel.secret import Secret
from remit.kernel.uow import UnitOfWork

SIGNED_IN_ANEW: Final = "signed in anew"
"""Why a session ends that the next one of the same browser takes the place of."""


class SessionService:
    """Recognizes, lists and ends sessions; only a ceremony of `passkey_service` begins one."""

    def __init__(
        self, *, uow: UnitOfWork[IdentityTransaction], clock: Clock, entropy: Entropy, rule: SessionRule
    ) -> None:
        self._uow = uow
        self._clock = clock
        self._entropy = entropy
        self._rule = rule

    async def current(self, secret: Secret) -> Session | None:
        """The open session of a cookie whose person lives; None for everything else alike."""
        at, digest = self._clock.now(), digest_of(secret)
        session = await self._uow.read(lambda tx: standing(tx, tx.sessions.by_secret(digest), self._rule, at))
        if session is None or at - session.seen_at < self._rule.seen_step:
            return session
        seen = replace(session, seen_at=at)
        kept = await self._uow.commit(lambda tx: tx.sessions.put(seen, was=digest))
        return seen if kept else None

    async def of(self, human: PrincipalId) -> Sequence[Session]:
        """The open sessions of a person, newest first."""
        at = self._clock.now()

        def work(tx: IdentityTransaction) -> list[Session]:
            return [each for each in tx.sessions.of(human) if standing(tx, each, self._rule, at)]

        return await self._uow.read(work)

    async def end(self, ident: SessionId, *, of: PrincipalId, by: PrincipalId, because: str) -> Session:
        """End one session of a person. Raises `UnknownSession`, also for somebody else's."""
        at = self._clock.now()

        def work(tx: IdentityTransaction) -> Session:
            session = tx.sessions.get(ident)
            if session is None or session.human != of:
                raise UnknownSession(f"no session `{ident[:64]}`")
            return end(tx, session, by=by, because=because, at=at, entropy=self._entropy)

        return await self._uow.commit(work)

    async def end_all(self, human: PrincipalId, *, by: PrincipalId, because: str) -> int:
        """End every session of a person; returns how many were open."""
        at = self._clock.now()
        return await self._uow.commit(
            lambda tx: end_all(tx, human, by=by, because=because, at=at, entropy=self._entropy)
        )


def standing(
    tx: IdentityTransaction, session: Session | None, rule: SessionRule, at: datetime
) -> Session | None:
    """The session if it is open and its person acts here as of this transaction, else None.

    INVARIANT: asked in each transaction, so the end of a person is the end of their sessions.
    """
    if session is None or not is_open(session, rule=rule, at=at):
        return None
    return session if living_human(tx, session.human) is not None else None


def living_human(tx: IdentityTransaction, ident: PrincipalId) -> Principal | None:
    """The person if active and never killed."""
    human = tx.principals.get(ident)
    if human is None or human.kind is not Kind.HUMAN or human.state is not State.ACTIVE:
        return None
    return None if tx.lineage.buried(ident) else human


def end_all(
    tx: IdentityTransaction,
    human: PrincipalId,
    *,
    by: PrincipalId,
    because: str,
    at: datetime,
    entropy: Entropy,
) -> int:
    """End every session of a person inside an open transaction; returns how many were open."""
    found = tx.sessions.of(human)
    for session in found:
        end(tx, session, by=by, because=because, at=at, entropy=entropy)
    return len(found)


def end(
    tx: IdentityTransaction,
    session: Session,
    *,
    by: PrincipalId,
    because: str,
    at: datetime,
    entropy: Entropy,
) -> Session:
    """End a session inside an open transaction; one that has ended stays as it was.

    INVARIANT: what clients were given in it names it among what it stands on, so its tombstone ends that
    too. A session that only gives way to the next one of the same browser takes nothing along.
    """
    ended = replace(session, ended_at=at)
    if not tx.sessions.end(ended):
        return session
    if because != SIGNED_IN_ANEW:
        epoch = tx.advance_epoch(f"session:{session.id}")
        tx.lineage.bury("session", session.id, cause="session_ended", epoch=epoch, at=at)
        tx.touch("tombstone", session.id)
    human = tx.principals.get(session.human)
    if human is not None:
        detail = (("session", session.id), ("because", because))
        events.state(tx, events.SESSION_ENDED, human, by=by, at=at, entropy=entropy, detail=detail)
    return ended
