"""Renewal, polling and answers, against stand-ins: what the server says is played, no socket is opened."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from remit_sdk import Denied, NotAllowed, Refused, RemitError, connect
from remit_sdk.authority import Asked
from remit_sdk.identity import Identity
from remit_sdk.keys import Key, StoredKey
from remit_sdk.runtime import KeyFile
from remit_sdk.session import Session
from remit_sdk.wire import Answer, send

PROOF = KeyFile(StoredKey(key=Key.make(), instance="ins_1", kid="key_1"))


class Played(Identity):
    """An identity that is answered from a list."""

    def __init__(self, *answers: dict[str, Any] | Refused) -> None:
        super().__init__("https://remit.example", PROOF)
        self.answers: Iterator[dict[str, Any] | Refused] = iter(answers)
        self.forms: list[dict[str, str]] = []

    def token(self, form: dict[str, str]) -> dict[str, Any]:
        self.forms.append(form)
        answer = next(self.answers)
        if isinstance(answer, Refused):
            raise answer
        return answer

    def ask(self, form: dict[str, str]) -> dict[str, Any]:
        self.forms.append(form)
        return {"auth_req_id": "rmt_br_1", "expires_in": 300, "interval": 5}


def no(code: str) -> Refused:
    return Refused(code, code=code, status=400)


def tokens(number: int) -> dict[str, Any]:
    return {"access_token": f"token-{number}", "refresh_token": f"renewal-{number}", "expires_in": 300}


def test_a_person_is_polled_as_slowly_as_the_server_wants() -> None:
    identity = Played(no("authorization_pending"), no("slow_down"), no("authorization_pending"), tokens(1))
    pauses: list[float] = []
    asked = Asked(identity, "usr_1", "room 401", sleep=pauses.append)
    assert asked.fetch("https://remit.example/mcp/business")["access_token"] == "token-1"
    assert pauses == [5, 5, 10, 10]
    assert identity.forms[0]["binding_message"] == "room 401"


@pytest.mark.parametrize("code", ["access_denied", "expired_token"])
def test_a_no_and_a_silence_are_no_yes(code: str) -> None:
    asked = Asked(Played(no(code)), "usr_1", sleep=lambda _: None)
    with pytest.raises(NotAllowed) as refused:
        asked.fetch("r")
    assert refused.value.code == code


def test_a_token_is_renewed_before_it_ends_and_not_sooner() -> None:
    identity = Played(tokens(1), tokens(2))
    clock = [1000.0]
    asked = Asked(identity, "usr_1", sleep=lambda _: None)
    session = Session(identity, asked, server="business", now=lambda: clock[0])
    assert session.token() == session.token() == "token-1"
    clock[0] += 269
    assert session.token() == "token-1"
    clock[0] += 2
    assert session.token() == "token-2"
    assert identity.forms[-1] == {"grant_type": "refresh_token", "refresh_token": "renewal-1"}


def answered(body: Any, *, status: int = 200, media: str = "application/json") -> Answer:
    return Answer(status=status, headers={"content-type": media}, body=body)


def session() -> Session:
    identity = Played(tokens(1))
    return Session(identity, Asked(identity, "u", sleep=lambda _: None), server="business")


def result(answer: Answer) -> Callable[[], dict[str, Any]]:
    return lambda: session()._result(answer)


def test_an_answer_is_read_from_json_and_from_a_stream() -> None:
    whole = json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"content": []}}).encode()
    assert result(answered(whole))() == {"content": []}
    note = b'data: {"jsonrpc":"2.0","method":"notifications/progress"}\r\n\r\n'
    stream = answered(note + b"event: message\ndata: " + whole + b"\n\n", media="text/event-stream")
    assert result(stream)() == {"content": []}
    with pytest.raises(RemitError, match="without an answer"):
        result(answered(note, media="text/event-stream"))()


def test_an_error_keeps_its_code_and_a_dead_token_is_forgotten() -> None:
    one = session()
    assert one.token() == "token-1"
    body = json.dumps({"error": "invalid_token", "error_description": "ended"}).encode()
    with pytest.raises(RemitError, match="ended") as refused:
        one._result(answered(body, status=401))
    assert refused.value.code == "invalid_token"
    assert one._token == ""


def test_a_denial_is_structured() -> None:
    denied = Denied("no", {"code": "resource_outside", "remedy": {"action": "narrow_arguments"}})
    assert (denied.code, denied.remedy) == ("resource_outside", {"action": "narrow_arguments"})


def test_nothing_is_sent_in_the_clear() -> None:
    with pytest.raises(RemitError, match="is not protected"):
        send("GET", "http://remit.example/", {})


@pytest.mark.parametrize("said", ["", "both"])
def test_either_a_person_or_a_task(said: str) -> None:
    with pytest.raises(RemitError, match="either"):
        connect("https://remit.example", server="business", environ={}, ask=said, envelope=said)
