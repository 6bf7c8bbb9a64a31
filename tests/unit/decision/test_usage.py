"""What a call and its result say that they use: read as the widest reader would, refused where it is odd."""

from typing import Any

import pytest

from remit.decision.budget.usage import Unread, addresses_in, asked_for, told_by
from remit.identity.metering import MOST, MalformedMeter, Meter, MeterMapping
from remit.identity.tool_service import tool_digest
from remit.identity.tools import ResourceMapping, ToolMapping
from remit.kernel.canonical import Json
from support.metered import RECIPIENTS, ROWS, TOKENS

NONSENSE: list[Any] = [-1, -0.5, 1e30, 10**30, MOST + 1, "NaN", "many", "-1", True, {"n": 1}]


@pytest.mark.req("N27")
@pytest.mark.attack("CA-19")
@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("user@company.com", 1),
        ("a@x.example, b@x.example; c@x.example\nd@x.example", 4),
        ("a@x.example b@x.example", 2),
        ('"Doe, Jane" <jane@x.example>', 1),
        ("Jane (sales, north) <jane@x.example>", 1),
        # Who splits at every comma would send these to more than one.
        ('"a@x.example, b@x.example" <c@x.example>', 3),
        ("a＠x.example，b＠x.example", 2),  # noqa: RUF001 — full width, on purpose
        ("#general,#random", 2),
        ("a@x.example,,;", 1),
        ("", 0),
        (" \n", 0),
    ],
)
def test_recipients_in_a_text(text: str, count: int) -> None:
    assert addresses_in(text) == count


@pytest.mark.req("N27")
@pytest.mark.parametrize(
    ("given", "count"),
    [
        ({"to": ["a@x.example", "b@x.example"]}, 2),
        ({"to": ["a@x.example, b@x.example", "c@x.example"]}, 3),
        ({"to": [{"name": "A", "address": "a@x.example"}, {"list": ["b@x.example", "c@x.example"]}]}, 3),
        ({"to": ["", 7]}, 2),
        ({"to": "a@x.example", "subject": "b@x.example"}, 2),
        ({"to": []}, 0),
    ],
)
def test_recipients_of_a_call_are_added_up(given: dict[str, Any], count: int) -> None:
    assert asked_for(RECIPIENTS, given) == count


@pytest.mark.req("N27", "R150")
def test_what_a_call_reserves() -> None:
    assert asked_for(ROWS, {"attendees": 40}) == 40
    assert asked_for(ROWS, {"attendees": "40"}) == 40
    assert asked_for(ROWS, {"attendees": [1, 2, 3]}) == 3
    assert asked_for(ROWS, {}) == asked_for(ROWS, {"attendees": None}) == 5
    # A used-up account must refuse what only the result will tell.
    assert asked_for(ROWS, {"attendees": 0}) == 1
    seconds = MeterMapping(meter=Meter.COMPUTE, arguments=("/timeout",), times=1000)
    assert asked_for(seconds, {"timeout": 1.5}) == 1500
    assert asked_for(seconds, {"timeout": 0.0001}) == 1
    written = MeterMapping(meter=Meter.BYTES, arguments=("/body",))
    assert asked_for(written, {"body": "grün"}) == 5
    assert asked_for(RECIPIENTS, {}) == Unread(meter=Meter.RECIPIENTS, pointer="/to", present=False)


@pytest.mark.attack("CA-19")
@pytest.mark.parametrize("value", NONSENSE)
def test_a_call_that_asks_for_nonsense_is_refused(value: Any) -> None:
    assert asked_for(ROWS, {"attendees": value}) == Unread(
        meter=Meter.ROWS, pointer="/attendees", present=True
    )


@pytest.mark.attack("CA-19")
@pytest.mark.parametrize("value", [*NONSENSE, "7", None])
def test_a_result_that_says_nonsense_says_nothing(value: Any) -> None:
    assert told_by(ROWS, {"rows": value}) is None
    assert told_by(TOKENS, {"usage": {"total_tokens": value}}) is None


@pytest.mark.req("N27")
def test_what_a_result_tells() -> None:
    assert told_by(ROWS, {"rows": 12}) == 12
    assert told_by(ROWS, {"rows": [{"id": 1}, {"id": 2}]}) == 2
    assert told_by(TOKENS, {"usage": {"total_tokens": 0}}) == 0
    nothings: list[Json] = [None, [], "12", {}, {"usage": 7}]
    for nothing in nothings:
        assert told_by(ROWS, nothing) is None
        assert told_by(TOKENS, nothing) is None


@pytest.mark.parametrize(
    "broken",
    [
        {"meter": Meter.ROWS},
        {"meter": Meter.ROWS, "arguments": ("/a",), "times": 0},
        {"meter": Meter.ROWS, "arguments": ("/a",), "estimate": -1},
        {"meter": Meter.ROWS, "arguments": ("/a",), "measured": True},
        {"meter": Meter.BYTES, "estimate": 1, "measured": True, "result": "/n"},
        {"meter": Meter.ROWS, "arguments": tuple(f"/{n}" for n in range(17))},
    ],
)
def test_a_meter_that_could_not_run_is_refused(broken: dict[str, Any]) -> None:
    with pytest.raises(MalformedMeter):
        MeterMapping(**broken)


def test_a_tool_without_meters_keeps_the_digest_that_it_was_pinned_by() -> None:
    plain = ToolMapping(action="rooms.book", resource=ResourceMapping(type="Room", fixed="1"))
    pinned = "c73d8d2ebbfb5788b7e811379dd1654b70e8ec9bb4f7603857f67ebec387efda"
    assert tool_digest("{}", plain, consequential=True) == pinned
    with pytest.raises(MalformedMeter):
        ToolMapping(action="x", resource=plain.resource, meters=(ROWS, ROWS))
