"""Limits on the command line: said in one word, refused with the way to say them."""

from typing import Any

import pytest

from remit.surface.cli.budget import limit_of, spent
from remit.surface.cli.explained import explained
from remit.surface.cli.failures import Misused


@pytest.mark.parametrize(
    ("said", "limit"),
    [
        ("rows=1000", {"of": "rows", "per": "whole", "most": 1000}),
        ("tokens/hour=5000:4000", {"of": "tokens", "per": "hour", "most": 5000, "ask_above": 4000}),
        (
            "money:EUR/day=:2000",
            {"of": "money", "per": "day", "currency": "EUR", "ask_above": 2000},
        ),
        ("compute_ms=0", {"of": "compute_ms", "per": "whole", "most": 0}),
    ],
)
def test_a_limit_in_one_word(said: str, limit: dict[str, Any]) -> None:
    assert limit_of(said, command="remit task start") == limit


@pytest.mark.parametrize(
    "said", ["", "rows", "rows=", "rows=-1", "cows=1", "rows/week=1", "rows=1e3", "rows=many"]
)
def test_what_is_no_limit_is_refused_with_an_example(said: str) -> None:
    with pytest.raises(Misused, match="is no limit") as refused:
        limit_of(said, command="remit task start")
    assert "--limit rows=1000" in refused.value.next_step


def test_what_is_left_is_one_line() -> None:
    limit = {"factor": "task", "of": "rows", "per": "whole", "used": 40, "most": 100, "ask_above": 80}
    assert spent(limit) == "task  40 of 100 rows used, a person is asked above 80"
    money = {"factor": "with \x1b[31mbea", "of": "money", "per": "day", "currency": "EUR", "used": 4800}
    told = spent({**money, "again": "2026-05-16T00:00:00+00:00"})
    assert "\x1b" not in told
    assert told.endswith("48.00 EUR used this day, until 2026-05-16 00:00 UTC")


def test_can_says_what_is_left_and_why_counts() -> None:
    found = {
        "effect": "permit",
        "at": "2026-05-15T12:00:00Z",
        "agent_name": "a",
        "action": "b",
        "resource": "c",
        "stages": [{"stage": "budget", "effect": "permit", "detail": ["task: 40 of 100 rows left"]}],
    }
    assert "task: 40 of 100 rows left" in "\n".join(explained(found))
    found["stages"] = [{"stage": "budget", "effect": "permit", "detail": ["tsk_1|rows"]}]
    assert "1 limit, none used up" in "\n".join(explained(found))
