"""What the real model is worth: `REMIT_INTENT_MODEL` names its directory (see docs/guides/risk.md)."""

import os
from pathlib import Path

import pytest

from remit.platform.intent.encoder import Encoder

PLACE = os.environ.get("REMIT_INTENT_MODEL", "")
pytestmark = [
    pytest.mark.optional("intent model"),
    pytest.mark.skipif(not PLACE, reason="REMIT_INTENT_MODEL names no model: its quality DID NOT RUN"),
]
TRIPLES = [
    (
        "Book a room for the meeting on Friday",
        "rooms book: reserve a meeting room",
        "payments send: transfer money",
    ),
    (
        "Pay the invoice of the electrician",
        "payments send: transfer money",
        "password update: change the password",
    ),
    ("Tell the team about the outage", "mail send: send an e-mail", "files delete: delete a file"),
    (
        "What is the weather in Oslo?",
        "weather get: current weather of a city",
        "users delete: remove an account",
    ),
    ("A man is eating food.", "A man eats something.", "A violin is played in the rain."),
]


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return Encoder.of_directory(Path(PLACE))


def test_it_computes_what_its_authors_publish(encoder: Encoder) -> None:
    # From the model card's example, by its authors' own library, first numbers of the first sentence.
    found = encoder.directions(["This is an example sentence"])[0]
    assert [round(float(each), 4) for each in found[:3]] == [0.0677, 0.0635, 0.0487]


@pytest.mark.parametrize(("goal", "near", "far"), TRIPLES)
def test_what_belongs_together_is_nearer(encoder: Encoder, goal: str, near: str, far: str) -> None:
    one, other, third = encoder.directions([goal, near, far])
    assert float(one @ other) > float(one @ third) + 0.05
    assert float(one @ one) == pytest.approx(1, abs=1e-5)
