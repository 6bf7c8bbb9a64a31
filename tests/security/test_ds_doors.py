"""Denial of service at the doors of the composed system: each limit at its value and one past it (P13)."""

import gzip
import time
from dataclasses import dataclass

import httpx2
import pytest

from remit.surface.web.paging import MAX_PAGE
from support.house import House

MIB = 1 << 20
LIMITS = {"/mcp/": 4 * MIB}
FORM = "application/x-www-form-urlencoded"
DOORS = {
    "/token": FORM,
    "/introspect": FORM,
    "/revoke": FORM,
    "/api/v1/tasks": "application/json",
    "/mcp/business": "application/json",
    "/approve/none": FORM,
}
PATIENCE = 1.0
"""Seconds of work, of client and server together, that a refusal may cost; an unbounded one costs minutes."""


@dataclass
class Knock:
    """Sends bytes to one door, as an administrator where that helps."""

    house: House
    path: str
    token: str

    async def send(self, body: bytes, **headers: str) -> httpx2.Response:
        url = f"{self.house.issuer}{self.path}"
        admin = self.house["admin"]
        lines = {
            "content-type": DOORS[self.path],
            "authorization": f"DPoP {self.token}",
            "dpop": admin.proof("POST", url, self.token),
            **headers,
        }
        return await self.house.http.post(url, content=body, headers=lines)


@pytest.fixture
async def token(house: House) -> str:
    return await house.own_token(house["admin"])


def clear(answer: httpx2.Response) -> str:
    """A refusal says what it is: a problem document, an OAuth error, a JSON-RPC error, or a page."""
    if answer.headers["content-type"].startswith("text/html"):
        return answer.text
    told = answer.json()
    found = told.get("code") or told.get("error")
    assert found, answer.text
    return str(found)


@pytest.mark.attack("DS-01")
@pytest.mark.promise("P13")
@pytest.mark.parametrize("path", DOORS)
async def test_a_body_at_the_limit_is_read_and_one_byte_more_is_not(
    house: House, token: str, path: str
) -> None:
    limit = next((size for start, size in LIMITS.items() if path.startswith(start)), MIB)
    knock = Knock(house, path, token)
    at, past = await knock.send(b"x" * limit), await knock.send(b"x" * (limit + 1))
    assert 400 <= at.status_code < 500
    assert DOORS[path] == FORM or at.status_code != 413  # forms have a smaller limit of their own besides
    assert (past.status_code, clear(past)) == (413, "body_too_large")


@pytest.mark.attack("DS-01")
@pytest.mark.promise("P13")
@pytest.mark.parametrize("path", DOORS)
async def test_address_and_headers_at_the_limit_and_past_it(house: House, path: str) -> None:
    http = house.services.ground.settings.http
    room = http.max_url - len(path) - len("x=")
    fits = await house.http.get(f"{house.issuer}{path}?x={'a' * room}")
    long = await house.http.get(f"{house.issuer}{path}?x={'a' * (room + 1)}")
    assert fits.status_code != 414
    assert (long.status_code, clear(long)) == (414, "url_too_long")
    own = sum(
        len(name) + len(value) for name, value in house.http.build_request("GET", house.issuer).headers.raw
    )
    room = http.max_headers - own - len("x-fill")
    fits = await house.http.get(f"{house.issuer}{path}", headers={"x-fill": "a" * room})
    long = await house.http.get(f"{house.issuer}{path}", headers={"x-fill": "a" * (room + 1)})
    assert fits.status_code != 431
    assert (long.status_code, clear(long)) == (431, "headers_too_large")


@pytest.mark.attack("DS-06")
@pytest.mark.promise("P13")
@pytest.mark.parametrize("path", DOORS)
async def test_a_compressed_body_is_never_opened(house: House, token: str, path: str) -> None:
    bomb = gzip.compress(b"0" * (64 * MIB))
    started = time.process_time()
    for encoding in ("gzip", "deflate", "br", "gzip, gzip"):
        answer = await Knock(house, path, token).send(bomb, **{"content-encoding": encoding})
        assert answer.status_code == 415, (path, encoding)
        assert clear(answer) == "content_encoding_unsupported"
    assert time.process_time() - started < 4 * PATIENCE


