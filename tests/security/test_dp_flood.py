"""DP-11: a million unique proofs fill neither memory nor the log, and one key is slowed down alone."""

import tracemalloc
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import bindparam, func, select, text

from remit.authority.oauth.wire.proof_pace import ProofPace
from remit.authority.tokens import Proof
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.storage.instants import micros
from remit.platform.storage.sql import Scalar
from remit.platform.storage.tables.authority import replay
from remit.platform.storage.unit_of_work import SqlTransaction, SqlUnitOfWork
from support.clock import NOON
from support.composed import populated
from support.house import BOOKING, House

MILLION = 1_000_000
KEEP = micros(NOON + timedelta(seconds=150))
FILL = text(
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :many) "
    "INSERT INTO replay (tenant, key, jti, keep_until) "
    "SELECT :tenant, 'flood', printf('%07d', i), :keep FROM n"
).bindparams(bindparam("many"), bindparam("tenant"), bindparam("keep"))
ROWS = select(func.count()).select_from(replay)
ALLOWED = 6
TRIES = 2 * ALLOWED + 1
"""More than pass where one minute turns into the next in between."""


def burn(tx: SqlTransaction, jti: str) -> bool:
    return tx.replay.burn(DEFAULT_TENANT, Proof(key="flood", jti=jti, keep_until=NOON))


async def taken(work: SqlUnitOfWork, act: Any) -> tuple[Any, int]:
    """What comes of it, and the most memory that it held, in bytes."""
    tracemalloc.start()
    try:
        value = await work.commit(act)
        return value, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.attack("DP-11")
@pytest.mark.promise("P13")
async def test_a_million_remembered_proofs_are_on_disk_and_gone_in_time(sqlite_uow: SqlUnitOfWork) -> None:
    values: dict[str, Scalar] = {"many": MILLION, "tenant": DEFAULT_TENANT, "keep": KEEP}
    await sqlite_uow.commit(lambda tx: tx.sql.run(FILL, values))
    again, held = await taken(sqlite_uow, lambda tx: burn(tx, "0777777"))
    assert not again, "one of a million is found"
    assert held < 1 << 20
    new, held = await taken(sqlite_uow, lambda tx: burn(tx, "new"))
    assert new
    assert held < 1 << 20
    # Dropped in bounded steps, each of them short: nobody waits for a million rows.
    late = NOON + timedelta(seconds=151)
    dropped, held = await taken(sqlite_uow, lambda tx: tx.replay.forget(DEFAULT_TENANT, late, 1_000))
    assert dropped == 1_000
    assert held < 4 << 20
    assert await sqlite_uow.read(lambda tx: tx.sql.rows(ROWS, {})[0][0]) == MILLION + 1 - 1_000


@pytest.mark.twin("DP-11")
async def test_who_keeps_them_in_memory_would_hold_them_all(sqlite_uow: SqlUnitOfWork) -> None:
    seen: set[str] = set()
    _, held = await taken(sqlite_uow, lambda _: seen.update(str(number) for number in range(100_000)))
    assert held > 4 << 20


async def until_turned_away(house: House) -> dict[str, int]:
    """How many requests one key gets through at each door, of some more than are allowed."""
    bot, passed = house["calendar-bot"], dict.fromkeys(("token", "api", "gateway"), 0)
    started = await house.task("calendar-bot")
    delegated = await house.exchange(bot, started.envelope)
    own = await house.own_token(bot)
    other = house["mail-bot"]
    theirs = await house.own_token(other)
    for _ in range(TRIES):
        url = f"{house.issuer}/token"
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": bot.assertion(),
            "resource": f"{house.issuer}/api",
        }
        before = (await house.work.read(lambda tx: tx.ledger.head())).size
        given = await house.http.post(url, data=form, headers={"DPoP": bot.proof("POST", url)})
        passed["token"] += given.status_code == 200
        if given.status_code != 200:
            assert (given.status_code, given.json()["error"]) == (429, "temporarily_unavailable")
            assert int(given.headers["retry-after"]) > 0
            assert (await house.work.read(lambda tx: tx.ledger.head())).size == before
    for _ in range(TRIES):
        url, body, headers = house.call_request(bot, delegated, "rooms_book", BOOKING)
        called = await house.http.post(url, content=body, headers=headers)
        passed["gateway"] += called.status_code == 200
        assert called.status_code == 200 or int(called.headers["retry-after"]) > 0
        answer = await house.api(bot, "GET", "/tasks", token=own)
        passed["api"] += answer.status_code == 403  # the door took it; what it may is another question
        assert answer.status_code in {403, 429}
    assert (await house.api(other, "GET", "/tasks", token=theirs)).status_code == 403, "another key goes on"
    return passed


CHOSEN = {"oauth.proofs_per_minute": ALLOWED}


@pytest.mark.attack("DP-11")
@pytest.mark.promise("P13")
async def test_one_key_that_asks_too_fast_is_told_when_to_come_back(tmp_path: Path) -> None:
    async with populated(tmp_path / "data", chosen=CHOSEN) as house:
        passed = await until_turned_away(house)
    assert all(0 < number < TRIES for number in passed.values()), passed


class Patient(ProofPace):
    """Takes whatever comes."""

    def take(self, key: str, at: Any) -> None:
        return


@pytest.mark.twin("DP-11")
async def test_without_a_limit_all_of_them_would_pass(tmp_path: Path) -> None:
    async with populated(tmp_path / "data", chosen=CHOSEN) as house:
        house.services.verifier._pace = Patient()
        house.services.oauth.token._possession._pace = Patient()
        passed = await until_turned_away(house)
    assert set(passed.values()) == {TRIES}
