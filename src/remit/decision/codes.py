"""Every code that a decision can carry: its kind, its sentence, what to do about it.

The reference page of errors is generated from `TABLE`. A code never changes its meaning.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from remit.decision.response import DenialKind, Effect, Reason, RemedyAction, Stage


class Code(StrEnum):
    """Stable names of reasons."""

    PERMITTED = "permitted"
    APPROVED = "approved"
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
    CEILING_MISSING = "ceiling_missing"
    CEILING_EMPTY = "ceiling_empty"
    RIGHT_MISSING = "right_missing"
    RESOURCE_OUTSIDE = "resource_outside"
    ARGUMENT_OUTSIDE = "argument_outside"
    WINDOW_CLOSED = "window_closed"
    PURPOSE_OUTSIDE = "purpose_outside"
    NO_POLICIES = "no_policies"
    NO_PERMIT = "no_permit"
    FORBIDDEN = "forbidden"
    CONDITION_FAILED = "condition_failed"
    POLICY_ERROR = "policy_error"
    ARGUMENT_TYPE = "argument_type"
    APPROVAL_REQUIRED = "approval_required"
    STEP_UP_REQUIRED = "step_up_required"
    KEY_NOT_BOUND = "key_not_bound"
    CALLS_EXHAUSTED = "calls_exhausted"
    RATE_EXCEEDED = "rate_exceeded"
    MONEY_EXHAUSTED = "money_exhausted"
    COST_INVALID = "cost_invalid"
    APPROVAL_PENDING = "approval_pending"
    APPROVAL_DENIED = "approval_denied"
    APPROVAL_EXPIRED = "approval_expired"
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


def _deny(
    stage: Stage, kind: DenialKind, sentence: str, remedy: RemedyAction, tell: str, help_: str
) -> Entry:
    return Entry(
        stage=stage,
        effect=Effect.DENY,
        kind=kind,
        sentence=sentence,
        remedy=remedy,
        tell=tell,
        help_=help_,
    )


_STOP = "I had to stop: my authority to do this has ended."
_OUTSIDE = "This is outside what I was allowed to do."
_LATER = "This could not be checked just now; I will try again."

TABLE: Final[dict[Code, Entry]] = {
    Code.PERMITTED: Entry(
        stage=Stage.POLICY,
        effect=Effect.PERMIT,
        kind=None,
        sentence="policy `{rule}` permits it",
        remedy=RemedyAction.NONE,
        tell="",
        help_="Every stage agreed; the named policy permits the call.",
    ),
    Code.APPROVED: Entry(
        stage=Stage.OVERSIGHT,
        effect=Effect.PERMIT,
        kind=None,
        sentence="a person approved exactly this call (`{approval}`)",
        remedy=RemedyAction.NONE,
        tell="",
        help_="An unspent approval for exactly this action lifted the question; the call spends it.",
    ),
    Code.TENANT_MISMATCH: _deny(
        Stage.ALIVE,
        DenialKind.DELEGATION_INVALID,
        "the token belongs to another tenant",
        RemedyAction.REAUTHENTICATE,
        _STOP,
        "A token is judged by the tenant that owns its key; no other tenant accepts it.",
    ),
    Code.TOKEN_EXPIRED: _deny(
        Stage.ALIVE,
        DenialKind.REVOKED,
        "the token expired at `{when}`",
        RemedyAction.REAUTHENTICATE,
        _STOP,
        "Get a new access token and send the call again.",
    ),
    Code.REVOKED: _deny(
        Stage.ALIVE,
        DenialKind.REVOKED,
        "{what} `{id}` is revoked",
        RemedyAction.REAUTHENTICATE,
        _STOP,
        "Something that the call stands on was taken back; it never comes back under the same id.",
    ),
    Code.KILLED: _deny(
        Stage.ALIVE,
        DenialKind.KILLED,
        "{what} `{id}` was stopped",
        RemedyAction.NONE,
        _STOP,
        "The kill switch was used on the agent or on something above it.",
    ),
    Code.PRINCIPAL_UNKNOWN: _deny(
        Stage.ALIVE,
        DenialKind.IDENTITY_SUSPENDED,
        "{what} `{id}` is not in the directory",
        RemedyAction.NONE,
        _STOP,
        "The identity is not registered, or no longer.",
    ),
    Code.PRINCIPAL_INACTIVE: _deny(
        Stage.ALIVE,
        DenialKind.IDENTITY_SUSPENDED,
        "{what} `{id}` is `{state}`, not `active`",
        RemedyAction.NONE,
        _STOP,
        "Everything that a call stands on must be active: instance, agent, blueprint, user.",
    ),
    Code.OWNER_MISSING: _deny(
        Stage.ALIVE,
        DenialKind.IDENTITY_SUSPENDED,
        "nobody answers for the agent: its owner can't be resolved to a person",
        RemedyAction.CONTACT_OWNER,
        _STOP,
        "An agent acts only while an active person, its owner or the owner's deputy, answers for it.",
    ),
    Code.TASK_UNKNOWN: _deny(
        Stage.ALIVE,
        DenialKind.DELEGATION_INVALID,
        "task `{id}` is not known",
        RemedyAction.REAUTHENTICATE,
        _STOP,
        "Rights exist only within a task; start one.",
    ),
    Code.TASK_MISMATCH: _deny(
        Stage.ALIVE,
        DenialKind.DELEGATION_INVALID,
        "the token and task `{id}` name different users or agents",
        RemedyAction.REAUTHENTICATE,
        _STOP,
        "The user and the first agent of a chain are those that the task was started for.",
    ),
    Code.TASK_ENDED: _deny(
        Stage.ALIVE,
        DenialKind.REVOKED,
        "task `{id}` is `{state}`",
        RemedyAction.NONE,
        _STOP,
        "A task runs once; what has ended never runs again.",
    ),
    Code.TASK_EXPIRED: _deny(
        Stage.ALIVE,
        DenialKind.REVOKED,
        "task `{id}` was due at `{when}`",
        RemedyAction.NONE,
        _STOP,
        "The task's deadline has passed.",
    ),
    Code.GRANT_UNKNOWN: _deny(
        Stage.ALIVE,
        DenialKind.DELEGATION_INVALID,
        "consent `{id}` is not known",
        RemedyAction.REQUEST_ACCESS,
        _OUTSIDE,
        "A delegated task stands on a consent of its user for its agent.",
    ),
    Code.GRANT_WITHDRAWN: _deny(
        Stage.ALIVE,
        DenialKind.REVOKED,
        "consent `{id}` was withdrawn",
        RemedyAction.REQUEST_ACCESS,
        _STOP,
        "The user took the consent back; a new one is a new decision of that user.",
    ),
    Code.ENVELOPE_UNKNOWN: _deny(
        Stage.ALIVE,
        DenialKind.DELEGATION_INVALID,
        "the delegation that the token names is not on record",
        RemedyAction.REAUTHENTICATE,
        _STOP,
        "A chain of more than one agent carries its signed envelope.",
    ),
    Code.CHAIN_MISMATCH: _deny(
        Stage.ALIVE,
        DenialKind.DELEGATION_INVALID,
        "the chain has {members} members, its envelope has {hops} hops",
        RemedyAction.REAUTHENTICATE,
        _STOP,
        "Each agent after the first is there by exactly one signed hop.",
    ),
    Code.HOP_EXPIRED: _deny(
        Stage.ALIVE,
        DenialKind.REVOKED,
        "hop {hop} of the delegation ended at `{when}`",
        RemedyAction.REAUTHENTICATE,
        _STOP,
        "A delegated right lasts no longer than the hop that gave it.",
    ),
    Code.SERVER_UNKNOWN: _deny(
        Stage.ALIVE,
        DenialKind.NO_PERMIT,
        "server `{id}` is not registered",
        RemedyAction.CONTACT_OWNER,
        _OUTSIDE,
        "The gateway serves registered MCP servers only.",
    ),
    Code.TOOL_UNKNOWN: _deny(
        Stage.ALIVE,
        DenialKind.NO_PERMIT,
        "action `{action}` names no registered tool",
        RemedyAction.CONTACT_OWNER,
        _OUTSIDE,
        "Only pinned tools can be called.",
    ),
    Code.TOOL_CHANGED: _deny(
        Stage.ALIVE,
        DenialKind.UNAVAILABLE,
        "the definition of `{action}` changed while the call was on its way",
        RemedyAction.RETRY_AT,
        _LATER,
        "Send the call again: it is then judged by the present definition.",
    ),
    Code.TOOL_QUARANTINED: _deny(
        Stage.ALIVE,
        DenialKind.TOOL_QUARANTINED,
        "the definition of `{action}` is not approved",
        RemedyAction.CONTACT_OWNER,
        "This tool changed and has to be looked at by a person first.",
        "A changed or new definition is refused until a person has approved it.",
    ),
    Code.TOOL_UNMAPPED: _deny(
        Stage.AUTHORITY,
        DenialKind.ARGUMENTS_UNMAPPED,
        "`{action}` can do harm and has no mapping from arguments to resource",
        RemedyAction.CONTACT_OWNER,
        "This tool is not set up for governed use yet.",
        "A consequential tool is called only through a mapping.",
    ),
    Code.ARGUMENT_UNMAPPED: _deny(
        Stage.AUTHORITY,
        DenialKind.ARGUMENTS_UNMAPPED,
        "argument `{argument}` is not in the mapping of `{action}`",
        RemedyAction.NARROW_ARGUMENTS,
        "I used an argument that is not allowed for this tool.",
        "A consequential tool takes only the arguments that its mapping lists; leave the others out.",
    ),
    Code.CEILING_MISSING: _deny(
        Stage.AUTHORITY,
        DenialKind.NO_PERMIT,
        "there is no ceiling of the {factor}",
        RemedyAction.REQUEST_ACCESS,
        _OUTSIDE,
        "Each factor of an effective right must exist; a missing one counts as empty.",
    ),
    Code.CEILING_EMPTY: _deny(
        Stage.AUTHORITY,
        DenialKind.NO_PERMIT,
        "the ceiling of the {factor} holds no right",
        RemedyAction.REQUEST_ACCESS,
        _OUTSIDE,
        "An empty set of rights is none.",
    ),
    Code.RIGHT_MISSING: _deny(
        Stage.AUTHORITY,
        DenialKind.SCOPE_INSUFFICIENT,
        "the {factor} allows no `{action}`",
        RemedyAction.REQUEST_ACCESS,
        _OUTSIDE,
        "The named factor holds no right for this action on this type of resource.",
    ),
    Code.RESOURCE_OUTSIDE: _deny(
        Stage.AUTHORITY,
        DenialKind.SCOPE_INSUFFICIENT,
        "the {factor} does not allow `{action}` on `{resource}`",
        RemedyAction.NARROW_ARGUMENTS,
        _OUTSIDE,
        "The named factor allows the action, on other resources.",
    ),
    Code.ARGUMENT_OUTSIDE: _deny(
        Stage.AUTHORITY,
        DenialKind.LIMIT_EXCEEDED,
        "argument `{argument}` is outside what the {factor} allows",
        RemedyAction.NARROW_ARGUMENTS,
        _OUTSIDE,
        "The named factor bounds this argument; the nearest miss holds the bound.",
    ),
    Code.WINDOW_CLOSED: _deny(
        Stage.AUTHORITY,
        DenialKind.CONDITION_FAILED,
        "the {factor} is good from `{start}` until before `{end}`",
        RemedyAction.RETRY_AT,
        "I may not do this at this time.",
        "The named factor has a window, half open: its start is inside, its end is not.",
    ),
    Code.PURPOSE_OUTSIDE: _deny(
        Stage.AUTHORITY,
        DenialKind.CONDITION_FAILED,
        "the {factor} is not for purpose `{purpose}`",
        RemedyAction.REQUEST_ACCESS,
        _OUTSIDE,
        "The purpose is that of the signed task; a purpose named in a call counts for nothing.",
    ),
    Code.NO_POLICIES: _deny(
        Stage.POLICY,
        DenialKind.NO_PERMIT,
        "no policy is in force",
        RemedyAction.CONTACT_OWNER,
        _OUTSIDE,
        "An empty policy set denies everything.",
    ),
    Code.NO_PERMIT: _deny(
        Stage.POLICY,
        DenialKind.NO_PERMIT,
        "no policy permits `{action}` on `{resource}` for `{agent}`",
        RemedyAction.REQUEST_ACCESS,
        _OUTSIDE,
        "Nothing is allowed that no policy permits.",
    ),
    Code.FORBIDDEN: _deny(
        Stage.POLICY,
        DenialKind.FORBIDDEN,
        "policy `{rule}` forbids it{because}",
        RemedyAction.NONE,
        "A rule forbids this.",
        "A forbid outweighs every permit.",
    ),
    Code.CONDITION_FAILED: _deny(
        Stage.POLICY,
        DenialKind.CONDITION_FAILED,
        "policy `{rule}` would permit it, but a condition does not hold{because}",
        RemedyAction.NARROW_ARGUMENTS,
        "A condition for this is not met.",
        "The nearest policy permits this action under conditions; the nearest miss lists what is missing.",
    ),
    Code.POLICY_ERROR: _deny(
        Stage.POLICY,
        DenialKind.UNAVAILABLE,
        "policy `{rule}` could not be evaluated",
        RemedyAction.CONTACT_OWNER,
        _LATER,
        "An error in any policy that applies denies; Cedar alone would skip a forbid that fails.",
    ),
    Code.ARGUMENT_TYPE: _deny(
        Stage.POLICY,
        DenialKind.CONDITION_FAILED,
        "argument `{argument}` is not {expected}",
        RemedyAction.NARROW_ARGUMENTS,
        "I sent a value of the wrong type.",
        "A policy looks at this argument, and its value is not of the type that the tool declares.",
    ),
    Code.APPROVAL_REQUIRED: Entry(
        stage=Stage.POLICY,
        effect=Effect.ASK,
        kind=DenialKind.APPROVAL_REQUIRED,
        sentence="policy `{rule}` asks for a yes from {approvers}{because}",
        remedy=RemedyAction.REQUEST_APPROVAL,
        tell="I need a person to approve this.",
        help_="A person must approve exactly this call; it is then decided again.",
    ),
    Code.STEP_UP_REQUIRED: Entry(
        stage=Stage.POLICY,
        effect=Effect.STEP_UP,
        kind=DenialKind.STEP_UP_REQUIRED,
        sentence="policy `{rule}` asks the user to authenticate again, with `{acr}`",
        remedy=RemedyAction.STEP_UP,
        tell="Please sign in again, more strongly.",
        help_="The person on whose behalf the call is made authenticates again (RFC 9470).",
    ),
    Code.KEY_NOT_BOUND: Entry(
        stage=Stage.POLICY,
        effect=Effect.ASK,
        kind=DenialKind.APPROVAL_REQUIRED,
        sentence="the token is bound to no key, so a call that can do harm needs a yes from {approvers}",
        remedy=RemedyAction.REQUEST_APPROVAL,
        tell="I need a person to approve this.",
        help_="Use a DPoP-bound token (RFC 9449) to be spared the question.",
    ),
    Code.CALLS_EXHAUSTED: _deny(
        Stage.BUDGET,
        DenialKind.BUDGET_EXHAUSTED,
        "the {factor} has no call left of {cap}{period}",
        RemedyAction.CONTACT_OWNER,
        "The number of calls for this is used up.",
        "The named factor caps the number of calls.",
    ),
    Code.RATE_EXCEEDED: _deny(
        Stage.BUDGET,
        DenialKind.LIMIT_EXCEEDED,
        "the {factor} allows {cap} calls per minute",
        RemedyAction.RETRY_AT,
        "I am going too fast; I will wait.",
        "The named factor caps calls per clock minute.",
    ),
    Code.MONEY_EXHAUSTED: _deny(
        Stage.BUDGET,
        DenialKind.BUDGET_EXHAUSTED,
        "`{cost}` {currency} is more than the `{left}` left to the {factor} of `{cap}`{period}",
        RemedyAction.NARROW_ARGUMENTS,
        "The budget for this is used up.",
        "The named factor caps money per currency; a currency that is not listed has no budget at all.",
    ),
    Code.COST_INVALID: _deny(
        Stage.BUDGET,
        DenialKind.LIMIT_EXCEEDED,
        "the amount of the call is not a plain positive amount of money",
        RemedyAction.NARROW_ARGUMENTS,
        "I sent an amount that makes no sense.",
        "An amount that is missing, negative, not finite or too large is refused.",
    ),
    Code.APPROVAL_PENDING: Entry(
        stage=Stage.OVERSIGHT,
        effect=Effect.ASK,
        kind=DenialKind.APPROVAL_PENDING,
        sentence="approval `{approval}` is pending",
        remedy=RemedyAction.WAIT,
        tell="I am waiting for a person to approve this.",
        help_="Somebody was asked and has not answered yet; send the same call again later.",
    ),
    Code.APPROVAL_DENIED: _deny(
        Stage.OVERSIGHT,
        DenialKind.APPROVAL_DENIED,
        "a person said no (`{approval}`)",
        RemedyAction.NONE,
        "A person decided against this.",
        "The person who was asked said no to exactly this call.",
    ),
    Code.APPROVAL_EXPIRED: Entry(
        stage=Stage.OVERSIGHT,
        effect=Effect.ASK,
        kind=DenialKind.APPROVAL_EXPIRED,
        sentence="nobody answered approval `{approval}` in time",
        remedy=RemedyAction.REQUEST_APPROVAL,
        tell="Nobody answered in time; I will ask again.",
        help_="An expiry is not a denial; ask again.",
    ),
    Code.APPROVAL_CANCELLED: Entry(
        stage=Stage.OVERSIGHT,
        effect=Effect.ASK,
        kind=DenialKind.APPROVAL_REQUIRED,
        sentence="approval `{approval}` was cancelled",
        remedy=RemedyAction.REQUEST_APPROVAL,
        tell="The question was withdrawn; I will ask again.",
        help_="The question was cancelled before anybody answered it, or its yes was used up; ask again.",
    ),
    Code.PROOF_REPLAYED: _deny(
        Stage.ALIVE,
        DenialKind.PROOF_REPLAYED,
        "the proof of possession was used before",
        RemedyAction.REAUTHENTICATE,
        _LATER,
        "Sign a new proof for each request (RFC 9449 §4.3).",
    ),
    Code.SNAPSHOT_STALE: _deny(
        Stage.ALIVE,
        DenialKind.UNAVAILABLE,
        "what is known here is older than what is in force",
        RemedyAction.RETRY_AT,
        _LATER,
        "The node could not catch up in time; try again.",
    ),
    Code.STAGE_ERROR: _deny(
        Stage.ALIVE,
        DenialKind.UNAVAILABLE,
        "stage `{failed}` failed",
        RemedyAction.RETRY_AT,
        _LATER,
        "A part of the decision failed; nothing is permitted on an error.",
    ),
}


def reason(code: Code, *, rule: str = "", **places: object) -> Reason:
    """Fill in the sentence of a code."""
    entry = TABLE[code]
    return Reason(
        stage=entry.stage,
        effect=entry.effect,
        kind=entry.kind,
        code=code,
        sentence=entry.sentence.format(rule=rule, **places),
        rule=rule,
    )
