"""OA-29: a token in an address opens nothing (OAuth 2.1 §5.1.1), and is found in no log that we write."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TextIO
from urllib.parse import parse_qs, quote

import httpx2
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from remit.platform.storage.unit_of_work import SqlUnitOfWork
from remit.surface.web.assembly import application
from support.composed import populated
from support.gateway import modern, modern_headers
from support.governed import logged
from support.house import BOOKING, House
from support.sessions import Held, SessionWorld


class InAddresses:
    """RFC 6750 §2.3 as it was: a token in the query is as good as in the header; with a log of addresses."""

    def __init__(self, app: ASGIApp, log: TextIO) -> None:
        self._app = app
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = parse_qs(scope.get("query_string", b"").decode()).get("access_token")
        if found:
            self._log.write(f"{scope['path']}?{scope['query_string'].decode()}\n")
            line = (b"authorization", f"DPoP {found[0]}".encode())
            scope = {**scope, "query_string": b"", "headers": [*scope["headers"], line]}
        await self._app(scope, receive, send)


Asked = Callable[[str, dict[str, str]], Awaitable[httpx2.Response]]
"""Asks one resource, with this behind its address and these headers."""


async def doors(house: House) -> dict[str, tuple[str, Asked, Callable[[], str]]]:
    """API and gateway: a token that opens it, how it is asked, and a fresh proof for the token."""
    bot, started = house["calendar-bot"], await house.task("calendar-bot")
    person, delegated = house["user"], await house.exchange(bot, started.envelope)
    own = await house.own_token(person)
    api, mcp = f"{house.issuer}/api/v1/tasks", f"{house.issuer}/mcp/business"
    message = modern("tools/call", {"name": "rooms_book", "arguments": dict(BOOKING)}, meta={})

    async def list_tasks(behind: str, lines: dict[str, str]) -> httpx2.Response:
        return await house.http.get(f"{api}{behind}", headers=lines)

    async def call(behind: str, lines: dict[str, str]) -> httpx2.Response:
        usual = {
            **modern_headers("tools/call", "rooms_book"),
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
            "Remit-Envelope": started.envelope,
        }
        content = json.dumps(message).encode()
        return await house.http.post(f"{mcp}{behind}", content=content, headers={**usual, **lines})

    return {
        "api": (own, list_tasks, lambda: person.proof("GET", api, own)),
        "gateway": (delegated, call, lambda: bot.proof("POST", mcp, delegated)),
    }


async def shown_in_the_address(token: str, ask: Asked, proof: Callable[[], str]) -> list[httpx2.Response]:
    """The token in each place of the address, with a good proof for it beside."""
    return [
        await ask(f"?{name}={quote(token)}", {"DPoP": proof()})
        for name in ("access_token", "token", "authorization", "access%5Ftoken")
    ]


@pytest.mark.attack("OA-29")
@pytest.mark.promise("P14")
async def test_api_and_gateway_take_no_token_from_an_address(tmp_path: Path) -> None:
    with logged() as log:
        async with populated(tmp_path / "data") as house:
            for name, (token, ask, proof) in (await doors(house)).items():
                for answer in await shown_in_the_address(token, ask, proof):
                    assert answer.status_code == 401, (name, answer.text)
                    assert token not in answer.text
                    assert token not in str(answer.headers)
                if name == "gateway":
                    assert house.hits == []
                lines = {"Authorization": f"DPoP {token}", "DPoP": proof()}
                assert (await ask("", lines)).status_code == 200, name
                assert_kept(log.getvalue(), token)
    assert "surface.request.refused" in log.getvalue()


@pytest.mark.twin("OA-29")
async def test_where_addresses_are_read_for_tokens_they_open_and_are_kept(tmp_path: Path) -> None:
    with logged() as log:
        how: Any = {"make_app": lambda services: InAddresses(application(services), log)}
        async with populated(tmp_path / "data", **how) as house:
            for token, ask, proof in (await doors(house)).values():
                answers = await shown_in_the_address(token, ask, proof)
                assert [answer.status_code for answer in answers] == [200, 401, 401, 200]
                with pytest.raises(AssertionError):
                    assert_kept(log.getvalue(), token)
            assert len(house.hits) == 2


def assert_kept(log: str, token: str) -> None:
    """Neither the token, nor what would tell it from others, is in the log."""
    assert token not in log
    assert quote(token) not in log
    assert token.rpartition(".")[2] not in log


@pytest.fixture
async def held(sqlite_uow: SqlUnitOfWork) -> Held:
    return await Held(await SessionWorld(sqlite_uow).populate()).gather()


async def ask_userinfo(held: Held, behind: str, lines: dict[str, str]) -> httpx2.Response:
    return await held.world.http.post(f"/userinfo{behind}", headers=lines)


@pytest.mark.attack("OA-29")
async def test_userinfo_and_introspection_take_none_either(held: Held) -> None:
    world, token = held.world, held.wiki["access_token"]
    with logged() as log:
        for name in ("access_token", "token"):
            proof = world.device_proof("/userinfo", access_token=token)
            answer = await ask_userinfo(held, f"?{name}={token}", {"dpop": proof})
            assert answer.status_code == 401
            assert token not in answer.text
        for path in ("/introspect", "/revoke"):
            answer = await world.post(f"{path}?token={token}", world.form("web"))
            assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
            assert (await world.http.get(f"{path}?token={token}")).status_code == 405
        assert_kept(log.getvalue(), token)
        assert "surface.request.refused" in log.getvalue()
    assert await held.userinfo(), "nothing was revoked by it"


@pytest.mark.twin("OA-29")
async def test_userinfo_would_answer_to_an_address(held: Held) -> None:
    world, token = held.world, held.wiki["access_token"]
    with logged() as log:
        world.wrap(lambda app: InAddresses(app, log))
        proof = world.device_proof("/userinfo", access_token=token)
        answer = await ask_userinfo(held, f"?access_token={token}", {"dpop": proof})
        assert answer.status_code == 200
        with pytest.raises(AssertionError):
            assert_kept(log.getvalue(), token)
