"""The structured denial: one object, the same on every surface."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from remit.decision.answer.response import (
    Decision,
    Disclose,
    Effect,
    Mode,
    NearestMiss,
    Reason,
    Remedy,
    RemedyAction,
)
from remit.kernel.canonical import Json, JsonObject
from remit.kernel.errors import Conflict

KEY: Final = "dev.remit/denial"
_VERSION: Final = 1


class NotDenied(Conflict):
    """A permit has no denial."""

    code = "not_denied"


@dataclass(frozen=True, slots=True, kw_only=True)
class Denial:
    """Why a call may not run, what was nearest, and what to do; also for questions and step-ups."""

    decision: str
    at: datetime
    effect: Effect
    reason: Reason
    nearest_miss: tuple[NearestMiss, ...]
    remedy: Remedy
    policy_version: str
    call_key: str
    why: str
    disclose: Disclose

    def to_json(self, disclose: Disclose | None = None) -> JsonObject:
        """The object under `dev.remit/denial`; `disclose` can only hide more than the rule does."""
        shown = max(self.disclose, disclose or self.disclose, key=_SECRECY.index)
        kind = self.reason.kind
        told: JsonObject = {
            "version": _VERSION,
            "decision": self.decision,
            "effect": self.effect,
            "kind": kind or "",
            "code": self.reason.code,
            "stage": self.reason.stage,
            "message": self.message(shown),
        }
        if shown is Disclose.FULL:
            told["rule"] = _rule(self.reason, self.policy_version)
            told["nearest_miss"] = [_miss(miss) for miss in self.nearest_miss]
        if shown is not Disclose.CODE:
            told["remedy"] = _remedy(self.remedy, self.call_key)
        if self.why:
            told["why"] = self.why
        return told

    def message(self, disclose: Disclose | None = None) -> str:
        """One sentence; without values where the rule keeps them back."""
        shown = max(self.disclose, disclose or self.disclose, key=_SECRECY.index)
        return self.reason.sentence if shown is Disclose.FULL else f"denied: {self.reason.code}"

    def authzen(self, more: JsonObject | None = None) -> JsonObject:
        """The answer of the AuthZEN evaluation endpoint (AuthZEN 1.0 §5.5): `context` is ours to fill."""
        return {
            "decision": False,
            "context": {
                "evaluation_id": self.decision,
                "evaluated_at": instant(self.at),
                "reason": self.reason.kind or "",
                KEY: self.to_json(),
                **(more or {}),
            },
        }


_SECRECY: Final = (Disclose.FULL, Disclose.REMEDY, Disclose.CODE)


def denial_of(decision: Decision, *, call_key: str = "", why: str = "") -> Denial:
    """The denial of a decision; raises `NotDenied` for a permit."""
    verdict = decision.verdict
    if verdict.effect is Effect.PERMIT or verdict.remedy is None:
        raise NotDenied(f"decision `{decision.id}` permits")
    return Denial(
        decision=decision.id,
        at=decision.at,
        effect=verdict.effect,
        reason=verdict.reasons[0],
        nearest_miss=verdict.nearest_miss,
        remedy=verdict.remedy,
        policy_version=verdict.policy_version,
        call_key=call_key,
        why=why,
        disclose=verdict.disclose,
    )


def _rule(said: Reason, version: str) -> JsonObject:
    told: JsonObject = {"id": said.rule, "policy": version, "mode": Mode.ENFORCE}
    if said.controls:
        told["control"] = list(said.controls)
    if said.source:
        told["source"] = said.source
    return told


def _miss(miss: NearestMiss) -> JsonObject:
    told: JsonObject = {}
    if miss.argument:
        told["argument"] = miss.argument
    if miss.one_of:
        told["one_of"] = list(miss.one_of)
    if miss.at_most:
        told["at_most"] = miss.at_most
    if miss.at_least:
        told["at_least"] = miss.at_least
    if miss.absent:
        told["absent"] = True
    if miss.relation:
        told["relation"] = miss.relation
    if miss.approval_from:
        told["approval_from"] = miss.approval_from
        told["except"] = list(miss.except_)
    if miss.at is not None:
        told["at"] = instant(miss.at)
    told["then"] = "never" if miss.never else "permit"
    if miss.rule:
        told["rule"] = miss.rule
    return told


def _remedy(remedy: Remedy, call_key: str) -> JsonObject:
    told: dict[str, Json] = {"action": remedy.action}
    if remedy.retry:
        told["retry"] = remedy.retry
        told["call_key"] = call_key
    if remedy.poll_after_s:
        told["poll_after_s"] = remedy.poll_after_s
    if remedy.give_up_at is not None:
        told["give_up_at"] = instant(remedy.give_up_at)
    if remedy.tell_user:
        told["tell_user"] = remedy.tell_user
    if remedy.action is RemedyAction.NONE:
        told["retry"] = "never"
    return told


def instant(at: datetime) -> str:
    """RFC 3339, UTC, whole seconds, rounded down."""
    return at.astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")
