"""What a server may ask: which words, fields and addresses reach a person, and which never do."""

from typing import Any

import pytest

from remit.enforcement.mcp.questions import Mode, QuestionRefused, questions_of
from remit.identity.tools import Server, Transport
from remit.kernel.canonical import JsonObject
from remit.kernel.ids import ServerId, TenantId

SERVER = Server(
    id=ServerId("srv_1"),
    tenant=TenantId("default"),
    name="business",
    transport=Transport.HTTP,
    url="https://rooms.company.com/mcp",
)
BOTH = frozenset(Mode)


def ask(params: dict[str, Any], *, method: str = "elicitation/create", modes: frozenset[Mode] = BOTH) -> Any:
    result: JsonObject = {"inputRequests": {"q": {"method": method, "params": params}}}
    return questions_of(result, server=SERVER, modes=modes)["q"]


def form(message: str = "Which room?", **fields: Any) -> dict[str, Any]:
    properties = fields or {"room": {"type": "string"}}
    return {"message": message, "requestedSchema": {"type": "object", "properties": properties}}


def test_only_what_is_known_of_a_question_is_left() -> None:
    field = {"type": "string", "title": "Room", "$ref": "https://evil.example/x", "format": "email"}
    params = form(room=field) | {"icon": "https://evil.example/remit.png", "_meta": {"a": 1}}
    params["requestedSchema"]["required"] = ["room", "ghost", 3]
    assert ask(params).params == {
        "mode": "form",
        "message": "business asks: Which room?",
        "requestedSchema": {
            "type": "object",
            "properties": {"room": {"type": "string", "title": "Room", "format": "email"}},
            "required": ["room"],
        },
    }


@pytest.mark.attack("CB-18")
@pytest.mark.parametrize(
    "message",
    [
        "Enter your password",
        "PASS-PHRASE please",
        "your api_key",
        "Your\u200b pass\u200bword",
        "p\u0430ssword",  # one letter is Cyrillic
        "\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff44",  # full width
        "pa\u0301sswo\u0301rd",  # accents
        "seed phrase to restore",
        "the one-time code that we sent",
        "Ihr Kennwort",
        "contraseña",
        "введите пароль",
        "パスワード",
    ],
)
def test_words_that_ask_for_a_secret_do_not_reach_anybody(message: str) -> None:
    with pytest.raises(QuestionRefused):
        ask(form(message))
    with pytest.raises(QuestionRefused):
        ask(form(field={"type": "string", "description": message}))


@pytest.mark.attack("CB-18")
@pytest.mark.parametrize(
    "field",
    [
        {"accessToken": {"type": "string"}},
        {"pin": {"type": "integer"}},
        {"x": {"type": "string", "title": "PIN"}},
        {"x": {"type": "string", "format": "password"}},
        {"clientSecret": {"type": "string"}},
        {"card-number": {"type": "string"}},
    ],
)
def test_fields_that_take_a_secret_do_not_reach_anybody(field: dict[str, Any]) -> None:
    with pytest.raises(QuestionRefused, match="secret"):
        ask(form(**field))


@pytest.mark.parametrize("message", ["Compass or map?", "Spinning room 4", "Raum für Müller", "Который зал?"])
def test_plain_questions_pass(message: str) -> None:
    assert ask(form(message, opinion={"type": "string"}, tokenised={"type": "boolean"})).mode is Mode.FORM


@pytest.mark.attack("CB-18")
@pytest.mark.parametrize(
    "url",
    [
        "https://remit.company.com/approve/x",
        "http://rooms.company.com/x",
        "https://rooms.company.com@evil.example/",
        "https://user@rooms.company.com/",
        "https://rooms.company.com:8443/",
        "https://rooms.company.com\\@evil.example/",
        "javascript:alert(1)",
        "//rooms.company.com/",
        "https://rooms.company.com/" + "a" * 2048,
        7,
    ],
)
def test_a_page_elsewhere_than_at_the_server_is_not_shown(url: Any) -> None:
    with pytest.raises(QuestionRefused):
        ask({"mode": "url", "message": "Please sign", "url": url})


def test_a_page_of_the_server_is_shown_under_its_name() -> None:
    found = ask({"mode": "url", "message": "Please sign", "url": "https://rooms.company.com/sign?x=1"})
    assert found.params["message"] == "business asks: Please sign"


@pytest.mark.parametrize("method", ["sampling/createMessage", "roots/list", "tools/call", 3])
def test_nothing_else_is_asked_of_a_client(method: Any) -> None:
    with pytest.raises(QuestionRefused, match="not offered"):
        ask(form(), method=method)


def test_a_way_of_asking_that_was_not_declared_is_not_used() -> None:
    with pytest.raises(QuestionRefused, match="not declared"):
        ask(form(), modes=frozenset({Mode.URL}))


@pytest.mark.parametrize(
    "result",
    [
        {},
        {"inputRequests": []},
        {"inputRequests": {}},
        {"inputRequests": {f"q{number}": {} for number in range(9)}},
        {"inputRequests": {"a b": {"method": "elicitation/create", "params": form()}}},
        {"inputRequests": {"q": {"method": "elicitation/create"}}},
        {"inputRequests": {"q": {"method": "elicitation/create", "params": {"message": "x"}}}},
        {"inputRequests": {"q": {"method": "elicitation/create", "params": form("x" * 2049)}}},
        {"inputRequests": {"q": {"method": "elicitation/create", "params": form(a={"type": "object"})}}},
        {
            "inputRequests": {
                "q": {"method": "elicitation/create", "params": form(a={"type": "string", "title": 1})}
            }
        },
    ],
)
def test_what_is_no_question_is_refused(result: dict[str, Any]) -> None:
    with pytest.raises(QuestionRefused):
        questions_of(result, server=SERVER, modes=BOTH)


def test_text_that_hides_or_turns_is_taken_out() -> None:
    found = ask(form("Room \u202e104\u202c\x1b[31m\nor 2?"))
    assert found.params["message"] == "business asks: Room 104[31m\nor 2?"
