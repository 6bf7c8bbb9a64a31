"""P14: one governed story with strings that nobody can mistake, then a search for them in all that is left.

What may be read again by those who may see it (the prompt, the arguments) is sealed at rest and in no log,
figure, span or address; what nobody needs again (tokens, proofs, private keys) is nowhere at all.
"""

import asyncio
import json
import re
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio

from support.governed import BOOKING, LEAD, USER, Governed, denial_of, governed, right
from support.spans import recording

pytestmark = pytest.mark.asyncio(loop_scope="module")

PROMPT, TITLE, MAIL, REASON = (f"canary-{word}-7f3a91c4" for word in ("prompt", "title", "mail", "reason"))
AMOUNT = "437.19"
REFUND = {"order_id": "8812", "amount": AMOUNT, "currency": "EUR"}
JWS = re.compile(r"eyJ[\w-]{8,}\.[\w-]{8,}")
REFUSED_ROOM = "canary-room-7f3a91c4"


@dataclass(frozen=True, slots=True)
class Left:
    """What the story left behind, each as text."""

    log: str
    spans: str
    metrics: str
    database: bytes
    errors: str
    addresses: str
    secrets: dict[str, str]
    tokens: tuple[str, ...]
    evidence: bytes
    shown: str


async def story(here: Governed) -> tuple[list[str], list[str], str]:
    """Permit, deny, ask, approve, delegate, kill, and every door refusing; tokens, error bodies, card."""
    task = await here.start("calendar-bot", PROMPT, purpose="scheduling")
    booked = await here.call(task, "rooms_book", {**BOOKING, "title": TITLE})
    assert not denial_of(booked)
    denied = await here.call(task, "rooms_book", {**BOOKING, "room": REFUSED_ROOM, "title": TITLE})
    errors = [json.dumps(denial_of(denied))]
    mail = await here.ask("agent", "show", "mail-bot")
    handed = here.hop(task, mail["id"], [right("business/mail.send", "Recipient", USER)])
    letter = {"to": USER, "subject": "Room", "body": MAIL}
    assert not denial_of(await here.call(task, "mail_send", letter, agent="mail-bot", envelope=handed))
    refund = await here.start("support-bot", PROMPT, purpose="support")
    waiting = asyncio.create_task(here.call(refund, "refunds_create", REFUND))
    ask = await here.pending()
    card = await here.ask("approval", "show", ask["id"], who=LEAD)
    link = await here.ask("approval", "link", ask["id"], who=LEAD)
    page = await here.http.get(link["url"])
    assert page.status_code == 200
    await here.ask("approval", "approve", ask["id"], "--yes", who=LEAD)
    assert not denial_of(await waiting)
    bot = here.agents["calendar-bot"]
    tokens = [await bot.own_token(), await bot.task_token(task.envelope, "business"), task.envelope, handed]
    secret = link["url"].rsplit("/", 1)[-1]
    errors += [body async for body in refusals(here, tokens, secret)]
    await here.ask("kill", "calendar-bot", "--reason", REASON, "--yes")
    await here.ask("task", "end", refund.id, who=USER)
    return [*tokens, secret], errors, json.dumps(card)


async def refusals(here: Governed, tokens: list[str], secret: str) -> AsyncIterator[str]:
    """Each door, shown something that is nearly right: what it says back."""
    own, delegated = tokens[0], tokens[1]
    auth = {"authorization": f"DPoP {own}", "dpop": "eyJhbGciOiJub25lIn0.e30."}
    form = {"grant_type": "client_credentials", "client_assertion": own, "token": delegated}
    for path in ("/token", "/introspect", "/revoke"):
        yield (await here.http.post(f"{here.url}{path}", data=form, headers=auth)).text
    for path in ("/api/v1/tasks", "/api/v1/no-such-thing", f"/approve/{secret[:-4]}AAAA"):
        yield (await here.http.get(f"{here.url}{path}", headers=auth)).text
    body = {"goal": PROMPT, "agent": 1}
    yield (await here.http.post(f"{here.url}/api/v1/tasks", json=body, headers=auth)).text
    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"arguments": {"title": TITLE}}}
    yield (await here.http.post(f"{here.url}/mcp/business", json=call, headers=auth)).text


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def left(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Left]:
    folder = tmp_path_factory.mktemp("canary")
    spans = recording()
    addresses: list[str] = []
    async with governed(folder) as here:

        async def note(request: httpx2.Request) -> None:
            addresses.append(str(request.url))

        here.http.event_hooks = {"request": [note], "response": []}
        tokens, errors, card = await story(here)
        metrics = (await here.http.get(f"{here.url}/metrics")).text
        assert (await here.remit("ledger", "export", "evidence.zip")).code == 0
        yield Left(
            log=here.log.getvalue(),
            spans="\n".join(span.to_json() for span in spans.get_finished_spans()),
            metrics=metrics,
            database=everything_in(folder / "data"),
            errors="\n".join(errors),
            addresses="\n".join(address for address in addresses if "/approve/" not in address),
            secrets=private_keys(folder),
            tokens=tuple(tokens),
            evidence=await asyncio.to_thread((folder / "evidence.zip").read_bytes),
            shown=card,
        )


