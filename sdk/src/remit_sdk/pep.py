"""An enforcement point of your own: ask before each call, do what a permit obliges to, have people asked.

The decision point is asked over AuthZEN 1.0 (Authorization API). Where it can't be reached the answer is no,
but for actions that you named, that it said itself can do no harm, for so many seconds; that is told to it
afterwards, from a file that outlives this process.
"""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from remit_sdk import wire
from remit_sdk.errors import Denied, NotAllowed, RemitError, Unreachable
from remit_sdk.identity import Identity
from remit_sdk.journal import Journal

Question = Mapping[str, Any]
"""`subject`, `action`, `resource`, `context`, as AuthZEN has them (§5)."""
Duty = Callable[[Mapping[str, str], Any], Any]
"""Fulfils one type of obligation: its properties and the result in, the result as it may be seen out."""
LONGEST = 300.0
"""Seconds that anybody may go on without the decision point."""
_TIMEOUT = 10.0
_OK, _CREATED, _ACCEPTED, _UNAUTHORIZED, _SERVER_ERROR = 200, 201, 202, 401, 500
_EARLY = 30
_OURS, _DENIAL = "dev.remit", "dev.remit/denial"


@dataclass(frozen=True)
class Grace:
    """Actions that may go on without the decision point, for so many seconds of its absence."""

    actions: frozenset[str]
    seconds: float

    def __post_init__(self) -> None:
        """Refuse more than the longest."""
        if not 0 < self.seconds <= LONGEST:
            raise RemitError(f"{self.seconds} s is not within 0 and {LONGEST:.0f}", code="grace_too_long")


@dataclass(frozen=True)
class Permit:
    """The call may be made, once; its result goes through `fulfil`."""

    evaluation: str
    duties: tuple[tuple[Duty, Mapping[str, str]], ...] = ()
    unasked: bool = False
    """Whether nobody was asked: the decision point is out of reach."""

    def fulfil(self, result: Any) -> Any:
        """The result as it may be seen."""
        for duty, properties in self.duties:
            result = duty(properties, result)
        return result


@dataclass
class _Known:
    """What the decision point said last of a subject and an action."""

    permitted: bool
    harmless: bool
    obligations: Sequence[Mapping[str, Any]]


