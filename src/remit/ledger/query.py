"""Reading the log as a story: who did this, who allowed it, and the chain back to the human grant.

Pure joins over records that a `LedgerReader` found; nothing here trusts more than the records say.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from remit.kernel.canonical import sha256
from remit.ledger.record import Record
from remit.ledger.repository import LedgerReader, Placed

DECIDED: Final = "decision.action.decided"
FINISHED: Final = "enforcement.call.finished"
STARTED: Final = "authority.task.started"
ENDED: Final = "authority.task.ended"
EXTENDED: Final = "authority.envelope.extended"
ISSUED: Final = "authority.token.issued"  # the name of a fact
KILLED: Final = "oversight.kill.committed"
APPROVED: Final = "oversight.approval.approved"
GRANTED: Final = ("authority.consent.granted", "authority.grant.given", "authority.grant.created")
PERMIT: Final = "permit"


class Link(StrEnum):
    """The eight links from prompt to teardown (R135)."""

    PROMPT = "prompt"
    INTENT = "intent"
    DECISION = "decision"
    CREDENTIAL = "credential"
    CALL = "call"
    RESOURCE = "resource"
    OUTCOME = "outcome"
    TEARDOWN = "teardown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Who did this and who allowed it (N42), for one decided action."""

    decision: str
    at: datetime
    human: str
    """The user on whose behalf, or empty for an autonomous task."""
    owner: str
    """The person accountable for the agent at that time (R138)."""
    agent: str
    instance: str
    chain: tuple[str, ...]
    task: str
    purpose: str
    mode: str
    initiative: str
    grant: str
    action: str
    resource: str
    call: str
    capability: str
    effect: str
    codes: tuple[str, ...]
    rules: tuple[str, ...]
    policy_version: str
    approval: str
    approver: str
    outcome: str
    """`done`, `failed`, `unknown`; empty while the call runs or if it was never permitted."""
    evidence: tuple[Placed, ...]
    """The records that say so, each of which has a receipt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One link of the chain of authorization, from the action back to the human grant (R141)."""

    what: str
    subject: str
    placed: Placed


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskStory:
    """The eight links of one task: which records carry each, and which are missing."""

    task: str
    links: tuple[tuple[Link, tuple[Placed, ...]], ...]

    @property
    def missing(self) -> tuple[Link, ...]:
        """Links that no record carries."""
        return tuple(link for link, placed in self.links if not placed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """All that the log says about one start: an id, a token, a resource or a time."""

    start: str
    answers: tuple[Answer, ...]
    authorization: tuple[Step, ...]
    tasks: tuple[TaskStory, ...]


def trace(reader: LedgerReader, start: str) -> Trace:
    """Answer "who did this, who allowed it" from the id of a token, call, capability, decision, approval or
    task, or from a resource (`Type:id`). An identifier of a token is found by its digest.
    """
    found = reader.mentioning(start) or reader.mentioning(sha256(start.encode()))
    return _trace_of(reader, start, found)


def trace_time(reader: LedgerReader, start: datetime, end: datetime) -> Trace:
    """The same, from a span of time [start, end)."""
    return _trace_of(reader, f"{start.isoformat()}/{end.isoformat()}", reader.between(start, end))


def answer_of(decided: Placed, related: Iterable[Placed]) -> Answer:
    """Join one decision with its outcome and its approval, all of the same task."""
    record = decided.record
    mine = [placed for placed in related if _belongs(placed.record, record)]
    approved = [placed for placed in mine if placed.record.kind == APPROVED]
    finished = [placed for placed in mine if placed.record.kind == FINISHED]
    return Answer(
        decision=record.decision,
        at=record.at,
        human=record.user,
        owner=record.owner,
        agent=record.agent,
        instance=record.actor,
        chain=record.chain,
        task=record.task,
        purpose=record.purpose,
        mode=record.mode,
        initiative=record.initiative,
        grant=record.grant,
        action=record.action,
        resource=record.resource,
        call=record.call,
        capability=record.capability,
        effect=record.effect,
        codes=record.codes,
        rules=record.rules,
        policy_version=record.policy_version,
        approval=record.approval,
        approver=approved[-1].record.actor if approved else "",
        outcome=finished[-1].record.effect if finished else "",
        evidence=(decided, *approved, *finished),
    )


def authorization_chain(decided: Placed, related: Sequence[Placed]) -> tuple[Step, ...]:
    """From an action back to its root: decision, hops newest first, task, human grant (R141)."""
    record = decided.record
    steps = [Step(what="decision", subject=record.actor, placed=decided)]
    of_task = [placed for placed in related if placed.record.task == record.task]
    hops = [placed for placed in of_task if placed.record.kind == EXTENDED and placed.index < decided.index]
    steps += [Step(what="hop", subject=placed.record.actor, placed=placed) for placed in reversed(hops)]
    steps += [
        Step(what="task", subject=placed.record.user or placed.record.actor, placed=placed)
        for placed in of_task
        if placed.record.kind == STARTED
    ]
    steps += [
        Step(what="grant", subject=placed.record.actor, placed=placed)
        for placed in related
        if placed.record.kind in GRANTED and record.grant and placed.record.grant == record.grant
    ]
    return tuple(steps)


def task_story(task: str, records: Sequence[Placed]) -> TaskStory:
    """Which records of a task carry which of the eight links."""
    mine = [placed for placed in records if placed.record.task == task]
    permits = [each for each in mine if each.record.kind == DECIDED and each.record.effect == PERMIT]
    started = [each for each in mine if each.record.kind == STARTED]
    finished = [each for each in mine if each.record.kind == FINISHED]
    carried = {
        Link.PROMPT: [each for each in started if has_goal(each.record)],
        Link.INTENT: [each for each in started if each.record.purpose and each.record.envelope],
        Link.DECISION: [each for each in mine if each.record.kind == DECIDED],
        Link.CREDENTIAL: [each for each in mine if each.record.kind == ISSUED]
        + [each for each in permits if each.record.capability],
        Link.CALL: [each for each in permits if each.record.call],
        Link.RESOURCE: [each for each in permits if each.record.resource],
        Link.OUTCOME: finished,
        Link.TEARDOWN: [each for each in records if ends(each.record, task)],
    }
    return TaskStory(task=task, links=tuple((link, tuple(carried[link])) for link in Link))


def ends(record: Record, task: str) -> bool:
    """Whether a record tells the end of a task: its own end, or a kill that reached it."""
    if record.kind == ENDED:
        return record.task == task
    if record.kind != KILLED:
        return False
    return record.task == task or any(
        task in value.split(" ") for name, value in record.detail if name == "tasks"
    )


def has_goal(record: Record) -> bool:
    """Whether a record commits to what the person asked."""
    return any(name in {"goal", "content/goal"} for name, _ in record.digests)


def _trace_of(reader: LedgerReader, start: str, found: Sequence[Placed]) -> Trace:
    tasks = sorted({placed.record.task for placed in found if placed.record.task})
    grants = {placed.record.grant for placed in found if placed.record.grant}
    related = {(placed.shard, placed.index): placed for placed in found}
    for ident in (*tasks, *sorted(grants)):
        related.update({(placed.shard, placed.index): placed for placed in reader.mentioning(ident)})
    story = [related[key] for key in sorted(related)]
    chosen = _decisions(found, story)
    return Trace(
        start=start,
        answers=tuple(answer_of(decided, story) for decided in chosen),
        authorization=authorization_chain(chosen[-1], story) if chosen else (),
        tasks=tuple(task_story(task, story) for task in tasks),
    )


def _decisions(found: Sequence[Placed], story: Sequence[Placed]) -> list[Placed]:
    """The decisions that the start names; else those of the decisions, calls and approvals it leads to."""
    direct = [placed for placed in found if placed.record.kind == DECIDED]
    if direct:
        return direct
    keys = {
        key
        for placed in found
        for key in (placed.record.decision, placed.record.call, placed.record.approval)
        if key
    }
    tasks = {placed.record.task for placed in found if placed.record.task}
    decided = [placed for placed in story if placed.record.kind == DECIDED]
    near = [each for each in decided if keys & {each.record.decision, each.record.call, each.record.approval}]
    return near or [each for each in decided if each.record.task in tasks]


def _belongs(record: Record, decision: Record) -> bool:
    if record.kind == APPROVED:
        return bool(decision.approval) and record.approval == decision.approval
    return bool(decision.decision) and record.decision == decision.decision
