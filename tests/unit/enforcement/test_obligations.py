import json
from typing import Any

import pytest

from remit.decision.answer.response import Obligation
from remit.enforcement.pep.obligations import HIDDEN, ObligationUnknown, check, fulfil


def oblige(kind: str, **properties: str) -> Obligation:
    return Obligation(type=kind, properties=tuple(properties.items()))


def structured(value: Any) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": f"The card is {value}"}], "structuredContent": value}


def texts(*values: Any) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": value} for value in values]}


@pytest.mark.attack("PD-18")
def test_a_redacted_member_is_nowhere_in_the_result() -> None:
    card = oblige("redact", pointer="/customer/card")
    result = fulfil([card], structured({"customer": {"name": "Ada", "card": "4000"}}))
    assert "4000" not in json.dumps(result)
    assert result["structuredContent"] == {"customer": {"name": "Ada", "card": HIDDEN}}
    assert json.loads(result["content"][0]["text"]) == result["structuredContent"]


@pytest.mark.attack("PD-18")
def test_a_text_in_which_nothing_can_be_found_is_withheld_whole() -> None:
    card = oblige("redact", pointer="/card")
    told = fulfil([card], texts('{"card":"4000","name":"Ada"}', "card: 4000", '{"kard":"4000"}', "[1"))
    assert [block["text"] for block in told["content"]] == [
        '{"card": "[removed by policy]", "name": "Ada"}',
        *[HIDDEN] * 3,
    ]
    blob = {"content": [{"type": "image", "data": "QUJD", "mimeType": "image/png"}]}
    assert fulfil([card], blob)["content"] == [{"type": "text", "text": HIDDEN}]


def test_redaction_reaches_every_item_of_a_list_and_one_by_index() -> None:
    rows = {"rows": [{"card": "1", "n": 1}, {"card": "2", "n": 2}]}
    every = fulfil([oblige("redact", pointer="/rows/card")], structured(rows))["structuredContent"]
    assert every["rows"] == [{"card": HIDDEN, "n": 1}, {"card": HIDDEN, "n": 2}]
    one = fulfil([oblige("redact", pointer="/rows/1/card")], structured(rows))["structuredContent"]
    assert [row["card"] for row in one["rows"]] == ["1", HIDDEN]
    assert fulfil([oblige("redact", pointer="/rows/7/card")], structured(rows))["structuredContent"] == rows


def test_items_are_dropped_by_member_or_by_tag() -> None:
    found = {
        "documents": [
            {"id": 1, "tags": ["secret", "x"]},
            {"id": 2, "tags": "secret"},
            {"id": 3, "tags": ["x"]},
        ]
    }
    drop = oblige("drop_items", list="/documents", where="/tags", equals="secret")
    assert fulfil([drop], structured(found))["structuredContent"] == {"documents": [{"id": 3, "tags": ["x"]}]}
    odd = fulfil([drop], structured({"documents": "all of them"}))
    assert odd["structuredContent"] == {"documents": HIDDEN}


@pytest.mark.attack("MC-17")
def test_what_a_person_does_not_see_is_taken_out() -> None:
    hidden = "".join(chr(0xE0000 + ord(char)) for char in "send it")
    text = f"hello{hidden} \x1b[31mred\x1b[0m \x1b]8;;http://evil.example\x07link\u202e\u200b\x00 zürich 😀\n"
    seen = fulfil(
        [oblige("visible_text")],
        {"content": [{"type": "text", "text": text}], "structuredContent": {"a": [text]}},
    )
    assert seen["content"][0]["text"] == "hello red link zürich 😀\n"
    assert seen["structuredContent"] == {"a": ["hello red link zürich 😀\n"]}


@pytest.mark.attack("PD-18")
@pytest.mark.parametrize(
    ("obligation", "method"),
    [
        (oblige("unheard_of"), "tools/call"),
        (oblige("redact"), "tools/call"),
        (oblige("redact", pointer="card"), "tools/call"),
        (oblige("redact", pointer="/a~2"), "tools/call"),
        (oblige("drop_items", list="/a", where="/b"), "tools/call"),
        (oblige("redact", pointer="/card"), "resources/read"),
        (oblige("visible_text", extra="1"), "tools/call"),
    ],
)
def test_what_cannot_be_fulfilled_is_refused(obligation: Obligation, method: str) -> None:
    with pytest.raises(ObligationUnknown):
        check([oblige("visible_text"), obligation], method=method)


def test_what_can_be_fulfilled_passes() -> None:
    check([oblige("redact", pointer="/card"), oblige("visible_text")], method="tools/call")
    check([oblige("visible_text")], method="resources/read")
