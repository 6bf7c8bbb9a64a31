"""Asks and kills as the API shows them."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Self

import msgspec

from remit.decision.answer.terms import ArgumentLimit, Bound, Silence
from remit.decision.policy.bounds import MOST_CALLS, MOST_LIMITS, MOST_MINUTES, MOST_RESOURCES
from remit.oversight.approvals.approval import Answer, Approval, ApprovalState, Control
from remit.oversight.approvals.beside import Beside
from remit.oversight.approvals.card import Card, draw
from remit.oversight.approvals.evidence import Evidence
from remit.oversight.approvals.repository import Use
from remit.oversight.approvals.scope import Choice, Scope, told
from remit.oversight.approvals.visible import Shown, show
from remit.oversight.containment.kill import Kill, KillState, Reach, Target, TargetKind
from remit.surface.web.paging import PageQuery
from remit.surface.web.schemas.rights import Pointer
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


class LimitView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An argument that may differ: up to a number, or to anything."""

    pointer: Pointer
    at_most: Annotated[str, msgspec.Meta(max_length=32, pattern="^([0-9]+(\\.[0-9]+)?)?$")] = ""


class BoundView(msgspec.Struct, frozen=True, kw_only=True):
    """The widest yes that a rule lets somebody give."""

    sentence: str
    calls: int
    minutes: int
    resources: int
    limits: list[LimitView]

    @classmethod
    def of(cls, bound: Bound) -> Self:
        """From the domain."""
        return cls(
            sentence=told(bound),
            calls=bound.calls,
            minutes=bound.minutes,
            resources=bound.resources,
            limits=_limits(bound.limits),
        )


class ScopeBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an approver chooses instead of one call; never wider than the rule's bound."""

    calls: Annotated[int, msgspec.Meta(ge=1, le=MOST_CALLS)]
    minutes: Annotated[int, msgspec.Meta(ge=1, le=MOST_MINUTES)]
    limits: Annotated[list[LimitView], msgspec.Meta(max_length=MOST_LIMITS)] = []
    resources: Annotated[list[Line], msgspec.Meta(max_length=MOST_RESOURCES)] = []
    """Resources besides the asked one, as `Order:8812`."""

    def choice(self) -> Choice:
        """As the domain says it."""
        return Choice(
            calls=self.calls,
            minutes=self.minutes,
            limits=tuple(
                ArgumentLimit(pointer=each.pointer, at_most=each.at_most)
                for each in sorted(self.limits, key=lambda each: each.pointer)
            ),
            resources=tuple(sorted(self.resources)),
        )


class UseView(msgspec.Struct, frozen=True, kw_only=True):
    """One call that a bounded yes covered."""

    call: str
    decision: str
    at: datetime


class ScopeView(msgspec.Struct, frozen=True, kw_only=True):
    """A bounded yes as it was given, and what is left of it."""

    sentence: str
    calls: int
    left: int
    until: datetime
    resources: list[str]
    uses: list[UseView]

    @classmethod
    def of(cls, scope: Scope, left: int, uses: tuple[Use, ...]) -> Self:
        """From the domain."""
        return cls(
            sentence=scope.choice.sentence,
            calls=scope.choice.calls,
            left=left,
            until=scope.until,
            resources=list(scope.resources),
            uses=[UseView(call=each.call, decision=each.decision, at=each.at) for each in uses],
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
    control: Control
    """Whether the person confirms their own action, or somebody else agrees to it."""
    seat: str
    """Who is asked now, in the rule's words."""
    needed: int = 1
    """How many different people must say yes."""
    said_yes: tuple[str, ...] = ()
    silence: Silence
    moves_at: datetime
    """When silence moves it on, or ends it."""

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
    asked_before: list[str] = []
    chain: list[str] = []
    """All who are asked one after another, in the rule's words."""
    own_benefit: bool = False
    uses: int
    bound: BoundView | None = None
    """The widest yes that the rule allows; none: for one call alone."""
    scope: ScopeView | None = None
    """What was granted, where that is more than one call."""
    revoked_by: str = ""
    card: CardView
    beside: BesideView | None = None
    """For whoever is asked, and for who sees all; never for the agent."""

    @classmethod
    def of(
        cls, approval: Approval, known: Beside | None = None, left: int = 0, uses: tuple[Use, ...] = ()
    ) -> Self:
        """From the domain; `left` and `uses` of a bounded yes."""
        return cls(
            **_common(approval),
            digest=approval.digest,
            arguments_digest=approval.arguments_digest,
            tool_digest=approval.tool_digest,
            policy_version=approval.policy_version,
            asked=list(approval.asked),
            asked_before=list(approval.asked_before),
            chain=[seat.who for seat in approval.seats],
            own_benefit=approval.own_benefit,
            uses=approval.uses,
            bound=None if approval.bound is None else BoundView.of(approval.bound),
            scope=None if approval.scope is None else ScopeView.of(approval.scope, left, uses),
            revoked_by=approval.revoked_by or "",
            card=CardView.of(draw(approval)),
            beside=None if known is None else BesideView.of(known),
        )


class SignedAnswer(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A person's own signature over one answer to one digest (`remit-approval+jwt`).

    With a `scope`, the yes is to that many calls, and what is signed as the answer names it.
    """

    signature: Jws
    scope: ScopeBody | None = None


class AnswerEvidence(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One person's answer with the signature itself: enough to verify it without asking us anything more."""

    person: str
    human: str
    """The natural person behind the account."""
    seat: int
    answer: Answer
    scope: str = ""
    digest: str
    channel: str
    at: datetime
    fingerprint: str
    """What the log names this answer by, as digest `answer` of its record."""
    document: str
    """The answer as it is kept, in JSON; its SHA-256 is the fingerprint."""

    @classmethod
    def of(cls, evidence: Evidence) -> Self:
        """From the domain."""
        return cls(
            person=evidence.person,
            human=evidence.human,
            seat=evidence.seat,
            answer=evidence.answer,
            scope=evidence.choice.sentence if evidence.choice else "",
            digest=evidence.digest,
            channel=evidence.channel,
            at=evidence.at,
            fingerprint=evidence.fingerprint,
            document=msgspec.json.encode(evidence).decode(),
        )


class EvidencesView(msgspec.Struct, frozen=True, kw_only=True):
    """All answers to one ask, in the order in which they were given."""

    approval: str
    digest: str
    """Computed anew from what is stored: every answer must name it."""
    issuer: str
    items: list[AnswerEvidence]


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


def _limits(limits: tuple[ArgumentLimit, ...]) -> list[LimitView]:
    return [LimitView(pointer=each.pointer, at_most=each.at_most) for each in limits]


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
        "control": approval.control,
        "seat": approval.seats[approval.seat].who,
        "needed": approval.quorum,
        "said_yes": approval.said,
        "silence": approval.silence,
        "moves_at": approval.moves_at,
    }
