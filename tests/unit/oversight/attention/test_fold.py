"""What goes on one card, and what stands beside it."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.kernel.ids import ApprovalId
from remit.oversight.approvals.approval import Approval, ApprovalState
from remit.oversight.attention.fold import (
    ITEMS,
    Bundle,
    alike_key,
    far_from_the_rest,
    fold_digest,
    lay,
    marks_of,
    may_fold,
)
from remit.oversight.attention.share import Attention, check_share
from remit.oversight.errors import TooManyAsks
from support.asks import AT, ask

NOTHING: frozenset[str] = frozenset()


def mail(number: int, *, to: str = "ana@company.com", amount: str = "10.00", **changes: Any) -> Approval:
    """A reversible ask with a recipient and an amount; its resource is another each time."""
    arguments = {"to": to, "amount": amount, "order": str(number)}
    return ask(
        **{
            "id": ApprovalId(f"apr_{number:04}"),
            "key": f"{number:064}",
            "resource": f"Order:{number}",
            "reversible": True,
            "arguments": json.dumps(arguments),
            **changes,
        }
    )


def apart(asks: list[Approval], known: frozenset[str] = NOTHING) -> dict[str, str]:
    key = alike_key(asks[0])
    assert key is not None
    return {card.items[0].id: card.apart for card in lay(asks, {key: known}) if card.apart}


@pytest.mark.req("N19")
def test_alike_asks_are_one_card_with_every_item_listed() -> None:
    asks = [mail(number, amount=f"{10 + number}.00") for number in range(14)]
    (card,) = lay(asks, {})
    assert [each.id for each in card.items] == [each.id for each in asks]
    assert card.varying == ("/amount", "/order")
    assert card.digest == fold_digest(reversed(asks))


@pytest.mark.req("N19")
@pytest.mark.attack("CB-17")
def test_the_one_that_differs_stands_apart_and_says_why() -> None:
    asks = [mail(number, amount=f"{10 + number % 4}.00") for number in range(10)]
    large = mail(90, amount="480.00")
    elsewhere = mail(91, to="ana@elsewhere.example")
    hidden = mail(92, to="ana@company.com\u202e")
    written = mail(93, amount="1e6")
    found = apart([*asks, large, elsewhere, hidden, written])
    assert set(found) == {large.id, elsewhere.id, hidden.id, written.id}
    assert "far from the others" in found[large.id]
    assert "elsewhere.example" in found[elsewhere.id]
    assert "hide" in found[hidden.id]
    assert "not written as" in found[written.id]


def test_what_a_person_has_said_yes_to_is_no_stranger() -> None:
    asks = [mail(number) for number in range(6)]
    elsewhere = mail(7, to="ana@elsewhere.example")
    known = frozenset.union(*(marks_of(each) for each in [*asks, elsewhere]))
    assert apart([*asks, elsewhere], known) == {}
    assert apart([*asks, elsewhere, mail(8)], known) == {
        "apr_0008": "its resource is new here, the others' are not"
    }


@pytest.mark.req("N19")
@pytest.mark.parametrize(
    "changes",
    [
        {"reversible": False},
        {"passkey": True},
    ],
)
def test_what_cant_be_undone_is_like_nothing(changes: dict[str, Any]) -> None:
    asks = [mail(number, **changes) for number in range(4)]
    assert len(lay(asks, {})) == 4
    assert may_fold(asks, NOTHING) == "what can't be undone is answered by itself"


@pytest.mark.parametrize(
    "changes",
    [
        {"agent": "agt_2"},
        {"tool_digest": "9" * 64},
        {"rule": "another"},
        {"resource": "Invoice:1"},
        {"action": "business/refunds.read"},
        {"policy_version": "4"},
        {"approvers": "owner"},
        {"currency": "USD"},
        {"arguments": '{"to":"ana@company.com","amount":"10.00","order":"1","cc":"x"}'},
    ],
)
def test_each_part_of_what_is_alike_counts(changes: dict[str, Any]) -> None:
    assert len(lay([mail(1), mail(2, **changes)], {})) == 2


@pytest.mark.attack("CB-17")
def test_what_a_client_lists_is_judged_again() -> None:
    asks = [mail(number) for number in range(6)]
    assert may_fold(asks, NOTHING) == ""
    assert "stands out" in may_fold([*asks, mail(9, amount="999.00")], NOTHING)
    assert may_fold([*asks, mail(9, agent="agt_2")], NOTHING) == "they are not alike"
    assert "twice" in may_fold([*asks, asks[0]], NOTHING)
    assert "more than" in may_fold([mail(number) for number in range(ITEMS + 1)], NOTHING)
    assert may_fold([ask()], NOTHING) == ""
    assert may_fold([ask(state=ApprovalState.DENIED)], NOTHING) == "it is over"


def test_cards_come_by_what_is_at_stake_then_by_their_end() -> None:
    def ids(cards: tuple[Bundle, ...]) -> list[str]:
        return [card.items[0].id for card in cards]

    final = ask(id=ApprovalId("apr_9"))
    paying = replace(mail(5), amount=480, currency="EUR")
    assert ids(lay([mail(1), paying, final], {})) == ["apr_9", "apr_0005", "apr_0001"]


@given(st.lists(st.integers(1, 1000), min_size=5, max_size=40), st.integers(20, 50))
def test_something_far_from_all_others_is_always_found(numbers: list[int], times: int) -> None:
    values = [Decimal(number) for number in numbers]
    spread = max(values) * times * len(values)
    assert spread in far_from_the_rest([*values, *values, spread])


def test_a_card_counts_once_against_the_share_of_its_agent() -> None:
    pending = [mail(number) for number in range(12)]
    limits = Attention(pending_per_agent=1, per_user_per_minute=1)
    check_share(pending, draft=mail(13), limits=limits, at=AT)
    with pytest.raises(TooManyAsks, match="has 1 asks pending, the limit is 1"):
        check_share(pending, draft=mail(14, amount="999.00"), limits=limits, at=AT)
    full = [mail(number) for number in range(ITEMS)]
    with pytest.raises(TooManyAsks):
        check_share(full, draft=mail(99), limits=limits, at=AT)
