"""What a rule may demand of a sign-in, and what meets it."""

from datetime import timedelta

import pytest

from remit.decision.answer.response import StepUp
from remit.decision.policy.step_up import is_met, meets, read_step_up, together
from remit.identity.sessions import ACR_PASSKEY, ACR_PASSKEY_UV
from support.clock import NOON
from support.decisions import subject


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (ACR_PASSKEY, StepUp(acr=ACR_PASSKEY)),
        (f"{ACR_PASSKEY} max_age=60", StepUp(acr=ACR_PASSKEY, max_age=60)),
        (f"{ACR_PASSKEY} max_age=59", None),
        (f"{ACR_PASSKEY} max_age=0", None),
        (f"{ACR_PASSKEY} max_age=-1", None),
        (f"{ACR_PASSKEY} max_age=1.5", None),
        (f"{ACR_PASSKEY}  max_age=60", None),
        ("max_age=60 x", None),
        ("", None),
    ],
)
def test_a_demand_is_a_class_and_an_age(text: str, found: StepUp | None) -> None:
    assert read_step_up(text) == found


@pytest.mark.spec("RFC 9470", "3")
def test_a_sign_in_counts_by_its_class_and_its_own_time() -> None:
    demand = StepUp(acr=ACR_PASSKEY, max_age=300)
    fresh = subject(acr=ACR_PASSKEY_UV, signed_in_at=NOON - timedelta(seconds=300))
    assert is_met(demand, fresh, NOON)
    assert not is_met(demand, fresh, NOON + timedelta(seconds=1))
    assert not is_met(demand, subject(acr=ACR_PASSKEY_UV), NOON)
    assert not is_met(StepUp(acr=ACR_PASSKEY_UV), subject(acr=ACR_PASSKEY, signed_in_at=NOON), NOON)
    assert not is_met(StepUp(acr=""), subject(acr="", signed_in_at=NOON), NOON)


def test_the_stronger_meets_the_weaker() -> None:
    assert meets(ACR_PASSKEY_UV, ACR_PASSKEY)
    assert not meets(ACR_PASSKEY, ACR_PASSKEY_UV)
    assert not meets("", "urn:x")


def test_several_demands_are_one() -> None:
    both = [
        StepUp(acr=ACR_PASSKEY, max_age=600),
        StepUp(acr=ACR_PASSKEY_UV, max_age=60),
        StepUp(acr=ACR_PASSKEY),
    ]
    assert together(both) == StepUp(acr=ACR_PASSKEY_UV, max_age=60)
    assert together([StepUp(acr="urn:x"), StepUp(acr=ACR_PASSKEY)]) == StepUp(acr="urn:x", hopeless=True)
