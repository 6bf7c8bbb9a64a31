"""Asks and kills as the API shows them."""

from dataclasses import asdict
from datetime import datetime
from typing import Any, Self

import msgspec

from remit.oversight.approvals.approval import Approval, ApprovalState
from remit.oversight.approvals.beside import Beside
from remit.oversight.approvals.card import Card, draw
from remit.oversight.approvals.visible import Shown, show
from remit.oversight.containment.kill import Kill, KillState, Reach, Target, TargetKind
from remit.surface.web.paging import PageQuery
from remit.surface.web.schemas.words import Ident, Jws, Line


class ApprovalQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which asks."""

    state: ApprovalState | None = None
    mine: bool = False
    """Only those that the caller was asked."""


class ShownText(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A text with what could deceive in it made visible and named."""

    text: str
    warnings: list[str] = []

    @classmethod
    def of(cls, shown: Shown) -> Self:
        """From the card."""
        return cls(text=shown.text, warnings=list(shown.warnings))


class CardLine(msgspec.Struct, frozen=True, kw_only=True):
    """One argument, whole."""

    pointer: str
    value: ShownText


class CardView(msgspec.Struct, frozen=True, kw_only=True):
    """What an approver must see before a yes."""

    headline: ShownText
    effect: ShownText
    arguments: list[CardLine]
    size: int
    inspectable: bool

    @classmethod
    def of(cls, card: Card) -> Self:
        """From the stored bytes."""
        return cls(
            headline=ShownText.of(card.headline),
            effect=ShownText.of(card.effect),
            arguments=[
                CardLine(pointer=each.pointer, value=ShownText.of(each.value)) for each in card.arguments
            ],
            size=card.size,
            inspectable=card.inspectable,
        )


class ComparedView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Earlier asks of the same agent for the same action within 30 days, by how they ended."""

    approved: int
    denied: int
    unanswered: int
    same_resource: int
    largest: str = ""
    whole: bool = True


class RiskPart(msgspec.Struct, frozen=True, kw_only=True):
    """Points for one reason."""

    part: str
    points: int
    because: ShownText


class HeardView(msgspec.Struct, frozen=True, kw_only=True):
    """Something that the agent had read when it asked."""

    name: ShownText
    action: ShownText
    labels: list[ShownText]


class BesideView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known about an ask besides its own bytes."""

    compared: ComparedView
    money: str = ""
    outside: list[ShownText] = []
    labels: list[ShownText] = []
    risk: int | None = None
    contributions: list[RiskPart] = []
    read: list[HeardView] = []
    more: bool = False

    @classmethod
    def of(cls, known: Beside) -> Self:
        """From the domain."""
        parts = known.risk.contributions if known.risk else ()
        return cls(
            compared=ComparedView(**asdict(known.compared)),
            money=known.money,
            outside=list(map(ShownText.of, known.outside)),
            labels=list(map(ShownText.of, known.labels)),
            risk=known.risk.score if known.risk else None,
            contributions=[
                RiskPart(part=each.part, points=each.points, because=ShownText.of(show(each.because)))
                for each in parts
            ],
            read=[
                HeardView(
                    name=ShownText.of(each.name),
                    action=ShownText.of(each.action),
                    labels=list(map(ShownText.of, each.labels)),
                )
                for each in known.read
            ],
            more=known.more,
        )


class ApprovalLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One ask in a list."""

    id: str
    state: ApprovalState
    agent: str
    agent_name: str
    action: str
    resource: str
    user: str = ""
    user_name: str = ""
    company: tuple[str, ...] = msgspec.field(default=(), name="with")
    task: str = ""
    decision: str
    rule: str
    reason: str
    requested_at: datetime
    expires_at: datetime
    decided_at: datetime | None = None
    decided_by: str = ""
    channel: str = ""
    spent_by: str = ""

    @classmethod
    def of(cls, approval: Approval) -> Self:
        """From the domain."""
        return cls(**_common(approval))


class ApprovalView(ApprovalLine, frozen=True, kw_only=True, omit_defaults=True):
    """One ask, with what is signed (`digest`) and all that a person must see."""

    digest: str
    arguments_digest: str
    tool_digest: str
    policy_version: str
    asked: list[str]
    uses: int
    card: CardView
    beside: BesideView | None = None
    """For whoever is asked, and for who sees all; never for the agent."""

    @classmethod
    def of(cls, approval: Approval, known: Beside | None = None) -> Self:
        """From the domain."""
        return cls(
            **_common(approval),
            digest=approval.digest,
            arguments_digest=approval.arguments_digest,
            tool_digest=approval.tool_digest,
            policy_version=approval.policy_version,
            asked=list(approval.asked),
            uses=approval.uses,
            card=CardView.of(draw(approval)),
            beside=None if known is None else BesideView.of(known),
        )


class SignedAnswer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person's own signature over one answer to one digest (`remit-approval+jwt`)."""

    signature: Jws


class LinkView(msgspec.Struct, frozen=True, kw_only=True):
    """The address of the approval page for the person who asked for it."""

    url: str


class KillRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to stop: a kind, and an id or name."""

    kind: TargetKind
    target: Ident
    reason: Line

    def aim(self) -> Target:
        """As the domain says it."""
        return Target(kind=self.kind, ident=self.target, name="")


class KillPreviewRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What would be stopped."""

    kind: TargetKind
    target: Ident

    def aim(self) -> Target:
        """As the domain says it."""
        return Target(kind=self.kind, ident=self.target, name="")


class ReachView(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a kill stops, or would stop."""

    kind: TargetKind
    target: str
    name: str
    principals: list[str]
    tasks: list[str]

    @classmethod
    def of(cls, target: Target, reach: Reach) -> Self:
        """From the domain."""
        return cls(
            kind=target.kind,
            target=target.ident,
            name=target.name,
            principals=list(reach.principals),
            tasks=list(reach.tasks),
        )


class PlaneView(msgspec.Struct, frozen=True, kw_only=True):
    """What one plane confirmed, and how long it took."""

    plane: str
    confirmed: bool
    detail: str
    seconds: float


class KillView(msgspec.Struct, frozen=True, kw_only=True):
    """A kill: `killing` until every plane has confirmed."""

    id: str
    state: KillState
    at: datetime
    by: str
    reason: str
    epoch_before: int
    epoch: int
    stopped: ReachView
    planes: list[PlaneView]
    in_flight: list[str]
    """Calls that had begun before; their outcome is unknown."""

    @classmethod
    def of(cls, kill: Kill) -> Self:
        """From the domain."""
        return cls(
            id=kill.id,
            state=kill.state,
            at=kill.at,
            by=kill.by,
            reason=kill.reason,
            epoch_before=kill.epoch_before,
            epoch=kill.epoch,
            stopped=ReachView.of(kill.target, kill.reach),
            planes=[
                PlaneView(
                    plane=each.plane, confirmed=each.confirmed, detail=each.detail, seconds=each.seconds
                )
                for each in kill.planes
            ],
            in_flight=list(kill.in_flight),
        )


def _common(approval: Approval) -> dict[str, Any]:
    return {
        "id": approval.id,
        "state": approval.state,
        "agent": approval.agent,
        "agent_name": approval.agent_name,
        "action": approval.action,
        "resource": approval.resource,
        "user": approval.user or "",
        "user_name": approval.user_name,
        "company": approval.companion_names,
        "task": approval.task or "",
        "decision": approval.decision,
        "rule": approval.rule,
        "reason": approval.reason,
        "requested_at": approval.requested_at,
        "expires_at": approval.expires_at,
        "decided_at": approval.decided_at,
        "decided_by": approval.decided_by or "",
        "channel": approval.channel,
        "spent_by": approval.spent_by or "",
    }
