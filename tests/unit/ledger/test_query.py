"""Who did this, who allowed it: the same answer from every start."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

import pytest
from msgspec import structs

from remit.kernel.canonical import sha256
from remit.kernel.ids import RecordId
from remit.ledger.encoding import encode_record
from remit.ledger.mentions import index_key, mentions
from remit.ledger.merkle import leaf_hash
from remit.ledger.query import Link, task_story, trace, trace_time
from remit.ledger.receipt import Receipt
from remit.ledger.record import Record
from remit.ledger.repository import MAX_MENTIONS, Disclosed, Head, Placed, SignedCheckpoint
from support.ledger import START, Names, identity, record, story


@dataclass
class ListedLog:
    """A `LedgerReader` over a list; the contract suite holds the stored one to the same answers."""

    records: list[Record] = field(default_factory=list)

    def placed(self) -> Iterable[Placed]:
        for index, each in enumerate(self.records):
            yield Placed(shard="main", index=index, entry=encode_record(each), record=each)

    def shards(self) -> tuple[str, ...]:
        return ("main",)

    def head(self, shard: str = "") -> Head:
        return Head(shard="main", size=len(self.records), root=b"")

    def entries(self, first: int, last: int, shard: str = "") -> Iterator[bytes]:
        return (encode_record(each) for each in self.records[first:last])

    def leaf_hashes(self, first: int, last: int, shard: str = "") -> list[bytes]:
        return [leaf_hash(encode_record(each)) for each in self.records[first:last]]

    def record(self, ident: RecordId) -> Placed | None:
        return next((each for each in self.placed() if each.record.id == ident), None)

    def mentioning(self, ident: str, *, limit: int = MAX_MENTIONS) -> list[Placed]:
        return [each for each in self.placed() if index_key(ident) in mentions(each.record)][:limit]

    def between(self, start: datetime, end: datetime, *, limit: int = MAX_MENTIONS) -> list[Placed]:
        return [each for each in self.placed() if start <= each.record.at < end][:limit]

    def contents(self, ident: RecordId) -> list[Disclosed]:
        return []

    def latest_checkpoint(self, shard: str = "") -> SignedCheckpoint | None:
        return None

    def checkpoints(self, shard: str = "") -> list[SignedCheckpoint]:
        return []

    def receipt(self, ident: RecordId) -> Receipt | None:
        return None


def approved_story() -> list[Record]:
    told = story()
    ask = {"decision": identity("dec", 7), "approval": identity("apr", 1), "call": identity("cal", 0)}
    shared = {"task": identity("tsk", 1), "grant": identity("gra", 1)}
    asked = record(20, "decision.action.decided", effect="ask", resource="Room:Room-401", **ask, **shared)
    yes = record(21, "oversight.approval.approved", actor=identity("usr", 9), **ask, **shared)

    spent = [
        structs.replace(each, approval=identity("apr", 1)) if each.decision == identity("dec", 0) else each
        for each in told[3:]
    ]
    hop = record(22, "authority.envelope.extended", **shared, subject=identity("agt", 2))
    return [*told[:3], asked, yes, hop, *spent]


LOG = ListedLog(approved_story())
STARTS = [
    identity("cap", 0), identity("dec", 0), "a" * 64, "Room:Room-401", identity("tsk", 1), identity("apr", 1),
    identity("cal", 0),
]  # fmt: skip


@pytest.mark.req("N42")
@pytest.mark.parametrize("start", STARTS)
def test_every_start_gives_one_answer(start: str) -> None:
    names = Names()
    found = trace(LOG, start)
    answer = next(each for each in found.answers if each.decision == identity("dec", 0))
    assert (answer.human, answer.agent, answer.task, answer.owner) == (
        names.user, names.agent, names.task, names.owner,
    )  # fmt: skip
    assert (answer.approver, answer.approval) == (identity("usr", 9), identity("apr", 1))
    assert (answer.mode, answer.initiative, answer.purpose) == ("interactive", "user", "travel")
    assert (answer.effect, answer.outcome, answer.rules) == ("permit", "done", ("rooms.book",))
    assert [placed.record.kind for placed in answer.evidence] == [
        "decision.action.decided", "oversight.approval.approved", "enforcement.call.finished",
    ]  # fmt: skip


@pytest.mark.req("N42")
def test_time_is_a_start_too() -> None:
    decided = next(each for each in LOG.records if each.effect == "permit")
    found = trace_time(LOG, decided.at, decided.at.replace(microsecond=decided.at.microsecond + 1000))
    assert [each.decision for each in found.answers] == [identity("dec", 0)]


@pytest.mark.req("N42")
def test_the_identifier_of_a_token_is_found_by_its_digest() -> None:
    told = story(names=Names(token=sha256(b"jti-1")))
    assert [each.decision for each in trace(ListedLog(told), "jti-1").answers] == [identity("dec", 0)]


@pytest.mark.req("R141")
def test_a_resource_traces_back_to_the_human_grant() -> None:
    chain = trace(LOG, "Room:Room-401").authorization
    assert [step.what for step in chain] == ["decision", "hop", "task", "grant"]
    assert chain[-1].subject == Names().user
    assert chain[-1].placed.record.kind == "authority.consent.granted"


@pytest.mark.req("R135")
def test_a_task_has_all_eight_links() -> None:
    told = task_story(identity("tsk", 1), list(LOG.placed()))
    assert told.missing == ()
    assert [link for link, _ in told.links] == list(Link)


@pytest.mark.req("R135")
@pytest.mark.parametrize(
    ("gone", "missing"),
    [
        ("authority.task.started", {Link.PROMPT, Link.INTENT}),
        ("decision.action.decided", {Link.DECISION, Link.CALL, Link.RESOURCE}),
        ("enforcement.call.finished", {Link.OUTCOME}),
        ("authority.task.ended", {Link.TEARDOWN}),
    ],
)
def test_a_removed_link_is_named(gone: str, missing: set[Link]) -> None:
    kept = ListedLog([each for each in story() if each.kind != gone])
    assert set(task_story(identity("tsk", 1), list(kept.placed())).missing) == missing


def test_a_kill_that_reached_the_task_is_its_teardown() -> None:
    tasks = f"{identity('tsk', 9)} {identity('tsk', 1)}"
    kill = record(90, "oversight.kill.committed", subject=identity("agt", 1), detail=(("tasks", tasks),))
    log = ListedLog([*story()[:-1], kill])
    assert task_story(identity("tsk", 1), list(log.placed())).missing == ()
    assert kill.id in {each.record.id for each in log.mentioning(identity("tsk", 1))}


def test_nothing_known_gives_an_empty_answer() -> None:
    found = trace(LOG, "cal_unknown")
    assert (found.answers, found.authorization, found.tasks) == ((), (), ())
    assert trace_time(LOG, START.replace(year=2000), START.replace(year=2001)).answers == ()
