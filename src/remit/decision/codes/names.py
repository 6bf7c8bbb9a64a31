"""The codes that a decision can carry; a code never changes its meaning."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from remit.decision.answer.response import DenialKind, Effect, RemedyAction, Stage


class Code(StrEnum):
    """Stable names of reasons."""

    PERMITTED = "permitted"
    APPROVED = "approved"
    APPROVED_WITHIN = "approved_within"
    GLASS_LIFTED = "glass_lifted"
    TENANT_MISMATCH = "tenant_mismatch"
    TOKEN_EXPIRED = "token_expired"  # noqa: S105 — the name of a reason, not a token
    REVOKED = "revoked"
    KILLED = "killed"
    PRINCIPAL_UNKNOWN = "principal_unknown"
    PRINCIPAL_INACTIVE = "principal_inactive"
    OWNER_MISSING = "owner_missing"
    TASK_UNKNOWN = "task_unknown"
    TASK_MISMATCH = "task_mismatch"
    TASK_ENDED = "task_ended"
    TASK_EXPIRED = "task_expired"
    GRANT_UNKNOWN = "grant_unknown"
    GRANT_WITHDRAWN = "grant_withdrawn"
    ENVELOPE_UNKNOWN = "envelope_unknown"
    CHAIN_MISMATCH = "chain_mismatch"
    HOP_EXPIRED = "hop_expired"
    SERVER_UNKNOWN = "server_unknown"
    TOOL_UNKNOWN = "tool_unknown"
    TOOL_CHANGED = "tool_changed"
    TOOL_QUARANTINED = "tool_quarantined"
    TOOL_UNMAPPED = "tool_unmapped"
    ARGUMENT_UNMAPPED = "argument_unmapped"
    ARGUMENTS_UNREAD = "arguments_unread"
    CEILING_MISSING = "ceiling_missing"
    CEILING_EMPTY = "ceiling_empty"
    RIGHT_MISSING = "right_missing"
    RESOURCE_OUTSIDE = "resource_outside"
    ARGUMENT_OUTSIDE = "argument_outside"
    WINDOW_CLOSED = "window_closed"
    PURPOSE_OUTSIDE = "purpose_outside"
    NO_POLICIES = "no_policies"
    POLICY_UNVERIFIED = "policy_unverified"
    NO_PERMIT = "no_permit"
    FORBIDDEN = "forbidden"
    CONDITION_FAILED = "condition_failed"
    POLICY_ERROR = "policy_error"
    ARGUMENT_TYPE = "argument_type"
    APPROVAL_REQUIRED = "approval_required"
    STEP_UP_REQUIRED = "step_up_required"
    KEY_NOT_BOUND = "key_not_bound"
    RELATION_MISSING = "relation_missing"
    RELATION_UNANSWERED = "relation_unanswered"
    HISTORY_FORBIDS = "history_forbids"
    HISTORY_ASKS = "history_asks"
    HISTORY_ERROR = "history_error"
    RISK_TOO_HIGH = "risk_too_high"
    RISK_ASKS = "risk_asks"
    RISK_NEEDS_SIGN_IN = "risk_needs_sign_in"
    FACT_MISSING = "fact_missing"
    APPROVERS_DIFFER = "approvers_differ"
    COMPANION_ABSENT = "companion_absent"
    EGRESS_REFUSED = "egress_refused"
    ARGUMENT_UNTRUSTED = "argument_untrusted"
    ARGUMENT_REFUSED = "argument_refused"
    EFFECT_UNASKED = "effect_unasked"
    DOCUMENT_UNTOLD = "document_untold"
    LINEAGE_EXPORT = "lineage_export"
    LINEAGE_COPY = "lineage_copy"
    LINEAGE_FULL = "lineage_full"
    CALLS_EXHAUSTED = "calls_exhausted"
    RATE_EXCEEDED = "rate_exceeded"
    MONEY_EXHAUSTED = "money_exhausted"
    COST_INVALID = "cost_invalid"
    USAGE_EXHAUSTED = "usage_exhausted"
    USAGE_INVALID = "usage_invalid"
    USAGE_UNSTATED = "usage_unstated"
    BUDGET_ASKS = "budget_asks"
    BUDGET_COMPANION = "budget_companion"
    TOO_MANY_CAPABILITIES = "too_many_capabilities"
    GATEWAY_ONLY = "gateway_only"
    APPROVAL_PENDING = "approval_pending"
    APPROVAL_DENIED = "approval_denied"
    APPROVAL_EXPIRED = "approval_expired"
    TASK_READ_ONLY = "task_read_only"
    APPROVAL_LAPSED = "approval_lapsed"
    APPROVAL_CANCELLED = "approval_cancelled"
    PROOF_REPLAYED = "proof_replayed"
    SNAPSHOT_STALE = "snapshot_stale"
    STAGE_ERROR = "stage_error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the table. `sentence` has named places for the caller's values; `help_` is for the page."""

    stage: Stage
    effect: Effect
    kind: DenialKind | None
    sentence: str
    remedy: RemedyAction
    tell: str
    """What an agent may say to its user."""
    help_: str


def deny(stage: Stage, kind: DenialKind, sentence: str, remedy: RemedyAction, tell: str, help_: str) -> Entry:
    """A line that says no."""
    return Entry(
        stage=stage,
        effect=Effect.DENY,
        kind=kind,
        sentence=sentence,
        remedy=remedy,
        tell=tell,
        help_=help_,
    )


STOP: Final = "I had to stop: my authority to do this has ended."
OUTSIDE: Final = "This is outside what I was allowed to do."
LATER: Final = "This could not be checked just now; I will try again."
"""What an agent may say to its user, where several codes say the same."""
