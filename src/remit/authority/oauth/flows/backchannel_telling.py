"""Tells clients that a person has answered, until they have heard it (CIBA Core §10.2, §10.3)."""

import json
from datetime import datetime
from typing import Final

from remit.authority.oauth.asking import backchannel_notices as rules
from remit.authority.oauth.asking.backchannel_notices import Call, Notice
from remit.authority.oauth.flows.backchannel_push import Pusher
from remit.authority.oauth.repository import OAuthTransaction
from remit.authority.oidc.logout import Outcome
from remit.kernel.clock import Clock
from remit.kernel.errors import RemitError, Unavailable
from remit.kernel.ids import Entropy, RecordId, mint_id
from remit.kernel.outbound import Outbound, OutboundRequest
from remit.kernel.sealed import SealedBox
from remit.kernel.uow import UnitOfWork
from remit.ledger.record import Record

AT_ONCE: Final = 20
RECORD: Final = "authority.ping."
_TIMEOUT: Final = 5.0
_LARGEST: Final = 16 << 10


class TellingService:
    """Sends what is due.

    CRASH: a try that nobody recorded is made again; a client hears it twice at worst.
    """

    def __init__(
        self,
        *,
        uow: UnitOfWork[OAuthTransaction],
        outbound: Outbound,
        box: SealedBox,
        pusher: Pusher,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._uow = uow
        self._outbound = outbound
        self._box = box
        self._pusher = pusher
        self._clock = clock
        self._entropy = entropy

    def has_due(self, tx: OAuthTransaction) -> bool:
        """Whether a client should be told something now."""
        return bool(tx.notices.due(self._clock.now(), 1))

    async def run_due(self) -> int:
        """Tell what is due, a few at a time; returns how many clients have confirmed."""
        at = self._clock.now()
        due = await self._uow.read(lambda tx: tx.notices.due(at, AT_ONCE))
        return sum([await self._tell(notice) for notice in due])

    async def _tell(self, notice: Notice) -> bool:
        call = rules.open_call(self._box, notice)
        if call is not None and notice.push and not notice.minted:
            made = await self._made(notice, call)
            if made is None:
                return False
            notice, call = made, rules.open_call(self._box, made)
        told = await self._send(notice, call)
        await self._uow.commit(lambda tx: self._settle(tx, notice, told))
        return told.outcome is Outcome.DELIVERED

    async def _made(self, notice: Notice, call: Call) -> Notice | None:
        """What is pushed; None if it can't be made now, or another node makes it."""
        try:
            return await self._pusher.mint(notice, call)
        except Unavailable as unable:
            later = rules.failed(notice, unable.code, at=self._clock.now())
        await self._uow.commit(lambda tx: self._settle(tx, notice, later))
        return None

    async def _send(self, notice: Notice, call: Call | None) -> Notice:
        if call is None:
            return rules.failed(notice, "sealed_by_another_key", at=notice.ends_at)
        try:
            answer = await self._outbound.send(_request(notice, call))
        except RemitError as unable:  # refused by our own rule, or not reached: on record, and tried again
            return rules.failed(notice, unable.code, at=self._clock.now())
        return rules.judged(notice, answer.status, at=self._clock.now())

    def _settle(self, tx: OAuthTransaction, before: Notice, after: Notice) -> None:
        if tx.notices.save(after, was=before.tries) and after.outcome is not Outcome.OPEN:
            tx.ledger.append(self._record(after, self._clock.now()))

    def _record(self, notice: Notice, at: datetime) -> Record:
        return Record(
            id=RecordId(mint_id("rec", at=at, entropy=self._entropy)),
            at=at,
            tenant=notice.tenant,
            kind=RECORD + notice.outcome,
            actor="system",
            subject=notice.client_id,
            effect="permit" if notice.outcome is Outcome.DELIVERED else "deny",
            detail=(("tries", str(notice.tries)), ("last", notice.last)),
        )


def _request(notice: Notice, call: Call) -> OutboundRequest:
    return OutboundRequest(
        method="POST",
        url=notice.uri,
        headers={"content-type": "application/json", "authorization": f"Bearer {call.token}"},
        body=json.dumps(call.body).encode(),
        largest_answer=_LARGEST,
        timeout=_TIMEOUT,
    )
