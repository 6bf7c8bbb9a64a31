"""What was learned from use, as the API shows and takes it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Self

import msgspec

from remit.app.learning import Accepted, Lessons, Narrowing, Wish
from remit.assurance.posture.access import RightUse
from remit.assurance.posture.doubt import Answers, Doubt
from remit.assurance.posture.drafting import fences, rule_id
from remit.assurance.posture.evidence import Bar, Evidence
from remit.assurance.posture.learning import Learned
from remit.assurance.posture.telling import about, told
from remit.surface.web.schemas.decision import CanaryBody
from remit.surface.web.schemas.rights import CeilingBody, RightBody, ceiling_view, right_view, utc
from remit.surface.web.schemas.words import Count, Ident, Instant

Names = Annotated[list[Ident], msgspec.Meta(max_length=200)]
Said = Annotated[
    list[Annotated[str, msgspec.Meta(max_length=16, pattern=r"^(j-[0-9a-f]{8}|all)$")]],
    msgspec.Meta(max_length=500),
]
Least = Annotated[int, msgspec.Meta(ge=1, le=1000)]


class LearnBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom to learn, every agent if nobody is named; of which time; from how many tasks and days on it is a
    habit; and what a person says to questions, by their ids or `all` for every other one.
    """

    agents: Names = []
    blueprints: Names = []
    since: Instant
    until: Instant
    tasks: Least = 3
    days: Least = 2
    take: Said = []
    leave: Said = []

    def wish(self) -> Wish:
        """As the service has it."""
        return Wish(
            agents=tuple(self.agents),
            blueprints=tuple(self.blueprints),
            since=self.since,
            until=self.until,
            bar=Bar(tasks=self.tasks, days=self.days),
            answers=Answers(take=frozenset(self.take), leave=frozenset(self.leave)),
        )


