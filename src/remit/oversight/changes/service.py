"""Proposing a change, confirming it as another person, refusing it; what comes of it is noted afterwards."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final

from remit.decision.administration.actions import PREFIX, AdminAction
from remit.decision.administration.current import in_force
from remit.decision.administration.guard import people, ways
from remit.decision.administration.judging import Channel
from remit.identity.lifecycle import State
from remit.identity.principals import Kind, Principal
from remit.kernel.clock import Clock
from remit.kernel.ids import ChangeId, Entropy, PrincipalId, TenantId, mint_id
from remit.kernel.uow import UnitOfWork
from remit.ledger import facts
from remit.ledger.record import Content, Record
from remit.oversight.approvals.routing import natural_person
from remit.oversight.changes.change import (
    PENDING_LIMIT,
    Change,
    ChangeRule,
    ChangeState,
    ChangeWanted,
    SecondPerson,
)
from remit.oversight.changes.errors import ChangeOver, NoSuchChange, NotTheSecond, TooManyChanges
from remit.oversight.changes.repository import ChangeTransaction

CONFIRM: Final = AdminAction(name=f"{PREFIX}change.confirm", reads=False)
"""What the administrative policy calls confirming: whoever may, may also do the thing itself."""
_ENDS: Final = {
    ChangeState.DONE: "done",
    ChangeState.FAILED: "failed",
    ChangeState.CANCELLED: "cancelled",
    ChangeState.EXPIRED: "expired",
}


class ChangeService:
    """Changes of one tenant."""

    def __init__(
        self,
        *,
        uow: UnitOfWork[ChangeTransaction],
        clock: Clock,
        entropy: Entropy,
        tenant: TenantId,
        rule: ChangeRule,
    ) -> None:
        self._uow = uow
        self._clock = clock
        self._entropy = entropy
        self._tenant = tenant
        self._rule = rule

    async def propose(self, wanted: ChangeWanted, *, by: PrincipalId) -> Change | None:
        """The change, which now waits; None if it takes no second person, which is put on record.

        The same proposed again by the same person is the one that waits. Raises `TooManyChanges`.
        """
        at = self._clock.now()
        why = await self._uow.read(lambda tx: self._alone(tx, wanted, by=by, at=at))
        change = Change(
            id=ChangeId(mint_id("chg", at=at, entropy=self._entropy)),
            tenant=self._tenant,
            wanted=wanted,
            by=by,
            proposed_at=at,
            expires_at=at + self._rule.within,
        )
        if why:
            await self._uow.commit(
                lambda tx: self._record(tx, change, "unconfirmed", by=by, at=at, because=why)
            )
            return None

        def work(tx: ChangeTransaction) -> Change:
            mine = tx.pending_changes.waiting(by, limit=PENDING_LIMIT)
            live = [each for each in mine if at < each.expires_at]
            same = next((each for each in live if each.wanted.content == wanted.content), None)
            if same is not None:
                return same
            if len(live) >= PENDING_LIMIT:
                raise TooManyChanges(
                    f"{len(live)} of your changes wait, the limit is {PENDING_LIMIT}",
                    next_step="remit change list",
                )
            tx.pending_changes.add(change)
            self._record(tx, change, "proposed", by=by, at=at)
            return change

        return await self._uow.commit(work)

    async def confirm(self, ident: ChangeId, *, by: PrincipalId, passkey: str, basis: str) -> Change:
        """Confirm it with a passkey that signed its digest; `basis` is what it stands on now.

        The state returned is `confirmed`, `expired` or `cancelled`. Raises `NoSuchChange`, `ChangeOver`,
        `NotTheSecond`.
        """
        at = self._clock.now()

        def work(tx: ChangeTransaction) -> Change:
            change = _waiting(tx, ident)
            require_second(tx, change, by, at=at)
            if at >= change.expires_at:
                return self._move(tx, change, ChangeState.EXPIRED, by=PrincipalId("system"), at=at)
            if basis != change.wanted.basis or not _lives(tx, change.by):
                return self._move(tx, change, ChangeState.CANCELLED, by=PrincipalId("system"), at=at)
            found = replace(change, passkey=passkey)
            return self._move(tx, found, ChangeState.CONFIRMED, by=by, at=at)

        return await self._uow.commit(work)

    async def refuse(self, ident: ChangeId, *, by: PrincipalId, because: str = "") -> Change:
        """Refuse it, or take back one's own. Raises as `confirm` does."""
        at = self._clock.now()

        def work(tx: ChangeTransaction) -> Change:
            change = _waiting(tx, ident)
            if by != change.by:
                require_second(tx, change, by, at=at)
            return self._move(tx, replace(change, because=because), ChangeState.REFUSED, by=by, at=at)

        return await self._uow.commit(work)

    async def finish(self, change: Change, *, code: str) -> Change:
        """Note what came of a confirmed one: done, or failed with a code."""
        at = self._clock.now()
        state = ChangeState.FAILED if code else ChangeState.DONE
        ended = replace(change, state=state, because=code)

        def work(tx: ChangeTransaction) -> Change:
            if not tx.pending_changes.move(ended, was=ChangeState.CONFIRMED):
                raise ChangeOver(f"`{change.id}` is over", next_step=f"remit change show {change.id}")
            self._record(tx, ended, _ENDS[state], by=change.by, at=at, because=code)
            return ended

        return await self._uow.commit(work)

    async def get(self, ident: ChangeId) -> Change:
        """One, as it stands at this moment. Raises `NoSuchChange`."""
        return self.seen(await self._uow.read(lambda tx: _found(tx, ident)))

    async def page(self, *, state: ChangeState | None, after: str, limit: int) -> Sequence[Change]:
        """Newest first."""
        found = await self._uow.read(
            lambda tx: tx.pending_changes.page(state=state, after=after, limit=limit)
        )
        return [self.seen(each) for each in found]

    async def may_confirm(self, ident: ChangeId, by: PrincipalId) -> bool:
        """Whether this person could be the second."""
        at = self._clock.now()

        def work(tx: ChangeTransaction) -> bool:
            change, person = _found(tx, ident), tx.principals.get(by)
            proposer = tx.principals.get(change.by)
            if person is None or proposer is None:
                return False
            return is_second(tx, person, proposer, change.wanted.action, at=at)

        return await self._uow.read(work)

    def seen(self, change: Change) -> Change:
        """One that waits and whose time is over shows as expired."""
        over = change.state is ChangeState.PENDING and self._clock.now() >= change.expires_at
        return replace(change, state=ChangeState.EXPIRED) if over else change

    def _alone(self, tx: ChangeTransaction, wanted: ChangeWanted, *, by: PrincipalId, at: datetime) -> str:
        """Why one person suffices; empty if two are needed."""
        if self._rule.second_person is SecondPerson.OFF:
            return "second_person_off"
        if self._rule.second_person is SecondPerson.REQUIRED:
            return ""
        proposer = tx.principals.get(by)
        if proposer is None:
            return ""
        others = (is_second(tx, each, proposer, wanted.action, at=at) for each in people(tx))
        return "" if any(others) else "nobody_else"

    def _move(
        self, tx: ChangeTransaction, change: Change, state: ChangeState, *, by: PrincipalId, at: datetime
    ) -> Change:
        moved = replace(change, state=state, answered_by=by, answered_at=at)
        if not tx.pending_changes.move(moved, was=ChangeState.PENDING):
            raise ChangeOver(f"`{change.id}` is over", next_step=f"remit change show {change.id}")
        self._record(tx, moved, state.value, by=by, at=at, because=change.because)
        return moved

    def _record(
        self,
        tx: ChangeTransaction,
        change: Change,
        verb: str,
        *,
        by: PrincipalId,
        at: datetime,
        because: str = "",
    ) -> None:
        told = verb in {"proposed", "unconfirmed"}
        record = Record(
            id=facts.record_id(at, self._entropy),
            at=at,
            tenant=change.tenant,
            kind=f"oversight.change.{verb}",
            actor=by,
            subject=change.id,
            action=change.wanted.action,
            effect=change.state,
            digests=(("change", change.digest), ("content", change.wanted.content)),
            detail=(
                ("operation", change.wanted.operation),
                ("by", change.by),
                ("passkey", change.passkey),
                ("because", because[:200]),
            ),
        )
        contents = (Content(name="change", subject=change.by, text=change.wanted.says),) if told else ()
        facts.state(tx, record, entropy=self._entropy, contents=contents)


