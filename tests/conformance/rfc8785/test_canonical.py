"""The one canonical form, on the RFC's own examples."""

import json

import pytest

from remit.kernel.canonical import MalformedJson, canonical_json, parse_json


@pytest.mark.spec("RFC 8785", "3.2.2")
def test_the_sample_object_is_written_as_in_the_rfc() -> None:
    raw = rb"""{
        "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
        "literals": [null, true, false]
    }"""
    expected = (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
    assert canonical_json(parse_json(raw)) == expected.encode()


@pytest.mark.spec("RFC 8785", "3.2.3")
def test_members_are_sorted_by_utf16_code_units() -> None:
    members = {
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\U0001f600": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis",
    }
    assert list(json.loads(canonical_json(members)).values()) == [
        "Carriage Return",
        "One",
        "Control",
        "Latin Small Letter O With Diaeresis",
        "Euro Sign",
        "Emoji: Grinning Face",
        "Hebrew Letter Dalet With Dagesh",
    ]


@pytest.mark.spec("RFC 8785", "3.2.2.3")
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), 1 << 60])
def test_numbers_that_not_every_reader_keeps_have_no_canonical_form(value: float) -> None:
    with pytest.raises(MalformedJson):
        canonical_json({"n": value})
