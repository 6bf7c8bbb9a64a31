"""The compact codec at its limits."""

import json

import pytest

from remit.kernel.canonical import b64u
from remit.kernel.jose import jws
from remit.kernel.jose.errors import TokenRejected
from support.jose import private_key

HEADER = b64u(b'{"alg":"Ed25519","typ":"at+jwt","kid":"k"}')


def refusal(token: str) -> tuple[int, str]:
    with pytest.raises(TokenRejected) as rejected:
        jws.header_of(jws.take_apart(token).protected)
    return rejected.value.step, rejected.value.reason


@pytest.mark.promise("P13")
@pytest.mark.attack("JW-18")
def test_a_token_is_measured_before_it_is_read() -> None:
    room = jws.LONGEST_TOKEN - len(HEADER) - len("..AAAA")
    assert len(jws.take_apart(f"{HEADER}.{'A' * (room - room % 4)}.AAAA").payload) > 12_000
    for size in (jws.LONGEST_TOKEN + 1, 1000 * jws.LONGEST_TOKEN):
        assert refusal(f"{HEADER}.AAAA.".ljust(size, "A")) == (1, "too_long")
        assert refusal("." * size) == (1, "too_long")


@pytest.mark.promise("P13")
def test_a_header_is_measured_before_it_is_read() -> None:
    for size, expected in (
        (jws.LONGEST_HEADER, (2, "header_malformed")),
        (jws.LONGEST_HEADER + 4, (1, "header_too_long")),
    ):
        assert refusal(f"{'A' * size}.AAAA.AAAA") == expected


def test_the_keys_algorithm_goes_into_the_header_whatever_the_caller_says() -> None:
    token = jws.sign({"alg": "none", "kid": "k"}, b"{}", private_key())
    parts = jws.take_apart(token)
    assert jws.header_of(parts.protected).alg == "Ed25519"
    assert private_key().public.verify(parts.signing_input, parts.signature)


def test_a_remembered_header_is_the_header_that_was_read() -> None:
    for name in ("one", "two", "one"):
        protected = b64u(json.dumps({"alg": "Ed25519", "kid": name, "typ": "Application/AT+JWT"}).encode())
        assert jws.header_of(protected) == jws.read_header(protected)
        assert jws.header_of(protected).kid == name
        assert jws.header_of(protected).typ == "at+jwt"


def test_a_refused_header_is_refused_again() -> None:
    for _ in range(2):
        assert refusal(f"{b64u(b'{}')[:-1]}.AAAA.AAAA")[0] == 1
        assert refusal(f"{b64u(b'[]')}.AAAA.AAAA") == (2, "header_malformed")