def everything_in(data: Path) -> bytes:
    """The bytes of the database as they lie on the disk, and every value as SQLite gives it."""
    with sqlite3.connect(data / "remit.db") as base:
        tables = [row[0] for row in base.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        values = [
            value.encode() if isinstance(value, str) else bytes(value)
            for name in tables
            for row in base.execute(f'SELECT * FROM "{name}"')  # noqa: S608 — names from the schema itself
            for value in row
            if isinstance(value, str | bytes)
        ]
    raw = [path.read_bytes() for path in data.glob("remit.db*") if not path.name.endswith("reserve")]
    return b"\n".join([*raw, *values])


def private_keys(folder: Path) -> dict[str, str]:
    """Each person's, each agent's and the operator's private key, and the key-encryption key."""
    found = {path.name: json.loads(path.read_text())["private"] for path in folder.glob("*.key")}
    found["operator"] = json.loads((folder / "data" / "operator.key").read_text())["private"]
    found["kek"] = (folder / "data" / "kek").read_text().strip()
    assert len(found) == 7
    return found


@pytest.mark.promise("P14")
@pytest.mark.attack("AU-09")
@pytest.mark.parametrize("where", ["log", "spans", "metrics", "errors", "addresses"])
async def test_nothing_said_or_shown_holds_content_or_credentials(left: Left, where: str) -> None:
    text = getattr(left, where)
    assert text
    for canary in (PROMPT, TITLE, MAIL, AMOUNT):
        assert canary not in text, canary
    for token in left.tokens:
        assert token not in text
        assert token.rsplit(".", 1)[-1][:20] not in text  # not even its signature
    for name, secret in left.secrets.items():
        assert secret not in text, name
    assert not JWS.search(text.replace("eyJhbGciOiJub25lIn0.e30.", "")), JWS.search(text)


@pytest.mark.promise("P14")
@pytest.mark.attack("AU-09", "KM-03")
async def test_prompt_and_arguments_are_sealed_at_rest_and_keys_and_tokens_are_not_there(left: Left) -> None:
    for canary in (PROMPT, TITLE, MAIL, AMOUNT):
        assert canary.encode() not in left.database, canary
    for token in left.tokens:
        for part in token.split("~"):
            assert part.rsplit(".", 1)[-1].encode() not in left.database
    for name, secret in left.secrets.items():
        assert secret.encode() not in left.database, name
        raw = bytes.fromhex(secret) if re.fullmatch(r"[0-9a-f]{64}", secret) else b""
        assert not raw or raw not in left.database, name
    assert b"PRIVATE KEY" not in left.database
    assert b'"d":' not in left.database


@pytest.mark.promise("P14")
async def test_the_tree_that_auditors_get_holds_no_content(left: Left, tmp_path: Path) -> None:
    from zipfile import ZipFile

    (tmp_path / "evidence.zip").write_bytes(left.evidence)
    with ZipFile(tmp_path / "evidence.zip") as whole:
        # What is disclosed to an auditor stands in one file of its own, which verification does not need.
        tree = b"".join(whole.read(name) for name in whole.namelist() if name != "contents.jsonl")
    for canary in (PROMPT, TITLE, MAIL, AMOUNT):
        assert canary.encode() not in tree, canary
    assert not re.search(rb"eyJ[\w-]{8,}\.[\w-]{8,}", tree)


async def test_the_search_would_find_what_is_there(left: Left) -> None:
    """The canaries did travel: the approver saw the amount, and what is an identifier is on record."""
    assert AMOUNT in left.shown
    assert REFUSED_ROOM.encode() in left.database
    assert REASON.encode() in left.database
    assert "remit.http.request" in left.spans
    assert "surface.request.refused" in left.log
