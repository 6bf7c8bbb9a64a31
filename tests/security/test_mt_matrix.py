"""Two tenants behind one port: each route of one, asked for what is the other's, answers as for nothing.

The matrix is generated from the operations themselves: every operation with every id of the other tenant, in
its path, its query and every text of its body, for a person and for an agent.
"""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, get_args, get_origin

import httpx2
import msgspec
import pytest
from starlette.requests import Request

from remit.app.ground import Ground
from remit.app.keys import KeyHolder
from remit.app.services import Services, build
from remit.authority.envelope import text_digest
from remit.kernel.canonical import b64u_decode
from remit.kernel.errors import RemitError
from remit.kernel.ids import TenantId
from remit.kernel.jose import jwt
from remit.kernel.jose.keys import KeyClass, KeyRecord
from remit.kernel.jose.profiles import TokenType
from remit.platform.storage.fair_queue import FairQueue, FairReaders
from remit.platform.storage.group_commit import Turns, Unit
from remit.platform.storage.snapshot import SnapshotKeeper
from remit.surface.web.caller import Caller
from remit.surface.web.door import Door
from remit.surface.web.nouns_assembly import nouns
from remit.surface.web.operation import Inbound, Live, Operation
from support.clients import Party, Refused
from support.composed import composed, populate
from support.house import ACCESS_TOKEN, BOOKING, REFUND, TXN_TOKEN, House
from support.tenancy import opened

_OWN_WORDS = frozenset({"version", "purpose", "profile"})
"""Path parameters that hold a word of ours, not an id."""


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[tuple[House, House]]:
    """The installation with its world, and a tenant with an administrator and an agent of its own."""
    async with composed(tmp_path / "one") as house:
        await populate(house)
        yield house, await inhabited(house)


async def inhabited(house: House) -> House:
    acme = await opened(house, "acme")
    await acme.person("admin@acme.example", roles="admin approver reader")
    await acme.agent("their-bot", blueprint=await acme.blueprint("their-office"))
    await acme.server("theirs", "https://theirs.example/mcp", [])
    return acme


async def ids_of(house: House) -> dict[str, str]:
    """One of everything that the other tenant has."""
    started = await house.task("calendar-bot")
    bot = house["calendar-bot"]
    token = await house.exchange(bot, started.envelope)
    await house.call(bot, token, "rooms_book", BOOKING)
    decision = (await house.services.decisions.page(limit=1))[0]
    ask = await asked(house)
    snapshot = await house.services.ground.snapshots.catch_up()
    records = await house.log()
    return {
        "person": house["user"].id,
        "agent": str(bot.agent),
        "instance": bot.id,
        "task": started.task.id,
        "grant": str(started.task.grant),
        "envelope": text_digest(started.envelope),
        "decision": decision.id,
        "capability": str(decision.capability),
        "approval": ask,
        "server": next(iter(snapshot.servers)),
        "tool": next(iter(snapshot.tools)),
        "key": house["user"].kid,
        "signing key": house.services.ground.keys.records()[0].kid,
        "record": records[-1].id,
        "name": "calendar-bot",
    }


async def asked(house: House) -> str:
    """An ask that waits for a person."""
    started = await house.task("support-bot", purpose="support")
    token = await house.exchange(house["support-bot"], started.envelope)
    call = house.call(house["support-bot"], token, "refunds_create", REFUND)
    waiting = asyncio.create_task(call)
    ask = await house.pending()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    return str(ask.id)


def absent(ident: str) -> str:
    """An id of the same kind and length that nobody has."""
    head, mark, tail = ident.partition("_")
    return f"{head}{mark}{'0' * len(tail)}" if mark else "0" * len(ident)


def inbound(operation: Operation[Any, Any], ident: str, caller: Caller, at: datetime) -> Inbound[Any, Any]:
    """A request of one operation that names this id wherever a text can stand."""
    names = [part.strip("{}") for part in operation.path.split("/") if part.startswith("{")]
    query = {
        each.encode_name: ident
        for each in msgspec.structs.fields(operation.query)
        if each.encode_name != "cursor" and _holds_text(each.type)
    }
    return Inbound(
        caller=caller,
        body=msgspec.convert(_filled(operation.body, ident), operation.body),
        query=msgspec.convert(query, operation.query),
        path={name: "1" if name in _OWN_WORDS else ident for name in names},
        at=at,
    )


