"""Attacks on people who are asked behind the scenes: fatigue, false words, races, answers not theirs (CB)."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import bindparam, func, select

from remit.authority.oauth.asking import backchannel as rules
from remit.authority.oauth.asking.backchannel import BackchannelRequest, BackchannelState
from remit.authority.oauth.clients.registration import CIBA, ClientRegistration
from remit.authority.oauth.endpoints.backchannel import DENIED_REPEATEDLY, BackchannelConsent
from remit.authority.oauth.endpoints.backchannel_authentication import BackchannelAuthenticationEndpoint
from remit.authority.oauth.grants.ciba import BackchannelGrant
from remit.authority.oauth.issuing.polled_grant import Polled
from remit.authority.oauth.provider import OAuth
from remit.authority.oauth.proving.requests import Asking
from remit.authority.oauth.repository import OAuthTransaction
from remit.authority.oauth.wire import opaque
from remit.authority.oauth.wire.parameters import Parameters
from remit.identity.sessions import ACR_PASSKEY, Session
from remit.kernel.canonical import Digest
from remit.platform.storage.tables.core import outbox
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.authorizing import SignedIn, with_codes
from support.backchannel import BackchannelWorld, flow_of
from support.oauth import claims_in


@pytest.fixture
async def world(sqlite_uow: SqlUnitOfWork) -> BackchannelWorld:
    return await BackchannelWorld(sqlite_uow).populate()


@pytest.fixture
async def each(uow: SqlUnitOfWork) -> BackchannelWorld:
    return await BackchannelWorld(uow).populate()


def planted(
    *,
    endpoint: type[BackchannelAuthenticationEndpoint] | None = None,
    consent: type[BackchannelConsent] | None = None,
    grant: type[BackchannelGrant] | None = None,
) -> Callable[..., OAuth]:
    """The server with a part in the place of ours."""

    def build(**parts: Any) -> OAuth:
        whole = with_codes(**parts)
        flow = flow_of(whole)
        if endpoint is not None:
            flow.authentication.__class__ = endpoint
        if consent is not None:
            flow.consent.__class__ = consent
        if grant is not None:
            whole.token._grants[CIBA].__class__ = grant
        return whole

    return build


# -- CB-01: fatigue


@pytest.mark.attack("CB-01")
@pytest.mark.spec("CIBA Core", "14")
async def test_a_person_is_asked_by_few_and_an_agent_asks_few(each: BackchannelWorld) -> None:
    world = each
    for _ in range(rules.WAITING):
        await world.asked()
    refused = await world.bc()
    assert (refused.status_code, refused.json()["error"]) == (503, "temporarily_unavailable")
    assert "retry-after" in refused.headers
    # Nor does another agent reach that person, and another person is not reached by that agent.
    assert await world.bc_error("box", status=503) == "temporarily_unavailable"
    ben = world.actors["ben"].id
    assert await world.bc_error(login_hint=ben, status=503) == "temporarily_unavailable"
    assert await world.asked("box", login_hint=ben)
    world.pass_time(seconds=301)
    assert await world.asked()


@pytest.mark.attack("CB-01")
async def test_who_answers_quickly_is_asked_ten_times_a_minute_at_most(world: BackchannelWorld) -> None:
    person = await world.sign_in()
    for _ in range(rules.ASKS):
        await world.asked()
        await world.answer(person)
    assert await world.bc_error(status=503) == "temporarily_unavailable"
    world.pass_time(seconds=61)
    assert await world.asked()


@pytest.mark.attack("CB-01")
async def test_an_agent_that_people_keep_refusing_is_stated_for_suspension(world: BackchannelWorld) -> None:
    person = await world.sign_in()
    for number in range(rules.DENIALS):
        assert await facts(world) == 0, number
        await world.asked()
        await world.answer(person, "deny")
    assert await facts(world) == 1


async def facts(world: BackchannelWorld) -> int:
    """How often the outbox says that people keep saying no."""
    count = select(func.count()).where(outbox.c.event == bindparam("name"))
    rows = await world.uow.read(lambda tx: tx.sql.rows(count, {"name": DENIED_REPEATEDLY}))
    return int(rows[0][0])


class Tireless(BackchannelAuthenticationEndpoint):
    """Asks as often as it is asked to."""

    def _require_share(self, tx: OAuthTransaction, asked: Any, at: datetime) -> None:
        return


@pytest.mark.twin("CB-01")
async def test_without_shares_a_person_would_be_asked_without_end(sqlite_uow: SqlUnitOfWork) -> None:
    world = await BackchannelWorld(sqlite_uow, build=planted(endpoint=Tireless)).populate()
    for _ in range(rules.ASKS + 2):
        await world.asked()
    assert len(await world.waiting(await world.sign_in())) == rules.ASKS + 2


# -- CB-02: false words

WORDS = {
    "long": "x" * 65,
    "bidi": "pay \u202eeduc\u202c",
    "zero width": "pay\u200b10",
    "a mark of order": "\ufeffpay",
    "a line": "pay\u2028now",
    "ansi": "pay \x1b[2K10",
    "a thousand lines": "pay\n" * 1000,
}


@pytest.mark.attack("CB-02")
@pytest.mark.spec("CIBA Core", "7.1")
@pytest.mark.parametrize("case", WORDS)
async def test_a_message_that_does_not_read_as_it_is_written_is_none(
    world: BackchannelWorld, case: str
) -> None:
    error = await world.bc_error(binding_message=WORDS[case])
    controls = any(ord(char) < 0x20 for char in WORDS[case])  # no form holds such a character at all
    assert error == ("invalid_request" if controls else "invalid_binding_message")


@pytest.mark.attack("CB-02")
async def test_a_message_is_quoted_and_never_markup(world: BackchannelWorld) -> None:
    await world.asked(binding_message="<h1>Approved by IT</h1><script>x()</script>")
    person = await world.sign_in()
    listed = await world.get("/me/asks", person)
    for text in (listed.text, (await world.see(person)).text):
        assert "<h1>Approved" not in text
        assert "<script" not in text
        assert "&lt;h1&gt;Approved by IT" in text
        assert "<q>" in text


class Verbatim(BackchannelAuthenticationEndpoint):
    """Shows whatever a client says."""

    def _message(self, parameters: Parameters) -> str:
        return parameters.get("binding_message")


@pytest.mark.twin("CB-02")
async def test_unread_words_would_reach_the_page(sqlite_uow: SqlUnitOfWork) -> None:
    world = await BackchannelWorld(sqlite_uow, build=planted(endpoint=Verbatim)).populate()
    await world.asked(binding_message="x" * 5000)
    assert "x" * 5000 in (await world.see(await world.sign_in())).text


# -- CB-04: one answer


@pytest.mark.attack("CB-04")
async def test_of_two_answers_at_once_one_counts(each: BackchannelWorld) -> None:
    await each.asked()
    person = await each.sign_in()
    page = await each.see(person)
    said = await asyncio.gather(each.say(person, page), each.say(person, page, "deny"))
    assert sorted(answer.status_code for answer in said) == [200, 400]
    tasks = await each.records("authority.task.started")
    approved = await each.records("authority.authorization.approved")
    assert len(tasks) == len(approved) <= 1


@pytest.mark.attack("CB-04")
async def test_an_answer_stands(world: BackchannelWorld) -> None:
    ident = await world.asked()
    person = await world.sign_in()
    page = await world.see(person)
    assert (await world.say(person, page, "deny")).status_code == 200
    assert (await world.say(person, page)).status_code == 400
    assert await world.error(ident) == "access_denied"
    late = await world.asked()
    page = await world.see(person)
    world.pass_time(seconds=300)
    assert (await world.say(person, page)).status_code == 400
    assert await world.error(late) == "expired_token"


class _Amnesia:
    """Requests that were never answered."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def get(self, ident: Digest) -> BackchannelRequest | None:
        found = self._inner.get(ident)
        return None if found is None else replace(found, state=BackchannelState.WAITING)


