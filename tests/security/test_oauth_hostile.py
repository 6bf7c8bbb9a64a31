"""Hostile strings in each parameter, claim and header of every OAuth endpoint, on both engines.

PostgreSQL's text holds no NUL and SQLite's does: what reaches a statement unjudged is a 503 on one of them,
and a row on the other. Whatever comes, the answer is an OAuth error by its name, and never a 5xx.
"""

import itertools
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest

from remit.authority.oauth.proving.client_auth import ASSERTION_TYPE, Authenticated, ClientAuthenticator
from remit.authority.oauth.wire.parameters import Parameters
from remit.kernel.canonical import b64u, b64u_decode
from remit.kernel.jose import jws
from remit.kernel.jose.keys import PrivateKey
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.engine import OpenStore
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.authorizing import BACK, VERIFIER
from support.jose import private_key
from support.oauth import ACCESS_TOKEN, EXCHANGE, TXN_TOKEN, World, building
from support.sessions import Held, SessionWorld

ODD = (
    "\x00",
    "a\x00b",
    "cli_\x00",
    "ins_\x00",
    "https://\x00.example/",
    "\x01\x1b[31m\x7f",
    "\r\nSet-Cookie: a=b",
    "\u202e\u200b\ufeff",
    "\U0001f511" * 300,
    "'; DROP TABLE token;--",
    "%00%ff",
    "x" * 9000,
    "a.b.c",
    "[]",
    "-1",
    "../../etc/passwd",
)
ERRORS = {
    "access_denied", "authorization_pending", "expired_token", "invalid_authorization_details",
    "invalid_client", "invalid_client_metadata", "invalid_dpop_proof", "invalid_grant",
    "invalid_redirect_uri", "invalid_request", "invalid_request_object", "invalid_scope", "invalid_target",
    "invalid_token", "request_not_supported", "request_uri_not_supported", "slow_down",
    "unauthorized_client", "unsupported_grant_type", "unsupported_response_type", "unsupported_token_type",
}  # fmt: skip


