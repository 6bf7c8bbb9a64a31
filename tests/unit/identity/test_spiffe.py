"""Names that stand in SPIFFE IDs."""

import pytest

from remit.identity.spiffe import MalformedName, check_name, spiffe_id
from remit.kernel.ids import InstanceId


@pytest.mark.spec("SPIFFE-ID", "2.2")
@pytest.mark.parametrize("name", ["calendar-bot", "A.b_c-1", "x" * 64, "...", "a..b"])
def test_lawful_segments(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.spec("SPIFFE-ID", "2.2")
@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "a b", "a%2fb", "x" * 65, "ünï", "a\n", "a~b", "a?b", "a#b", "a\x00"]
)
def test_unlawful_segments(name: str) -> None:
    with pytest.raises(MalformedName):
        check_name(name)


@pytest.mark.req("R2")
def test_agent_and_instance_are_both_in_the_name() -> None:
    assert spiffe_id("remit.example", "bot", InstanceId("ins_1")) == "spiffe://remit.example/agent/bot/ins_1"
