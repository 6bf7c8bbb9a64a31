"""Who may read the record, what a hostile name does to its reader, and that no place is trusted."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from remit.ledger.record import Record
from support.composed import populated
from support.house import REFUND, House
from twins.memory import Readers, forgetting

HOSTILE = {
    "crlf": "a\r\nHTTP/1.1 200 OK",
    "ansi": "\x1b[31mred\x1b[0m",
    "bidi": "\u202egnp.exe",
    "zero": "a\u200bb\u2060c",
    "nul": "a\x00b",
    "json": '"},{"kind":"forged"',
    "formula": "=cmd|' /C calc'!A1",
    "tag": "<script>alert(1)</script>",
    "long": "x" * 100_000,
}
OBEYED = {"\r", "\x1b", "\x00"}
"""What JSON must escape (RFC 8259 §7); marks of direction are data there, shown by whoever prints them."""


@pytest.mark.attack("AU-08")
@pytest.mark.parametrize("how", HOSTILE)
async def test_a_hostile_name_is_refused_or_inert_everywhere(house: House, how: str) -> None:
    """Through the API into directory, reasons and calls; then read back from API and log."""
    admin, text = house["admin"], HOSTILE[how]
    token = await house.own_token(admin)
    made = [
        await house.api(admin, "POST", "/users", {"name": text}, token=token),
        await house.api(
            admin,
            "POST",
            "/agents",
            {"name": text, "purpose": text, "environment": "production", "blueprint": "office"},
            token=token,
        ),
        await house.api(
            admin, "POST", "/kills", {"kind": "agent", "target": "mail-bot", "reason": text}, token=token
        ),
    ]
    assert all(answer.status_code < 500 for answer in made)
    started = await house.task("calendar-bot")
    bot = house["calendar-bot"]
    booked = {"room": text, "start": "2026-05-15T14:00Z", "end": "2026-05-15T15:00Z", "title": text}
    called = await house.call(bot, await house.exchange(bot, started.envelope), "rooms_book", booked)
    assert called.status < 500
    assert called.ran == (how not in {"long", "nul"}), called.body
    for path in ("/users", "/agents", "/decisions", "/kills"):
        answer = await house.api(admin, "GET", path, token=token)
        assert answer.status_code == 200
        assert not OBEYED & set(answer.text), path  # JSON escapes what a terminal or a page would obey
        assert json.loads(answer.text)
        assert answer.headers["x-content-type-options"] == "nosniff"
    kinds = {record.kind for record in await _records(house)}
    assert "forged" not in kinds


async def _records(house: House) -> list[Record]:
    placed = await house.work.read(
        lambda tx: tx.ledger.between(datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))
    )
    return [each.record for each in placed]


@pytest.mark.attack("AU-14")
@pytest.mark.promise("P11")
@pytest.mark.req("R138")
async def test_an_agent_or_another_person_finds_nothing_of_somebodys_records(house: House) -> None:
    """What exists and is not theirs is answered as what does not exist, word for word but for the name."""
    started = await house.task("support-bot", purpose="support")
    bot, stranger, other = house["support-bot"], house["mail-bot"], await house.person("eve@company.com")
    token = await house.exchange(bot, started.envelope)
    await house.call(bot, token, "customers_read", {"customer_id": "C-100"})
    waiting = asyncio.create_task(house.call(bot, token, "refunds_create", REFUND))
    ask = await house.pending()
    decision = next(row.id for row in await house.services.decisions.page(limit=50) if row.capability)
    record = (await _records(house))[0].id
    there = {
        "/tasks/": started.task.id,
        "/decisions/": decision,
        "/approvals/": ask.id,
        "/ledger/records/": record,
    }
    for who in (stranger, other):
        own = await house.own_token(who)
        for path, ident in there.items():
            real = await house.api(who, "GET", f"{path}{ident}", token=own)
            made_up = f"{ident[:4]}01M80ZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZZ"
            absent = await house.api(who, "GET", f"{path}{made_up}", token=own)
            assert real.status_code == absent.status_code, (path, real.text, absent.text)
            assert real.status_code in {403, 404}, (path, real.text)
            told, none = ({k: v for k, v in a.json().items() if k != "request_id"} for a in (real, absent))
            assert json.dumps(told).replace(ident, "?") == json.dumps(none).replace(made_up, "?"), path
        for path in ("/ledger/trace?of=" + ident, "/ledger/records?mentions=" + ident):
            answer = await house.api(who, "GET", path, token=own)
            assert answer.status_code in {403, 404}, (path, answer.text)
        for path in ("/tasks", "/decisions", "/approvals"):
            answer = await house.api(who, "GET", path, token=own)
            assert answer.status_code in {403, 404} or started.task.id not in answer.text, path
    await house.answer("lead", ask, "deny")
    await waiting


@pytest.mark.twin("AU-14")
async def test_where_everybody_is_a_reader_a_stranger_would_read_it_all(tmp_path: Path) -> None:
    async with populated(tmp_path / "data", make=forgetting(principals=Readers)) as house:
        started = await house.task("support-bot", purpose="support")
        other = await house.person("eve@company.com")
        bot = house["support-bot"]
        token = await house.exchange(bot, started.envelope)
        await house.call(bot, token, "customers_read", {"customer_id": "C-100"})
        decision = next(row.id for row in await house.services.decisions.page(limit=50) if row.capability)
        for path in (f"/tasks/{started.task.id}", f"/decisions/{decision}"):
            assert (await house.api(other, "GET", path)).status_code == 200, path


@pytest.mark.req("R67")
@pytest.mark.attack("DP-01", "MC-25")
async def test_no_address_and_no_header_stands_for_a_proof(house: House) -> None:
    """From the loopback, with the right token, with every header that says who somebody is: still nobody."""
    started = await house.task("calendar-bot")
    bot, admin = house["calendar-bot"], house["admin"]
    url = f"{house.issuer}/mcp/business"
    token = await house.exchange(bot, started.envelope)
    trusting = {
        "x-forwarded-for": "127.0.0.1",
        "x-forwarded-user": "admin",
        "x-remit-principal": admin.id,
        "x-remit-scopes": "remit.admin",
        "x-real-ip": "127.0.0.1",
        "forwarded": "for=127.0.0.1;proto=https",
        "remote-user": "admin@company.com",
    }
    own = await house.own_token(admin)
    _, body, lines = house.call_request(bot, token, "rooms_book", {})
    del lines["DPoP"]
    for scheme in ("DPoP", "Bearer", "Basic"):
        shown = {**lines, **trusting, "Authorization": f"{scheme} {token}"}
        answer = await house.http.post(url, content=body, headers=shown)
        assert answer.status_code == 401, (scheme, answer.text)
        shown = {**trusting, "Authorization": f"{scheme} {own}"}
        answer = await house.http.get(f"{house.issuer}/api/v1/agents", headers=shown)
        assert answer.status_code == 401, (scheme, answer.text)
    for path in ("/api/v1/agents", "/api/v1/keys", "/mcp/business"):
        assert (await house.http.get(f"{house.issuer}{path}", headers=trusting)).status_code in {401, 405}
    assert not house.hits


@pytest.mark.attack("CB-08", "KS-15")
@pytest.mark.req("N16")
async def test_no_agent_and_no_plain_user_answers_asks_or_kills(house: House) -> None:
    started = await house.task("support-bot", purpose="support")
    bot, user = house["support-bot"], house["user"]
    token = await house.exchange(bot, started.envelope)
    waiting = asyncio.create_task(house.call(bot, token, "refunds_create", REFUND))
    ask = await house.pending()
    for who in (bot, user):
        own = await house.own_token(who)
        forged = house["lead"].answer(ask, "approve") if who is bot else who.answer(ask, "approve")
        answer = await house.api(who, "POST", f"/approvals/{ask.id}/answer", {"signature": forged}, token=own)
        assert answer.status_code in {403, 404}, answer.text
        killed = await house.api(
            who, "POST", "/kills", {"kind": "agent", "target": "mail-bot", "reason": "x"}, token=own
        )
        assert killed.status_code == 403
        assert killed.json()["code"] == "insufficient_scope"
    assert not house.hits
    await house.answer("lead", ask, "deny")
    assert not (await waiting).ran
