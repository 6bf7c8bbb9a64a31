"""Asking for break glass, opening it with a second person's yes, its end, its review (PD-28)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Protocol

import msgspec

from remit.identity.lifecycle import State
from remit.identity.principals import Kind, Principal
from remit.kernel.canonical import framed_digest, sha256
from remit.kernel.clock import Clock
from remit.kernel.errors import RemitError, Unavailable
from remit.kernel.ids import (
    ApprovalId,
    BreakGlassId,
    CallId,
    DecisionId,
    Entropy,
    PrincipalId,
    TenantId,
    UserId,
    mint_id,
)
from remit.kernel.uow import UnitOfWork
from remit.ledger import facts
from remit.ledger.record import Content, Record
from remit.oversight.approvals.approval import Approval, ApprovalState
from remit.oversight.approvals.routing import natural_person
from remit.oversight.breakglass.glass import BreakGlass, End, GlassState, check, ended, opened, reviewed
from remit.oversight.breakglass.repository import BreakGlassTransaction, GlassUse
from remit.oversight.errors import (
    BreakGlassOpenAlready,
    Forbidden,
    NoSuchBreakGlass,
    NotTheReviewer,
)

ACTION: Final = "remit/breakglass.open"
APPROVERS: Final = "role:approver"
"""Who is asked for the second yes: people with the role, but for whoever asks."""
_ORPHANED: Final = timedelta(minutes=1)
_ROLES: Final = frozenset({"admin", "approver"})


class ClockSuspect(Unavailable):
    """The clock runs ahead of the machine: nothing is opened until it is right again."""

    code = "clock_suspect"


class Asking(Protocol):
    """Asks people; the service of approvals."""

    async def ask(self, draft: Approval, *, owner: PrincipalId | None) -> Approval:
        """Ask whoever the rule names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What somebody asks for; `agent` is an id or a name."""

    agent: str
    task: str
    action: str
    lifts: tuple[str, ...]
    minutes: int
    reason: str


class BreakGlassService:
    """Break glass of one tenant."""

    def __init__(
        self,
        *,
        work: UnitOfWork[BreakGlassTransaction],
        asking: Asking,
        clock: Clock,
        entropy: Entropy,
        tenant: TenantId,
    ) -> None:
        self._work = work
        self._asking = asking
        self._clock = clock
        self._entropy = entropy
        self._tenant = tenant

    async def ask(self, wanted: Wanted, *, by: PrincipalId) -> BreakGlass:
        """Ask for one; it opens with a second person's yes, given with a passkey.

        Raises `BreakGlassRefused`, `BreakGlassTooLong`, `BreakGlassOpenAlready`, `NoApprover`, `TooManyAsks`.
        """
        at = self._at()
        asked, name = await self._work.commit(lambda tx: self._asked(tx, wanted, by=by, at=at))
        try:
            approval = await self._asking.ask(_draft(asked, name), owner=None)
        except RemitError as unable:
            code = unable.code
            await self._work.commit(lambda tx: self._refuse(tx, asked, because=code, by="system", at=at))
            raise
        known = replace(asked, approval=approval.id)

        def note(tx: BreakGlassTransaction) -> BreakGlass:
            # Whoever was asked may have answered already: then the answer has noted it.
            return known if tx.glasses.move(known, was=GlassState.ASKED) else _found(tx, asked.id)

        return await self._work.commit(note)

    def settled(self, tx: BreakGlassTransaction, approval: Approval, *, at: datetime) -> None:
        """What an answer does, in its own commit: a yes opens, everything else refuses."""
        if approval.action != ACTION:
            return
        known = tx.glasses.get(BreakGlassId(approval.call))
        if known is None or known.state is not GlassState.ASKED:
            return
        glass = replace(known, approval=approval.id)
        if approval.state is not ApprovalState.APPROVED or approval.decided_by is None:
            self._refuse(tx, glass, because=approval.state.value, by=approval.decided_by or "system", at=at)
            return
        if not _may(tx.principals.get(glass.by)):
            self._refuse(tx, glass, because="whoever asked may not any more", by="system", at=at)
            return
        self._at()
        now = opened(glass, by=approval.decided_by, at=at, generation=self._clock.generation())
        tx.approvals.spend(
            approval.tenant, approval.id, call=CallId(glass.id), decision=DecisionId(""), at=at
        )
        tx.glasses.move(now, was=GlassState.ASKED)
        tx.touch("breakglass", now.id)
        self._state(tx, now, "opened", actor=approval.decided_by, at=at)

    async def end(self, ident: BreakGlassId, *, by: PrincipalId) -> BreakGlass:
        """End it by hand. Raises `NoSuchBreakGlass`, `NotBreakGlassNow`."""
        at = self._clock.now()
        return await self._work.commit(
            lambda tx: self._end(tx, _found(tx, ident), because=End.HAND, by=by, at=at)
        )

    async def end_for(self, *, principals: Sequence[str], tasks: Sequence[str], by: str) -> int:
        """End all that a kill reaches: their target, or one of the two who opened them. Idempotent."""
        at, reached = self._clock.now(), {*principals, *tasks}

        def hit(glass: BreakGlass) -> bool:
            return not reached.isdisjoint({glass.agent, glass.task, glass.by, glass.second or ""} - {""})

        return await self._end_all(hit, because=End.KILL, by=by, at=at)

    async def end_due(self) -> int:
        """End all whose time is over, or whose clock was set back. Idempotent, on any node."""
        at, generation = self._clock.now(), self._clock.generation()

        def due(glass: BreakGlass) -> bool:
            return is_over(glass, at=at, generation=generation)

        await self._work.commit(lambda tx: self._forget_unasked(tx, at))
        return await self._end_all(due, because=End.TIME, by="system", at=at)

    async def review(self, ident: BreakGlassId, *, sentence: str, by: PrincipalId) -> BreakGlass:
        """Close its review. Raises `NotTheReviewer` for whoever asked for it."""
        at = self._clock.now()

        def work(tx: BreakGlassTransaction) -> BreakGlass:
            glass = _found(tx, ident)
            if _same_person(tx, glass.by, by):
                raise NotTheReviewer("somebody else reviews it", next_step="remit user list")
            _need_role(tx, by)
            closed = reviewed(glass, by=by, sentence=sentence, at=at)
            tx.glasses.move(closed, was=GlassState.ENDED)
            text = Content(name="review", subject=by, text=closed.review)
            self._state(tx, closed, "reviewed", actor=by, at=at, contents=(text,))
            return closed

        return await self._work.commit(work)

    async def get(self, ident: BreakGlassId) -> tuple[BreakGlass, int]:
        """One, and how many decisions it made a difference to."""
        return await self._work.read(lambda tx: (_found(tx, ident), tx.glasses.count_uses(ident)))

    async def uses(self, ident: BreakGlassId, *, after: str, limit: int) -> Sequence[GlassUse]:
        """What was decided under it."""
        return await self._work.read(lambda tx: tx.glasses.uses(ident, after=after, limit=limit))

    async def page(self, *, state: GlassState | None, after: str, limit: int) -> Sequence[BreakGlass]:
        """Newest first."""
        return await self._work.read(lambda tx: tx.glasses.page(state=state, after=after, limit=limit))

    def has_due(self, tx: BreakGlassTransaction) -> bool:
        """Whether one is over and not told so yet."""
        at, generation = self._clock.now(), self._clock.generation()
        return any(
            is_over(glass, at=at, generation=generation) or is_orphan(glass, at=at)
            for glass in tx.glasses.standing()
        )

    def _at(self) -> datetime:
        """Now. SAFETY: under a clock that ran ahead, the end would come too late once it is set right."""
        at = self._clock.now()
        if self._clock.suspect():
            raise ClockSuspect("the clock is not to be trusted now", next_step="remit doctor")
        return at

    def _asked(
        self, tx: BreakGlassTransaction, wanted: Wanted, *, by: PrincipalId, at: datetime
    ) -> tuple[BreakGlass, str]:
        person, agent = _need_role(tx, by), _agent(tx, wanted.agent)
        glass = check(
            BreakGlass(
                id=BreakGlassId(mint_id("bgl", at=at, entropy=self._entropy)),
                tenant=self._tenant,
                state=GlassState.ASKED,
                agent=agent.id if agent else "",
                agent_name=agent.name if agent else "",
                task=wanted.task,
                action=wanted.action,
                lifts=tuple(sorted(set(wanted.lifts))),
                minutes=wanted.minutes,
                reason=wanted.reason.strip(),
                by=by,
                asked_at=at,
            )
        )
        other = next((each for each in tx.glasses.standing() if each.target == glass.target), None)
        if other is not None:
            raise BreakGlassOpenAlready(
                f"`{other.id}` is {other.state} for the same", next_step=f"remit breakglass show {other.id}"
            )
        tx.glasses.add(glass)
        self._state(tx, glass, "asked", actor=by, at=at, contents=(_why(glass),))
        return glass, person.email or person.name

    def _forget_unasked(self, tx: BreakGlassTransaction, at: datetime) -> None:
        """CRASH: one that we stopped before anybody was asked about stands in nobody's way for ever."""
        for glass in tx.glasses.standing():
            if is_orphan(glass, at=at):
                self._refuse(tx, glass, because="nobody was asked", by="system", at=at)

    def _refuse(
        self, tx: BreakGlassTransaction, glass: BreakGlass, *, because: str, by: str, at: datetime
    ) -> None:
        refused = replace(glass, state=GlassState.REFUSED, because=because, ended_at=at, ended_by=by)
        if tx.glasses.move(refused, was=GlassState.ASKED):
            self._state(tx, refused, "refused", actor=by, at=at)

    def _end(
        self, tx: BreakGlassTransaction, glass: BreakGlass, *, because: End, by: str, at: datetime
    ) -> BreakGlass:
        over = ended(glass, because=because, by=by, at=at)
        if tx.glasses.move(over, was=GlassState.OPEN):
            # INVARIANT: authority shrinks with it: no decision on an older view is recorded after this.
            tx.advance_epoch(f"break glass {over.id}")
            tx.touch("breakglass", over.id)
            self._state(tx, over, "ended", actor=by, at=at)
        return over

    async def _end_all(
        self, wanted: Callable[[BreakGlass], bool], *, because: End, by: str, at: datetime
    ) -> int:
        def work(tx: BreakGlassTransaction) -> int:
            found = [each for each in tx.glasses.standing() if each.state is GlassState.OPEN and wanted(each)]
            for glass in found:
                self._end(tx, glass, because=because, by=by, at=at)
            return len(found)

        return await self._work.commit(work)

    def _state(
        self,
        tx: BreakGlassTransaction,
        glass: BreakGlass,
        verb: str,
        *,
        actor: str,
        at: datetime,
        contents: Sequence[Content] = (),
    ) -> None:
        """Say it twice: for ever in the log, and as an alarm to whoever listens."""
        record = Record(
            id=facts.record_id(at, self._entropy),
            at=at,
            tenant=glass.tenant,
            kind=f"oversight.breakglass.{verb}",
            actor=actor,
            agent=glass.agent,
            task=glass.task,
            approval=glass.approval or "",
            action=glass.action,
            subject=glass.id,
            effect=glass.state,
            detail=(
                ("lifts", " ".join(glass.lifts)),
                ("minutes", str(glass.minutes)),
                ("by", glass.by),
                ("second", glass.second or ""),
                ("until", glass.until.isoformat() if glass.until else ""),
                ("because", glass.because),
            ),
        )
        facts.state(tx, record, entropy=self._entropy, contents=contents)


