"""What people and programs read: tables in 100 columns, stable JSON, YAML that others read, no deceit."""

import contextlib
import io
import json
from typing import Any

import pytest
import yaml as reference
from hypothesis import given
from hypothesis import strategies as st

from remit.kernel.ids import mint_id
from remit.surface.cli.explained import explained
from remit.surface.cli.render import Output, cell, show, table, visible, yaml
from support.clock import NOON
from support.jose import entropy_of

IDENT = mint_id("agt", at=NOON, entropy=entropy_of(1))
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abc\n: #-", max_size=5), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(JSON)
def test_yaml_means_what_json_means(value: Any) -> None:
    assert reference.safe_load(yaml(value)) == value


def test_a_table_fits_and_never_cuts_an_id() -> None:
    rows = [{"id": IDENT, "name": "n" * 60, "purpose": "p" * 300}, {"id": IDENT, "name": "x", "purpose": ""}]
    lines = table(rows, ("id", "name", "purpose"))
    assert all(len(line) <= 100 for line in lines)
    assert all(IDENT in line for line in lines[1:])
    assert lines[0].split() == ["ID", "NAME", "PURPOSE"]


def test_an_instant_is_shown_to_the_second() -> None:
    assert "2026-05-15 12:00:00" in table([{"at": "2026-05-15T12:00:00.123456Z"}], ("at",))[1]


def test_nothing_to_show_is_said() -> None:
    assert table([], ("id",)) == ["nothing here yet"]


@pytest.mark.parametrize("hostile", ["\x1b[2J", "a\rb", "\u202eevil", "a\nb", "\u200b", "\x00"])
def test_what_a_terminal_would_obey_is_made_visible(hostile: str) -> None:
    shown = visible(hostile)
    assert shown.isprintable()
    assert cell({"x": [hostile]}).isprintable()
    assert all(line.isprintable() for line in table([{"a": hostile}], ("a",)))


@given(JSON)
def test_json_stays_json_and_shows_no_raw_control(value: Any) -> None:
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        show(value, output=Output.JSON)
    assert json.loads(out.getvalue()) == value
    assert all(char.isprintable() or char == "\n" for char in out.getvalue())


def test_json_has_no_colour_and_no_hint(capsys: pytest.CaptureFixture[str]) -> None:
    show({"items": [{"state": "active"}]}, output=Output.JSON, columns=("state",), hint="remit doctor")
    assert json.loads(capsys.readouterr().out) == {"items": [{"state": "active"}]}


def test_a_table_ends_with_the_next_command(capsys: pytest.CaptureFixture[str]) -> None:
    show({"items": [{"state": "active"}]}, output=Output.TABLE, columns=("state",), hint="remit doctor")
    assert capsys.readouterr().out == "STATE\nactive\nnext: remit doctor\n"


@pytest.mark.req("N11")
def test_a_decision_is_told_stage_by_stage_with_nearest_miss_and_remedy() -> None:
    lines = explained(
        {
            "id": "dec_1",
            "at": "2026-05-15T14:03:22.1Z",
            "effect": "ask",
            "agent_name": "support-bot",
            "action": "refund",
            "resource": "order:8812",
            "user": "usr_1",
            "user_name": "user@company.com",
            "stages": [
                {"stage": "alive", "effect": "permit", "detail": ["agt_1", "usr_1"]},
                {"stage": "authority", "effect": "permit", "detail": ["user", "task"]},
                {
                    "stage": "policy",
                    "effect": "ask",
                    "reasons": [
                        {
                            "code": "approval_required",
                            "sentence": "amount 480 is above 200",
                            "rule": "refund-over-200",
                        }
                    ],
                },
                {"stage": "budget", "effect": "permit", "detail": ["usr_1|calls", "tsk_1|calls"]},
                {"stage": "budget", "effect": "permit", "detail": ["tsk_1|calls"]},
                {"stage": "budget", "effect": "permit"},
                {"stage": "oversight", "effect": "permit"},
                {"stage": "oversight", "effect": "permit", "detail": ["apr_1"]},
            ],
            "nearest_miss": [
                {"argument": "/amount", "at_most": "200.00"},
                {"approval_from": "team:support-leads", "excluding": ["user@company.com"]},
                {"never": True},
            ],
            "remedy": {"action": "request_approval", "tell_user": "I asked a lead."},
            "approval": "apr_1",
        }
    )
    assert lines == [
        "ask   support-bot wanted `refund` on order:8812, for user@company.com, 2026-05-15 14:03:22 UTC",
        "  1 alive        ok      2 identities looked at, none of them stopped",
        "  2 authority    ok      allowed by each of: user, task",
        "  3 policy       ask     rule refund-over-200: amount 480 is above 200 (approval_required)",
        "  4 budget       ok      2 limits, none used up",
        "  5 budget       ok      1 limit, none used up",
        "  6 budget       ok      no limit applies",
        "  7 oversight    ok      nobody had to be asked",
        "  8 oversight    ok      apr_1",
        "nearest miss   /amount ≤ 200.00",
        "               a yes from team:support-leads except user@company.com",
        "               never: no change of this call would pass",
        "remedy         request_approval  I asked a lead.",
        "approval       apr_1",
    ]
