"""Hostile input at the doors that are no operation of the API: token, introspect, revoke, gateway, page.

Malformed, duplicated, wrong-typed, deep and odd; oversized and compressed ones are in `test_ds_doors`. Each
answer is a 4xx that says what it is; afterwards the log verifies, and honest work goes on.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import httpx2
import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from remit.app.services import Services
from remit.ledger.export import export_files, export_log
from remit.ledger.verify import verify_files
from remit.surface.web.assembly import application
from support.clients import Party, called
from support.composed import populated
from support.gateway import modern, modern_headers
from support.house import ACCESS_TOKEN, ASSERTION, BOOKING, TOKEN_EXCHANGE, TXN_TOKEN, House
from support.upstreams import whole

FORM = "application/x-www-form-urlencoded"
ODD = [
    "",
    " ",
    "\x00",
    "\u202e",
    "%",
    "a b",
    "x" * 5000,
    "..",
    "null",
    "[]",
    "{}",
    "-1",
    "\ufeff",
    "~",
    "a.b.c",
    "é",
]
GRANTS = ["client_credentials", TOKEN_EXCHANGE, "authorization_code", "password", "refresh_token", "", "\x00"]
RAW_FORMS = [
    b"", b"&", b"=", b"&&&&", b"=x", b"grant_type", b"grant_type=", b"%", b"%zz=1", b"grant_type=%ff%fe",
    b"grant_type=client_credentials&grant_type=client_credentials", b"\x00=\x00", b"{}", b"[]", b"a=1;b=2",
    b"grant_type=client_credentials&client_assertion=a&client_assertion=b",
    b"&".join(b"p%d=x" % n for n in range(300)), b"<x/>", b"grant_type=x\r\n\r\nGET / HTTP/1.1",
]  # fmt: skip
RAW_CALLS = [
    b"", b"null", b"1", b"[]", b'"x"', b"{}", b"{", b"{}{}", b"\xff\xfe{}", b'{"jsonrpc":"2.0"}', b"[{}][{}]",
    b'{"jsonrpc":"1.0","id":1,"method":"tools/call"}',
    b'{"jsonrpc":"2.0","id":1,"id":2,"method":"tools/call"}',
    b'{"jsonrpc":"2.0","id":{},"method":"tools/call","params":{}}',
    b'{"jsonrpc":"2.0","id":1,"method":1}',
    b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":[]}',
    b'{"jsonrpc":"2.0","id":1e999,"method":"x"}',
    b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"\\ud800"}}',
    b'{"a":' * 40 + b"1" + b"}" * 40,
]  # fmt: skip
WRONG: list[Any] = [None, True, 0, -1, 1.5, [], [[]], {"a": {}}, "x" * 300, "\x00"]


def told(answer: httpx2.Response) -> str:
    """What a refusal calls itself: an OAuth error, a problem's or a JSON-RPC error's code, or a page."""
    assert 400 <= answer.status_code < 500, (answer.status_code, answer.text[:200])
    if answer.headers["content-type"].startswith("text/html"):
        assert "<script" not in answer.text
        return answer.text
    found = answer.json()
    code = found.get("code") or found.get("error")
    assert code, answer.text
    return str(code)


def forms(house: House, bot: Party) -> Iterator[Mapping[str, str]]:
    """An honest request of the token endpoint with one parameter that is not."""

    def honest() -> dict[str, str]:
        return {
            "client_assertion_type": ASSERTION,
            "client_assertion": bot.assertion(),
            "grant_type": TOKEN_EXCHANGE,
            "subject_token": "x",
            "subject_token_type": TXN_TOKEN,
            "actor_token": "x",
            "actor_token_type": ACCESS_TOKEN,
            "resource": f"{house.issuer}/mcp/business",
            "scope": "x",
            "authorization_details": "[]",
        }

    for name in honest():
        for odd in ODD[::2]:
            yield {**honest(), name: odd}
    for grant in GRANTS:
        yield {**honest(), "grant_type": grant}


async def assert_well(house: House) -> None:
    """Nothing is lost: the log verifies, and an honest call is carried out."""
    started = await house.task("calendar-bot")
    bot = house["calendar-bot"]
    token = await house.exchange(bot, started.envelope)
    assert (await house.call(bot, token, "rooms_book", BOOKING, envelope=started.envelope)).ran
    await house.services.heads.sign(house.now())
    keys = tuple(house.services.log.known_keys())
    tenant = house.services.ground.tenant
    files = await house.work.read(
        lambda tx: export_files(export_log(tx.ledger, tenant=tenant, disclose=True, keys=keys))
    )
    report = verify_files(files, trusted=keys)
    assert report.sound, report.findings


async def knock(house: House, path: str) -> None:
    """Bodies that are no form, or an odd one."""
    url, bot = f"{house.issuer}{path}", house["calendar-bot"]
    for raw in RAW_FORMS:
        for media in (FORM, "multipart/form-data"):
            lines = {"content-type": media, "DPoP": bot.proof("POST", url)}
            assert told(await house.http.post(url, content=raw, headers=lines)), raw


def with_a_careless_door(services: Services) -> ASGIApp:
    """The planted bug: before the token endpoint somebody reads the body as text, whatever it is."""
    app = application(services)

    async def careless(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != "/token":
            await app(scope, receive, send)
            return
        body = await whole(receive)
        unquote_to_bytes(body).decode()

        async def again() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        await app(scope, again, send)

    return careless


@pytest.mark.twin("DS-02")
async def test_a_door_that_breaks_on_one_odd_byte_would_be_found(tmp_path: Path) -> None:
    async with populated(tmp_path / "data", make_app=with_a_careless_door) as house:
        with pytest.raises(AssertionError, match="500"):
            await knock(house, "/token")


@pytest.mark.attack("DS-02", "DS-04")
@pytest.mark.promise("P13")
@pytest.mark.parametrize("path", ["/token", "/introspect", "/revoke"])
async def test_no_form_breaks_an_oauth_endpoint(tmp_path: Path, path: str) -> None:
    async with populated(tmp_path / "data") as house:
        url, bot = f"{house.issuer}{path}", house["calendar-bot"]
        await knock(house, path)
        for stated in forms(house, bot):
            form = {**stated, "token": stated["subject_token"], "token_type_hint": stated["scope"]}
            answer = await house.http.post(
                url, data=form if path != "/token" else dict(stated), headers={"DPoP": bot.proof("POST", url)}
            )
            if answer.status_code == 200:  # no token of ours: inactive, or gone already (RFC 7009 §2.2)
                assert path != "/token"
                assert answer.content in {b"", b'{"active":false}'}
            else:
                assert told(answer), form
        for proof in [*ODD[6:], "a.b.c, d.e.f"]:
            lines = {"content-type": FORM, "DPoP": proof.encode("latin-1", "replace").decode("latin-1")}
            with_assertion = {"client_assertion_type": ASSERTION, "client_assertion": bot.assertion()}
            if proof.isascii():
                assert told(await house.http.post(url, data=with_assertion, headers=lines))
        await assert_well(house)


@pytest.mark.attack("DS-02", "DS-04")
@pytest.mark.promise("P13")
async def test_no_message_breaks_the_gateway(tmp_path: Path) -> None:
    async with populated(tmp_path / "data") as house:
        started = await house.task("calendar-bot")
        bot, url = house["calendar-bot"], f"{house.issuer}/mcp/business"
        token = await house.exchange(bot, started.envelope)

        async def send(body: bytes, **changed: str) -> httpx2.Response:
            lines = {
                **modern_headers("tools/call", "rooms_book"),
                "Authorization": f"DPoP {token}",
                "DPoP": bot.proof("POST", url, token),
                "Content-Type": "application/json",
                "Accept": "application/json, text/event-stream",
                **changed,
            }
            return await house.http.post(url, content=body, headers=lines)

        for raw in RAW_CALLS:
            assert told(await send(raw)), raw
        honest = modern("tools/call", {"name": "rooms_book", "arguments": BOOKING})
        for member in ("jsonrpc", "id", "method", "params"):
            for wrong in WRONG:
                if member == "id" and type(wrong) in {int, float, str}:
                    continue  # as good an id as any
                answer = await send(json.dumps({**honest, member: wrong}).encode())
                assert told(answer), (member, wrong)
        for member in ("name", "arguments", "_meta"):
            for wrong in WRONG:
                body = {**honest, "params": {**honest["params"], member: wrong}}
                answer = await send(json.dumps(body).encode())
                # A well-formed call of what is not allowed is an answer of MCP's own, with the denial in it.
                assert called(answer).denial.get("code") if answer.status_code == 200 else told(answer), wrong
        whole = json.dumps(honest).encode()
        for changed in (
            {"Content-Type": "text/plain"}, {"Accept": "text/html"}, {"MCP-Protocol-Version": "x"},
            {"Mcp-Method": "x"}, {"Mcp-Name": "x"}, {"Authorization": "x"}, {"DPoP": "x"}, {"Origin": "https://x"},
            {"Remit-Envelope": "~" * 50}, {"Host": "elsewhere"},
        ):  # fmt: skip
            assert told(await send(whole, **changed)), changed
        assert house.hits == []
        await assert_well(house)


@pytest.mark.attack("DS-02")
@pytest.mark.promise("P13")
async def test_no_link_and_no_form_breaks_the_page(tmp_path: Path) -> None:
    async with populated(tmp_path / "data") as house:
        for link in ("x", "a.b.c", "%00", "%2e%2e", "x" * 4000, "%F0%9F%92%A9", "'--", "{{7*7}}", "a/b"):
            url = f"{house.issuer}/approve/{link}"
            assert told(await house.http.get(url)), link
            for raw in RAW_FORMS:
                lines = {"content-type": FORM, "Origin": house.issuer}
                assert told(await house.http.post(url, content=raw, headers=lines)), (link, raw)
        await assert_well(house)
