"""Decisions and policies as the API shows them."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Self

import msgspec

from remit.decision.answer.finding import Finding
from remit.decision.answer.response import Effect, NearestMiss, Reason, Remedy, Stage
from remit.decision.policy.errors import Fault
from remit.decision.policy.seal import Canary, PublishedPolicy
from remit.decision.policy_service import Share, trial_of
from remit.decision.trail.trace import Explanation, StoredDecision
from remit.ledger.words import Word, word_of
from remit.surface.web.paging import PageQuery
from remit.surface.web.schemas.risk import RiskView
from remit.surface.web.schemas.words import Ident, Instant, Line

PolicyText = Annotated[str, msgspec.Meta(max_length=1 << 18)]


class DecisionQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which decisions."""

    agent: Annotated[str, msgspec.Meta(max_length=128, pattern=r"^[A-Za-z0-9._:-]*$")] = ""
    effect: Effect | None = None
    since: Instant | None = None


class ReasonView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why a stage said what it said."""

    code: str
    kind: str = ""
    sentence: str
    rule: str = ""
    step: int = 0
    controls: list[str] = []
    source: str = ""

    @classmethod
    def of(cls, reason: Reason) -> Self:
        """From the domain."""
        return cls(
            code=reason.code,
            kind=reason.kind or "",
            sentence=reason.sentence,
            rule=reason.rule,
            step=reason.step,
            controls=list(reason.controls),
            source=reason.source,
        )


class MissView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The smallest change that would have passed."""

    argument: str = ""
    one_of: list[str] = []
    at_most: str = ""
    at_least: str = ""
    absent: bool = False
    approval_from: str = ""
    excluding: list[str] = []
    at: datetime | None = None
    relation: str = ""
    """The tuple that would have to be there."""
    never: bool = False
    rule: str = ""

    @classmethod
    def of(cls, miss: NearestMiss) -> Self:
        """From the domain."""
        return cls(
            argument=miss.argument,
            one_of=list(miss.one_of),
            at_most=miss.at_most,
            at_least=miss.at_least,
            absent=miss.absent,
            approval_from=miss.approval_from,
            excluding=list(miss.except_),
            at=miss.at,
            relation=miss.relation,
            never=miss.never,
            rule=miss.rule,
        )


class RemedyView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What to do next."""

    action: str
    retry: str = ""
    tell_user: str = ""
    poll_after_s: int = 0
    give_up_at: datetime | None = None

    @classmethod
    def of(cls, remedy: Remedy) -> Self:
        """From the domain."""
        return cls(
            action=remedy.action,
            retry=remedy.retry,
            tell_user=remedy.tell_user,
            poll_after_s=remedy.poll_after_s,
            give_up_at=remedy.give_up_at,
        )


class StageView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one stage found."""

    stage: Stage
    effect: Effect
    reasons: list[ReasonView] = []
    nearest_miss: list[MissView] = []
    detail: list[str] = []
    paths: list[str] = []
    """Through which tuples relations came about."""
    paths_hidden: bool = False
    """Whether there are paths that only administrators and readers may see."""

    @classmethod
    def of(cls, finding: Finding, *, sees_all: bool) -> Self:
        """From the domain. SAFETY: a path names groups and things of others (PD-23)."""
        return cls(
            stage=finding.stage,
            effect=finding.effect,
            reasons=[ReasonView.of(each) for each in finding.reasons],
            nearest_miss=[MissView.of(each) for each in finding.nearest_miss],
            detail=list(finding.detail),
            paths=list(finding.paths) if sees_all else [],
            paths_hidden=bool(finding.paths) and not sees_all,
        )


class DecisionLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One decision in a list."""

    id: str
    at: datetime
    effect: Effect
    verdict: Word
    """The same in the words that others use (N9)."""
    agent: str
    agent_name: str
    user: str = ""
    user_name: str = ""
    company: tuple[str, ...] = msgspec.field(default=(), name="with")
    task: str = ""
    action: str
    resource: str
    code: str = ""
    rule: str = ""
    approval: str = ""

    @classmethod
    def of(cls, stored: StoredDecision) -> Self:
        """From the domain."""
        return cls(**_common(stored.explanation, ident=stored.id, approval=stored.approval or ""))


class DecisionView(DecisionLine, frozen=True, kw_only=True, omit_defaults=True):
    """One decision with everything that explains it: what each stage found then."""

    call: str
    instance: str
    chain: list[str]
    purpose: str
    arguments_digest: str
    sentence: str
    told: str = ""
    """What was done, as one sentence from the log; absent where nothing was permitted."""
    stages: list[StageView]
    nearest_miss: list[MissView] = []
    remedy: RemedyView | None = None
    obligations: list[str] = []
    risk: RiskView | None = None
    """How risky the call was, and from what; absent where that was not assessed."""
    approvers: str = ""
    observed: list[str] = []
    breakglass: list[str] = []
    """Break glass that made a difference."""
    otherwise: str = ""
    """What the other version says, while one is tried on a part and they differ."""
    policy_version: str
    revision: int
    epoch: int
    capability: str = ""
    outcome: str = ""
    key: str
    labels: list[str] = []
    """Of the data in the agent's context, where a rule looked at them."""
    outward: list[str] = []
    """Who and what outside the house the arguments named, where a rule looked at it."""

    @classmethod
    def stored(cls, stored: StoredDecision, *, told: str, sees_all: bool) -> Self:
        """A decision on record, and what the log tells of it."""
        common = _common(stored.explanation, ident=stored.id, approval=stored.approval or "")
        return cls(
            **common,
            **_whole(stored.explanation, sees_all=sees_all),
            told=told,
            capability=stored.capability or "",
            outcome=stored.outcome or "",
        )

    @classmethod
    def rehearsed(cls, explanation: Explanation, *, sees_all: bool) -> Self:
        """What would be decided; nothing is on record."""
        return cls(**_common(explanation, ident="", approval=""), **_whole(explanation, sees_all=sees_all))


