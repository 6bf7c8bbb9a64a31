"""Who may answer, what a card shows, and that an ask ends once."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remit.identity.lifecycle import State
from remit.kernel.ids import ApprovalId, PrincipalId
from remit.oversight.approvals.approval import Answer, ApprovalState, decide, expire
from remit.oversight.approvals.card import draw, headline_of
from remit.oversight.approvals.routing import eligible
from remit.oversight.approvals.visible import show
from remit.oversight.attention.share import Attention, check_share, must_suspend
from remit.oversight.errors import AlreadyAnswered, ApprovalExpired, TooManyAsks, UnknownApprovers
from support.asks import AT, ask, person

LEAD = person("lead", attributes=(("teams", "support-leads"),))
AWAY = person(
    "away", attributes=(("teams", "support-leads"),), state=State.SUSPENDED, deputy=PrincipalId("usr_deputy")
)
DEPUTY = person("deputy")
REQUESTER = person("user", attributes=(("teams", "support-leads"),))
TWIN = person("second", attributes=(("teams", "support-leads"),), person=PrincipalId("usr_user"))


@pytest.mark.req("N16")
@pytest.mark.attack("CB-06")
def test_the_requester_is_never_asked_nor_a_second_account_of_the_same_person() -> None:
    people = [LEAD, AWAY, DEPUTY, REQUESTER, TWIN]
    found = eligible("team:support-leads", people=people, requester=REQUESTER, owner=None, reversible=False)
    assert {person.id for person in found} == {"usr_lead", "usr_deputy"}


@pytest.mark.req("N16", "R36")
def test_who_gains_beside_the_requester_is_not_asked_either() -> None:
    people = [LEAD, AWAY, DEPUTY, REQUESTER, TWIN]
    for companion in (LEAD, person("lead-2", person=LEAD.id)):
        found = eligible(
            "team:support-leads",
            people=people,
            requester=REQUESTER,
            owner=None,
            reversible=True,
            companions=[companion],
        )
        assert {each.id for each in found} == {"usr_deputy"}


@pytest.mark.req("N20")
def test_self_confirmation_is_for_what_can_be_undone_only() -> None:
    people = [REQUESTER]
    undone = eligible("self", people=people, requester=REQUESTER, owner=None, reversible=True)
    final = eligible("self", people=people, requester=REQUESTER, owner=None, reversible=False)
    assert [person.id for person in undone] == ["usr_user"]
    assert final == ()


def test_words_that_name_nobody_are_an_error_not_an_empty_roster() -> None:
    with pytest.raises(UnknownApprovers, match="names no approvers"):
        eligible("everyone", people=[LEAD], requester=None, owner=None, reversible=False)


@pytest.mark.req("N17")
@pytest.mark.attack("CB-04")
@pytest.mark.parametrize("state", [state for state in ApprovalState if state is not ApprovalState.PENDING])
def test_a_terminal_state_is_final(state: ApprovalState) -> None:
    with pytest.raises(AlreadyAnswered, match=str(state)):
        decide(ask(state=state), answer=Answer.APPROVE, by=LEAD.id, channel="signed", at=AT)


@pytest.mark.req("N17")
def test_an_expiry_is_no_denial() -> None:
    late = AT + timedelta(minutes=15)
    with pytest.raises(ApprovalExpired):
        decide(ask(), answer=Answer.APPROVE, by=LEAD.id, channel="signed", at=late)
    assert expire(ask(), at=late).state is ApprovalState.EXPIRED


@pytest.mark.promise("P8")
def test_each_part_of_what_is_approved_changes_the_digest() -> None:
    digests = {
        ask().digest,
        ask(key="9" * 64).digest,
        ask(id=ApprovalId("apr_2")).digest,
        ask(uses=2).digest,
        ask(expires_at=AT + timedelta(minutes=16)).digest,
    }
    assert len(digests) == 5


@pytest.mark.attack("CB-01")
def test_an_agent_has_three_asks_pending_and_not_a_fourth() -> None:
    recent = [ask(id=ApprovalId(f"apr_{n}")) for n in range(3)]
    limits = Attention()
    check_share(recent[:2], draft=ask(), limits=limits, at=AT)
    with pytest.raises(TooManyAsks, match="the limit is 3"):
        check_share(recent, draft=ask(), limits=limits, at=AT)


@pytest.mark.attack("CB-01")
def test_five_denials_in_a_row_suspend() -> None:
    denied = [ask(state=ApprovalState.DENIED)] * 5
    assert must_suspend(denied, limits=Attention())
    assert not must_suspend(denied[:4], limits=Attention())
    assert not must_suspend([ask(state=ApprovalState.APPROVED), *denied], limits=Attention())


@pytest.mark.attack("CB-02", "CB-15")
@pytest.mark.parametrize(
    ("value", "warning"),
    [
        ("pay\u202e001", "invisible"),
        ("a\u200bb", "invisible"),
        ("\x1b[2Jok", "invisible"),
        ("\u0440\u0430y\u0440\u0430l.com", "look alike"),
        ("x" * 600, "line of more than"),
        ("aGVsbG8gd29ybGQgMTIzNDU2Nzg5MA==", "cannot be inspected"),
        ('{"to":"other"}', "document inside"),
    ],
)
def test_what_hides_is_named(value: str, warning: str) -> None:
    assert any(warning in found for found in show(value).warnings)


@pytest.mark.attack("CB-15")
@given(st.text(max_size=400))
def test_a_shown_value_is_whole_and_inert(value: str) -> None:
    shown = show(value)
    assert shown.length == len(value)
    assert len(shown.text) >= len(value)
    assert not any(char in shown.text for char in "\x00\x1b\u202e\u200b\u2028\r")


@pytest.mark.req("R70")
def test_a_card_shows_every_argument() -> None:
    card = draw(ask(arguments='{"a":{"b":[1,{"c/d":"x"}]},"e":"","f":[]}'))
    assert {(line.pointer, line.value.text) for line in card.arguments} == {
        ("/a/b/0", "1"),
        ("/a/b/1/c~1d", "x"),
        ("/e", ""),
        ("/f", "[]"),
    }
    assert card.headline.text == "business/refunds.create on Order:8812"
    assert "cannot be undone" in card.effect.text


@pytest.mark.req("N21")
@pytest.mark.attack("CB-15", "CO-03")
@pytest.mark.parametrize(
    ("order", "shown"),
    [
        ("8812", "refund 480.00 EUR of order 8812"),
        ("8812 (approved by legal)", "refund 480.00 EUR of order “8812 (approved by legal)”"),
        ("8812”, and nothing else", 'refund 480.00 EUR of order “8812", and nothing else”'),
        ("8812\u202e", "refund 480.00 EUR of order “8812\\u{202e}”"),
    ],
)
def test_a_value_never_goes_on_with_our_sentence(order: str, shown: str) -> None:
    template = "refund {/amount} {/currency} of order {/order}"
    assert headline_of(template, {"amount": "480.00", "currency": "EUR", "order": order}) == shown


@pytest.mark.req("N21")
def test_the_headline_is_the_mappings_phrase_where_it_has_one() -> None:
    assert draw(ask(imperative="refund order {/order_id}")).headline.text.startswith("refund order ")