@dataclass
class EnforcementPoint:
    """Asks for one deployment, by its own key-bound token; one thread at a time.

    `duties` are the obligations that you can fulfil, by type: a permit under any other is a no. `grace` needs
    a `journal`: without one nothing is let through unasked.
    """

    identity: Identity
    duties: Mapping[str, Duty] = field(default_factory=dict)
    grace: Sequence[Grace] = ()
    journal: Journal | None = None
    now: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    sleep: Callable[[float], None] = time.sleep
    _token: str = field(init=False, default="", repr=False)
    _ends_at: float = field(init=False, default=0.0)
    _lost_at: float | None = field(init=False, default=None)
    _known: dict[tuple[str, str], _Known] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse grace that could not be told of."""
        if self.grace and self.journal is None:
            raise RemitError("grace needs a journal", code="grace_without_journal")

    def allow(self, question: Question) -> Permit:
        """Ask about one call. Raises `Denied`, or `Unreachable` where nobody could be asked."""
        try:
            answer = self._post("/access/v1/evaluation", question)
        except Unreachable as lost:
            return self._without(question, lost)
        self._found()
        return self._judged(question, _object(answer, _OK))

    def ask(self, question: Question, *, patience: float = 900.0) -> Permit:
        """As `allow`; where a person must say yes, have them asked and wait (AuthZEN ARAP, draft 1).

        The yes is used up by this one call. Raises `NotAllowed` if they said no or nothing.
        """
        try:
            return self.allow(question)
        except Denied as denied:
            wanted = denied.context.get("access_request")
            if not isinstance(wanted, Mapping):
                raise
            approval = self._approval(question, denied, wanted, patience)
        context = {**question.get("context", {}), "approval": approval}
        return self.allow({**question, "context": context})

    def report(self) -> int:
        """Tell what was let through unasked; returns how many. It is called once somebody answers again."""
        told = 0
        while self.journal is not None and (batch := self.journal.batch()) is not None:
            answer = self._post("/access/v1/unasked", {"calls": batch.calls}, key=batch.key)
            _object(answer, _CREATED)
            self.journal.done(batch)
            told += len(batch.calls)
        return told

    def _judged(self, question: Question, answer: Mapping[str, Any]) -> Permit:
        context = answer.get("context")
        context = context if isinstance(context, Mapping) else {}
        ours = context.get(_OURS)
        ours = ours if isinstance(ours, Mapping) else {}
        obligations = context.get("obligations") or []
        permitted = answer.get("decision") is True
        self._known[_about(question)] = _Known(
            permitted=permitted,
            # Only what it said itself: an answer that says nothing of harm is no promise of none.
            harmless=ours.get("consequential") is False,
            obligations=obligations,
        )
        if not permitted:
            denial = context.get(_DENIAL) or {"code": str(context.get("reason") or "denied")}
            raise Denied(str(denial.get("message", "denied")), denial, context=context)
        return Permit(str(context.get("evaluation_id", "")), self._duties(obligations, context))

    def _duties(
        self, obligations: Sequence[Mapping[str, Any]], context: Mapping[str, Any]
    ) -> tuple[tuple[Duty, Mapping[str, str]], ...]:
        found = []
        for each in obligations:
            duty = self.duties.get(str(each.get("type", "")))
            if duty is None:
                said = f"obligation `{each.get('type')}` can't be fulfilled here"
                raise Denied(said, {"code": "obligation_unknown"}, context=context)
            found.append((duty, each.get("properties") or {}))
        return tuple(found)

    def _without(self, question: Question, lost: Unreachable) -> Permit:
        """No, but for what was named, is known to be harmless, and was permitted when last asked."""
        now = self.now()
        if self._lost_at is None:
            self._lost_at = now
        outage, known = now - self._lost_at, self._known.get(_about(question))
        graced = any(
            question["action"]["name"] in each.actions and outage < each.seconds for each in self.grace
        )
        good = known is not None and known.permitted and known.harmless
        if not graced or known is None or not good or self.journal is None:
            raise lost
        duties = self._duties(known.obligations, {})
        # CRASH: on disk before the call may be made, so that it is told of whatever becomes of us.
        self.journal.note({**question, "at": _instant(self.wall()), "outage_s": int(outage)})
        return Permit("", duties, unasked=True)

    def _found(self) -> None:
        """Somebody answers again: what was let through meanwhile is told before anything else."""
        self._lost_at = None
        if self.journal is None or not self.journal.waiting():
            return
        try:
            self.report()
        except RemitError:
            # It stays in the file, and is told again with the next answer; nobody's answer waits for that.
            return

    def _approval(
        self, question: Question, denied: Denied, wanted: Mapping[str, Any], patience: float
    ) -> Mapping[str, Any]:
        bound = {
            "evaluation_id": denied.context.get("evaluation_id"),
            "expires_at": wanted.get("expires_at"),
            "reason": denied.context.get("reason"),
        }
        # The address is our own decision point's, never one that an answer names.
        sent = self._post("/access/v1/requests", {**question, "denial": bound})
        told, waited, pause = _object(sent, _ACCEPTED), 0.0, 2.0
        while told["task"]["status"] == "pending" and waited < patience:
            self.sleep(pause)
            waited, pause = waited + pause, min(pause * 1.5, 60.0)
            told = _object(self._send("GET", f"/access/v1/requests/{told['task']['id']}", None), _OK)
        result = told.get("result") or {}
        if told["task"]["status"] != "approved" or result.get("mode") != "reevaluate":
            said = str(told["task"]["status"])
            raise NotAllowed(f"approval is {said}", code=f"approval_{said}", status=_OK)
        approval: Mapping[str, Any] = result["approval"]
        return approval

    def _post(self, path: str, body: Mapping[str, Any], *, key: str = "") -> wire.Answer:
        return self._send("POST", path, json.dumps(body).encode(), key=key)

    def _send(self, method: str, path: str, body: bytes | None, *, key: str = "") -> wire.Answer:
        url = f"{self.identity.issuer}{path}"
        token = self._own_token()
        headers = {
            "authorization": f"DPoP {token}",
            "dpop": self.identity.proof_of(method, url, token=token),
            "content-type": "application/json",
            "accept": "application/json",
            **({"idempotency-key": key} if key else {}),
        }
        answer = wire.send(method, url, headers, body, timeout=_TIMEOUT)
        if answer.status == _UNAUTHORIZED:
            self._token = ""
        if answer.status >= _SERVER_ERROR:
            raise Unreachable(f"the decision point answered {answer.status}", code="decision_point_failed")
        return answer

    def _own_token(self) -> str:
        if not self._token or self.now() > self._ends_at - _EARLY:
            body = self.identity.token(
                {"grant_type": "client_credentials", "resource": f"{self.identity.issuer}/api"}
            )
            self._token = str(body["access_token"])
            self._ends_at = self.now() + float(body.get("expires_in", 0))
        return self._token


def _about(question: Question) -> tuple[str, str]:
    subject, resource = question["subject"], question["resource"]
    who = json.dumps([subject.get("type"), subject.get("id"), question.get("context", {}).get("task")])
    return who, json.dumps([question["action"]["name"], resource.get("type"), resource.get("id")])


def _object(answer: wire.Answer, wanted: int) -> dict[str, Any]:
    body = wire.object_of(answer)
    if answer.status == wanted:
        return body
    said = str(body.get("detail") or body.get("title") or f"the decision point answered {answer.status}")
    raise RemitError(said, code=str(body.get("code") or f"http_{answer.status}"))


def _instant(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))