class Question(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A call that is not made: which instance would call which tool, with which arguments, in which task."""

    agent: Ident
    task: Ident | None = None
    """Absent: the newest running task of the agent for the caller."""
    server: Ident
    tool: Line
    arguments: dict[str, Any] = {}


class CanaryBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who a version is tried on first: a percentage of tasks, agents by name, or both; for how many hours."""

    percent: Annotated[int, msgspec.Meta(ge=0, le=100)] = 0
    agents: Annotated[list[Annotated[str, msgspec.Meta(max_length=128)]], msgspec.Meta(max_length=50)] = []
    hours: Annotated[int, msgspec.Meta(ge=1, le=720)] = 24

    def share(self) -> Share:
        """As the domain has it."""
        return Share(percent=self.percent, agents=tuple(self.agents), life=timedelta(hours=self.hours))


class PolicyBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A Cedar policy set; `version` is the number that the publisher means to make."""

    text: PolicyText
    version: Annotated[int, msgspec.Meta(ge=1, le=(1 << 53) - 1)] | None = None
    canary: CanaryBody | None = None


class PolicyDraft(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A Cedar policy set to judge."""

    text: PolicyText


class FaultView(msgspec.Struct, frozen=True, kw_only=True):
    """One thing wrong with a text: where, counted from 1, and what was probably meant."""

    policy: str
    sentence: str
    line: int = 0
    column: int = 0
    hint: str = ""

    @classmethod
    def of(cls, fault: Fault) -> Self:
        """From the domain."""
        return cls(
            policy=fault.policy,
            sentence=fault.sentence,
            line=fault.line,
            column=fault.column,
            hint=fault.hint,
        )


class PolicyCheck(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a text could be published."""

    good: bool
    faults: list[FaultView]


class VersionView(msgspec.Struct, frozen=True, kw_only=True):
    """A version that was published."""

    version: int
    digest: str


class CanaryView(msgspec.Struct, frozen=True, kw_only=True):
    """Who a version is or was tried on, beside which one."""

    base: int
    percent: int
    agents: list[str]
    until: datetime

    @classmethod
    def of(cls, trial: Canary) -> Self:
        """From the domain."""
        return cls(base=trial.base, percent=trial.percent, agents=list(trial.agents), until=trial.until)


def _state(
    policy: PublishedPolicy, *, newest: PublishedPolicy | None, stable: PublishedPolicy | None, at: datetime
) -> str:
    number = policy.version.number
    if stable is not None and number == stable.version.number:
        return "in force"
    trial = trial_of(policy)
    if newest is None or number != newest.version.number or trial is None:
        return "older"
    return "tried" if at < trial.until else "ended"


class PolicyView(VersionView, frozen=True, kw_only=True):
    """A version with its text."""

    text: str
    published_by: str
    published_at: datetime
    signed: bool
    state: str
    """`in force`, `tried`, `ended` (a trial that is over) or `older`."""
    canary: CanaryView | None

    @classmethod
    def of(
        cls,
        policy: PublishedPolicy,
        *,
        newest: PublishedPolicy | None,
        stable: PublishedPolicy | None,
        at: datetime,
    ) -> Self:
        """From the domain."""
        trial = trial_of(policy)
        return cls(
            version=policy.version.number,
            digest=policy.version.digest,
            text=policy.text,
            published_by=policy.published_by,
            published_at=policy.published_at,
            signed=bool(policy.seal),
            state=_state(policy, newest=newest, stable=stable, at=at),
            canary=None if trial is None else CanaryView.of(trial),
        )


def _otherwise(found: Explanation) -> str:
    other = found.otherwise
    if other is None:
        return ""
    return f"{other.effect} with {other.policy_version}: {other.sentence}"


def _common(found: Explanation, *, ident: str, approval: str) -> dict[str, Any]:
    strongest = _deciding(found)
    return {
        "id": ident,
        "at": found.at,
        "effect": found.verdict.effect,
        "verdict": word_of(found.verdict.effect, obliged=bool(found.verdict.obligations)),
        "agent": found.agent,
        "agent_name": found.agent_name,
        "user": found.user or "",
        "user_name": found.user_name,
        "company": found.companion_names,
        "task": found.task or "",
        "action": found.action,
        "resource": found.resource,
        "code": strongest.code if strongest else "",
        "rule": strongest.rule if strongest else "",
        "approval": approval,
    }


def _whole(found: Explanation, *, sees_all: bool) -> dict[str, Any]:
    verdict, strongest = found.verdict, _deciding(found)
    return {
        "call": found.call,
        "instance": found.instance,
        "chain": list(found.chain),
        "purpose": found.purpose,
        "arguments_digest": found.arguments,
        "sentence": strongest.sentence if strongest else "",
        "stages": [StageView.of(each, sees_all=sees_all) for each in found.stages],
        "nearest_miss": [MissView.of(each) for each in verdict.nearest_miss],
        "remedy": None if verdict.remedy is None else RemedyView.of(verdict.remedy),
        "obligations": [each.type for each in verdict.obligations],
        "risk": None if found.risk is None else RiskView.of(found.risk),
        "approvers": verdict.approvers,
        "observed": [f"{each.mode} {each.rule}: {each.effect}: {each.sentence}" for each in verdict.observed],
        "breakglass": list(found.glasses),
        "otherwise": _otherwise(found),
        "policy_version": verdict.policy_version,
        "revision": verdict.revision,
        "epoch": verdict.epoch,
        "key": found.key,
        "labels": list(found.labels),
        "outward": list(found.outward),
    }


def _deciding(found: Explanation) -> Reason | None:
    """The first reason of the effect that won."""
    effect = found.verdict.effect
    return next((each for each in found.verdict.reasons if each.effect is effect), None)
