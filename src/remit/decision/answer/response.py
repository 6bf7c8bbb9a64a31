"""What is answered: an effect, its reasons, the nearest miss and a remedy. Never a truth value."""

from datetime import datetime
from enum import StrEnum
from typing import NoReturn

from remit.decision.answer.terms import Terms
from remit.decision.answer.told import Told
from remit.kernel.canonical import Digest
from remit.kernel.ids import ApprovalId, BreakGlassId, CapabilityId, DecisionId


class Effect(StrEnum):
    """The closed set of verdicts, weakest to strongest; the strongest of all stages wins."""

    PERMIT = "permit"
    STEP_UP = "step_up"
    ASK = "ask"
    DENY = "deny"

    @property
    def strength(self) -> int:
        """Rank among the verdicts: 0 for a permit, 3 for a denial."""
        return _STRENGTH[self]


_STRENGTH = {Effect.PERMIT: 0, Effect.STEP_UP: 1, Effect.ASK: 2, Effect.DENY: 3}


class Mode(StrEnum):
    """How far a policy is in force (N7)."""

    OBSERVE = "observe"
    """Its effect is recorded, never applied."""
    WARN = "warn"
    """As observe, and the caller is told."""
    ENFORCE = "enforce"


class Handing(StrEnum):
    """What becomes of the capability of a permit."""

    USED = "used"
    """The enforcement point that asks carries the call out at once: it is used up by the decision itself."""
    LIVE = "live"
    """Its holder takes it to the tool server, which uses it up."""
    TOLD = "told"
    """There is none: an enforcement point of its own lets the call pass, and does what it is obliged to."""
    METERED = "metered"
    """There is none: a program says what it is about to use, and afterwards what it did."""


class Disclose(StrEnum):
    """How much of a denial its receiver is told."""

    FULL = "full"
    REMEDY = "remedy"
    CODE = "code"


class Stage(StrEnum):
    """The stages that exist, in the order in which they run."""

    ALIVE = "alive"
    AUTHORITY = "authority"
    POLICY = "policy"
    RELATIONS = "relations"
    HISTORY = "history"
    RISK = "risk"
    BUDGET = "budget"
    OVERSIGHT = "oversight"


class DenialKind(StrEnum):
    """What sort of no it is; each has its own remedy."""

    NO_PERMIT = "no_permit"
    FORBIDDEN = "forbidden"
    CONDITION_FAILED = "condition_failed"
    SCOPE_INSUFFICIENT = "scope_insufficient"
    RELATION_MISSING = "relation_missing"
    STEP_UP_REQUIRED = "step_up_required"
    APPROVAL_REQUIRED = "approval_required"
    APPROVAL_PENDING = "approval_pending"
    APPROVAL_DENIED = "approval_denied"
    APPROVAL_EXPIRED = "approval_expired"
    RISK_TOO_HIGH = "risk_too_high"
    BUDGET_EXHAUSTED = "budget_exhausted"
    LIMIT_EXCEEDED = "limit_exceeded"
    DELEGATION_INVALID = "delegation_invalid"
    IDENTITY_SUSPENDED = "identity_suspended"
    REVOKED = "revoked"
    KILLED = "killed"
    TOOL_QUARANTINED = "tool_quarantined"
    ARGUMENTS_UNMAPPED = "arguments_unmapped"
    PROOF_REPLAYED = "proof_replayed"
    UNAVAILABLE = "unavailable"


class RemedyAction(StrEnum):
    """What a machine can do about a denial."""

    REQUEST_ACCESS = "request_access"
    NARROW_ARGUMENTS = "narrow_arguments"
    RETRY_AT = "retry_at"
    REAUTHORIZE = "reauthorize"
    STEP_UP = "step_up"
    REQUEST_APPROVAL = "request_approval"
    WAIT = "wait"
    CONTACT_OWNER = "contact_owner"
    REAUTHENTICATE = "reauthenticate"
    NONE = "none"


