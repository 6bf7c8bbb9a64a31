"""A decision point whose questions people answer: both services on one store and one clock."""

import secrets
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from typing import Any

from remit.app.bindings.desk import ApprovalDesk
from remit.authority.tokens import Proof
from remit.decision.answer.response import Decision
from remit.decision.call.request import ProposedCall
from remit.identity.principals import Kind, Principal
from remit.kernel.ids import ApprovalId, CallId, PrincipalId
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.oversight.approvals.approval import Answer, Approval
from remit.oversight.approvals.proof import AnswerProof
from remit.oversight.approvals.scope import Choice
from remit.oversight.approvals.service import ApprovalService, Patience
from remit.oversight.attention.share import Attention
from remit.oversight.rosters.service import RosterService
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.clock import NOON, FixedClock
from support.deciding import Desk, desk
from support.decisions import call, office, principal
from support.jose import ISSUER

BOUNDED = (
    '@id("book") @approval("team:leads") @bound("calls=5 minutes=60 resources=3 /attendees<=10") '
    "permit(principal, action, resource);"
)
_jti = count()


def lead(name: str, **changes: Any) -> Principal:
    """Somebody of the team that is asked."""
    return principal(f"usr_{name}", Kind.HUMAN, name, **{"attributes": (("teams", "leads"),), **changes})


@dataclass
class Office:
    """Decisions, and the people who are asked about them."""

    desk: Desk
    asks: ApprovalService
    rosters: RosterService
    clock: FixedClock
    opens: ApprovalDesk

    async def decide(self, name: str = "rooms.book", **arguments: Any) -> Decision:
        """One call of ada's calendar-bot, now."""
        return await self.desk.service.decide(self.call(name, **arguments))

    def call(self, name: str = "rooms.book", **arguments: Any) -> ProposedCall:
        """The call, under an id of its own."""
        ident = CallId(f"call_{next(_jti)}")
        return replace(call(name, arguments or None), call=ident, at=self.clock.now())

    async def ask(self, name: str = "rooms.book", **arguments: Any) -> Approval:
        """Have people asked about a call."""
        asked = self.call(name, **arguments)
        decision = await self.desk.service.decide(asked)
        opened = await self.opens.ask(asked, decision)
        return await self.asks.get(opened.id)

    async def answer(
        self, ask: Approval, by: str = "lead", answer: Answer = Answer.APPROVE, choice: Choice | None = None
    ) -> Approval:
        """Somebody answers with a key of theirs."""
        return await self.asks.answer(ask.id, answer=answer, proof=proof(ask, by=by, choice=choice))

    async def get(self, ident: ApprovalId) -> Approval:
        """An ask as it stands."""
        return await self.asks.get(ident)


def proof(ask: Approval, *, by: str = "lead", choice: Choice | None = None, **changes: Any) -> AnswerProof:
    """What the door makes of a signed answer."""
    made = AnswerProof(
        by=PrincipalId(f"usr_{by}"),
        tenant=DEFAULT_TENANT,
        approval=ask.id,
        digest=ask.digest,
        channel="signed",
        once=Proof(key=f"signed:{by}", jti=f"j{next(_jti)}", keep_until=NOON + timedelta(days=2)),
        choice=choice,
    )
    return replace(made, **changes)


async def approving(
    uow: SqlUnitOfWork, *people: Principal, policy: str = BOUNDED, **patience: timedelta
) -> Office:
    """An office, with these people besides its own."""
    base = office()
    for person in people or (lead("lead"), lead("second")):
        base = replace(base, principals=base.principals.set(person.id, person))
    made = await desk(uow, policy=policy, snapshot=base)
    clock = FixedClock(now=NOON)
    asks = ApprovalService(
        work=uow,
        clock=clock,
        entropy=secrets.token_bytes,
        attention=Attention(pending_per_agent=50, per_user_per_minute=100),
        patience=Patience(**patience),
    )
    rosters = RosterService(work=uow, clock=clock, entropy=secrets.token_bytes, tenant=DEFAULT_TENANT)
    opens = ApprovalDesk(approvals=asks, snapshots=made.keeper, issuer=ISSUER)
    return Office(desk=made, asks=asks, rosters=rosters, clock=clock, opens=opens)
