"""Transaction tokens (draft-ietf-oauth-transaction-tokens-10), with this project's envelope inside."""

import json
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio

from remit.authority.envelope import text_digest
from remit.authority.oauth.domains import transaction
from remit.kernel.jose import jws
from remit.kernel.jose.errors import TokenRejected
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.domains import DomainWorld
from support.oauth import ABSENT, ACCESS_TOKEN, BOOK, EXCHANGE, SEND, TXN_TOKEN, claims_in

DRAFT = "draft-ietf-oauth-transaction-tokens-10"
DETAILS = {"order": "8812"}


class Desk:
    """Calendar-bot with its task's token, and services that want to know what it is about."""

    def __init__(self, world: DomainWorld) -> None:
        self.world = world
        self.token = ""

    async def open(self) -> "Desk":
        self.token = await self.world.task_token()
        return self

    async def ask(self, who: str = "calendar-bot", **changes: Any) -> Any:
        form: dict[str, Any] = {
            "grant_type": EXCHANGE,
            "requested_token_type": TXN_TOKEN,
            "audience": "remit.example",
            "scope": BOOK,
            "subject_token": self.token,
            "subject_token_type": ACCESS_TOKEN,
            "request_details": json.dumps(DETAILS),
            "request_context": json.dumps({"ip": "192.0.2.1"}),
            **changes,
        }
        return await self.world.ask(who, **{n: v for n, v in form.items() if v is not ABSENT})

    async def got(self, who: str = "calendar-bot", **changes: Any) -> str:
        answer = await self.ask(who, **changes)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])


@pytest_asyncio.fixture
async def desk(home: DomainWorld) -> Desk:
    return await Desk(home).open()


@pytest.mark.spec(DRAFT, "5")
@pytest.mark.req("R26")
async def test_it_says_what_a_request_is_about_and_holds_the_envelope(desk: Desk) -> None:
    world = desk.world
    answer = (await desk.ask()).json()
    assert (answer["token_type"], answer["issued_token_type"]) == ("N_A", TXN_TOKEN)
    assert "refresh_token" not in answer
    text = answer["access_token"]
    assert jws.read_header(jws.take_apart(text).protected).typ == "txntoken+jwt"
    said = claims_in(text)
    assert {"iat", "aud", "exp", "txn", "sub", "scope", "req_wl"} <= said.keys()
    assert (said["aud"], said["txn"], said["sub"]) == ("remit.example", world.task.id, world.ana)
    assert said["req_wl"].startswith("spiffe://remit.example/agent/calendar-bot/")
    assert said["tctx"] == {"purpose": "booking", "details": DETAILS}
    assert said["rctx"] == {"ip": "192.0.2.1"}
    assert said["dev.remit"]["env"] == text_digest(world.envelope)
    assert desk.token not in json.dumps(said), "never the inbound token"
    (record,) = await world.records("authority.transaction_token.issued")
    assert (record.task, record.user) == (world.task.id, world.ana)
    # With the envelope as subject, its very text is inside: whoever gets it can verify the whole chain.
    own = await world.own_token("calendar-bot")
    text = await desk.got(subject_token=world.envelope, subject_token_type=TXN_TOKEN, actor_token=own,
                          actor_token_type=ACCESS_TOKEN)  # fmt: skip
    inside = claims_in(text)["dev.remit"]["envelope"]
    assert world.delegations is not None
    verified = await world.uow.read(lambda tx: world.delegations.verify(tx, inside, at=world.now))
    assert verified.task == world.task.id