class _Tx:
    def __init__(self, tx: Any) -> None:
        self._tx = tx
        self.backchannels = _Amnesia(tx.backchannels)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tx, name)


class _Work:
    def __init__(self, uow: Any) -> None:
        self._uow = uow

    async def commit(self, work: Callable[[Any], Any], **options: Any) -> Any:
        return await self._uow.commit(lambda tx: work(_Tx(tx)), **options)


@pytest.mark.twin("CB-04")
async def test_without_a_state_a_no_could_become_a_yes(sqlite_uow: SqlUnitOfWork) -> None:
    def forgetful(**parts: Any) -> OAuth:
        whole = with_codes(**parts)
        flow_of(whole).consent._uow = _Work(parts["uow"])
        return whole

    world = await BackchannelWorld(sqlite_uow, build=forgetful).populate()
    ident = await world.asked()
    person = await world.sign_in()
    page = await world.see(person)
    await world.say(person, page, "deny")
    assert (await world.say(person, page)).status_code == 200
    assert await world.fetched(ident)


# -- CB-05: one fetch, by who asked


@pytest.mark.attack("CB-05")
@pytest.mark.spec("CIBA Core", "11")
async def test_tokens_are_fetched_once_and_twice_ends_them(each: BackchannelWorld) -> None:
    world = each
    ident = await world.asked()
    await world.answer(await world.sign_in())
    answers = await asyncio.gather(*(world.fetch(ident) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers).count(200) <= 1
    other = await world.asked()
    await world.answer(await world.sign_in())
    tokens = await world.fetched(other)
    assert await world.error(other) == "invalid_grant"
    renewed = await world.ask(
        "calendar-bot", grant_type="refresh_token", refresh_token=tokens["refresh_token"]
    )
    assert renewed.status_code == 400


@pytest.mark.attack("CB-05")
async def test_another_client_fetches_nothing_and_ends_nothing(world: BackchannelWorld) -> None:
    ident = await world.asked()
    assert await world.error(ident, "box") == "invalid_grant"
    await world.answer(await world.sign_in())
    assert await world.error(ident, "box") == "invalid_grant"
    assert await world.fetched(ident)


class Generous(BackchannelGrant):
    """Gives what is there to whoever can name it."""

    def _polled(self, asking: Asking, registration: ClientRegistration) -> Polled:
        ident = opaque.digest_of(asking.request.parameters.need("auth_req_id"))
        known = asking.tx.backchannels.get(ident)
        assert known is not None
        return super()._polled(asking, replace(registration, client_id=known.client_id))


@pytest.mark.twin("CB-05")
async def test_whoever_can_name_it_would_fetch_it(sqlite_uow: SqlUnitOfWork) -> None:
    world = await BackchannelWorld(sqlite_uow, build=planted(grant=Generous)).populate()
    ident = await world.asked()
    await world.answer(await world.sign_in())
    stolen = await world.fetched(ident, "box")
    assert claims_in(stolen["access_token"])["act"]["sub"].endswith(world.actors["box"].id)


# -- CB-08: whose answer it is


@pytest.mark.attack("CB-08")
async def test_nobody_but_the_person_with_a_passkey_answers(world: BackchannelWorld) -> None:
    ident = await world.asked()
    person, other = await world.sign_in(), await world.sign_in("ben")
    page = await world.see(person)
    assert await world.waiting(other) == []
    assert (await world.get(page.path, other)).status_code == 400
    # A token is no session, the person's own is none either, and without a form of the page nothing counts.
    token = await world.own_token("calendar-bot")
    mine = await world.own_token("ana")
    for bearer in (token, mine):
        sent = [("authorization", f"DPoP {bearer}")]
        answer = await world.post(page.path, {"csrf": page.csrf, "answer": "allow"}, headers=sent)
        assert answer.status_code == 403
    assert (await world.say(person, page, csrf="0" * 64)).status_code == 403
    assert await world.error(ident) == "authorization_pending"


@pytest.mark.attack("CB-08")
async def test_a_passkey_of_long_ago_or_without_verification_is_asked_again(world: BackchannelWorld) -> None:
    early = await world.sign_in()
    world.pass_time(minutes=4)
    ident = await world.asked()
    page = await world.see(early)
    world.pass_time(minutes=2)
    for answer in (await world.say(early, page), await world.get(page.path, early)):
        assert answer.status_code == 303
        assert answer.headers["location"].startswith("/sign-in?")
        assert "again=1" in answer.headers["location"]
    weak = await weaker(world)
    assert (await world.get(page.path, weak)).headers["location"].startswith("/sign-in?")
    assert await world.error(ident) == "authorization_pending"


async def weaker(world: BackchannelWorld) -> SignedIn:
    """Somebody whose passkey did not verify them."""
    person = await world.sign_in()

    def work(tx: Any) -> None:
        weak = replace(person.session, acr=ACR_PASSKEY)
        assert tx.sessions.put(weak, was=person.session.secret_digest)

    await world.uow.commit(work)
    return person


class Trusting(BackchannelConsent):
    """Believes whoever is signed in, however long ago."""

    def _require_proof(self, session: Session, at: datetime) -> None:
        return


@pytest.mark.twin("CB-08")
async def test_an_old_session_would_be_enough(sqlite_uow: SqlUnitOfWork) -> None:
    world = await BackchannelWorld(sqlite_uow, build=planted(consent=Trusting)).populate()
    early = await world.sign_in()
    world.pass_time(minutes=4)
    ident = await world.asked()
    page = await world.see(early)
    world.pass_time(minutes=2)
    assert (await world.say(early, page)).status_code == 200
    assert await world.fetched(ident)


# -- no oracle


async def test_a_name_that_nobody_has_is_asked_like_any_other(world: BackchannelWorld) -> None:
    known, unknown = await world.bc(), await world.bc("box", login_hint="nobody@company.com")
    assert (unknown.status_code, unknown.json().keys()) == (known.status_code, known.json().keys())
    ident = unknown.json()["auth_req_id"]
    assert await world.error(ident, "box") == "authorization_pending"
    for _ in range(rules.WAITING - 1):
        await world.asked("box", login_hint="nobody@company.com")
    assert await world.bc_error("box", login_hint="nobody@company.com", status=503)
    world.pass_time(seconds=300)
    assert await world.error(ident, "box") == "expired_token"
    records = await world.records("authority.backchannel.asked")
    assert [each.codes for each in records if not each.user] == [("person_unknown",)] * rules.WAITING