DEEP = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
KEYS = b"{" + b",".join(b'"%d":1' % n for n in range(90_000)) + b"}"
NESTED = b"[" * 100_000


@pytest.mark.attack("DS-02", "DS-04")
@pytest.mark.promise("P13")
@pytest.mark.parametrize("path", ["/api/v1/tasks", "/mcp/business"])
@pytest.mark.parametrize("body", [DEEP, KEYS, NESTED], ids=["deep", "keys", "open"])
async def test_json_that_is_deep_or_wide_is_refused_before_it_is_built(
    house: House, path: str, body: bytes
) -> None:
    if path.startswith("/mcp/"):
        started = await house.task("calendar-bot")
        bot, url = house["calendar-bot"], f"{house.issuer}{path}"
        token = await house.exchange(bot, started.envelope)
        lines = {
            "authorization": f"DPoP {token}",
            "dpop": bot.proof("POST", url, token),
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
        }
        began = time.process_time()
        answer = await house.http.post(url, content=body, headers=lines)
    else:
        knock = Knock(house, path, await house.own_token(house["admin"]))
        began = time.process_time()
        answer = await knock.send(body)
    assert answer.status_code in {400, 413}, answer.text[:300]
    assert clear(answer)
    assert time.process_time() - began < PATIENCE


@pytest.mark.attack("DS-07")
@pytest.mark.promise("P13")
async def test_who_is_nobody_gets_no_expensive_work(house: House) -> None:
    """Forty forged credentials of the largest size, at two doors, cost little of the server's time."""
    forged = ["A" * 16_000, "eyJhbGciOiJSUzI1NiJ9." + "A" * 15_000 + "." + "A" * 900, "a.b.c", "~" * 9_000]
    began = time.process_time()
    for n in range(40):
        text = forged[n % len(forged)]
        lines = {"authorization": f"DPoP {text}", "dpop": text[:9_000]}
        answer = await house.http.get(f"{house.issuer}/api/v1/agents", headers=lines)
        assert answer.status_code == 401
        form = {"grant_type": "client_credentials", "client_assertion": text, "client_id": house["admin"].id}
        answer = await house.http.post(f"{house.issuer}/token", data=form)
        assert answer.status_code in {400, 401}
    assert time.process_time() - began < 3  # client and server are one process here


@pytest.mark.attack("DS-08", "DS-09")
@pytest.mark.promise("P13")
async def test_no_pattern_backtracks_and_no_page_is_endless(house: House, token: str) -> None:
    admin = house["admin"]
    for path in (
        f"/agents/{'a-' * 300}!",
        f"/agents/{'a' * 900}",
        f"/ledger/records?mentions={'a.' * 250}%21",
        f"/decisions?cursor={'dec_' * 500}",
    ):
        began = time.process_time()
        answer = await house.api(admin, "GET", path, token=token)
        assert answer.status_code < 500
        assert time.process_time() - began < PATIENCE
    for noun in ("agents", "users", "tasks", "decisions", "approvals", "kills"):
        fits = await house.api(admin, "GET", f"/{noun}?limit={MAX_PAGE}", token=token)
        more = await house.api(admin, "GET", f"/{noun}?limit={MAX_PAGE + 1}", token=token)
        assert (fits.status_code, more.status_code) == (200, 400), noun


@pytest.mark.attack("DS-14", "MT-04")
@pytest.mark.promise("P13")
async def test_figures_do_not_grow_with_what_strangers_send(house: House) -> None:
    await house.http.get(f"{house.issuer}/nothing")
    first = (await house.http.get(f"{house.issuer}/metrics")).text
    for n in range(60):
        await house.http.get(f"{house.issuer}/made-up-{n}")
        await house.http.get(f"{house.issuer}/api/v1/agents/made-up-{n}")
        await house.http.request(f"MADEUP{n}", f"{house.issuer}/token")
        await house.http.post(f"{house.issuer}/mcp/made-up-{n}", content=b"{}")
    after = (await house.http.get(f"{house.issuer}/metrics")).text
    assert "made-up" not in after
    assert "MADEUP" not in after
    assert len(after.splitlines()) < len(first.splitlines()) + 6 * 30
    again = (await house.http.get(f"{house.issuer}/metrics")).text
    assert len(again.splitlines()) <= len(after.splitlines()) + 6
    assert house["admin"].id not in after
