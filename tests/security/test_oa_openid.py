"""Attacks on signing in to applications (security, class OA; JW-24 for ID tokens)."""

import re
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from remit.authority.oauth.endpoints.end_session import EndSessionEndpoint, Leaving
from remit.authority.oauth.wire.parameters import Parameters
from remit.identity.sessions import Session
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from remit.surface.web.pages.end_session import EndSessionPages
from remit.surface.web.pages.mine import Own
from remit.surface.web.pages.paper import Paper
from support.authorizing import AuthorizingWorld, SignedIn, told
from support.oauth import ABSENT, ACCESS_TOKEN, EXCHANGE
from twins.oauth import AnyResponseType, AnyYesWillDo, asking

ASKED: dict[str, Any] = {"resource": ABSENT, "scope": "openid"}
KINDS: tuple[dict[str, Any], ...] = (
    {"response_type": "token"},
    {"response_type": "id_token"},
    {"response_type": "code id_token"},
    {"response_type": "code token id_token"},
    {"response_type": "none"},
    {"response_mode": "fragment"},
    {"response_mode": "form_post"},
)


async def open_world(uow: SqlUnitOfWork, **how: Any) -> AuthorizingWorld:
    world = await AuthorizingWorld(uow, **how).populate()
    await world.application("wiki")
    return world


async def come(world: AuthorizingWorld, person: SignedIn, **changes: Any) -> Any:
    begun = await world.begin("wiki", **{**ASKED, **changes})
    return await world.get(begun.headers["location"], person)


async def answered(world: AuthorizingWorld) -> list[dict[str, Any]]:
    """The kinds of answers that are not refused, at the front door and on the way behind it."""
    found = []
    for kind in KINDS:
        front = await world.begin("wiki", **ASKED, **kind)
        pushed = await world.push("wiki", **ASKED, **kind)
        if "error" not in front.headers["location"] or pushed.status_code == 201:
            found.append(kind)
    return found


@pytest.mark.attack("OA-11")
@pytest.mark.spec("OIDC Core", "3.1.2.1")
async def test_no_token_passes_through_a_browser(sqlite_uow: SqlUnitOfWork) -> None:
    world = await open_world(sqlite_uow)
    assert await answered(world) == []
    # A request that was pushed lawfully is not changed by what stands beside its name.
    person, pushed = await world.sign_in(), (await world.push("wiki", **ASKED)).json()
    wanted = {"request_uri": pushed["request_uri"], "response_type": "id_token", "response_mode": "fragment"}
    begun = await world.begin("wiki", **wanted)
    page = await world.open(person, begun.headers["location"])
    answer = await world.say(person, page, response_type="token", response_mode="fragment")
    assert "#" not in answer.headers["location"]
    assert told(answer).keys() == {"code", "state", "iss"}


@pytest.mark.twin("OA-11")
async def test_an_endpoint_that_reads_no_kind_would_go_on_with_all(sqlite_uow: SqlUnitOfWork) -> None:
    world = await open_world(sqlite_uow, build=asking(AnyResponseType))
    assert await answered(world) == [*KINDS]


async def widened(world: AuthorizingWorld) -> list[str]:
    """What a client gets without a question after a yes to less."""
    person = await world.sign_in()
    await world.code(person, "wiki", **ASKED)
    more = ("openid email", "openid groups profile")
    got = [scope for scope in more if (await come(world, person, scope=scope)).status_code == 303]
    await world.change("wiki", digest="0" * 64)
    if (await come(world, person)).status_code == 303:
        got.append("another registration")
    return got


@pytest.mark.attack("OA-26")
async def test_a_yes_to_little_is_no_yes_to_more(sqlite_uow: SqlUnitOfWork) -> None:
    assert await widened(await open_world(sqlite_uow)) == []


@pytest.mark.twin("OA-26")
async def test_a_server_that_remembers_the_client_alone_would_give_all(sqlite_uow: SqlUnitOfWork) -> None:
    found = await widened(await open_world(sqlite_uow, build=asking(AnyYesWillDo)))
    assert found == ["openid email", "openid groups profile", "another registration"]


# -- signing somebody out (login and logout across sites)


class Believes(EndSessionEndpoint):
    """OA-13: any hint of ours signs out whoever is there."""

    async def read(self, parameters: Parameters, *, at: Any) -> Leaving:
        found = await super().read(parameters, at=at)
        values = {name: getattr(found, name) for name in ("registration", "hint", "back", "state")}
        return Anybodys(**values)


