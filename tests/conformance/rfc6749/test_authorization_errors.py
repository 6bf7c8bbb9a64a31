"""Every error of the authorization endpoint, with its name and its way: a page of ours, or a redirect."""

from typing import Any
from urllib.parse import quote, urlencode

import pytest

from remit.authority.oauth.clients.registration import AuthMethod
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.authorizing import BACK, MCP, AuthorizingWorld, told
from support.oauth import ABSENT, ISSUER


@pytest.fixture
async def world(sqlite_uow: SqlUnitOfWork) -> AuthorizingWorld:
    return await AuthorizingWorld(sqlite_uow).populate()


BY_PAGE: dict[str, dict[str, Any]] = {
    "no client": {"client_id": ABSENT},
    "unknown client": {"client_id": "cli_unknown"},
    "principal that is no client": {"client_id": "usr_1"},
    "no redirect registered so": {"redirect_uri": "https://client.example/other"},
    "redirect of another host": {"redirect_uri": "https://evil.example/callback"},
    "unknown request_uri": {"request_uri": "urn:ietf:params:oauth:request_uri:rmt_ar_" + "A" * 43},
    "foreign request_uri": {"request_uri": "https://evil.example/request"},
    "bad scope and foreign redirect": {"scope": "root", "redirect_uri": "https://evil.example/"},
    "client twice": {"client_id": ["cli_strict", "cli_other"]},
    "redirect twice": {"redirect_uri": [BACK, "https://evil.example/"]},
}


@pytest.mark.spec("RFC 6749", "4.1.2.1")
@pytest.mark.attack("OA-03")
@pytest.mark.parametrize("changed", BY_PAGE.values(), ids=BY_PAGE)
async def test_nobody_is_sent_anywhere_before_client_and_redirect_are_certain(
    world: AuthorizingWorld, changed: dict[str, Any]
) -> None:
    answer = await world.begin(**changed)
    assert answer.status_code == 400, answer.text
    assert "location" not in answer.headers
    assert answer.headers["content-type"].startswith("text/html")
    assert "evil.example" not in answer.text


BY_REDIRECT: dict[str, tuple[dict[str, Any], str]] = {
    "no response type": ({"response_type": ABSENT}, "invalid_request"),
    "token": ({"response_type": "token"}, "unsupported_response_type"),
    "id_token": ({"response_type": "id_token"}, "unsupported_response_type"),
    "hybrid": ({"response_type": "code id_token"}, "unsupported_response_type"),
    "none": ({"response_type": "none"}, "unsupported_response_type"),
    "fragment": ({"response_mode": "fragment"}, "invalid_request"),
    "form_post": ({"response_mode": "form_post"}, "invalid_request"),
    "no challenge": ({"code_challenge": ABSENT}, "invalid_request"),
    "no method": ({"code_challenge_method": ABSENT}, "invalid_request"),
    "plain": ({"code_challenge_method": "plain"}, "invalid_request"),
    "unknown method": ({"code_challenge_method": "S512"}, "invalid_request"),
    "short challenge": ({"code_challenge": "A" * 42}, "invalid_request"),
    "long challenge": ({"code_challenge": "A" * 44}, "invalid_request"),
    "unknown scope": ({"scope": "root"}, "invalid_scope"),
    "another kind's scope": ({"scope": "remit.admin"}, "invalid_scope"),
    "foreign resource": ({"resource": "https://other.example/mcp"}, "invalid_target"),
    "relative resource": ({"resource": "/mcp/business"}, "invalid_target"),
    "resource with fragment": ({"resource": f"{MCP}#x"}, "invalid_target"),
    "two resources": ({"resource": [MCP, f"{ISSUER}/mcp/mail"]}, "invalid_target"),
    "no such server": ({"resource": f"{ISSUER}/mcp/nobody"}, "invalid_target"),
    "no resource, and two servers": ({"resource": ABSENT}, "invalid_target"),
    "details that are no JSON": ({"authorization_details": "["}, "invalid_authorization_details"),
    "no details": ({"authorization_details": "[]"}, "invalid_authorization_details"),
    "details of an unknown type": (
        {"authorization_details": '[{"type":"other"}]'},
        "invalid_authorization_details",
    ),
    "details with an unknown member": (
        {"authorization_details": '[{"type":"remit_action","rights":[],"all":true}]'},
        "invalid_authorization_details",
    ),
    "details beyond the agent": (
        {
            "authorization_details": '[{"type":"remit_action","rights":[{"action":"business/vault.open",'
            '"resource_type":"Thing","resources":"any","constraints":[]}]}]'
        },
        "invalid_authorization_details",
    ),
    "unknown prompt": ({"prompt": "twice"}, "invalid_request"),
    "none with another": ({"prompt": "none login"}, "invalid_request"),
    "negative age": ({"max_age": "-1"}, "invalid_request"),
    "fractional age": ({"max_age": "1.5"}, "invalid_request"),
    "thumbprint malformed": ({"dpop_jkt": "short"}, "invalid_request"),
    "state too long": ({"state": "s" * 2049}, "invalid_request"),
    "nonce too long": ({"nonce": "n" * 513}, "invalid_request"),
}