class Reason(Told, frozen=True, kw_only=True):
    """Why a stage said what it said. `code` is stable and documented; `sentence` is for people."""

    stage: Stage
    effect: Effect
    kind: DenialKind | None
    code: str
    sentence: str
    rule: str = ""
    """Id of the policy, right or budget that decided."""
    step: int = 0
    """Number of the verification step that failed, where there is one."""
    controls: tuple[str, ...] = ()
    """Controls of a standard that the policy carries out (`@control`)."""
    source: str = ""
    """Law, contract or house rule that the policy comes from (`@source`)."""


class NearestMiss(Told, frozen=True, kw_only=True):
    """The smallest change that would have passed this stage; `never` if no change would.

    `argument` with `one_of`, `at_most`, `at_least` or `absent`; or `approval_from`; or `at` (a time);
    or `relation`; else `never`.
    """

    argument: str = ""
    one_of: tuple[str, ...] = ()
    at_most: str = ""
    at_least: str = ""
    approval_from: str = ""
    except_: tuple[str, ...] = ()
    at: datetime | None = None
    absent: bool = False
    """Leave `argument` out."""
    relation: str = ""
    """What somebody would have to be given, as `order:8812#viewer@user:ana`."""
    never: bool = False
    rule: str = ""


class Remedy(Told, frozen=True, kw_only=True):
    """What to do next; a remedy never permits: after it the call is decided again."""

    action: RemedyAction
    retry: str = ""
    """`same_call` if the very same bytes should be sent again."""
    tell_user: str = ""
    poll_after_s: int = 0
    give_up_at: datetime | None = None


class StepUp(Told, frozen=True, kw_only=True):
    """How the person must sign in again (RFC 9470 §3): its class; how many seconds ago at most, if not 0."""

    acr: str
    max_age: int = 0
    hopeless: bool = False
    """Nobody can sign in here like that: to ask for it would be to ask for ever."""


class Obligation(Told, frozen=True, kw_only=True):
    """Something that the enforcement point must do with a permitted call; an unknown type is a denial."""

    type: str
    properties: tuple[tuple[str, str], ...] = ()


class Observation(Told, frozen=True, kw_only=True):
    """What would have been decided if a policy in observe or warn mode were in force."""

    rule: str
    mode: Mode
    effect: Effect
    sentence: str


class Verdict(Told, frozen=True, kw_only=True):
    """What the pipeline found, before anything is recorded."""

    effect: Effect
    reasons: tuple[Reason, ...]
    nearest_miss: tuple[NearestMiss, ...]
    remedy: Remedy | None
    obligations: tuple[Obligation, ...]
    approvers: str = ""
    """Who may answer an ASK, as in `@approval`: `team:support-leads`, `self > owner`."""
    terms: Terms | None = None
    """What the rules say of the question, where the effect is ASK."""
    step_up: StepUp | None = None
    """How the person must sign in again, where the effect is STEP_UP."""
    observed: tuple[Observation, ...] = ()
    """Where policies that are not in force would have decided otherwise."""
    disclose: Disclose = Disclose.FULL
    policy_version: str
    revision: int
    epoch: int

    def __bool__(self) -> NoReturn:
        raise TypeError("a verdict has no truth value; match on `effect`")


class Decision(Told, frozen=True, kw_only=True):
    """A verdict that is durably on record. A permit carries the capability that the call consumed."""

    id: DecisionId
    at: datetime
    verdict: Verdict
    capability: CapabilityId | None = None
    capability_token: str | None = None
    """The signed capability (`remit-cap+jwt`) for the resource; absent unless permitted."""
    approval: ApprovalId | None = None
    """The approval that this permit spent, or the one that is pending."""
    key: Digest = ""
    """Name of exactly this action under this policy version (`digest.action_key`), where a person is or was
    asked about it: the key of an approval."""
    family: Digest = ""
    """What a bounded yes to it may be for; empty where a yes is for this call alone."""
    glasses: tuple[BreakGlassId, ...] = ()
    """Break glass that made a difference."""
    consequential: bool = False
    """Whether the call can do harm, as its tool is pinned: nobody may let it through without asking."""

    def __bool__(self) -> NoReturn:
        raise TypeError("a decision has no truth value; match on `verdict.effect`")