def require_second(tx: ChangeTransaction, change: Change, by: PrincipalId, *, at: datetime) -> None:
    """Raise `NotTheSecond` unless this person could have made the change, and is another than who did."""
    person, proposer = tx.principals.get(by), tx.principals.get(change.by)
    if person is None or proposer is None or not is_second(tx, person, proposer, change.wanted.action, at=at):
        raise NotTheSecond(
            "another person confirms or refuses this: one who may do it themselves, with a passkey",
            next_step="remit role list",
        )


def is_second(
    tx: ChangeTransaction, person: Principal, proposer: Principal, action: str, *, at: datetime
) -> bool:
    """Whether a person could confirm: alive, another natural person, permitted, with a passkey."""
    if natural_person(person) == natural_person(proposer) or not _lives(tx, person.id):
        return False
    policy, deed = in_force(tx), AdminAction(name=action, reads=False)
    return any(
        way.channel is Channel.SESSION
        and all(policy.judge(way, each, own=False, at=at).allowed for each in (CONFIRM, deed))
        for way in ways(tx, person, at=at)
    )


def _lives(tx: ChangeTransaction, ident: PrincipalId) -> bool:
    person = tx.principals.get(ident)
    alive = person is not None and person.kind is Kind.HUMAN and person.state is State.ACTIVE
    return alive and not tx.lineage.buried(ident)


def _found(tx: ChangeTransaction, ident: ChangeId) -> Change:
    change = tx.pending_changes.get(ident)
    if change is None:
        raise NoSuchChange(f"no change `{ident[:64]}`", next_step="remit change list")
    return change


def _waiting(tx: ChangeTransaction, ident: ChangeId) -> Change:
    change = _found(tx, ident)
    if change.state is not ChangeState.PENDING:
        raise ChangeOver(f"`{ident}` is {change.state}", next_step=f"remit change show {ident}")
    return change