class Anybodys(Leaving):
    """A hint that proves every session."""

    def proves(self, session: Session) -> bool:
        return session is not None


async def forced_out(uow: SqlUnitOfWork, kind: type[EndSessionEndpoint]) -> bool:
    """Whether an attacker's own ID token, in a link, signs the victim out."""
    world = await open_world(uow)
    victim = await world.sign_in()
    attacker = await world.tokens("wiki", who="ben", **ASKED)
    issuer = world.options.issuer
    own = Own(paper=Paper(issuer=issuer, origin=issuer), door=world.door, name_of=str)
    pages = EndSessionPages(
        own=own, sessions=world.sessions, endpoint=kind(uow=uow, keys=world.keyring), clock=world.clock
    )
    world.serve(pages.routes())
    await world.get(f"/end_session?id_token_hint={attacker['id_token']}", victim)
    return not await world.sessions.of(victim.session.human)


@pytest.mark.attack("OA-13")
@pytest.mark.spec("OIDC RP-Initiated Logout", "6")
async def test_nobody_is_signed_out_by_anothers_token(sqlite_uow: SqlUnitOfWork) -> None:
    assert not await forced_out(sqlite_uow, EndSessionEndpoint)


@pytest.mark.twin("OA-13")
async def test_a_page_that_believes_any_hint_would_sign_them_out(sqlite_uow: SqlUnitOfWork) -> None:
    assert await forced_out(sqlite_uow, Believes)


# -- leaks by history, cache and the address that a page was opened from


async def leaks(world: AuthorizingWorld) -> list[str]:
    """The answers on the way of a code that a cache may keep, or that tell where they stood."""
    person = await world.sign_in()
    page = await world.get((await world.begin("wiki", **ASKED)).headers["location"], person)
    csrf = re.search(r'name="csrf" value="([0-9a-f]{64})"', page.text)
    assert csrf is not None
    said = await world.post(
        page.request.url.path,
        {"csrf": csrf.group(1), "answer": "allow"},
        headers=[("cookie", person.cookie)],
    )
    token = await world.redeem(told(said)["code"], "wiki")
    found = []
    for name, answer in (("page", page), ("answer", said), ("token", token)):
        if answer.headers.get("cache-control") != "no-store":
            found.append(name)
    if said.headers.get("referrer-policy") != "no-referrer":
        found.append("referrer")
    return found


class Bare:
    """OA-19: an application whose answers lose what keeps them to themselves."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def bare(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [each for each in message["headers"] if each[0] not in _KEEPING]
                message = {**message, "headers": kept}
            await send(message)

        await self._app(scope, receive, bare)


_KEEPING = {b"cache-control", b"referrer-policy"}


@pytest.mark.attack("OA-19")
async def test_a_code_is_told_to_nobody_else(sqlite_uow: SqlUnitOfWork) -> None:
    assert await leaks(await open_world(sqlite_uow)) == []


@pytest.mark.twin("OA-19")
async def test_an_application_without_those_headers_would_tell(sqlite_uow: SqlUnitOfWork) -> None:
    world = await open_world(sqlite_uow)
    world.wrap(Bare)
    assert await leaks(world) == ["page", "answer", "token", "referrer"]


# -- one class of token for another


@pytest.mark.attack("JW-24")
@pytest.mark.spec("RFC 8725", "3.12")
async def test_an_id_token_opens_nothing(sqlite_uow: SqlUnitOfWork) -> None:
    world = await open_world(sqlite_uow)
    held = await world.tokens("wiki", **ASKED)
    text = held["id_token"]
    url = f"{world.options.issuer}/userinfo"
    for scheme in ("DPoP", "Bearer"):
        headers = {"authorization": f"{scheme} {text}", "dpop": world.proof_at(url, text)}
        assert (await world.http.get("/userinfo", headers=headers)).status_code == 401
    introspected = await world.introspect("calendar-bot", text)
    assert introspected.json() == {"active": False}
    for place in ("subject_token", "actor_token"):
        form = {
            "grant_type": EXCHANGE,
            "subject_token": world.envelope,
            "subject_token_type": "urn:ietf:params:oauth:token-type:txn_token",
            "resource": world.options.mcp("business"),
            place: text,
            f"{place}_type": ACCESS_TOKEN,
        }
        assert (await world.ask("calendar-bot", **form)).status_code == 400
    asserted = await world.ask("calendar-bot", grant_type="client_credentials", client_assertion=text)
    assert asserted.status_code == 401
