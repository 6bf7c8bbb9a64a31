"""The header `Txn-Token` at the gateway: one, verified, passed on as it came, never in a token's place."""

from pathlib import Path

import httpx2
import pytest

from support.composed import beside, populated
from support.house import House
from support.upstreams import scripted

HEADER = "Txn-Token"
TXN_TOKEN = "urn:ietf:params:oauth:token-type:txn_token"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"


async def call(house: House, token: str, *transactions: str, name: str = HEADER) -> httpx2.Response:
    """One call of the scripted server's tool."""
    who = house["calendar-bot"]
    url, body, headers = house.call_request(who, token, "act", {"item": "x"}, server="slow")
    lines = [*headers.items(), *((name, each) for each in transactions)]
    return await house.http.post(url, content=body, headers=lines)


async def token_and_transaction(house: House, purpose: str = "scheduling") -> tuple[str, str]:
    """A task's token for the scripted server, and what is told about that task."""
    who = house["calendar-bot"]
    started = await house.task("calendar-bot", purpose=purpose)
    token = await house.exchange(who, started.envelope, server="slow")
    told = await house.ask_token(
        who,
        grant_type=EXCHANGE,
        requested_token_type=TXN_TOKEN,
        audience=house.services.ground.settings.trust_domain,
        scope="slow/rooms.read",
        subject_token=token,
        subject_token_type=ACCESS_TOKEN,
    )
    return token, told


@pytest.mark.spec("draft-ietf-oauth-transaction-tokens-10", "6")
@pytest.mark.attack("TX-09")
async def test_it_goes_along_as_it_came_and_opens_nothing(tmp_path: Path) -> None:
    chosen = {"oauth.transaction_tokens": True}
    async with populated(tmp_path / "data", chosen=chosen) as house, scripted() as upstream:
        await beside(house, upstream)
        token, told = await token_and_transaction(house)
        assert (await call(house, token, told)).status_code == 200
        (headers, _, _) = upstream.calls[-1]
        assert headers["txn-token"] == [told]
        assert token not in str(headers)
        hits = len(upstream.calls)
        # Two are two answers to one question; another task's, a forged one or a token of access is none.
        _, other = await token_and_transaction(house)
        for wrong in ((told, told), (other,), (told[:-4] + "AAAA",), (token,)):
            answer = await call(house, token, *wrong)
            assert answer.status_code in {400, 401}, answer.text
        # It is no token of access, in whatever scheme.
        for scheme in ("DPoP", "Bearer"):
            who = house["calendar-bot"]
            url, body, lines = house.call_request(who, told, "act", {"item": "x"}, server="slow")
            shown = {**lines, "Authorization": f"{scheme} {told}"}
            answer = await house.http.post(url, content=body, headers=shown)
            assert answer.status_code == 401
        assert len(upstream.calls) == hits
        assert (await call(house, token)).status_code == 200
        assert "txn-token" not in upstream.calls[-1][0]


async def test_what_nobody_verifies_goes_no_further(tmp_path: Path) -> None:
    async with populated(tmp_path / "data") as house, scripted() as upstream:
        await beside(house, upstream)
        started = await house.task("calendar-bot")
        token = await house.exchange(house["calendar-bot"], started.envelope, server="slow")
        assert (await call(house, token, "whatever")).status_code == 200
        assert "txn-token" not in upstream.calls[-1][0]