def is_over(glass: BreakGlass, *, at: datetime, generation: int) -> bool:
    """Whether it is open on paper and no longer in force."""
    open_ = glass.state is GlassState.OPEN
    return open_ and (glass.until is None or at >= glass.until or glass.generation != generation)


def is_orphan(glass: BreakGlass, *, at: datetime) -> bool:
    """Whether it was asked for and nobody can answer."""
    return glass.state is GlassState.ASKED and glass.approval is None and at >= glass.asked_at + _ORPHANED


def _why(glass: BreakGlass) -> Content:
    return Content(name="reason", subject=glass.by, text=glass.reason)


def _found(tx: BreakGlassTransaction, ident: BreakGlassId) -> BreakGlass:
    glass = tx.glasses.get(ident)
    if glass is None:
        raise NoSuchBreakGlass(f"no break glass `{ident}`", next_step="remit breakglass list")
    return glass


def _agent(tx: BreakGlassTransaction, named: str) -> Principal | None:
    if not named:
        return None
    found = tx.principals.get(PrincipalId(named)) or tx.principals.named(Kind.AGENT, named)
    if found is None or found.kind is not Kind.AGENT:
        raise NoSuchBreakGlass(f"no agent `{named}`", next_step="remit agent list")
    return found


def _may(person: Principal | None) -> bool:
    if person is None or person.kind is not Kind.HUMAN or person.state is not State.ACTIVE:
        return False
    return not _ROLES.isdisjoint(dict(person.attributes).get("roles", "").split())


