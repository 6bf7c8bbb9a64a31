"""An enforcement point that asks, obeys, and does next to nothing where nobody answers."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from remit_sdk import Denied, EnforcementPoint, Grace, Journal, RemitError, Unreachable
from remit_sdk.identity import Identity
from remit_sdk.keys import Key, StoredKey
from remit_sdk.runtime import KeyFile
from remit_sdk.wire import Answer

PROOF = KeyFile(StoredKey(key=Key.make(), instance="svc_1", kid="key_1"))
READ = "business/rooms.read"


def question(action: str = READ, ident: str = "rooms") -> dict[str, Any]:
    return {
        "subject": {"type": "agent", "id": "ins_1"},
        "action": {"name": action},
        "resource": {"type": "Calendar", "id": ident},
        "context": {"task": "tsk_1"},
    }


class Cut(EnforcementPoint):
    """One whose decision point is played; `cut` takes it out of reach."""

    cut = False
    consequential: Any = False
    decision: Any = True
    obligations: tuple[Mapping[str, Any], ...] = ()
    told: list[tuple[list[dict[str, Any]], str]]
    moment: list[float]

    def _send(self, method: str, path: str, body: bytes | None, *, key: str = "") -> Answer:  # noqa: ARG002 — as the one it stands in for
        if self.cut:
            raise Unreachable("out of reach", code="unreachable")
        if path == "/access/v1/unasked":
            self.told.append((json.loads(body or b"{}")["calls"], key))
            return Answer(201, {}, b'{"would_be":[]}')
        said: dict[str, Any] = {"decision": self.decision, "context": {"evaluation_id": "dec_1"}}
        said["context"]["dev.remit"] = {"consequential": self.consequential}
        said["context"]["obligations"] = list(self.obligations)
        return Answer(200, {}, json.dumps(said).encode())


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Cut]:
    def made(**how: Any) -> Cut:
        moment = [0.0]
        point = Cut(
            Identity("https://remit.example", PROOF),
            grace=how.pop("grace", (Grace(frozenset({READ}), 30),)),
            journal=Journal(tmp_path / "unasked.jsonl"),
            now=lambda: moment[0],
            wall=lambda: 1_700_000_000.0,
            **how,
        )
        point.told = []
        point.moment = moment
        return point

    return made


def test_out_of_reach_is_a_no_unless_it_was_named_and_harmless(make: Callable[..., Cut]) -> None:
    for how, change in (
        ({"grace": ()}, {}),
        ({}, {"consequential": True}),
        ({}, {"consequential": None}),  # an answer that says nothing of harm is no promise of none
        ({}, {"decision": False}),
        ({"grace": (Grace(frozenset({"business/rooms.book"}), 30),)}, {}),
    ):
        point = make(**how)
        for name, value in change.items():
            setattr(point, name, value)
        try:
            point.allow(question())
        except Denied:
            assert change == {"decision": False}
        point.cut = True
        with pytest.raises(Unreachable):
            point.allow(question())
        assert point.journal is not None
        assert not point.journal.waiting()
    # Another resource, or one that was never asked about: nobody has said anything of it.
    point = make()
    point.allow(question())
    point.cut = True
    with pytest.raises(Unreachable):
        point.allow(question(ident="other"))


def test_it_goes_on_for_its_seconds_and_tells_everything_once(make: Callable[..., Cut]) -> None:
    point = make()
    assert not point.allow(question()).unasked
    point.cut = True
    assert point.allow(question()).unasked
    point.moment[0] += 29
    assert point.allow(question()).unasked
    point.moment[0] += 1
    with pytest.raises(Unreachable):
        point.allow(question())
    point.cut = False
    assert not point.allow(question()).unasked
    ((calls, key),) = point.told
    assert [each["outage_s"] for each in calls] == [0, 29]
    assert calls[0]["at"] == "2023-11-14T22:13:20Z"
    assert key.startswith("unasked-")
    assert point.report() == 0
    # The time is that of one absence: it begins anew.
    point.cut = True
    assert point.allow(question()).unasked


def test_what_was_let_through_survives_the_process(make: Callable[..., Cut], tmp_path: Path) -> None:
    point = make()
    point.allow(question())
    point.cut = True
    for _ in range(60):
        point.allow(question())
    before = Journal(tmp_path / "unasked.jsonl").batch()
    assert before is not None
    # A crash while the batch was told, a line cut off, a call more: the batch is the same.
    with (tmp_path / "unasked.jsonl").open("ab") as file:
        file.write(b'{"subj')
    point.allow(question())
    again = make()
    assert again.journal is not None
    same = again.journal.batch()
    assert same == before
    assert again.report() == 61
    assert [len(calls) for calls, _ in again.told] == [50, 10, 1]
    assert len({key for _, key in again.told}) == 3


def test_an_unknown_duty_is_a_no_and_a_known_one_is_done(make: Callable[..., Cut]) -> None:
    mask = {"id": "1", "type": "mask", "properties": {"name": "title"}}
    point = make()
    point.obligations = (mask,)
    with pytest.raises(Denied, match="can't be fulfilled") as refused:
        point.allow(question())
    assert refused.value.code == "obligation_unknown"
    able = make(duties={"mask": lambda properties, result: {**result, properties["name"]: "***"}})
    able.obligations = (mask,)
    assert able.allow(question()).fulfil({"title": "x", "room": "1"}) == {"title": "***", "room": "1"}
    able.cut = True
    assert able.allow(question()).fulfil({"title": "x"}) == {"title": "***"}


def test_grace_is_short_and_needs_a_file() -> None:
    for seconds in (0, -1, 301, float("inf")):
        with pytest.raises(RemitError, match="is not within"):
            Grace(frozenset({READ}), seconds)
    with pytest.raises(RemitError, match="needs a journal"):
        EnforcementPoint(Identity("https://remit.example", PROOF), grace=(Grace(frozenset({READ}), 1),))


def test_a_file_that_cannot_be_written_lets_nothing_through(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "absent" / "unasked.jsonl")
    with pytest.raises(RemitError, match="can't be written"):
        journal.note(question())
