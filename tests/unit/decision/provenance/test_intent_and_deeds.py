"""What a request asks for, and what a tool does, read from words alone."""

import pytest

from remit.decision.provenance.effects import deed_of
from remit.decision.provenance.intent import read_intent
from remit.decision.provenance.lexicon import Doing, Thing
from remit.decision.provenance.sensitive import Kind, kind_of


@pytest.mark.parametrize(
    ("goal", "doing", "thing"),
    [
        ("Please pay the invoice of March", Doing.PAY, Thing.MONEY),
        ("Email the minutes to ben@company.com", Doing.SEND, Thing.MESSAGE),
        ("Could you also send a message to the board?", Doing.SEND, Thing.MESSAGE),
        ("The reservation needs to be cancelled", Doing.DELETE, Thing.BOOKING),
        ("Do not forget to invite Ben to the meeting", Doing.SHARE, Thing.PEOPLE),
        ("Make sure to update the ticket", Doing.UPDATE, Thing.TICKET),
    ],
)
def test_what_is_asked_for_counts(goal: str, doing: Doing, thing: Thing) -> None:
    assert read_intent(goal).asks(doing, frozenset({thing}))


@pytest.mark.parametrize(
    ("goal", "doing", "thing"),
    [
        ("How much did I pay for my last order?", Doing.PAY, Thing.MONEY),
        ("What did they send me by email?", Doing.SEND, Thing.MESSAGE),
        ("Which files are shared with the team?", Doing.SHARE, Thing.FILE),
        ("Summarize my last payment and the transfer of May", Doing.PAY, Thing.MONEY),
        ("Find the link to delete my account", Doing.DELETE, Thing.PROFILE),
        ("Read the ticket, but never delete the file", Doing.DELETE, Thing.FILE),
        ("Don't send the email yet", Doing.SEND, Thing.MESSAGE),
    ],
)
def test_what_is_told_or_named_asks_for_nothing(goal: str, doing: Doing, thing: Thing) -> None:
    assert not read_intent(goal).asks(doing, frozenset({thing}))


def test_a_request_that_hands_the_choice_over_is_loose() -> None:
    assert read_intent("Do the actions in the mail from Ben").loose
    assert not read_intent("Pay the invoice").loose


@pytest.mark.parametrize(
    ("name", "description", "arguments", "doing"),
    [
        ("sendMail", "", {"to", "body"}, Doing.SEND),
        ("calendar.list", "", set(), Doing.READ),
        ("create_transfer", "", {"payee", "amount"}, Doing.PAY),
        ("send_funds", "Sends funds", {"recipient", "amount"}, Doing.PAY),
        ("drop_table", "", {"table"}, Doing.DELETE),
        ("add_reviewer_to_team", "", {"user"}, Doing.SHARE),
        ("frobnicate", "Frobnicates a widget", {"widget"}, Doing.OTHER),
    ],
)
def test_a_tool_says_what_it_does(name: str, description: str, arguments: set[str], doing: Doing) -> None:
    assert deed_of(name, description, frozenset(arguments)).doing is doing


@pytest.mark.parametrize(
    ("name", "schema", "kind"),
    [
        ("who", {"type": "string", "format": "email"}, Kind.RECIPIENT),
        ("where", {"anyOf": [{"type": "string", "format": "uri"}, {"type": "null"}]}, Kind.HOST),
        ("recipient", {"type": "string", "description": "IBAN of the payee"}, Kind.ACCOUNT),
        ("newPassword", {"type": "string"}, Kind.CREDENTIAL),
        ("first_name", {"type": "string"}, Kind.PLAIN),
        ("event_id", {"type": "string"}, Kind.OBJECT),
        ("role", {"type": "string"}, Kind.PERMISSION),
        ("body", {"type": "string"}, Kind.CONTENT),
    ],
)
def test_an_argument_says_what_it_steers(name: str, schema: dict[str, object], kind: Kind) -> None:
    assert kind_of(name, schema) is kind  # type: ignore[arg-type]  # the table's schemas are JSON
