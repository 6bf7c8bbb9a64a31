"""Whether the records of a log tell each action whole: decision, call, outcome; prompt to teardown."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from remit.ledger import query
from remit.ledger.record import Record

IN_FLIGHT: Final = timedelta(seconds=120)
"""A permitted call younger than this, by the log's last time, may still run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinFinding:
    """A record without the one that it needs."""

    code: str
    sentence: str
    index: int
    record: str


@dataclass(slots=True)
class _Member:
    index: int
    record: str
    at: datetime
    call: str = ""
    task: str = ""


@dataclass(slots=True)
class Joins:
    """Collects what must be joined while entries stream by; keeps ids only, some 200 bytes per action."""

    permits: dict[str, _Member] = field(default_factory=dict)
    outcomes: dict[str, _Member] = field(default_factory=dict)
    started: dict[str, _Member] = field(default_factory=dict)
    acting: dict[str, _Member] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)
    last: datetime | None = None
    in_flight: int = 0
    found: list[JoinFinding] = field(default_factory=list)

    def add(self, index: int, record: Record) -> None:
        """Take one record in."""
        if self.last is None or record.at > self.last:
            self.last = record.at
        match record.kind:
            case query.DECIDED:
                self._add_decision(index, record)
            case query.FINISHED:
                self._add_outcome(index, record)
            case query.STARTED:
                self._add_task(index, record)
            case query.ENDED:
                self.ended.add(record.task)
            case query.KILLED:
                self._add_kill(record)
            case _:
                pass

    def judge(self) -> Iterator[JoinFinding]:
        """What lacks its other half."""
        yield from self.found
        for decision, member in self.permits.items():
            if decision not in self.outcomes:
                yield from self._without_outcome(decision, member)
        for decision, member in self.outcomes.items():
            if decision not in self.permits:
                said = f"call `{member.call}` finished without a decision on record that permitted it"
                yield _finding("call_without_decision", said, member)
        for task, member in self.acting.items():
            if task not in self.started:
                said = f"task `{task}` acts without a record of its start: prompt and intent are missing"
                yield _finding("task_without_start", said, member)

    def open_tasks(self) -> tuple[str, ...]:
        """Tasks without teardown, in order of their start."""
        return tuple(task for task in self.started if task not in self.ended)

    def _without_outcome(self, decision: str, member: _Member) -> Iterator[JoinFinding]:
        if self.last is not None and self.last - member.at <= IN_FLIGHT:
            self.in_flight += 1
            return
        said = f"decision `{decision}` permitted a call whose outcome is not on record, not even as unknown"
        yield _finding("decision_without_outcome", said, member)

    def _add_decision(self, index: int, record: Record) -> None:
        member = _member(index, record)
        if record.task:
            self.acting.setdefault(record.task, member)
        if record.effect != query.PERMIT or not record.call:
            return  # a question that no call followed, as over AuthZEN, has no outcome
        lacking = [
            name
            for name, value in (
                ("credential", record.capability), ("resource", record.resource),
            )
            if record.tool and not value
        ]  # fmt: skip
        if lacking:
            said = f"decision `{record.decision}` permits without naming its {' and '.join(lacking)}"
            self.found.append(_finding("link_missing", said, member))
        if record.decision in self.permits:
            said = f"decision `{record.decision}` is on record twice"
            self.found.append(_finding("decision_repeated", said, member))
        self.permits[record.decision] = member

    def _add_outcome(self, index: int, record: Record) -> None:
        member = _member(index, record)
        if record.decision in self.outcomes:
            said = f"decision `{record.decision}` has two outcomes"
            self.found.append(_finding("outcome_repeated", said, member))
        self.outcomes[record.decision] = member

    def _add_task(self, index: int, record: Record) -> None:
        member = _member(index, record)
        self.started[record.task] = member
        lacking = [
            name
            for name, there in (
                ("prompt", query.has_goal(record)),
                ("intent", record.purpose and record.envelope),
            )
            if not there
        ]
        if lacking:
            said = f"task `{record.task}` started without its {' and '.join(lacking)}"
            self.found.append(_finding("link_missing", said, member))

    def _add_kill(self, record: Record) -> None:
        self.ended.add(record.task)
        self.ended.update(
            task for name, value in record.detail if name == "tasks" for task in value.split(" ")
        )


def _member(index: int, record: Record) -> _Member:
    return _Member(index=index, record=record.id, at=record.at, call=record.call, task=record.task)


def _finding(code: str, sentence: str, member: _Member) -> JoinFinding:
    return JoinFinding(code=code, sentence=sentence, index=member.index, record=member.record)
