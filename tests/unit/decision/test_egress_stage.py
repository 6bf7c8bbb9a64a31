"""Hosts of a tool's mapping: what an entry names, and how the mapping is stated and pinned."""

import msgspec
import pytest

from remit.decision.stages.egress import listed
from remit.identity.tool_service import tool_digest
from remit.identity.tools import ResourceMapping, ToolMapping
from remit.kernel.places import place_of
from remit.surface.web.schemas.tools import MappingBody

MAPPING = ToolMapping(
    action="read", resource=ResourceMapping(type="Page", fixed="x"), hosts=("*.company.com",)
)


@pytest.mark.parametrize(
    ("entry", "text", "names"),
    [
        ("company.com", "https://company.com/x", True),
        ("company.com", "COMPANY.com.", True),
        ("company.com", "https://company.com:8443/", True),
        ("company.com:8443", "https://company.com/", False),
        ("company.com:8443", "https://company.com:8443/", True),
        ("company.com", "https://a.company.com", False),
        ("*.company.com", "https://a.b.company.com", True),
        ("*.company.com", "https://company.com", False),
        ("*.company.com", "https://evilcompany.com", False),
        ("*.0.0.1", "http://127.0.0.1", False),
        ("10.0.0.5", "http://0xa000005/", True),
        ("[::1]", "http://[0:0:0:0:0:0:0:1]/", True),
        ("company.com", "s3://company.com/x", False),
        ("s3://reports", "s3://reports/a.csv", True),
        ("s3://reports", "https://reports/a.csv", False),
        ("file:///etc", "file:///etc/passwd", False),
    ],
)
def test_an_entry_names_what_it_says_and_nothing_beside_it(entry: str, text: str, names: bool) -> None:
    place = place_of(text)
    assert place is not None
    assert listed(place, (entry,)) is names


def test_hosts_are_part_of_what_is_pinned_and_older_pins_stand() -> None:
    plain = msgspec.structs.replace(MappingBody.of(MAPPING), hosts=[]).mapping()
    assert MappingBody.of(MAPPING).mapping() == MAPPING
    assert tool_digest("{}", MAPPING, consequential=True) != tool_digest("{}", plain, consequential=True)


@pytest.mark.parametrize("text", ["", "a b", "http://", "*", "*.*.com", "x" * 400, "HTTPS://X", "a/b"])
def test_what_is_no_host_is_refused_where_it_is_stated(text: str) -> None:
    body = {"action": "read", "resource": {"type": "Page", "fixed": "x"}, "hosts": [text]}
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(body, MappingBody)
