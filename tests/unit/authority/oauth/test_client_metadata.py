"""Client metadata, read strictly: what may be registered, and nothing besides."""

from typing import Any

import pytest

from remit.authority.oauth.clients.keys import read_jwks
from remit.authority.oauth.clients.metadata import read_metadata
from remit.authority.oauth.clients.registration import ApplicationType, AuthMethod
from remit.authority.oauth.clients.uris import UnfitUri, check_document, check_https, check_redirect
from remit.authority.oauth.wire.errors import (
    InvalidClientMetadata,
    InvalidRedirectUri,
    InvalidSoftwareStatement,
    OAuthError,
    UnapprovedSoftwareStatement,
)
from remit.kernel.canonical import Json
from remit.kernel.jose.algorithms import Algorithm
from support.documents import document
from support.jose import private_key

KEY = private_key("client").public.jwk()

ANYWHERE = ("https://a.example/cb", "https://a.example:8443/cb?x=1")
NATIVE = ("http://127.0.0.1/cb", "http://[::1]:9/cb", "http://localhost:33418/", "com.example.app:/cb")
NOWHERE = (
    "", "/cb", "//a.example/cb", "https://", "https://a.example/cb#f", "https://u@a.example/cb",
    "https://u:p@a.example/cb", "https://a.example\\@evil.example/", "https://a.example./cb",
    "HTTPS://a.example/cb", "https://A.example/cb", "https://*.example/cb", "https://a.example/c b",
    "http://a.example/cb", "http://127.0.0.1.evil.example/cb", "http://2130706433/cb", "javascript:alert(1)",
    "data:text/html,x", "file:///etc/passwd", "urn:ietf:wg:oauth:2.0:oob", "app:/cb", "https://a.example:x/",
    "https://a%2eexample/cb", "https://" + "a" * 2048, "https://ä.example/cb", "https://a.example/\n",
    "com.example.app://user@host/cb",
)  # fmt: skip


@pytest.mark.spec("RFC 8252", "7")
@pytest.mark.parametrize("uri", ANYWHERE + NATIVE)
def test_a_native_client_may_come_back_there(uri: str) -> None:
    assert check_redirect(uri, native=True) == uri
    if uri in NATIVE:
        with pytest.raises(UnfitUri):
            check_redirect(uri, native=False)


@pytest.mark.attack("OA-25")
@pytest.mark.parametrize("native", [True, False])
@pytest.mark.parametrize("uri", NOWHERE)
def test_nobody_is_ever_sent_there(uri: str, native: bool) -> None:
    with pytest.raises(UnfitUri):
        check_redirect(uri, native=native)
    with pytest.raises(InvalidRedirectUri):
        read_metadata(document(redirect_uris=[uri]))


@pytest.mark.attack("OA-23")
@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.169.254", "0.0.0.0", "[::1]", "[::]",
        "[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b::a9fe:a9fe]", "[fe80::1]",
        "[fd00::1]", "[2002:7f00:1::]", "100.64.0.1", "224.0.0.1", "255.255.255.255",
    ],
)  # fmt: skip
def test_no_address_inside_a_network_can_even_be_stated(host: str) -> None:
    with pytest.raises(UnfitUri):
        check_https(f"https://{host}/client.json")
    with pytest.raises(InvalidClientMetadata):
        read_metadata(document(jwks_uri=f"https://{host}/jwks", token_endpoint_auth_method="private_key_jwt"))
    with pytest.raises(InvalidClientMetadata):
        read_metadata(document(backchannel_logout_uri=f"https://{host}/out"))


@pytest.mark.spec("draft-ietf-oauth-client-id-metadata-document", "3")
@pytest.mark.parametrize(
    "url",
    [
        "http://a.example/c", "https://a.example", "https://a.example/", "https://a.example/./c",
        "https://a.example/x/../c", "https://a.example/%2e%2e/c", "https://a.example/c#f",
        "https://u@a.example/c", "https://u:p@a.example/c", "https://a.example/c d", "HTTPS://a.example/c",
    ],
)  # fmt: skip
def test_no_document_has_such_an_address(url: str) -> None:
    with pytest.raises(UnfitUri):
        check_document(url)


@pytest.mark.spec("draft-ietf-oauth-client-id-metadata-document", "3")
@pytest.mark.parametrize(
    "url", ["https://a.example/c", "https://a.example:8443/c", "https://a.example/c?v=1"]
)
def test_a_document_may_have_such_an_address(url: str) -> None:
    assert check_document(url) == url


