"""What stands beside a card: earlier asks counted by how they ended, names from outside made visible."""

from dataclasses import replace
from datetime import timedelta

import pytest

from remit.decision.sources.source import Origin, Source
from remit.kernel.ids import ApprovalId
from remit.oversight.approvals.approval import Approval, ApprovalState
from remit.oversight.approvals.beside import COMPARED, NAMED, SPAN, beside, compare
from support.asks import AT, ask

HOSTILE = "Document:plan\u202e\u200bx"


def earlier(number: int, state: ApprovalState, **fields: object) -> Approval:
    made = replace(ask(), id=ApprovalId(f"apr_earlier_{number}"), requested_at=AT - timedelta(days=number))
    return replace(made, state=state, **fields)  # type: ignore[arg-type]  # members by name, as the case says


@pytest.mark.req("R70")
def test_a_card_counts_what_was_asked_like_it() -> None:
    this = replace(ask(), amount=48000, currency="EUR")
    found = compare(
        this,
        [
            earlier(1, ApprovalState.APPROVED, amount=39000, currency="EUR"),
            earlier(2, ApprovalState.APPROVED, amount=99900, currency="USD"),
            earlier(3, ApprovalState.DENIED, resource="Order:other"),
            earlier(4, ApprovalState.EXPIRED),
            earlier(5, ApprovalState.APPROVED, action="business/mail.send"),
        ],
    )
    assert (found.times, found.approved, found.denied, found.unanswered) == (4, 2, 1, 1)
    assert (found.same_resource, found.largest, found.whole) == (3, "EUR 390.00", True)


def test_what_is_older_than_the_span_is_no_comparison_and_newer_asks_are_none_either() -> None:
    old = replace(earlier(1, ApprovalState.APPROVED), requested_at=AT - SPAN)
    later = replace(earlier(2, ApprovalState.APPROVED), requested_at=AT + timedelta(seconds=1))
    assert compare(ask(), [later, old]).times == 0


@pytest.mark.parametrize(("count", "whole"), [(COMPARED - 1, True), (COMPARED, False)])
def test_a_card_says_when_it_did_not_look_at_everything(count: int, *, whole: bool) -> None:
    answers = [replace(earlier(1, ApprovalState.DENIED), id=ApprovalId(f"apr_b{n}")) for n in range(count)]
    assert compare(ask(), answers).whole is whole


@pytest.mark.req("R70", "N21")
@pytest.mark.attack("CB-15", "CO-03")
@pytest.mark.parametrize(("count", "more"), [(NAMED, False), (NAMED + 1, True)])
def test_what_its_agent_had_read_is_named_and_what_is_left_out_is_said(count: int, *, more: bool) -> None:
    read = Source(
        origin=Origin.DOCUMENT, name=HOSTILE, action="mail/search", digest="", labels=("sensitivity=secret",),
        at=AT, agent="ins_1",
    )  # fmt: skip
    found = beside(ask(), earlier=(), decision=None, sources=[read] * count)
    assert len(found.read) == NAMED
    assert found.more is more
    assert found.read[0].name.text == "Document:plan⟨U+202E⟩⟨U+200B⟩x"
    assert found.read[0].name.warnings