@pytest.mark.spec(DRAFT, "5.3")
@pytest.mark.req("N24")
async def test_the_next_one_is_about_the_same_and_says_no_more(desk: Desk) -> None:
    world = desk.world
    first = await desk.got(scope=f"{BOOK} {SEND}")
    next_one = {"subject_token": first, "subject_token_type": TXN_TOKEN, "request_details": ABSENT}
    world.clock.advance(timedelta(seconds=30))
    second = await desk.got("mail-bot", **next_one)
    before, after = claims_in(first), claims_in(second)
    for name in ("txn", "sub", "aud", "tctx", "dev.remit"):
        assert after[name] == before[name], name
    assert after["exp"] <= before["exp"]
    assert after["scope"] == BOOK
    assert after["req_wl"].startswith("spiffe://remit.example/agent/mail-bot/")
    assert (await desk.ask("mail-bot", **{**next_one, "scope": "business/other"})).json()["error"] == (
        "invalid_scope"
    )
    changed = {**next_one, "request_details": "{}"}
    assert (await desk.ask("mail-bot", **changed)).json()["error"] == "invalid_request"


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no audience": ({"audience": ABSENT}, "invalid_target"),
    "another trust domain": ({"audience": "other.example"}, "invalid_target"),
    "no scope": ({"scope": ABSENT}, "invalid_request"),
    "more scope": ({"scope": "business/all"}, "invalid_scope"),
    "a refresh token": ({"subject_token_type": "urn:ietf:params:oauth:token-type:refresh_token"},
                        "invalid_request"),
    "a token that signs itself": ({"subject_token_type": "urn:ietf:params:oauth:token-type:self_signed"},
                                  "invalid_request"),
    "details that are no object": ({"request_details": "[1]"}, "invalid_request"),
    "context that is too much": ({"request_context": json.dumps({"a": "b" * 5000})}, "invalid_request"),
}  # fmt: skip


@pytest.mark.spec(DRAFT, "5.2")
@pytest.mark.attack("TX-01", "TX-09")
async def test_what_is_not_asked_for_as_it_must_be_is_not_given(desk: Desk) -> None:
    for name, (changes, error) in WRONG.items():
        answer = await desk.ask(**changes)
        assert (answer.status_code, answer.json()["error"]) == (400, error), name
    # Another instance's token is no subject of this one's.
    assert (await desk.ask("mail-bot")).json()["error"] == "invalid_request"


@pytest.mark.spec(DRAFT, "7")
@pytest.mark.attack("TX-09", "JW-09")
async def test_it_opens_nothing_and_passes_for_nothing_else(desk: Desk) -> None:
    world = desk.world
    text = await desk.got()
    own = await world.own_token("calendar-bot")
    for kind in (ACCESS_TOKEN, TXN_TOKEN):
        answer = await world.exchange("calendar-bot", subject_token=text, subject_token_type=kind)
        assert answer.json()["error"] == "invalid_request", f"no envelope, no token of access: {kind}"
    answer = await world.exchange("calendar-bot", actor_token=text)
    assert answer.json()["error"] == "invalid_request"
    with pytest.raises(Exception, match="does not verify"):
        await world.verify(text)
    assert (await world.introspect("calendar-bot", text)).json() == {"active": False}
    # And the other way about: neither an envelope nor a token of access is one of these.
    for foreign in (world.envelope, own, desk.token):
        with pytest.raises(TokenRejected):
            transaction.read(foreign, keys=world.keyring, trust_domain="remit.example", at=world.now)


@pytest.mark.req("N2")
async def test_nothing_is_said_of_a_task_that_has_ended(desk: Desk) -> None:
    world = desk.world
    first = await desk.got()

    def kill(tx: Any) -> None:
        epoch = tx.advance_epoch("killed")
        tx.lineage.bury("task", world.task.id, cause="killed", epoch=epoch, at=world.now)

    await world.uow.commit(kill)
    assert (await desk.ask()).status_code == 400
    later = await desk.ask("mail-bot", subject_token=first, subject_token_type=TXN_TOKEN,
                           request_details=ABSENT)  # fmt: skip
    assert later.json()["error"] == "access_denied"


async def test_it_is_not_served_unless_the_settings_say_so(sqlite_uow: SqlUnitOfWork) -> None:
    desk = await Desk(await DomainWorld(sqlite_uow).populate()).open()
    assert (await desk.ask()).json()["error"] == "invalid_request"