@pytest.mark.spec("RFC 7591", "2")
@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"redirect_uris": None}, InvalidRedirectUri),
        ({"redirect_uris": "https://a.example/cb"}, InvalidRedirectUri),
        ({"redirect_uris": [1]}, InvalidRedirectUri),
        ({"redirect_uris": ["https://a.example/cb"] * 2}, InvalidRedirectUri),
        ({"redirect_uris": [f"https://a.example/{n}" for n in range(17)]}, InvalidRedirectUri),
        ({"client_name": None}, InvalidClientMetadata),
        ({"client_name": "a\u202eb"}, InvalidClientMetadata),
        ({"client_name": "a\nb"}, InvalidClientMetadata),
        ({"client_name": "x" * 129}, InvalidClientMetadata),
        ({"client_name": ["x"]}, InvalidClientMetadata),
        ({"client_secret": "x"}, InvalidClientMetadata),
        ({"client_secret_expires_at": 0}, InvalidClientMetadata),
        ({"token_endpoint_auth_method": "client_secret_basic"}, InvalidClientMetadata),
        ({"token_endpoint_auth_method": "client_secret_post"}, InvalidClientMetadata),
        ({"token_endpoint_auth_method": "client_secret_jwt"}, InvalidClientMetadata),
        ({"token_endpoint_auth_method": "private_key_jwt"}, InvalidClientMetadata),
        ({"token_endpoint_auth_method": "tls_client_auth"}, InvalidClientMetadata),
        ({"tls_client_auth_san_dns": "a.example"}, InvalidClientMetadata),
        ({"grant_types": ["authorization_code", "client_credentials"]}, InvalidClientMetadata),
        ({"grant_types": ["authorization_code", "password"]}, InvalidClientMetadata),
        ({"grant_types": ["refresh_token"]}, InvalidClientMetadata),
        ({"grant_types": ["implicit"], "response_types": ["token"]}, InvalidClientMetadata),
        ({"response_types": ["code", "token"]}, InvalidClientMetadata),
        ({"application_type": "mainframe"}, InvalidClientMetadata),
        ({"jwks": {"keys": []}}, InvalidClientMetadata),
        ({"jwks": {"keys": [KEY]}, "jwks_uri": "https://a.example/j"}, InvalidClientMetadata),
        ({"jwks": {"keys": [{"kty": "oct", "k": "AAAA"}]}}, InvalidClientMetadata),
        ({"jwks": {"keys": [{**KEY, "d": "AAAA"}]}}, InvalidClientMetadata),
        ({"jwks": {"keys": [{**KEY, "kid": "a"}, {**private_key("b").public.jwk(), "kid": "a"}]}},
         InvalidClientMetadata),
        ({"software_statement": "x"}, InvalidSoftwareStatement),
        ({"software_statement": "a.b.c"}, UnapprovedSoftwareStatement),
        ({"dpop_bound_access_tokens": "yes"}, InvalidClientMetadata),
        ({"scope": "x" * 1025}, InvalidClientMetadata),
        ({"post_logout_redirect_uris": ["javascript:x"]}, InvalidClientMetadata),
    ],
)  # fmt: skip
def test_each_fault_has_its_error(changes: dict[str, Any], error: type[OAuthError]) -> None:
    with pytest.raises(error):
        read_metadata(document(**changes))


def test_what_is_not_known_is_ignored_and_what_is_not_said_is_inferred() -> None:
    said = read_metadata(document(logo_uri="https://a.example/logo", application_type=None, x=[1]))
    assert said.application_type is ApplicationType.NATIVE
    assert said.auth_method is AuthMethod.NONE
    web = read_metadata(document(redirect_uris=["https://a.example/cb"]))
    assert web.application_type is ApplicationType.WEB
    keyed = read_metadata(document(token_endpoint_auth_method=None, jwks={"keys": [KEY]}))
    assert keyed.auth_method is AuthMethod.PRIVATE_KEY_JWT


def test_a_document_for_every_server_loses_what_is_not_served_here() -> None:
    many = document(
        grant_types=["authorization_code", "urn:openid:params:grant-type:ciba"],
        response_types=["code", "none"],
    )
    assert read_metadata(many, lenient=True).grant_types == {"authorization_code"}
    with pytest.raises(InvalidClientMetadata):
        read_metadata(many)


def test_a_key_set_has_one_text_whatever_the_order() -> None:
    keys: list[Json] = [
        {**private_key(name, Algorithm.ES256).public.jwk(), "kid": name} for name in ("a", "b")
    ]
    assert read_jwks({"keys": keys}) == read_jwks({"keys": keys[::-1]})
