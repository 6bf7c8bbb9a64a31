"""Registered claims (RFC 7519 §4.1) at their edges."""

from datetime import timedelta

import pytest

from remit.kernel.canonical import Json
from remit.kernel.jose import jwt
from remit.kernel.jose.errors import TokenRejected
from remit.kernel.jose.jwt import UnfitClaims
from remit.kernel.jose.profiles import TokenType
from support.clock import NOON
from support.jose import AUDIENCE, Keys, key_class_of, party, valid_token

NOW = int(NOON.timestamp())


def reason(token_type: TokenType, **claims: Json) -> str:
    owner = party(key_class_of(token_type))
    token = valid_token(token_type, owner, at=NOON, **claims)
    audience = None if token_type is TokenType.HOP else AUDIENCE
    try:
        jwt.verify(token, as_type=token_type, keys=Keys([owner.record]), at=NOON, audience=audience)
    except TokenRejected as refusal:
        return refusal.reason
    return ""


@pytest.mark.spec("RFC 7519", "4.1.4")
@pytest.mark.parametrize(
    ("token_type", "leeway"),
    [
        (TokenType.ACCESS_TOKEN, 0),
        (TokenType.CAPABILITY, 0),
        (TokenType.CLIENT_ASSERTION, 30),
        (TokenType.HOP, 30),
    ],
)
def test_on_its_expiry_a_token_is_no_longer_accepted(token_type: TokenType, leeway: int) -> None:
    assert reason(token_type, iat=NOW - 60, exp=NOW - leeway + 1) == ""
    assert reason(token_type, iat=NOW - 60, exp=NOW - leeway) == "expired"
    assert reason(token_type, iat=NOW - 60, exp=NOW - leeway - 1) == "expired"


@pytest.mark.spec("RFC 7519", "4.1.5")
def test_before_its_time_a_token_is_not_accepted() -> None:
    assert reason(TokenType.ACCESS_TOKEN, nbf=NOW + 30) == ""
    assert reason(TokenType.ACCESS_TOKEN, nbf=NOW + 31) == "not_yet_valid"


@pytest.mark.spec("RFC 7519", "4.1.6")
def test_a_token_issued_in_the_future_is_not_accepted() -> None:
    assert reason(TokenType.ACCESS_TOKEN, iat=NOW + 30) == ""
    assert reason(TokenType.ACCESS_TOKEN, iat=NOW + 31) == "issued_in_future"


@pytest.mark.parametrize(
    ("token_type", "longest"),
    [
        (TokenType.ACCESS_TOKEN, timedelta(hours=1)),
        (TokenType.CAPABILITY, timedelta(seconds=90)),
        (TokenType.CLIENT_ASSERTION, timedelta(minutes=10)),
        (TokenType.HOP, timedelta(days=90)),
    ],
)
def test_no_token_is_meant_to_live_longer_than_its_class(token_type: TokenType, longest: timedelta) -> None:
    span = int(longest.total_seconds())
    assert reason(token_type, iat=NOW, exp=NOW + span) == ""
    assert reason(token_type, iat=NOW, exp=NOW + span + 1) == "lives_too_long"


def test_without_an_issue_time_the_life_counts_from_now() -> None:
    assert reason(TokenType.CLIENT_ASSERTION, iat=None, exp=NOW + 600) == ""
    assert reason(TokenType.CLIENT_ASSERTION, iat=None, exp=NOW + 601) == "lives_too_long"


@pytest.mark.spec("RFC 7519", "4.1.3")
def test_one_audience_may_stand_in_an_array_only_where_the_class_says_so() -> None:
    assert reason(TokenType.CLIENT_ASSERTION, aud=[AUDIENCE]) == ""
    assert reason(TokenType.CLIENT_ASSERTION, aud=[AUDIENCE, "https://other.example"]) == "audience_malformed"
    assert reason(TokenType.ACCESS_TOKEN, aud=[AUDIENCE]) == "audience_malformed"
    assert reason(TokenType.HOP, aud=AUDIENCE) == "audience_unexpected"


def test_a_place_that_names_no_audience_accepts_no_token_that_has_one() -> None:
    owner = party(key_class_of(TokenType.ACCESS_TOKEN))
    token = valid_token(TokenType.ACCESS_TOKEN, owner)
    with pytest.raises(TokenRejected) as refusal:
        jwt.verify(token, as_type=TokenType.ACCESS_TOKEN, keys=Keys([owner.record]), at=NOON, audience=None)
    assert refusal.value.reason == "wrong_audience"


@pytest.mark.spec("RFC 9068", "2.2")
@pytest.mark.parametrize("name", ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"])
def test_an_access_token_without_a_required_claim_is_never_signed(name: str) -> None:
    with pytest.raises(UnfitClaims):
        valid_token(
            TokenType.ACCESS_TOKEN, party(key_class_of(TokenType.ACCESS_TOKEN)), at=NOON, **{name: None}
        )


@pytest.mark.parametrize("name", ["sub", "client_id", "jti"])
@pytest.mark.parametrize("value", ["", 7, True, ["x"], {}])
def test_a_required_name_must_be_a_string(name: str, value: Json) -> None:
    assert reason(TokenType.ACCESS_TOKEN, **{name: value}) == "claim_missing"


def test_other_claims_are_read_as_what_they_must_be() -> None:
    owner = party(key_class_of(TokenType.ACCESS_TOKEN))
    token = valid_token(TokenType.ACCESS_TOKEN, owner, scope="a b", depth=2)
    claims = jwt.verify(
        token, as_type=TokenType.ACCESS_TOKEN, keys=Keys([owner.record]), at=NOON, audience=AUDIENCE
    ).claims
    assert claims.text("scope") == "a b"
    assert claims.optional_text("absent") is None
    for name in ("depth", "absent"):
        with pytest.raises(TokenRejected):
            claims.text(name)


def test_the_unverified_issuer_only_chooses_whose_keys_to_look_among() -> None:
    owner = party(key_class_of(TokenType.CLIENT_ASSERTION), issuer="ins_1")
    token = valid_token(TokenType.CLIENT_ASSERTION, owner)
    assert jwt.peek_issuer(token) == "ins_1"
    for broken in ("", "a.b.c", token.replace(".", "", 1), f"e30.e30.{'A' * 86}"):
        with pytest.raises(TokenRejected):
            jwt.peek_issuer(broken)