async def answered(operation: Operation[Any, Any], asked: Inbound[Any, Any], ident: str) -> tuple[str, ...]:
    """What the operation says, without the echo of the id: all that its answer over HTTP is made of."""
    try:
        found = await operation.handler(asked)
    except RemitError as refused:
        texts = (refused.kind, refused.code, refused.hint, refused.next_step)
        return tuple(str(text).replace(ident, "ID") for text in texts)
    # Where a text of the caller's names something new, or finds nothing of its own.
    return ("answered", str(len(found)) if isinstance(found, list) else type(found).__name__)


async def caller_of(found: House, who: Party) -> Caller:
    """Somebody as the API's door admits them."""
    token = await found.own_token(who)
    proof = who.proof("GET", f"{found.issuer}/api/v1/x", token)
    headers = [(b"authorization", f"DPoP {token}".encode()), (b"dpop", proof.encode())]
    scope = {"type": "http", "method": "GET", "path": "/api/v1/x", "query_string": b"", "headers": headers}
    door = Door(verifier=found.services.verifier, uow=found.work, issuer=found.issuer)
    return await door.admit(Request(scope))


def _filled(kind: Any, ident: str) -> Any:
    """A body in which each text is the id."""
    origin = get_origin(kind)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        required = [each for each in msgspec.structs.fields(kind) if each.required or _holds_text(each.type)]
        return {each.encode_name: _filled(each.type, ident) for each in required}
    if origin is dict:
        return {}
    if origin in {list, tuple, frozenset, set}:
        return [_filled(get_args(kind)[0], ident)]
    for part in get_args(kind):
        if part is not type(None):
            return _filled(part, ident)
    return {int: 1, bool: False, float: 1.0}.get(kind, ident)


def _holds_text(kind: Any) -> bool:
    return kind is str or any(_holds_text(part) for part in get_args(kind) if part is not kind)


def told(answer: httpx2.Response, ident: str) -> tuple[int, Any, dict[str, str]]:
    """What an answer tells, without what differs from request to request and without the echo of the id."""
    own = {"date", "remit-request-id", "content-length", "dpop-nonce", "retry-after"}
    headers = {name: value for name, value in answer.headers.items() if name not in own}
    text = answer.text.replace(ident, "ID")
    body: Any = text
    if "json" in answer.headers.get("content-type", "") and text:
        body = msgspec.json.decode(text)
        if isinstance(body, dict):
            body.pop("request_id", None)
    return answer.status_code, body, headers


MEANT = {
    "users": ("person",),
    "agents": ("agent", "name"),
    "tasks": ("task",),
    "grants": ("grant",),
    "delegations": ("envelope",),
    "decisions": ("decision",),
    "capabilities": ("capability",),
    "approvals": ("approval",),
    "servers": ("server",),
    "tools": ("tool", "server"),
    "credentials": ("key",),
    "keys": ("signing key",),
    "ledger": ("record", "task"),
    "kills": ("agent", "task", "tool"),
}
"""What the ids below each noun are; below any other, everything is tried."""


def cells(services: Services, ids: dict[str, str]) -> Iterator[tuple[Operation[Any, Any], str]]:
    """Every operation with each id that it could mean."""
    for operation in nouns(services).operations():
        if operation.answer is Live:
            continue  # an answer that does not end
        for kind in MEANT.get(operation.noun, ("person", "agent", "server", "key")):
            yield operation, ids[kind]


@pytest.mark.attack("MT-01", "AU-14", "CO-08")
@pytest.mark.req("N53")
@pytest.mark.promise("P11")
async def test_each_operation_answers_for_anothers_id_as_for_none(pair: tuple[House, House]) -> None:
    house, acme = pair
    asked_for, differing = await differences(acme, acme.services, await ids_of(house))
    assert not differing, differing[:5]
    assert asked_for > 400


@pytest.mark.twin("MT-01")
async def test_services_of_another_tenant_show_it(pair: tuple[House, House]) -> None:
    house, acme = pair
    ours = house.services
    leaky = replace(acme.services, identity=ours.identity, tasks=ours.tasks, decisions=ours.decisions)
    _, differing = await differences(acme, leaky, await ids_of(house))
    assert {"getUser", "getAgent", "listUserKeys"} <= {name for name, *_ in differing}


async def differences(
    acme: House, services: Services, ids: dict[str, str]
) -> tuple[int, list[tuple[Any, ...]]]:
    """How many answers were compared, and which told another's id from nobody's."""
    differing: list[tuple[Any, ...]] = []
    asked_for = 0
    for who in (acme["admin"], acme["their-bot"]):
        caller = await caller_of(acme, who)
        for operation, ident in cells(services, ids):
            answers = []
            for used in (ident, absent(ident)):
                try:
                    asked = inbound(operation, used, caller, acme.now())
                except msgspec.ValidationError:
                    continue  # no id can stand in that body
                answers.append(await answered(operation, asked, used))
            asked_for += len(answers)
            if len(set(answers)) > 1:
                differing.append((operation.name, ident, *answers))
    return asked_for, differing


