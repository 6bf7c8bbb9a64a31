"""Places in the stream: one spelling, nothing odd taken for one; and what a filter lets through."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.ledger.stream import MAX_LOGS, Offset, OffsetMalformed, Wanted
from support.ledger import identity, record

LOGS = st.from_regex(r"\A[a-z0-9_-]{1,12}\Z")


@given(st.dictionaries(LOGS, st.integers(1, 10**12), max_size=MAX_LOGS))
def test_a_place_is_read_as_it_was_written(seen: dict[str, int]) -> None:
    place = Offset(seen)
    assert dict(Offset.parse(place.text()).seen) == seen
    assert Offset.parse(place.text()).text() == place.text()


@given(st.text(max_size=40))
def test_any_text_is_a_place_or_refused(text: str) -> None:
    try:
        place = Offset.parse(text)
    except OffsetMalformed:
        return
    assert Offset.parse(place.text()) == place


def test_a_bare_number_counts_the_main_log() -> None:
    assert Offset.parse("0") == Offset.start() == Offset.parse("main:0")
    assert Offset.parse("124").text() == "main:124"
    assert Offset.parse("main:124,kill:3").text() == "kill:3,main:124"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-1",
        "01",
        "main:",
        ":1",
        "main:1,",
        "main:1,main:2",
        "MAIN:1",
        "main:1 ",
        "1" * 19,
        "main:-1",
        "\u0661",
    ],
)
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(OffsetMalformed):
        Offset.parse(text)


def test_as_many_logs_as_there_may_be_and_one_more() -> None:
    parts = [f"log-{number}:1" for number in range(MAX_LOGS + 1)]
    assert len(Offset.parse(",".join(parts[:-1])).seen) == MAX_LOGS
    with pytest.raises(OffsetMalformed):
        Offset.parse(",".join(parts))


def test_a_place_covers_what_it_has_seen() -> None:
    behind, ahead = Offset.parse("main:3"), Offset.parse("main:4,kill:1")
    assert ahead.covers(behind)
    assert not behind.covers(ahead)
    assert behind.covers(Offset.start())


def test_filters_take_what_they_name_and_nothing_else() -> None:
    agent, task, first, last = identity("agt", 1), identity("tsk", 1), identity("ins", 7), identity("ins", 8)
    one = record(1, actor=last, agent=agent, task=task, chain=(first, last))
    assert Wanted().takes(one)
    assert Wanted(kind="decision.action.decided", agent=agent, task=task).takes(one)
    for kind in ("decision", "decision.action"):
        assert Wanted(kind=kind).takes(one)
    for kind in ("decision.act", "decisio", "enforcement", "action.decided"):
        assert not Wanted(kind=kind).takes(one)
    assert Wanted(agent=first).takes(one)
    assert Wanted(agent=last).takes(one)
    assert not Wanted(agent=identity("agt", 2)).takes(one)
    assert not Wanted(task=identity("tsk", 2)).takes(one)
