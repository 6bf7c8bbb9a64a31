"""The cookie, the way to the sign-in page and back, and forms that only our own pages can send."""

from dataclasses import dataclass, field

import pytest
from starlette.requests import Request
from starlette.responses import Response

from remit.identity.sessions import (
    ACR_PASSKEY_UV,
    AMR_PASSKEY_UV,
    Proof,
    Session,
    SessionRule,
    begin,
    digest_of,
)
from remit.kernel.canonical import b64u
from remit.kernel.ids import PrincipalId, system_entropy
from remit.kernel.secret import Secret
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.surface.web.forms import ForeignForm, FormTooLarge, FormUnreadable
from remit.surface.web.session import SessionDoor, local_path
from support.clock import NOON

OURS = "https://remit.example"
SESSION, SECRET = begin(
    PrincipalId("usr_a"),
    tenant=DEFAULT_TENANT,
    proof=Proof(amr=AMR_PASSKEY_UV, acr=ACR_PASSKEY_UV, at=NOON),
    rule=SessionRule(),
    entropy=system_entropy,
)
COOKIE = f"__Host-remit-session={b64u(SECRET.reveal())}"


@dataclass
class Known:
    """Knows sessions by digest."""

    sessions: dict[str, Session] = field(default_factory=lambda: {SESSION.secret_digest: SESSION})

    async def current(self, secret: Secret) -> Session | None:
        return self.sessions.get(digest_of(secret))


def door(issuer: str = OURS) -> SessionDoor:
    return SessionDoor(sessions=Known(), issuer=issuer, origins=frozenset({issuer}))


def request(path: str = "/x", body: bytes = b"", *, query: str = "", **headers: str) -> Request:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    lines = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": lines,
        "scheme": "https",
        "server": ("remit.example", 443),
    }
    return Request(scope, receive)


@pytest.mark.attack("CO-07")
@pytest.mark.parametrize(
    ("issuer", "name", "flags"),
    [
        (OURS, "__Host-remit-session", {"httponly", "samesite=lax", "path=/", "secure"}),
        ("http://localhost:7480", "remit-session", {"httponly", "samesite=lax", "path=/"}),
    ],
)
def test_the_cookie_is_of_this_host_and_no_scripts(issuer: str, name: str, flags: set[str]) -> None:
    response = Response()
    door(issuer).keep(response, SECRET)
    first, *rest = response.headers["set-cookie"].split("; ")
    assert first == f"{name}={b64u(SECRET.reveal())}"
    assert {part.lower() for part in rest} == flags
    door(issuer).drop(response)
    assert "Max-Age=0" in response.headers.getlist("set-cookie")[1]


async def test_a_session_is_read_from_one_well_formed_cookie() -> None:
    assert await door().current_session(request(cookie=f"a=b; {COOKIE}; c=d")) == SESSION
    short = f"__Host-remit-session={b64u(b'short')}"
    for cookie in (
        f"{COOKIE}; {COOKIE}",
        short,
        "__Host-remit-session=%%",
        "__Host-remit-session=é",
        "",
        ";;=",
    ):
        assert await door().current_session(request(cookie=cookie)) is None, cookie
    # The plain name is for a plain issuer: a neighbour on http can't plant it here.
    assert await door().current_session(request(cookie=COOKIE.removeprefix("__Host-"))) is None


def test_whoever_is_not_signed_in_comes_back_to_where_they_were() -> None:
    sent = door().sign_in_first(request("/authorize", query="client_id=x&state=a%20b"), again=True)
    assert sent.status_code == 303
    assert sent.headers["location"] == (
        "/sign-in?next=%2Fauthorize%3Fclient_id%3Dx%26state%3Da%2520b&again=1"
    )
    assert door().sign_in_first(request("/me")).headers["location"] == "/sign-in?next=%2Fme"


LOCAL = ("/", "/me", "/authorize?client_id=https://x.example/y&a=%2F%2Fb", "/a//b", "/a?b=\"'<>")
ELSEWHERE = (
    "",
    "me",
    "//evil.example",
    "/\\evil.example",
    "/a\\b",
    "\\/evil.example",
    "https://evil.example",
    "javascript:alert(1)",
    "/\tevil",
    "/\n/evil.example",
    " /me",
    "/me\r\nSet-Cookie: a=b",
    "/é",
    "/" + "a" * 5000,
    "/me\x00",
    "///evil.example",
)


@pytest.mark.attack("CO-21")
def test_the_way_on_leads_nowhere_else() -> None:
    assert [local_path(text) for text in LOCAL] == list(LOCAL)
    assert [local_path(text) for text in ELSEWHERE] == [None] * len(ELSEWHERE)


async def test_a_form_of_this_session_is_read() -> None:
    token = door().csrf(request(cookie=COOKIE), "sign-out")
    body = f"csrf={token}&a=1&b=".encode()
    for headers in ({}, {"origin": OURS}, {"origin": OURS, "sec_fetch_site": "same-origin"}):
        found = await door().read_form(request(body=body, cookie=COOKIE, **headers), "sign-out")
        assert found == {"a": "1", "b": ""}


@pytest.mark.attack("CO-05")
async def test_a_form_of_another_site_session_or_page_is_refused() -> None:
    token = door().csrf(request(cookie=COOKIE), "sign-out")
    body = f"csrf={token}".encode()
    foreign = (
        request(body=body, cookie=COOKIE, origin="https://evil.example"),
        request(body=body, cookie=COOKIE, origin="null"),
        request(body=body, cookie=COOKIE, origin=OURS, sec_fetch_site="cross-site"),
        request(body=body, cookie=COOKIE, sec_fetch_site="same-site"),
        request(body=b"csrf=" + b"0" * 64, cookie=COOKIE, origin=OURS),
        request(body=b"a=1", cookie=COOKIE, origin=OURS),
        request(body=body, origin=OURS),
        request(body=body, cookie=f"__Host-remit-session={b64u(bytes(32))}", origin=OURS),
    )
    for sent in foreign:
        with pytest.raises(ForeignForm):
            await door().read_form(sent, "sign-out")
    with pytest.raises(ForeignForm):
        await door().read_form(request(body=body, cookie=COOKIE), "revoke-grant")


async def test_a_form_is_small_and_says_everything_once() -> None:
    with pytest.raises(FormTooLarge):
        await door().read_form(request(body=b"a=" + b"x" * (17 << 10), cookie=COOKIE), "f")
    for body in (b"a=1&a=2", b"a", b"\xff=1", b"&".join(b"%d=1" % n for n in range(40))):
        with pytest.raises(FormUnreadable):
            await door().read_form(request(body=body, cookie=COOKIE), "f")
