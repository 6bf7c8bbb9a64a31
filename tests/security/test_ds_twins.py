"""DS-07, DS-08, DS-09, each beside the same with its defence taken away: the attack then succeeds."""

import ast
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec import structs
from sqlalchemy import text as statement_of

import remit
from remit.app.bindings.standing import SnapshotStandings
from remit.authority.oauth.proving.verifier import AccessTokenVerifier
from remit.authority.tokens import VerifiedSubject
from remit.decision.trail.trace import StoredDecision
from remit.kernel.ids import CallId, DecisionId, mint_id
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.engine import OpenStore
from remit.platform.storage.snapshot import SnapshotKeeper
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork
from remit.surface.web.paging import MAX_PAGE, PageQuery
from support.clock import NOON
from support.deciding import desk, numbered
from support.house import House
from support.ledger import counting_entropy

# -- DS-07: a token without our signature costs no reading of the store


class Counting(SnapshotStandings):
    """Counts how often somebody had it read the store."""

    asked = 0

    async def catch_up(self) -> None:
        self.asked += 1
        await super().catch_up()


class LooksFirst(AccessTokenVerifier):
    """Whatever is wrong with a token, the view might be old: it is brought up to date first."""

    async def verify_now(self, *shown: Any, certificate: str = "") -> VerifiedSubject:
        await self._standings.catch_up()
        return await super().verify_now(*shown, certificate=certificate)


async def readings(house: House, kind: type[AccessTokenVerifier]) -> int:
    """How often forty forged tokens make a node read the store."""
    ground = house.services.ground
    keeper = SnapshotKeeper(ground.work, tenant=ground.tenant, keys=ground.keys)
    await keeper.catch_up()
    standings = Counting(keeper)
    verifier = kind(keys=ground.keys, standings=standings, clock=house.clock)
    bot, url = house["calendar-bot"], f"{house.issuer}/api"
    token = await house.own_token(bot)
    for number in range(40):
        forged = f"{token[: -10 - number]}{'A' * 10}"
        with pytest.raises(Exception):  # noqa: B017, PT011 — each form has its own error; the reading is counted
            await verifier.verify_now(f"DPoP {forged}", ["x"], "POST", url, url)
    return standings.asked


@pytest.mark.attack("DS-07")
@pytest.mark.twin("DS-07")
async def test_strangers_would_have_the_store_read_for_every_forgery(house: House) -> None:
    assert await readings(house, AccessTokenVerifier) == 0
    assert await readings(house, LooksFirst) == 40


# -- DS-08: no pattern of ours tries every way to match

SHORT, LONG = 21, 4_000
SOON = 0.1
"""Seconds; the slowest of ours takes two thousandths, one that backtracks many times this."""
PUMPS = (
    "a",
    "0",
    "A",
    "-",
    ".",
    "_",
    "/",
    " ",
    ":",
    "%",
    "\\",
    '"',
    ",",
    "a-",
    "a.",
    "a0",
    "0.",
    "./",
    "a ",
    '\\"',
)