def _need_role(tx: BreakGlassTransaction, by: PrincipalId) -> Principal:
    person = tx.principals.get(by)
    if person is None or not _may(person):
        raise Forbidden("only a person with the role `admin` or `approver` may", next_step="remit user list")
    return person


def _same_person(tx: BreakGlassTransaction, one: PrincipalId, other: PrincipalId) -> bool:
    first, second = tx.principals.get(one), tx.principals.get(other)
    if first is None or second is None:
        return one == other
    return natural_person(first) == natural_person(second)


def _draft(glass: BreakGlass, name: str) -> Approval:
    """The ask to the second person: about the terms, whole, and answered for this one alone."""
    text = msgspec.json.encode(glass.terms(), order="sorted")
    return Approval(
        id=ApprovalId(""),
        tenant=glass.tenant,
        state=ApprovalState.PENDING,
        key=framed_digest("remit/breakglass/v1", [glass.id.encode(), text]),
        decision=DecisionId(""),
        call=CallId(glass.id),
        agent=glass.by,
        agent_name=name,
        instance=glass.by,
        user=UserId(glass.by),
        user_name=name,
        task=None,
        purpose="break glass",
        chain=(name,),
        server="remit",
        tool="breakglass.open",
        tool_digest="",
        action=ACTION,
        resource=f"BreakGlass:{glass.id}",
        effect=f"for {glass.minutes} minutes these refusals stop nothing of it: {', '.join(glass.lifts)}",
        reversible=False,
        arguments=text.decode(),
        arguments_digest=sha256(text),
        policy_version="",
        rule="break glass",
        reason=glass.reason,
        approvers=APPROVERS,
        asked=(),
        requested_at=glass.asked_at,
        expires_at=glass.asked_at + timedelta(minutes=1),
        passkey=True,
    )
