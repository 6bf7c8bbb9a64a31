"""The end of a person's session, at every client that they signed in to with it (R24).

What clients were given in a session stands on it, so its tombstone has stopped that already. Here the rest
follows: families and their tasks end on record, and each client that can hear it is told.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from urllib.parse import urlencode

from remit.authority.oauth.asking.families import Family, FamilyState
from remit.authority.oauth.consenting.endings import end_family
from remit.authority.oauth.repository import OAuthTransaction, SigningKeys
from remit.authority.oidc.id_token import SIGNED_BY
from remit.authority.oidc.logout import (
    LogoutNotice,
    Outcome,
    claims_of,
    failed,
    judged,
    notice_id,
)
from remit.kernel.clock import Clock
from remit.kernel.errors import RemitError
from remit.kernel.ids import Entropy, PrincipalId, SessionId, TaskId, UserId, mint_id
from remit.kernel.jose import jwt
from remit.kernel.jose.keys import KeyClass
from remit.kernel.jose.profiles import TokenType
from remit.kernel.outbound import Outbound, OutboundRequest
from remit.kernel.uow import UnitOfWork
from remit.ledger import facts
from remit.ledger.record import Record

AT_ONCE: Final = 20
_RECORD: Final = "authority.logout."
_TIMEOUT: Final = 5.0
_LARGEST: Final = 16 << 10


class LogoutService:
    """Ends what came of a session, and tells its clients until they have heard it."""

    def __init__(
        self,
        *,
        uow: UnitOfWork[OAuthTransaction],
        keys: SigningKeys,
        outbound: Outbound,
        issuer: str,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._uow = uow
        self._keys = keys
        self._outbound = outbound
        self._issuer = issuer
        self._clock = clock
        self._entropy = entropy

    async def ended(self, session: SessionId, user: UserId, *, by: PrincipalId) -> tuple[TaskId, ...]:
        """End all that came of a session that has ended; the tasks that were among it. Repeating is harmless.

        CRASH: one commit; it is told again until it is done, and a notice is made once.
        """
        at = self._clock.now()
        return await self._uow.commit(lambda tx: self._ended(tx, session, user, by, at))

    def has_due(self, tx: OAuthTransaction) -> bool:
        """Whether a client should be told something now."""
        return bool(tx.logouts.due(self._clock.now(), 1))

    async def run_due(self) -> int:
        """Tell what is due, a few at a time; returns how many clients have confirmed."""
        at = self._clock.now()
        due = await self._uow.read(lambda tx: tx.logouts.due(at, AT_ONCE))
        return sum([await self._tell(notice) for notice in due])

    def _ended(
        self, tx: OAuthTransaction, session: SessionId, user: UserId, by: PrincipalId, at: datetime
    ) -> tuple[TaskId, ...]:
        families = [each for each in tx.families.of_user(user) if each.session == session]
        for family in families:
            if family.state is FamilyState.LIVE:
                end_family(tx, family.id, cause="session_ended", by=by, at=at, entropy=self._entropy)
        for notice in self._notices(tx, families, at):
            tx.logouts.add(notice)
        return tuple(each.task for each in families if each.task is not None)

    def _notices(
        self, tx: OAuthTransaction, families: Sequence[Family], at: datetime
    ) -> Sequence[LogoutNotice]:
        found = {}
        for family in families:
            registration = tx.registrations.get(family.client_id)
            uri = None if registration is None else registration.backchannel_logout_uri
            # A client that never learnt who it was has nobody to sign out.
            if uri and family.disclosure.identifies:
                found[family.client_id] = LogoutNotice(
                    id=notice_id(family.session, family.client_id),
                    tenant=family.tenant,
                    client_id=family.client_id,
                    uri=uri,
                    user=family.user,
                    session=family.session,
                    outcome=Outcome.OPEN,
                    due=at,
                    created_at=at,
                )
        return tuple(found.values())

    async def _tell(self, notice: LogoutNotice) -> bool:
        at = self._clock.now()
        try:
            key_class = await self._uow.read(lambda tx: _key_class(tx, notice))
            await self._keys.prepare(key_class, at=at)
            answer = await self._outbound.send(self._request(notice, key_class, at))
            told = judged(notice, answer.status, at=self._clock.now())
        except (
            RemitError
        ) as unable:  # refused by our own rule, or not reached: it is on record, and tried again
            told = failed(notice, unable.code, at=self._clock.now())
        await self._uow.commit(lambda tx: self._settle(tx, notice, told))
        return told.outcome is Outcome.DELIVERED

    def _request(self, notice: LogoutNotice, key_class: KeyClass, at: datetime) -> OutboundRequest:
        jti = mint_id("lgt", at=at, entropy=self._entropy)
        claims = claims_of(notice, issuer=self._issuer, jti=jti, at=at)
        token = jwt.issue(claims, as_type=TokenType.LOGOUT_TOKEN, signer=self._keys.signer(key_class))
        return OutboundRequest(
            method="POST",
            url=notice.uri,
            headers={"content-type": "application/x-www-form-urlencoded"},
            body=urlencode({"logout_token": token}).encode(),
            largest_answer=_LARGEST,
            timeout=_TIMEOUT,
        )

    def _settle(self, tx: OAuthTransaction, before: LogoutNotice, after: LogoutNotice) -> None:
        if not tx.logouts.save(after, was=before.tries) or after.outcome is Outcome.OPEN:
            return
        at = self._clock.now()
        tx.ledger.append(
            Record(
                id=facts.record_id(at, self._entropy),
                at=at,
                tenant=after.tenant,
                kind=_RECORD + after.outcome,
                actor="system",
                user=after.user,
                subject=after.client_id,
                effect="permit" if after.outcome is Outcome.DELIVERED else "deny",
                detail=(("session", after.session), ("tries", str(after.tries)), ("last", after.last)),
            )
        )


def _key_class(tx: OAuthTransaction, notice: LogoutNotice) -> KeyClass:
    """Of the algorithm that the client takes for ID tokens (Back-Channel Logout §2.4, §2.6 (2))."""
    registration = tx.registrations.get(notice.client_id)
    return KeyClass.ID_TOKEN if registration is None else SIGNED_BY[registration.id_token_alg]
