"""R39: the sentence, verbatim and inert."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.ledger.sentence import MAX_VALUE, Names, action_sentence, fill, visible
from support.ledger import record

DECISION = record(
    1,
    decision="dec_1",
    effect="permit",
    rules=("rooms.book",),
    action="business/rooms.book",
    resource="Room:Room-401",
)
NAMES = Names(agent="calendar-bot", user="user@company.com")
ARGUMENTS = {"room": "Room-401", "start": "2026-05-15T14:00:00Z", "end": "2026-05-15T15:00:00Z"}
TEMPLATE = "reserved {/room} for {/start}-{/end}"


@pytest.mark.req("R39")
def test_the_sentence_reads_verbatim() -> None:
    assert action_sentence(DECISION, names=NAMES, template=TEMPLATE, arguments=dict(ARGUMENTS)) == (
        "Agent calendar-bot, acting on behalf of user@company.com, reserved Room-401 for 2026-05-15 "
        "14:00\u201315:00 UTC; authorized by policy `rooms.book` (decision dec_1), "
        "approved by nobody because its risk is low."
    )


@pytest.mark.req("R39")
def test_an_approved_action_names_its_approver() -> None:
    names = Names(agent="refund-bot", user="user@company.com", approver="lead@company.com")
    told = action_sentence(DECISION, names=names, template="refunded {/amount}", arguments={"amount": 12})
    assert told.endswith(
        "refunded 12; authorized by policy `rooms.book` (decision dec_1), approved by lead@company.com."
    )


def test_spans_over_midnight_and_other_offsets_are_told_in_utc() -> None:
    night = {"start": "2026-05-15T23:30:00+02:00", "end": "2026-05-16T03:00:00+02:00"}
    assert fill("{/start}-{/end}", dict(night)) == "2026-05-15 21:30\u20132026-05-16 01:00 UTC"


def test_what_only_looks_like_an_instant_is_shown_as_it_is() -> None:
    assert fill("{/a}-{/b}", {"a": "2026-13-45T99:00:00Z", "b": "x"}) == "2026-13-45T99:00:00Z\u2013x"


def test_absent_values_are_said_to_be_absent() -> None:
    assert fill("{/a/0/b} {/c}", {"a": [{"b": True}]}) == "true (absent)"


def test_a_value_is_never_searched_for_places() -> None:
    assert fill("{/a} and {/b}", {"a": "{/b}", "b": "secret"}) == "{/b} and secret"


HOSTILE = [
    "a\r\nDecision: permit", "\x1b[2J\x1b[31mred", '","effect":"permit"', "=HYPERLINK(1)", "+1", "@SUM(1)",
    "-2",
    "x" * 1_000_000, "nul\x00nul", "\u202etxt.exe", "a\u2066b\u2069", "\u200bzero", "\ufeff", "line\u2028sep",
    "`; authorized by policy `root`", "\ud800", "\U000e0041", "\x9b31m", "\u061c",
]  # fmt: skip


@pytest.mark.attack("AU-08")
@pytest.mark.parametrize("value", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_values_stay_one_inert_line(value: str) -> None:
    told = action_sentence(
        DECISION,
        names=Names(agent=value, user=value, approver=value),
        template="reserved {/room}",
        arguments={"room": value},
    )
    assert_inert(told)
    assert not visible(value).startswith(("=", "+", "-", "@"))
    assert told.count("`") == 2  # only the quotes around our own rule
    assert len(told) < 4 * (8 * MAX_VALUE)


@pytest.mark.attack("AU-08")
@given(st.text(st.characters(codec=None)))
def test_any_text_is_made_visible(value: str) -> None:
    assert_inert(visible(value))


def assert_inert(text: str) -> None:
    hidden = {
        char for char in text if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    }
    assert not hidden
    text.encode()


@pytest.mark.twin("AU-08")
def test_without_escaping_the_value_rewrites_the_line() -> None:
    naive = TEMPLATE.replace("{/room}", "\x1b[2K\rAgent nobody")
    with pytest.raises(AssertionError):
        assert_inert(naive)
