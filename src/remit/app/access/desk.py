"""Answers questions of enforcement points: each is decided and on record like a call of our own gateway."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Protocol

from remit.app.access.ordered import Ordered
from remit.app.access.posing import Posed, Subjects, Tools, pose
from remit.app.access.question import Asked
from remit.decision.answer.response import Decision, Effect, Handing, Reason
from remit.decision.call.request import ProposedCall
from remit.decision.facts.snapshot import Snapshot, Snapshots
from remit.decision.service import Proposal
from remit.kernel.clock import Clock
from remit.kernel.ids import CallId, Entropy, PrincipalId, mint_id

AT_ONCE: Final = 64
"""Questions of one batch that are decided on one view and put on record together."""
PATIENCE_S: Final = 2.0
"""When a page of a search ends with what it has; the next goes on after what was looked at last."""


class Judge(Protocol):
    """The decision point."""

    async def decide(
        self, call: ProposedCall, *, at_least: int | None = None, handing: Handing = Handing.USED
    ) -> Decision:
        """Decide and record."""

    async def decide_all(
        self, proposals: Sequence[Proposal], *, at_least: int | None = None, handing: Handing = Handing.USED
    ) -> tuple[Decision, ...]:
        """Decide and record several."""

    async def refuse(self, call: ProposedCall, said: Reason) -> Decision:
        """Refuse and record."""

    async def foresee(self, calls: Sequence[ProposedCall]) -> tuple[Effect, ...]:
        """What would be decided, with no effect."""


class AccessDesk:
    """One tenant's answers."""

    def __init__(
        self,
        *,
        judge: Judge,
        snapshots: Snapshots,
        issuer: str,
        clock: Clock,
        entropy: Entropy,
        patience: float = PATIENCE_S,
    ) -> None:
        self.patience = patience
        self._judge = judge
        self._snapshots = snapshots
        self._issuer = issuer
        self._clock = clock
        self._entropy = entropy
        self._tools = Tools()
        self._subjects = Subjects()
        self._ordered: tuple[object, Ordered] | None = None

    async def evaluate(self, asked: Asked, *, by: PrincipalId) -> Decision:
        """Decide one question; a permit has used up what it needs when this returns."""
        posed = self.posed(asked, self._snapshots.current(), by=by)
        if posed.refused is not None:
            # Whatever was pinned since may read the arguments otherwise: refuse only on what is true now.
            posed = self.posed(asked, await self._snapshots.catch_up(), by=by)
        if posed.refused is not None:
            return await self._judge.refuse(posed.call, posed.refused)
        return await self._judge.decide(posed.call, at_least=asked.at_least, handing=Handing.TOLD)

    async def evaluate_all(self, asked: Sequence[Asked], *, by: PrincipalId) -> tuple[Decision, ...]:
        """Decide several, each by itself (PD-25); the answers are in the order of the questions."""
        found: list[Decision] = []
        for start in range(0, len(asked), AT_ONCE):
            found += await self._evaluate_some(asked[start : start + AT_ONCE], by=by)
        return tuple(found)

    async def _evaluate_some(self, asked: Sequence[Asked], *, by: PrincipalId) -> tuple[Decision, ...]:
        snapshot, at = self._snapshots.current(), self._clock.now()
        posed = [self.posed(each, snapshot, by=by, at=at) for each in asked]
        if any(each.refused is not None for each in posed):
            snapshot = await self._snapshots.catch_up()
            posed = [
                found if found.refused is None else self.posed(each, snapshot, by=by)
                for each, found in zip(asked, posed, strict=True)
            ]
        known = [each.at_least for each in asked if each.at_least is not None]
        return await self._judge.decide_all(
            [Proposal(call=each.call, refused=each.refused) for each in posed],
            at_least=max(known, default=None),
            handing=Handing.TOLD,
        )

    async def foresee(self, asked: Sequence[Asked], *, by: PrincipalId) -> tuple[bool, ...]:
        """Which questions would be permitted now; nothing is used up and nothing recorded."""
        return tuple(effect is Effect.PERMIT for _, effect in await self.judged(asked, by=by))

    async def judged(
        self, asked: Sequence[Asked], *, by: PrincipalId
    ) -> tuple[tuple[ProposedCall, Effect], ...]:
        """Each question as the call that it stands for, and what it would be answered now."""
        snapshot = await self._snapshots.catch_up()
        posed = [self.posed(each, snapshot, by=by) for each in asked]
        effects = iter(await self._judge.foresee([each.call for each in posed if each.refused is None]))
        return tuple((each.call, Effect.DENY if each.refused else next(effects)) for each in posed)

    async def call(self, asked: Asked, *, by: PrincipalId) -> ProposedCall:
        """The call that a question stands for, on the newest view; nothing is decided."""
        return self.posed(asked, await self._snapshots.catch_up(), by=by).call

    def posed(
        self, asked: Asked, snapshot: Snapshot, *, by: PrincipalId, at: datetime | None = None
    ) -> Posed:
        """The call that a question stands for, now unless another moment is told."""
        now = at or self._clock.now()
        return pose(
            asked,
            snapshot,
            self._tools,
            self._subjects,
            issuer=self._issuer,
            call=CallId(mint_id("call", at=now, entropy=self._entropy)),
            at=now,
            by=by,
        )

    def ordered(self, snapshot: Snapshot) -> Ordered:
        """Who there is in a view."""
        if self._ordered is None or self._ordered[0] is not snapshot.principals:
            self._ordered = snapshot.principals, Ordered.of(snapshot)
        return self._ordered[1]

    async def snapshot(self) -> Snapshot:
        """The newest view of everything."""
        return await self._snapshots.catch_up()