@pytest.mark.attack("MT-01", "AU-14")
async def test_over_http_the_two_answers_are_the_same_bytes(pair: tuple[House, House]) -> None:
    house, acme = pair
    ids = await ids_of(house)
    token = await acme.own_token(acme["admin"])
    for noun in ("users", "agents", "tasks", "decisions", "approvals", "ledger/records"):
        ident, answers = ids[MEANT[noun.partition("/")[0]][0]], []
        for used in (ident, absent(ident)):
            answer = await acme.api(acme["admin"], "GET", f"/{noun}/{used}", token=token)
            answers.append(told(answer, used))
        assert answers[0] == answers[1]
        assert answers[0][0] == 404


@pytest.mark.attack("MT-01")
@pytest.mark.promise("P11")
async def test_the_other_doors_know_nothing_of_another_tenant(pair: tuple[House, House]) -> None:
    house, acme = pair
    admin, token = acme["admin"], await acme.own_token(acme["admin"])
    started = await house.task("calendar-bot")
    link = house.link(await house.services.approvals.get(await asked(house)), "lead")  # type: ignore[arg-type]  # its id
    pages = {
        f"{acme.issuer}/approve/{link.rpartition('/')[2]}": f"{acme.issuer}/approve/nothing",
        f"{house.issuer}/.well-known/oauth-protected-resource/t/acme/mcp/business": (
            f"{house.issuer}/.well-known/oauth-protected-resource/t/acme/mcp/busyness"
        ),
        f"{acme.issuer}/mcp/business": f"{acme.issuer}/mcp/busyness",
        f"{acme.issuer}/authorize?client_id={house['user'].id}": (
            f"{acme.issuer}/authorize?client_id={absent(house['user'].id)}"
        ),
    }
    for theirs, nobodys in pages.items():
        found, none = await house.http.get(theirs), await house.http.get(nobodys)
        assert told(found, theirs)[::2] == told(none, nobodys)[::2], theirs
    for subject, kind in (
        (started.envelope, TXN_TOKEN),
        (await house.own_token(house["calendar-bot"]), ACCESS_TOKEN),
    ):
        for text in (subject, subject[:-8] + "AAAAAAAA"):
            with pytest.raises(Refused) as refused:
                await acme.exchange(acme["their-bot"], text, kind=kind, server="theirs")
            assert refused.value.error == "invalid_request"
    foreign = await house.own_token(house["user"])
    assert (
        await acme.introspect(admin, foreign) == await acme.introspect(admin, "nothing") == {"active": False}
    )
    form = {"client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}
    await acme.http.post(
        f"{acme.issuer}/revoke", data={**form, "client_assertion": admin.assertion(), "token": foreign}
    )
    assert (await house.introspect(house["user"], foreign))["active"]
    assert token


# -- JW-21, MT-03: whose key it is decides, not what it says


class Borrowing(KeyHolder):
    """A key ring that takes the other tenants' keys for its own, as one table of keys by `kid` would."""

    others: list[KeyHolder]

    def find(self, kid: str, key_class: KeyClass) -> KeyRecord | None:
        own = super().find(kid, key_class)
        found = own or next((each.find(kid, key_class) for each in self.others), None)
        ours = self.records()[0]
        return found and replace(found, tenant=ours.tenant, issuer=ours.issuer)


def borrowing(ground: Ground) -> Services:
    keys = ground.keys
    keys.__class__ = Borrowing
    keys.others = []  # type: ignore[attr-defined]  # it is a Borrowing now
    return build(ground)


async def foreign_keys(house: House, acme: House) -> dict[str, str]:
    """Tokens that say all that a good one of the installation says, signed by the tenant's key."""
    ring = acme.services.ground.keys
    started = await house.task("calendar-bot")
    own = await house.own_token(house["user"])
    agents = await house.own_token(house["calendar-bot"])
    delegated = await house.exchange(house["calendar-bot"], started.envelope)

    def resigned(token: str, key_class: KeyClass, as_type: TokenType) -> str:
        payload = msgspec.json.decode(b64u_decode(token.split(".")[1]))
        return jwt.issue(payload, as_type=as_type, signer=ring.signer(key_class))

    access = (KeyClass.ACCESS_TOKEN, TokenType.ACCESS_TOKEN)
    return {
        "api": resigned(own, *access),
        "actor": resigned(agents, *access),
        "gateway": resigned(delegated, *access),
        "envelope": resigned(started.envelope, KeyClass.ENVELOPE, TokenType.ENVELOPE),
    }


async def believed(house: House, forged: dict[str, str]) -> dict[str, bool]:
    """At which doors of the installation they are good."""
    bot, user = house["calendar-bot"], house["user"]

    async def exchanged(subject: str, actor: str) -> bool:
        try:
            return bool(await house.exchange(bot, subject, actor=actor))
        except Refused:
            return False

    good = await house.task("calendar-bot")
    called = await house.call(bot, forged["gateway"], "rooms_book", BOOKING)
    return {
        "api": (await house.api(user, "GET", "/tasks", token=forged["api"])).status_code == 200,
        "introspection": bool((await house.introspect(user, forged["api"])).get("active")),
        "gateway": called.ran,
        "exchange: subject": await exchanged(forged["envelope"], await house.own_token(bot)),
        "exchange: actor": await exchanged(good.envelope, forged["actor"]),
    }


@pytest.mark.attack("JW-21", "MT-03")
@pytest.mark.promise("P7")
@pytest.mark.req("N53")
async def test_another_tenants_key_is_nobodys_whatever_it_signs(pair: tuple[House, House]) -> None:
    house, acme = pair
    assert not any((await believed(house, await foreign_keys(house, acme))).values())
    # Nor is a genuine token of the tenant good at the installation, nor its people's assertions.
    token = await acme.own_token(acme["admin"])
    answer = await house.api(acme["admin"], "GET", "/users", token=token)
    assert answer.status_code == 401
    with pytest.raises(Refused):
        await house.ask_token(acme["admin"], grant_type="client_credentials", resource=f"{house.issuer}/api")
    stranger = replace(acme["admin"], issuer=house.issuer)
    with pytest.raises(Refused) as refused:
        await house.own_token(stranger)
    assert refused.value.error == "invalid_client"


@pytest.mark.twin("JW-21", "MT-03")
async def test_one_table_of_keys_for_all_lets_a_tenant_speak_for_another(tmp_path: Path) -> None:
    async with composed(tmp_path / "one", make=borrowing) as house:
        await populate(house)
        acme = await inhabited(house)
        house.services.ground.keys.others = [acme.services.ground.keys]  # type: ignore[attr-defined]  # a Borrowing
        good = await believed(house, await foreign_keys(house, acme))
        # An envelope must besides be on record by its digest: the key alone does not make it good.
        assert [name for name, is_good in good.items() if not is_good] == ["exchange: subject"]


# -- MT-09: an operator is nobody in a tenant


async def impersonating(house: House, acme: House) -> int:
    """What the tenant's API says to its administrator's own token, made anew by who runs the installation."""
    genuine = await acme.own_token(acme["admin"])
    claims = msgspec.json.decode(b64u_decode(genuine.split(".")[1]))
    operator = house["admin"]
    claims["cnf"] = {"jkt": operator.key.public.thumbprint}
    signer = house.services.ground.keys.signer(KeyClass.ACCESS_TOKEN)
    forged = jwt.issue(claims, as_type=TokenType.ACCESS_TOKEN, signer=signer)
    url = f"{acme.issuer}/api/v1/users"
    headers = {"Authorization": f"DPoP {forged}", "DPoP": operator.proof("GET", url, forged)}
    return (await acme.http.get(url, headers=headers)).status_code


@pytest.mark.attack("MT-09")
@pytest.mark.promise("P7", "P11")
async def test_the_installations_key_opens_no_tenant(pair: tuple[House, House]) -> None:
    assert await impersonating(*pair) == 401


@pytest.mark.twin("MT-09")
async def test_where_tenants_believe_the_installations_key_its_operator_is_anybody(
    pair: tuple[House, House],
) -> None:
    house, acme = pair
    keys: Any = acme.services.ground.keys
    keys.__class__ = Borrowing
    keys.others = [house.services.ground.keys]
    assert await impersonating(house, acme) == 200


# -- MT-04, MT-06, MT-07: what is shared carries nothing over


def _unit(tenant: str, number: int) -> Unit:
    return Unit(work=lambda _tx: number, tenant=TenantId(tenant), lane=None, future=None, loop=None)  # type: ignore[arg-type]  # only its tenant is looked at


class OneQueue(Turns):
    """First come, first served, whoever it is."""

    def put(self, unit: Unit, *, limit: int | None) -> None:
        super().put(replace(unit, tenant=TenantId("all")), limit=limit)


def position(turns: Turns) -> int:
    for number in range(1000):
        turns.put(_unit("loud", number), limit=None)
    quiet = _unit("quiet", -1)
    turns.put(quiet, limit=None)
    works = [unit.work for unit in iter(turns.take, None)]
    return works.index(quiet.work)


@pytest.mark.attack("MT-07", "MT-04")
def test_a_loud_tenants_works_wait_behind_its_own() -> None:
    assert position(Turns()) == 1


@pytest.mark.twin("MT-07", "MT-04")
def test_in_one_queue_everybody_waits_behind_the_loud_one() -> None:
    assert position(OneQueue()) == 1000


class OneLine(FairQueue[Any]):
    """First come, first served, for readers."""

    def join(self, tenant: TenantId, item: Any, *, limit: int | None = None) -> bool:
        return super().join(TenantId("all"), item, limit=limit)


def reading_position(waiting: FairQueue[Any]) -> int:
    """When a quiet tenant's reading is done, behind a loud one's thousand, by a thread that was busy."""
    done: list[str] = []
    go = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        readers = FairReaders(pool, waiting=waiting)
        busy = readers.submit(TenantId("loud"), go.wait)
        while not busy.running():
            time.sleep(0)
        for _ in range(1000):
            readers.submit(TenantId("loud"), partial(done.append, "loud"))
        quiet = readers.submit(TenantId("quiet"), partial(done.append, "quiet"))
        go.set()
        quiet.result(timeout=60)
    return done.index("quiet")


@pytest.mark.attack("MT-07")
def test_a_loud_tenants_readings_wait_behind_its_own() -> None:
    assert reading_position(FairQueue()) == 1


@pytest.mark.twin("MT-07")
def test_in_one_line_of_readers_everybody_waits_behind_the_loud_one() -> None:
    assert reading_position(OneLine()) == 1000


def test_a_reading_that_fails_or_is_given_up_leaves_the_others_be() -> None:
    go = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        readers = FairReaders(pool)
        one, two = (TenantId(name) for name in ("one", "two"))
        busy = readers.submit(one, go.wait)
        while not busy.running():
            time.sleep(0)
        given_up, failed, good = (
            readers.submit(two, list),
            readers.submit(two, partial(int, "x")),
            readers.submit(one, dict),
        )
        assert given_up.cancel()
        go.set()
        assert good.result(timeout=60) == {}
        assert isinstance(failed.exception(timeout=60), ValueError)


@pytest.mark.attack("MT-04", "MT-06")
@pytest.mark.promise("P11")
async def test_nothing_that_is_shared_tells_of_another(pair: tuple[House, House]) -> None:
    house, acme = pair
    ground, theirs = house.services.ground, acme.services.ground
    for purpose_ring in (ground.keys, theirs.keys):
        assert {each.tenant for each in purpose_ring.records()} <= {ground.tenant, theirs.tenant}
    before = (await house.http.get(f"{house.issuer}/metrics")).text
    for _ in range(3):
        await acme.api(acme["admin"], "GET", "/users")
        await acme.http.get(f"{acme.issuer}/nothing")
    after = (await house.http.get(f"{house.issuer}/metrics")).text
    assert _requests(before) == _requests(after)
    assert house.services.metrics is not acme.services.metrics
    assert (await house.http.get(f"{acme.issuer}/metrics")).status_code == 404
    assert not await carried_over(house, theirs.snapshots)


async def carried_over(house: House, keeper: SnapshotKeeper) -> bool:
    """Whether what begins in the installation is in that memory too."""
    started = await house.task("calendar-bot")
    return started.task.id in (await keeper.catch_up()).tasks


@pytest.mark.twin("MT-04")
async def test_a_memory_that_is_shared_knows_the_other_tenants_tasks(pair: tuple[House, House]) -> None:
    house, acme = pair
    shared = replace(acme.services.ground, snapshots=house.services.ground.snapshots)
    assert await carried_over(house, shared.snapshots)


def _requests(text: str) -> list[str]:
    """The counts of requests but those of the figures themselves."""
    lines = [each for each in text.splitlines() if each.startswith("remit_http_requests_total")]
    return [each for each in lines if "/metrics" not in each]


@pytest.mark.attack("MT-04")
async def test_a_session_of_one_tenant_is_nothing_in_another(pair: tuple[House, House]) -> None:
    house, acme = pair
    names = set()
    for each in (house, acme):
        answer = await house.http.get(f"{each.issuer.replace('127.0.0.1', 'localhost')}/sign-in")
        names |= {line.partition("=")[0] for line in answer.headers.get_list("set-cookie")}
    assert names == {"remit-visit", "remit-visit.t.acme"}
