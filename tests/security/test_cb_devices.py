"""Attacks on people and their devices: guessing, phishing, polling, racing (security, class CB)."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from remit.authority.oauth.asking import device as rules
from remit.authority.oauth.asking.device import DeviceRequest
from remit.authority.oauth.endpoints.device import CodeUnknown, DeviceDesk, TooManyCodes
from remit.authority.oauth.endpoints.device_authorization import DeviceAuthorizationEndpoint
from remit.authority.oauth.issuing.issuance import Issuance
from remit.authority.oauth.provider import OAuth
from remit.authority.oauth.repository import OAuthTransaction
from remit.authority.oauth.wire.errors import AuthorizationPending, OAuthError
from remit.identity.sessions import Session
from remit.kernel.ids import PrincipalId
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from remit.surface.web.routes.device import DeviceRoutes
from support.authorizing import SignedIn, with_codes
from support.devices import DeviceWorld
from support.jose import entropy_of
from support.oauth import BOOK, SEND

WRONG = "BCDF-GHJK"


@pytest.fixture
async def world(sqlite_uow: SqlUnitOfWork) -> DeviceWorld:
    return await DeviceWorld(sqlite_uow).populate()


@pytest.fixture
async def each(uow: SqlUnitOfWork) -> DeviceWorld:
    return await DeviceWorld(uow).populate()


# -- CB-10: guessing


def test_a_guess_is_hopeless_whoever_makes_it() -> None:
    codes = len(rules.ALPHABET) ** rules.LENGTH
    assert codes >= 1 << 20
    assert rules.TRIES_IN_ALL * rules.WAITING_LIMIT / codes < 1e-6
    assert rules.LIFE <= rules.TRY_WINDOW, "no code outlives the count of its guesses"
    entropy = entropy_of("user codes")
    letters = Counter("".join(rules.make_user_code(entropy) for _ in range(2500)))
    assert set(letters) == set(rules.ALPHABET)
    assert max(letters.values()) < 1.2 * min(letters.values())


@pytest.mark.attack("CB-10")
@pytest.mark.spec("RFC 8628", "5.1")
async def test_after_five_wrong_codes_nothing_is_taken_from_a_person(each: DeviceWorld) -> None:
    world, shown = each, await each.asked()
    guesser, other = await world.sign_in("ben"), await world.sign_in()
    for _ in range(rules.TRIES):
        assert (await world.type(guesser, WRONG)).status_code == 400
    assert (await world.type(guesser, "not a code")).status_code == 400
    locked = await world.type(guesser, shown["user_code"])
    assert locked.status_code == 429
    assert int(locked.headers["retry-after"]) > 0
    # Another session of the same person is the same person.
    assert (await world.type(await world.sign_in("ben"), shown["user_code"])).status_code == 429
    (record,) = await world.records("authority.device.locked")
    assert (record.actor, record.codes) == (world.actors["ben"].id, ("device_code_locked",))
    assert (await world.answer(other, shown["user_code"])).status_code == 200
    world.pass_time(minutes=16)
    assert (await world.type(guesser, WRONG)).status_code == 400


def someone(person: SignedIn, number: int) -> Session:
    return replace(person.session, human=PrincipalId(f"usr_{number}"))


async def guess(world: DeviceWorld, session: Session, code: str = WRONG) -> type[Exception] | None:
    flow = world.oauth.devices
    assert flow is not None
    try:
        await flow.desk.enter(code, session, at=world.now)
    except (CodeUnknown, TooManyCodes) as refused:
        return type(refused)
    return None


@pytest.mark.attack("CB-10")
async def test_many_people_guess_no_more_than_all_may(world: DeviceWorld) -> None:
    person, shown = await world.sign_in(), await world.asked()
    crowd = [someone(person, number) for number in range(rules.TRIES_IN_ALL // rules.TRIES)]
    for session in crowd:
        for _ in range(rules.TRIES):
            assert await guess(world, session) is CodeUnknown
    assert await guess(world, someone(person, 99), shown["user_code"]) is TooManyCodes


class Forgiving(DeviceDesk):
    """Counts no wrong codes."""

    def _wrong(
        self, tx: OAuthTransaction, known: DeviceRequest | None, session: Session, at: datetime, *, last: bool
    ) -> CodeUnknown:
        return CodeUnknown("no")


def forgiving(**parts: Any) -> OAuth:
    whole = with_codes(**parts)
    flow = whole.devices
    assert flow is not None
    desk = Forgiving(
        uow=parts["uow"], options=whole.options, entropy=parts["entropy"], codes=flow.desk._codes
    )
    return replace(whole, devices=replace(flow, desk=desk))


@pytest.mark.twin("CB-10", "CB-11")
async def test_a_desk_that_does_not_count_would_be_guessed_at_for_ever(sqlite_uow: SqlUnitOfWork) -> None:
    world = await DeviceWorld(sqlite_uow, build=forgiving).populate()
    person, shown = await world.sign_in(), await world.asked()
    for _ in range(2 * rules.TRIES):
        assert await guess(world, person.session) is CodeUnknown
    assert await guess(world, person.session, shown["user_code"]) is None
    for number in range(2 * rules.STRANGERS):
        assert await guess(world, someone(person, number), shown["user_code"]) is CodeUnknown
    assert (await world.answer(person, shown["user_code"])).status_code == 200


# -- CB-11: phishing


@pytest.mark.attack("CB-11")
@pytest.mark.spec("RFC 8628", "3.3.1")
@pytest.mark.spec("RFC 8628", "5.4")
async def test_a_link_brings_nobody_any_nearer_to_a_yes(world: DeviceWorld) -> None:
    person, shown = await world.sign_in(), await world.asked()
    code = shown["user_code"]
    stranger = await world.get(f"/device?user_code={code}")
    assert stranger.status_code == 303
    assert stranger.headers["location"].startswith("/sign-in?")
    page = await world.get(f"/device?user_code={code}", person)
    assert page.status_code == 200
    assert code not in page.text
    assert "Did somebody send you the code" in page.text
    # Nor does another page's form: it must be this session's own.
    assert (await world.type(person, code, csrf="0" * 64)).status_code == 403
    seen = await world.see(person, code)
    for words in ("the tv client", "cli_tv", "registered here", "The answer goes to the device", "Device"):
        assert words in seen.text


class Obliging(DeviceRoutes):
    """Takes the code from the address."""

    async def ask_code(self, request: Request) -> Response:
        session = await self._door.current_session(request)
        code = request.query_params.get("user_code", "")
        if session is None or not code:
            return await super().ask_code(request)
        handle = await self._flow.desk.enter(code, session, at=self._oauth.clock.now())
        return RedirectResponse(f"/device/{handle}", status_code=303)


@pytest.mark.twin("CB-11")
async def test_a_page_that_obliges_would_lead_straight_to_the_yes(sqlite_uow: SqlUnitOfWork) -> None:
    world = await DeviceWorld(sqlite_uow, pages=Obliging).populate()
    person, shown = await world.sign_in(), await world.asked()
    led = await world.get(f"/device?user_code={shown['user_code']}", person)
    page = await world.open(person, led.headers["location"])
    assert (await world.say(person, page)).status_code == 200
    assert (await world.poll(shown["device_code"])).status_code == 200


@pytest.mark.attack("CB-11")
async def test_a_code_that_is_sent_around_is_nobodys(world: DeviceWorld) -> None:
    person, shown = await world.sign_in(), await world.asked()
    page = await world.see(person, shown["user_code"])
    for number in range(rules.STRANGERS):
        assert await guess(world, someone(person, number), shown["user_code"]) is CodeUnknown
    assert (await world.say(person, page)).status_code == 400
    assert await world.error(shown["device_code"]) == "access_denied"


@pytest.mark.attack("CB-11")
async def test_what_one_person_opened_is_theirs_alone(world: DeviceWorld) -> None:
    ana, ben = await world.sign_in(), await world.sign_in("ben")
    shown = await world.asked()
    page = await world.see(ana, shown["user_code"])
    assert (await world.type(ben, shown["user_code"])).status_code == 400
    assert (await world.get(page.path, ben)).status_code == 400
    assert (await world.get(page.path.replace("/device/", "/authorize/"), ana)).status_code in {400, 404}
    assert (await world.say(ana, page)).status_code == 200
    # And it is answered once, however often its page is sent.
    assert (await world.say(ana, page)).status_code == 400
    assert (await world.type(ana, shown["user_code"])).status_code == 400


@pytest.mark.attack("CB-01", "CB-11")
async def test_a_client_that_people_keep_refusing_asks_no_more(world: DeviceWorld) -> None:
    person = await world.sign_in()
    for _ in range(rules.DENIALS):
        await world.answer(person, (await world.asked())["user_code"], "deny")
    refused = await world.ask_device()
    assert (refused.status_code, refused.json()["error"]) == (400, "unauthorized_client")
    assert (await world.ask_device("box", proof=world.device_proof("/device_authorization"))).is_success
    (record,) = await world.records("authority.device.suspended")
    assert record.codes == ("device_suspended",)
    world.pass_time(hours=1)
    await world.allow_agent("calendar-bot", world.ceiling(BOOK, SEND))
    assert (await world.ask_device()).is_success


async def test_one_client_leaves_room_for_others(world: DeviceWorld) -> None:
    for _ in range(rules.WAITING_SHARE):
        await world.asked()
    crowded = await world.ask_device()
    assert (crowded.status_code, crowded.json()["error"]) == (503, "temporarily_unavailable")
    assert "retry-after" in crowded.headers
    assert (await world.ask_device("box", proof=world.device_proof("/device_authorization"))).is_success
    world.pass_time(minutes=10)
    assert (await world.ask_device()).is_success


class Welcoming(DeviceAuthorizationEndpoint):
    """Takes whoever asks, however often people said no."""

    def _require_welcome(self, tx: OAuthTransaction, client: str, at: datetime) -> None:
        return


@pytest.mark.twin("CB-01")
async def test_without_the_count_people_would_be_asked_again_and_again(sqlite_uow: SqlUnitOfWork) -> None:
    world = await DeviceWorld(sqlite_uow, build=planted(Welcoming)).populate()
    person = await world.sign_in()
    for _ in range(rules.DENIALS + 2):
        await world.answer(person, (await world.asked())["user_code"], "deny")
    assert (await world.ask_device()).is_success


def planted(kind: type[DeviceAuthorizationEndpoint]) -> Any:
    def build(**parts: Any) -> OAuth:
        whole = with_codes(**parts)
        flow = whole.devices
        assert flow is not None
        flow.authorization.__class__ = kind
        return whole

    return build


# -- CB-09: polling


class Patient(Issuance):
    """Lets devices poll as they like."""

    def refuse(self, tx: OAuthTransaction, error: OAuthError, **parts: Any) -> OAuthError:
        if isinstance(error, AuthorizationPending):
            return error
        return super().refuse(tx, error, **parts)


@pytest.mark.attack("CB-09")
@pytest.mark.spec("RFC 8628", "3.5")
async def test_of_polls_that_come_together_one_is_in_time(each: DeviceWorld) -> None:
    code = (await each.asked())["device_code"]
    said = await asyncio.gather(*(each.error(code) for _ in range(6)))
    assert sorted(said) == ["authorization_pending", *["slow_down"] * 5]


@pytest.mark.twin("CB-09")
async def test_a_server_that_does_not_count_would_be_polled_without_pause(sqlite_uow: SqlUnitOfWork) -> None:
    def patient(**parts: Any) -> OAuth:
        whole = with_codes(**parts)
        whole.token._issuance.__class__ = Patient
        return whole

    world = await DeviceWorld(sqlite_uow, build=patient).populate()
    code = (await world.asked())["device_code"]
    assert {await world.error(code) for _ in range(6)} == {"authorization_pending"}


async def test_however_many_fetch_at_once_one_gets_it(each: DeviceWorld) -> None:
    shown = await each.asked()
    await each.answer(await each.sign_in(), shown["user_code"])
    answers = await asyncio.gather(*(each.poll(shown["device_code"]) for _ in range(6)))
    statuses = sorted(answer.status_code for answer in answers)
    assert statuses.count(200) <= 1
    assert set(statuses) <= {200, 400}


async def test_two_answers_at_once_are_one(each: DeviceWorld) -> None:
    person, shown = await each.sign_in(), await each.asked()
    page = await each.see(person, shown["user_code"])
    said = await asyncio.gather(each.say(person, page), each.say(person, page, "deny"))
    assert sorted(answer.status_code for answer in said) == [200, 400]
    tasks = await each.records("authority.task.started")
    approved = await each.records("authority.authorization.approved")
    assert len(tasks) == len(approved) <= 1