class AcceptBody(LearnBody, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The same, and the digest of the draft that the person saw; with `canary` it is tried on a part."""

    digest: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]
    canary: CanaryBody | None = None


class EvidenceView(msgspec.Struct, frozen=True, kw_only=True):
    """What something stands on; `otherwise_at_most` is an upper bound with 95 % confidence."""

    uses: Count
    tasks: Count
    days: Count
    users: Count
    approved: Count
    first: datetime
    last: datetime
    examples: list[str]
    otherwise_at_most: float

    @classmethod
    def of(cls, found: Evidence) -> Self:
        """From the domain."""
        return cls(
            uses=found.uses,
            tasks=found.tasks,
            days=found.days,
            users=found.users,
            approved=found.approved,
            first=utc(found.first),
            last=utc(found.last),
            examples=list(found.examples),
            otherwise_at_most=round(found.otherwise_at_most, 4),
        )


class LearnedRule(msgspec.Struct, frozen=True, kw_only=True):
    """One proposed rule: what stays open to whom, in words and as Cedar."""

    rule: str
    subject: str
    around: bool
    """Whether it is the one around all that the subject may do."""
    open: list[str]
    text: str
    evidence: list[EvidenceView]


class QuestionView(msgspec.Struct, frozen=True, kw_only=True):
    """What a person has to say: was it needed? `taken` is what happens as it stands."""

    id: str
    subject: str
    action: str
    about: str
    why: str
    taken: bool
    settled: bool
    evidence: EvidenceView

    @classmethod
    def of(cls, subject: str, found: Doubt) -> Self:
        """From the domain."""
        return cls(
            id=found.id,
            subject=subject,
            action=found.action,
            about=about(found),
            why=found.why.value,
            taken=found.taken,
            settled=found.settled,
            evidence=EvidenceView.of(found.evidence),
        )


class LeftOutView(msgspec.Struct, frozen=True, kw_only=True):
    """Decisions that are no evidence of a need."""

    why: str
    count: Count


class ForwardView(msgspec.Struct, frozen=True, kw_only=True):
    """Learned from the first 80 % of tasks: how many of the later ones it would have stopped."""

    subject: str
    tasks: Count
    stopped: Count
    at_most: float


class NarrowingView(msgspec.Struct, frozen=True, kw_only=True):
    """A ceiling as use supports it; absent where nothing changes."""

    subject: str
    before: Count
    rights: Count
    ceiling: CeilingBody | None

    @classmethod
    def of(cls, found: Narrowing) -> Self:
        """From the service."""
        after = found.after
        return cls(
            subject=found.subject,
            before=len(found.before.rights),
            rights=len((after or found.before).rights),
            ceiling=None if after is None else ceiling_view(after),
        )


class LessonsView(msgspec.Struct, frozen=True, kw_only=True):
    """All that was learned; nothing of it is in force. `text` is the whole policy with it."""

    since: datetime
    until: datetime
    calls: Count
    rules: list[LearnedRule]
    questions: list[QuestionView]
    left_out: list[LeftOutView]
    forward: list[ForwardView]
    ceilings: list[NarrowingView]
    idle: list[str]
    text: str
    digest: str
    more: bool

    @classmethod
    def of(cls, found: Lessons) -> Self:
        """From the service."""
        return cls(
            since=found.wish.since,
            until=found.wish.until,
            calls=sum(each.calls for each in found.learned),
            rules=[rule for each in found.learned if each.needs for rule in _rules(each)],
            questions=[QuestionView.of(one.subject, each) for one in found.learned for each in one.doubts],
            left_out=_left_out(found.learned),
            forward=[
                ForwardView(
                    subject=each.subject,
                    tasks=each.forward.tasks,
                    stopped=each.forward.stopped,
                    at_most=round(each.forward.at_most, 4),
                )
                for each in found.learned
                if each.needs
            ],
            ceilings=[NarrowingView.of(each) for each in found.narrowings],
            idle=list(found.idle),
            text=found.text,
            digest=found.digest,
            more=found.more,
        )


class AcceptedView(msgspec.Struct, frozen=True, kw_only=True):
    """The version that was published, and whose ceilings were narrowed."""

    version: int
    digest: str
    narrowed: list[str]

    @classmethod
    def of(cls, found: Accepted) -> Self:
        """From the service."""
        version = found.version
        return cls(version=version.number, digest=version.digest, narrowed=list(found.narrowed))


class AccessQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of how many days."""

    days: Annotated[int, msgspec.Meta(ge=1, le=730)] = 30


class RightUseView(msgspec.Struct, frozen=True, kw_only=True):
    """One right with its use: `used`, `periodic`, `unused` or `never used`; calls are cited by decision."""

    right: RightBody
    verdict: str
    uses: Count
    last: datetime | None
    rhythm: str
    due: str
    unused_resources: list[str]
    examples: list[str]

    @classmethod
    def of(cls, found: RightUse) -> Self:
        """From the domain."""
        evidence, rhythm = found.evidence, found.rhythm
        return cls(
            right=right_view(found.right),
            verdict=found.verdict.value,
            uses=found.uses,
            last=None if evidence is None else utc(evidence.last),
            rhythm="" if rhythm is None else rhythm.name,
            due="" if rhythm is None else rhythm.due.isoformat(),
            unused_resources=list(found.unused_resources),
            examples=[] if evidence is None else list(evidence.examples),
        )


class AgentAccess(msgspec.Struct, frozen=True, kw_only=True):
    """Every right of an agent's ceiling against its use."""

    agent: str
    days: Count
    rights: list[RightUseView]


def _rules(learned: Learned) -> list[LearnedRule]:
    return [
        LearnedRule(
            rule=fence.id,
            subject=learned.subject,
            around=fence.id == rule_id(learned.subject, ""),
            open=[told(need) for need in fence.needs],
            text=fence.text,
            evidence=[EvidenceView.of(need.evidence) for need in fence.needs],
        )
        for fence in fences(learned)
    ]


def _left_out(learned: Sequence[Learned]) -> list[LeftOutView]:
    found: dict[str, int] = {}
    for one in learned:
        for standing, count in one.left_out.items():
            found[standing.value] = found.get(standing.value, 0) + count
    ordered = sorted(found.items(), key=lambda pair: -pair[1])
    return [LeftOutView(why=why, count=count) for why, count in ordered]
