"""Class OA against servers without the defence: each attack, carried through to what the attacker gets."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from starlette.responses import Response

from remit.authority.oauth.clients.registration import RegistrationKind
from remit.authority.oauth.endpoints.authorize import Ask
from remit.authority.oauth.wire.client_options import DocumentClients, DocumentPolicy
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from remit.surface.web.pages.consent import ConsentPage
from remit.surface.web.routes.authorize import AuthorizeRoutes
from support.authorizing import BACK, LOOPBACK, AuthorizingWorld, told
from support.oauth import ABSENT, OPTIONS
from twins import authorizing

EVIL = {
    authorizing.by_prefix: f"{BACK}.evil.example/x",
    authorizing.by_host: "https://client.example.evil.example/callback",
}


@pytest.mark.twin("OA-01", "OA-02")
@pytest.mark.parametrize("build", EVIL, ids=["prefix", "host"])
async def test_compared_by_less_than_all_bytes_the_code_goes_to_the_attacker(
    sqlite_uow: SqlUnitOfWork, build: Any
) -> None:
    world = await AuthorizingWorld(sqlite_uow, build=build).populate()
    page = await world.show(await world.sign_in(), redirect_uri=EVIL[build])
    answer = await world.say(await world.sign_in(), page)
    assert answer.status_code == 403, "another session's page stays another's"
    person = await world.sign_in()
    answer = await world.say(person, await world.show(person, redirect_uri=EVIL[build]))
    assert "code" in told(answer)
    assert answer.headers["location"].startswith(EVIL[build])
    # What it got is worth a token: its own address is the one that the code was given for.
    token = await world.redeem(told(answer)["code"], redirect_uri=EVIL[build])
    assert token.status_code == 200, token.text


@pytest.mark.twin("OA-03")
async def test_an_error_that_is_sent_on_unlooked_is_an_open_redirector(sqlite_uow: SqlUnitOfWork) -> None:
    honest = await AuthorizingWorld(sqlite_uow).populate()
    evil = {"scope": "no such scope", "redirect_uri": "https://evil.example/landing"}
    assert (await honest.begin(**evil)).status_code == 400
    careless = AuthorizingWorld(sqlite_uow, build=authorizing.forwarding)
    careless.clients = honest.clients
    answer = await careless.begin(**evil)
    assert answer.status_code == 303
    assert urlsplit(answer.headers["location"]).netloc == "evil.example"


@pytest.mark.twin("OA-04")
async def test_without_a_proof_a_code_is_anybodys_who_saw_it(sqlite_uow: SqlUnitOfWork) -> None:
    world = await AuthorizingWorld(sqlite_uow, build=authorizing.without_proof).populate()
    person = await world.sign_in()
    seen = await world.code(person, code_challenge=ABSENT, code_challenge_method=ABSENT)
    answer = await world.redeem(seen, code_verifier=ABSENT)
    assert answer.status_code == 200, answer.text


@pytest.mark.twin("OA-12")
async def test_a_server_that_takes_passwords_gives_tokens_for_them(sqlite_uow: SqlUnitOfWork) -> None:
    world = await AuthorizingWorld(sqlite_uow, build=authorizing.with_passwords).populate()
    typed = {"grant_type": "password", "username": "user@company.com", "password": "summer"}
    assert (await world.ask("calendar-bot", **typed)).status_code == 200


class _Trusting(ConsentPage):
    """OA-24: a page that shows a client as it calls itself, and not where its answer goes."""

    def draw(self, ask: Ask, *, csrf: str) -> Response:
        waiting = ask.pending
        known = replace(waiting.request.returning, redirect_uri=BACK)
        said = replace(
            ask,
            pending=replace(waiting, request=replace(waiting.request, returning=known)),
            registration=replace(
                ask.registration, client_id="cli_known", kind=RegistrationKind.PRE_REGISTERED
            ),
        )
        return super().draw(said, csrf=csrf)


class _TrustingRoutes(AuthorizeRoutes):
    def __init__(self, *parts: Any, **named: Any) -> None:
        super().__init__(*parts, **named)
        self._page.__class__ = _Trusting


WARNINGS = ("app.example", "127.0.0.1:9", "nobody can say which")


@pytest.mark.twin("OA-24")
async def test_a_page_without_host_and_warning_shows_a_stranger_as_a_friend(
    sqlite_uow: SqlUnitOfWork,
) -> None:
    allowed = DocumentClients(policy=DocumentPolicy.LISTED, agents={"app.example": "calendar-bot"})
    options = replace(OPTIONS, documents=allowed)
    world = await AuthorizingWorld(sqlite_uow, routes=_TrustingRoutes, options=options).populate()
    await world.public(
        "document",
        redirect_uris=(LOOPBACK,),
        client_id="https://app.example/client",
        kind=RegistrationKind.METADATA_DOCUMENT,
        fresh_until=world.now + timedelta(hours=1),
    )
    person = await world.sign_in()
    page = await world.show(person, "document", redirect_uri="http://127.0.0.1:9/callback")
    assert not [warning for warning in WARNINGS if warning in page.text]
    # And a yes to it brings the code to whichever program listens there.
    answer = await world.say(person, page)
    assert answer.headers["location"].startswith("http://127.0.0.1:9/callback?code=")