def forms(held: Held) -> dict[str, tuple[str, dict[str, str]]]:
    """An honest form of each endpoint and grant, but for the proof of the client."""
    world, mcp = held.world, held.world.options.mcp("business")
    details = json.dumps([{"type": "remit_action", "rights": []}])
    asked = {name: str(value) for name, value in world.request("web").items()}
    extra = {
        "scope": "mcp", "authorization_details": details, "nonce": "n", "acr_values": "a", "max_age": "60",
        "prompt": "consent", "claims": "{}", "login_hint": "h", "id_token_hint": "t", "ui_locales": "en",
        "display": "page", "dpop_jkt": "A" * 43, "response_mode": "query", "request": "a.b.c",
        "request_uri": "urn:ietf:params:oauth:request_uri:x",
    }  # fmt: skip
    token = {"client_id": world.clients["web"].client_id}
    return {
        "code": (
            "/token",
            {
                **token,
                "grant_type": "authorization_code",
                "code": "rmt_ac_x",
                "code_verifier": VERIFIER,
                "redirect_uri": BACK,
                "resource": mcp,
            },
        ),
        "refresh": (
            "/token",
            {**token, "grant_type": "refresh_token", "refresh_token": "rmt_rt_x", "scope": "mcp"},
        ),
        "device": (
            "/token",
            {
                **token,
                "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
                "device_code": "rmt_dc_x",
            },
        ),
        "client": ("/token", {**token, "grant_type": "client_credentials", "scope": "x", "resource": mcp}),
        "bearer": (
            "/token",
            {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": "a.b.c", "scope": "x"},
        ),
        "saml": (
            "/token",
            {"grant_type": "urn:ietf:params:oauth:grant-type:saml2-bearer", "assertion": "PHg-"},
        ),
        "exchange": (
            "/token",
            {
                **token,
                "grant_type": EXCHANGE,
                "subject_token": held.access,
                "subject_token_type": ACCESS_TOKEN,
                "actor_token": held.access,
                "actor_token_type": ACCESS_TOKEN,
                "requested_token_type": ACCESS_TOKEN,
                "resource": mcp,
                "audience": "x",
                "scope": "x",
                "authorization_details": details,
            },
        ),
        "envelope": (
            "/token",
            {
                **token,
                "grant_type": EXCHANGE,
                "subject_token": "a.b.c~d.e.f",
                "subject_token_type": TXN_TOKEN,
                "resource": mcp,
            },
        ),
        "introspect": ("/introspect", {**token, "token": "x", "token_type_hint": "refresh_token"}),
        "revoke": ("/revoke", {**token, "token": "x", "token_type_hint": "access_token"}),
        "par": ("/par", {**asked, **extra}),
        "device request": ("/device_authorization", {**token, "scope": "mcp", "resource": mcp, **extra}),
        "authorize": ("/authorize", {**asked, **extra}),
    }


def told(answer: httpx2.Response) -> str:
    """The error by its name; of a page, or of a redirect to the client, that there is one."""
    assert answer.status_code < 500, (answer.status_code, answer.text[:300])
    if answer.status_code in {303, 414} or answer.headers.get("content-type", "").startswith("text/html"):
        return "invalid_request"
    if answer.status_code < 300:
        return ""
    body = answer.json()
    assert set(body) <= {"error", "error_description", "error_uri", "interval"}, body
    return str(body["error"])


async def sent(world: SessionWorld, path: str, form: dict[str, Any]) -> httpx2.Response:
    """By a browser to the page, else as a form, proven as the client would."""
    if path == "/authorize":
        return await world.http.get(f"{path}?{urlencode(form)}")
    plain = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": world.assertion("web"), **form}
    proof = world.proof("web", f"{world.options.issuer}{path}")
    return await world.post(path, plain, headers=[("dpop", proof)])


@pytest.fixture
async def held(uow: SqlUnitOfWork) -> Held:
    return await Held(await SessionWorld(uow).populate()).gather()


@pytest.mark.attack("RA-07")
@pytest.mark.promise("P5", "P13")
@pytest.mark.req("R32")
async def test_no_string_in_any_parameter_breaks_an_endpoint(held: Held) -> None:
    """Each parameter gets every fourth string, the next parameter the next ones."""
    turn = itertools.count()
    for name, (path, honest) in forms(held).items():
        for parameter in (*honest, "client_assertion", "client_assertion_type", "\x00"):
            for odd in itertools.islice(ODD, next(turn) % 4, None, 4):
                answer = await sent(held.world, path, {**honest, parameter: odd})
                error = told(answer)
                assert not error or error in ERRORS, (name, parameter, odd[:20], answer.text)
    assert await held.own(), "the client goes on"
    assert await held.refresh(), "and what it holds was not touched"


def signed(world: SessionWorld, claims: dict[str, Any], *, kid: str | None = None, typ: str = "JWT") -> str:
    """Any claims, under the client's own key."""
    actor = world.actors["web"]
    header = {"typ": typ, "kid": actor.kid if kid is None else kid}
    return jws.sign(header, json.dumps(claims).encode(), actor.key)


def assertions(world: SessionWorld) -> Iterator[str]:
    """Client assertions, each with one odd claim or header."""
    at = int(world.now.timestamp())
    who = world.actors["web"].id
    for name in ("iss", "sub", "aud", "jti", "txn", "scope"):
        for odd in ODD:
            plain = {"iss": who, "sub": who, "aud": world.options.issuer, "iat": at, "exp": at + 60}
            yield signed(world, {**plain, "jti": world.fresh(), name: odd})
    for odd in ODD:
        yield signed(world, {"iss": who, "sub": who}, kid=odd)
        yield signed(world, {"iss": who, "sub": who}, typ=odd)
        yield f"{b64u(odd.encode())}.{b64u(odd.encode())}.{b64u(odd.encode())}"


@pytest.mark.attack("JW-07")
@pytest.mark.promise("P5")
async def test_no_string_in_an_assertion_breaks_an_endpoint(held: Held) -> None:
    world = held.world
    mcp = world.options.mcp("business")
    form = {"grant_type": "client_credentials", "token": "x", "resource": mcp}
    paths = itertools.cycle(("/token", "/introspect", "/revoke", "/par", "/device_authorization"))
    for assertion, path in zip(assertions(world), paths, strict=False):
        answer = await sent(world, path, {**form, "client_assertion": assertion})
        allowed = {"", "invalid_client", "invalid_request", "invalid_target"}
        assert told(answer) in allowed, (path, answer.text)


@pytest.mark.attack("OA-22")
@pytest.mark.spec("RFC 6749", "5.2")
async def test_nobody_learns_by_the_words_whether_there_is_such_a_client(held: Held) -> None:
    world = held.world
    at, issuer = int(world.now.timestamp()), world.options.issuer
    thief = private_key("key of a thief")

    def stated(who: str, *, key: PrivateKey = thief, kid: str = "key_x") -> str:
        claims = {"iss": who, "sub": who, "aud": issuer, "iat": at, "exp": at + 60, "jti": world.fresh()}
        return jws.sign({"typ": "JWT", "kid": kid}, json.dumps(claims).encode(), key)

    web = world.actors["web"]
    shown = (
        stated("ins_nobody"),
        stated("cli_nobody"),
        stated("usr_nobody"),
        stated(web.id),
        stated(web.id, kid=web.kid),
        stated(world.actors["ana"].id),
        stated(web.id, key=web.key, kid=world.actors["calendar-bot"].kid),
    )
    for path in ("/token", "/introspect", "/revoke", "/par"):
        told = set()
        for assertion in shown:
            form = {"grant_type": "client_credentials", "token": "x", "client_assertion": assertion}
            answer = await sent(world, path, form)
            told.add((answer.status_code, answer.text, answer.headers.get("www-authenticate", "")))
        assert len(told) == 1, (path, told)
        assert told.pop()[0] == 401


async def test_no_string_in_a_proof_breaks_an_endpoint(held: Held) -> None:
    world = held.world
    key = private_key("key of a session")
    header: dict[str, Any] = {"typ": "dpop+jwt", "jwk": key.public.jwk()}
    plain = {"htm": "POST", "htu": f"{world.options.issuer}/token", "iat": int(world.now.timestamp())}
    for name in ("jti", "htm", "htu", "ath", "nonce", "extra"):
        for odd in ODD:
            claims = {**plain, "jti": world.fresh(), name: odd}
            proof = jws.sign(header, json.dumps(claims).encode(), key)
            answer = await world.refresh(held.wiki["refresh_token"] + "x", "wiki", proof=proof)
            assert told(answer) in {"invalid_grant", "invalid_dpop_proof"}, (name, answer.text)


class Careless(ClientAuthenticator):
    """Looks for the client that an assertion names before anything of it is judged."""

    def authenticate(self, parameters: Parameters, **shown: Any) -> Authenticated:
        payload = parameters.get("client_assertion").split(".")[1]
        self._client(json.loads(b64u_decode(payload))["iss"], shown["view"])
        return super().authenticate(parameters, **shown)


@pytest.mark.twin("JW-07")
async def test_a_name_that_is_looked_up_as_it_comes_breaks_the_store(postgres_store: OpenStore) -> None:
    uow = SqlUnitOfWork(postgres_store, tenant=DEFAULT_TENANT)
    world = await World(uow, build=building(clients=Careless)).populate()
    at = int(world.now.timestamp())
    claims = {"iss": "cli_\x00", "sub": "cli_\x00", "aud": world.options.issuer, "exp": at + 60, "jti": "a"}
    actor = world.actors["calendar-bot"]
    assertion = jws.sign({"typ": "JWT", "kid": actor.kid}, json.dumps(claims).encode(), actor.key)
    answer = await world.ask("calendar-bot", grant_type="client_credentials", client_assertion=assertion)
    assert answer.status_code == 503
