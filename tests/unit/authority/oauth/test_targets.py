"""Resource indicators name exactly one of our resources, byte for byte."""

import pytest

from remit.authority.oauth.wire.errors import InvalidTarget
from remit.authority.oauth.wire.options import BadIssuer, OAuthOptions
from remit.authority.oauth.wire.resources import parse_resource, target_of

OPTIONS = OAuthOptions(issuer="https://remit.example/t/one", trust_domain="remit.example")


@pytest.mark.spec("RFC 8707", "2")
def test_only_scheme_and_host_are_lowered() -> None:
    assert parse_resource("HTTPS://Remit.Example/t/One?A=B") == "https://remit.example/t/One?A=B"
    assert target_of(parse_resource("HTTPS://REMIT.example/t/one/mcp/business"), OPTIONS).server == "business"


@pytest.mark.spec("RFC 8707", "2")
@pytest.mark.parametrize(
    "text",
    [
        "",
        "business",
        "/t/one/api",
        "//remit.example/t/one/api",
        "https://remit.example/t/one/api#x",
        "https://remit.example/t/one/api#",
        "https://user@remit.example/t/one/api",
        "https://remit.example\\t\\one\\api",
        "https://remit.example/t/one/api\x00",
        "https://remit.example/t/one/ap\u0131",
        "https://remit.example/t/one/api ",
        "urn:remit:api",
        "https://" + "a" * 3000,
    ],
)
def test_what_is_no_absolute_uri_is_refused(text: str) -> None:
    with pytest.raises(InvalidTarget):
        parse_resource(text)


@pytest.mark.parametrize(
    "text",
    [
        "https://remit.example/t/one",
        "https://remit.example/t/one/",
        "https://remit.example/t/one/api/",
        "https://remit.example/t/one/API",
        "https://remit.example/t/one/api?x=1",
        "https://remit.example:443/t/one/api",
        "http://remit.example/t/one/api",
        "https://remit.example/t/two/api",
        "https://remit.example/t/one/mcp/",
        "https://remit.example/t/one/mcp/business/",
        "https://remit.example/t/one/mcp/business/x",
        "https://remit.example/t/one/mcp/business?x",
        "https://remit.example.attacker.example/t/one/api",
    ],
)
def test_another_spelling_is_another_resource(text: str) -> None:
    with pytest.raises(InvalidTarget):
        target_of(parse_resource(text), OPTIONS)


@pytest.mark.parametrize(
    "issuer", ["", "remit.example", "https://remit.example/", "https://a?b", "https://a#b"]
)
def test_an_issuer_that_could_drift_is_refused(issuer: str) -> None:
    with pytest.raises(BadIssuer):
        OAuthOptions(issuer=issuer, trust_domain="remit.example")