def patterns(tree: ast.AST) -> Iterator[str]:
    """Every literal that is compiled, or is the pattern of a member of a schema."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        known = [*node.args[:1]] if called == "compile" else []
        known += [each.value for each in node.keywords if each.arg == "pattern"]
        for each in known:
            if isinstance(each, ast.Constant) and isinstance(each.value, str):
                yield each.value


def ours() -> list[str]:
    found: set[str] = set()
    for path in Path(remit.__file__).parent.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if "compile(" in text or "pattern=" in text:
            found.update(patterns(ast.parse(text)))
    return sorted(found)


def hangs(pattern: str) -> bool:
    """Whether some text that is nearly right takes far longer than its length."""
    known = re.compile(pattern)
    for size in (SHORT, LONG):
        for pump in PUMPS:
            hostile = pump * (size // len(pump)) + "\x00"
            began = time.process_time()
            known.fullmatch(hostile)
            known.match("a" + hostile)
            if time.process_time() - began > SOON:
                return True
    return False


@pytest.mark.attack("DS-08")
@pytest.mark.twin("DS-08")
def test_no_pattern_of_ours_backtracks_and_one_that_would_is_found() -> None:
    known = ours()
    assert len(known) > 80
    assert [each for each in known if hangs(each)] == []
    planted = ast.parse(r'_NAME = re.compile(r"([a-z]+[-.]?)+"); x = Meta(pattern=r"^(\w+\s?)*$")')
    assert [hangs(each) for each in patterns(planted)] == [True, True]


# -- DS-09: a page costs what is on it, wherever it lies and whatever it is asked for

FEW, MANY = 300, 3_000
RARE = "agt_rare"


@dataclass(frozen=True)
class Asking:
    """Reads one page in some way."""

    name: str
    read: Callable[[SqlTransaction, list[str]], object]


OURS = (
    Asking("deep", lambda tx, ids: tx.decisions.page(after=ids[20], limit=10)),
    Asking(
        "since", lambda tx, ids: tx.decisions.page(since=NOON + timedelta(seconds=len(ids) - 5), limit=10)
    ),
    Asking("agent", lambda tx, _: tx.decisions.page(agent=RARE, limit=10)),
    Asking("effect", lambda tx, _: tx.decisions.page(effect="ask", limit=10)),
)


def lax(tail: str) -> Callable[[SqlTransaction, list[str]], object]:
    """The same list as it is usually read: by number of rows, by whatever column was asked for."""
    statement = statement_of(f"SELECT body FROM decision WHERE tenant = 'default' {tail}")  # noqa: S608 — of this test
    return lambda tx, ids: tx.sql.rows(statement, {"skip": len(ids) - 20} if "skip" in tail else {})


LAX = (
    Asking("deep", lax("ORDER BY id DESC LIMIT 10 OFFSET :skip")),
    Asking("since", lax("AND at >= 4102444800000000 ORDER BY id DESC LIMIT 10")),
    Asking("agent", lax("AND ('x' = '' OR agent = 'agt_rare') ORDER BY id DESC LIMIT 10")),
    Asking("effect", lax("AND effect = 'ask' ORDER BY id DESC LIMIT 10")),
)


async def effort(store: OpenStore, count: int) -> dict[str, int]:
    """Steps of the database's machine that each page takes among so many decisions."""
    uow = SqlUnitOfWork(store, tenant=DEFAULT_TENANT)
    known = await uow.read(lambda tx: tx.decisions.page(limit=1))
    sample = known[0] if known else await one(uow)
    ids = await uow.commit(lambda tx: fill(tx, sample, count))
    found = {}
    for kind, asked in (("ours", OURS), ("lax", LAX)):
        for each in asked:
            found[f"{kind} {each.name}"] = await uow.read(partial(counted, each, ids))
    return found


async def one(uow: SqlUnitOfWork) -> StoredDecision:
    office = await desk(uow)
    return await office.service.why((await office.service.decide(numbered("rooms.book", 1))).id)


def fill(tx: SqlTransaction, sample: StoredDecision, count: int) -> list[str]:
    """Permits, one a second; nobody asked, nobody rare among them."""
    entropy, ids = counting_entropy(str(count)), []
    for number in range(count):
        at = NOON + timedelta(seconds=number)
        ident = DecisionId(mint_id("dec", at=at, entropy=entropy))
        told = structs.replace(sample.explanation, decision=ident, at=at, call=CallId(f"c{count}_{number}"))
        tx.decisions.add(structs.replace(sample, id=ident, explanation=told))
        ids.append(str(ident))
    return ids


def counted(asked: Asking, ids: list[str], tx: SqlTransaction) -> int:
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    connection = tx.sql._connection  # type: ignore[attr-defined]  # SQLite's
    connection.set_progress_handler(step, 1)
    try:
        asked.read(tx, ids)
    finally:
        connection.set_progress_handler(None, 1)
    return steps


@pytest.mark.attack("DS-09")
@pytest.mark.twin("DS-09")
async def test_a_page_costs_the_same_among_few_and_many(sqlite_store: OpenStore) -> None:
    among_few = await effort(sqlite_store, FEW)
    among_many = await effort(sqlite_store, MANY)
    grown = {name: among_many[name] / among_few[name] for name in among_few}
    assert all(times < 1.5 for name, times in grown.items() if name.startswith("ours")), grown
    assert all(times > 4 for name, times in grown.items() if name.startswith("lax")), grown


@pytest.mark.attack("DS-09")
@pytest.mark.twin("DS-09")
def test_a_page_has_a_limit_and_without_it_would_have_none() -> None:
    class Endless(msgspec.Struct, frozen=True):
        limit: int

    asked = {"limit": 10**9}
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(asked, PageQuery)
    assert msgspec.convert({"limit": MAX_PAGE}, PageQuery).limit == MAX_PAGE
    assert msgspec.convert(asked, Endless).limit == 10**9