@pytest.mark.spec("RFC 6749", "4.1.2.1")
@pytest.mark.spec("RFC 7636", "4.4.1")
@pytest.mark.spec("RFC 9207", "2")
@pytest.mark.spec("RFC 9396", "5")
@pytest.mark.spec("RFC 8707", "2")
@pytest.mark.attack("OA-04", "OA-06", "OA-11")
@pytest.mark.parametrize(("changed", "error"), BY_REDIRECT.values(), ids=BY_REDIRECT)
async def test_each_error_goes_back_by_its_name(
    world: AuthorizingWorld, changed: dict[str, Any], error: str
) -> None:
    answer = await world.begin(**changed)
    found = told(answer)
    assert answer.headers["location"].startswith(f"{BACK}?")
    assert found["error"] == error
    assert found["iss"] == ISSUER
    assert found.get("state", "") == changed.get("state", "a state")
    assert "code" not in found


@pytest.mark.spec("RFC 6749", "3.1")
@pytest.mark.parametrize(
    "repeated", ["state", "response_type", "code_challenge", "scope", "client_id", "redirect_uri"]
)
async def test_a_parameter_that_stands_twice_can_be_read_two_ways(
    world: AuthorizingWorld, repeated: str
) -> None:
    query = urlencode({**world.request(), "scope": "mcp"}) + f"&{repeated}=again"
    answer = await world.get(f"/authorize?{query}")
    assert answer.status_code == 400
    assert "location" not in answer.headers


@pytest.mark.spec("RFC 9126", "1")
async def test_a_request_in_an_address_has_a_length(world: AuthorizingWorld) -> None:
    """A longer one is pushed; the limit is the door's."""
    longest = f"/authorize?{urlencode(world.request())}&x="
    fits = await world.get(longest + "y" * ((8 << 10) - len(longest)))
    assert fits.status_code == 303
    assert (await world.get(longest + "y" * (8 << 10))).status_code == 414


@pytest.mark.spec("RFC 9126", "5")
async def test_a_client_that_pushes_its_requests_brings_none_by_browser(world: AuthorizingWorld) -> None:
    await world.change("strict", require_par=True)
    assert told(await world.begin())["error"] == "invalid_request"
    assert (await world.push()).status_code == 201


@pytest.mark.spec("RFC 6749", "4.1.2.1")
async def test_a_client_that_is_not_registered_for_codes_gets_none(world: AuthorizingWorld) -> None:
    await world.change("strict", grant_types=frozenset({"refresh_token"}))
    assert told(await world.begin())["error"] == "unauthorized_client"


@pytest.mark.spec("OIDC Core", "3.1.2.6")
async def test_a_client_that_wants_no_page_gets_no_consent_either(world: AuthorizingWorld) -> None:
    """OA-26: a yes is never taken from a cookie, or from a yes before."""
    nobody = await world.get((await world.begin(prompt="none")).headers["location"])
    assert told(nobody)["error"] == "login_required"
    person = await world.sign_in()
    await world.code(person)
    asked = await world.get((await world.begin(prompt="none")).headers["location"], person)
    assert told(asked)["error"] == "consent_required"


@pytest.mark.spec("RFC 6749", "3.1.2.3")
async def test_the_only_redirect_uri_need_not_be_said(world: AuthorizingWorld) -> None:
    answer = await world.begin(redirect_uri=ABSENT)
    assert answer.headers["location"].startswith("/authorize/")
    await world.public("two", redirect_uris=(BACK, f"{BACK}/2"))
    assert (await world.begin("two", redirect_uri=ABSENT)).status_code == 400


@pytest.mark.spec("RFC 6749", "4.1.2")
async def test_an_answer_goes_behind_what_the_redirect_uri_asks_already(world: AuthorizingWorld) -> None:
    where = "https://client.example/callback?kit=7&t=%2F"
    await world.public("kit", redirect_uris=(where,))
    answer = await world.begin("kit", redirect_uri=where, response_type="token")
    assert answer.headers["location"].startswith(f"{where}&error=")


@pytest.mark.spec("RFC 9700", "4.12")
@pytest.mark.spec("RFC 9700", "4.2.4")
@pytest.mark.attack("OA-19")
async def test_no_answer_is_kept_referred_or_repeated(world: AuthorizingWorld) -> None:
    person = await world.sign_in()
    page = await world.show(person)
    shown = await world.get(page.path, person)
    answer = await world.say(person, page)
    assert answer.status_code == 303
    for each in (shown, answer):
        assert each.headers["cache-control"] == "no-store"
        assert each.headers["x-frame-options"] == "DENY"
        assert "frame-ancestors 'none'" in each.headers["content-security-policy"]
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "script-src" not in shown.headers["content-security-policy"]
    assert (
        f"form-action 'self' {quote('https://client.example', safe=':/')}"
        in (shown.headers["content-security-policy"])
    )


@pytest.mark.spec("RFC 6749", "3.1")
async def test_the_authorization_endpoint_takes_no_post(world: AuthorizingWorld) -> None:
    assert (await world.post("/authorize", world.request())).status_code == 405


async def test_a_client_that_authenticates_needs_no_proof_to_be_sent_here(world: AuthorizingWorld) -> None:
    assert world.clients["web"].auth_method is AuthMethod.PRIVATE_KEY_JWT
    answer = await world.begin("web")
    assert answer.headers["location"].startswith("/authorize/")
