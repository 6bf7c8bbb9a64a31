"""A kill on the older wire (MCP 2025-11-25): the open call is cut, its session answers nobody any more."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from remit.oversight.containment.kill import TargetKind
from support.composed import beside, populated
from support.gateway import LEGACY, legacy
from support.pace import paced
from support.upstreams import scripted

OPENING = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}


@pytest.mark.attack("KS-12")
@pytest.mark.promise("P1")
async def test_a_legacy_call_is_cut_and_its_session_is_challenged(tmp_path: Path) -> None:
    arrived = asyncio.Event()

    async def hang(receive: Any, send: Any, message: dict[str, Any]) -> None:
        arrived.set()
        await asyncio.sleep(120)

    async with populated(tmp_path / "data") as house, scripted(on_call=hang) as upstream:
        await beside(house, upstream)
        started = await house.task("calendar-bot")
        bot = house["calendar-bot"]
        token = await house.exchange(bot, started.envelope, server="slow")
        url = f"{house.issuer}/mcp/slow"

        async def post(message: dict[str, Any], session: str = "") -> Any:
            headers = {
                "Authorization": f"DPoP {token}",
                "DPoP": bot.proof("POST", url, token),
                "Content-Type": "application/json",
                "Accept": "application/json, text/event-stream",
                **({"Mcp-Session-Id": session, "MCP-Protocol-Version": LEGACY} if session else {}),
            }
            return await house.http.post(url, content=json.dumps(message).encode(), headers=headers)

        session = (await post(legacy("initialize", OPENING))).headers["mcp-session-id"]
        call = legacy("tools/call", {"name": "act", "arguments": {"item": "x"}}, ident="c1")
        calling = asyncio.create_task(post(call, session))
        async with asyncio.timeout(30):
            await arrived.wait()
        await house.kill(TargetKind.AGENT, "calendar-bot")
        async with paced() as pace:
            cut = await calling
        assert pace.seconds < 2
        assert cut.status_code == 401
        later = await post(legacy("tools/list"), session)
        assert later.status_code == 401
        challenge = later.headers["www-authenticate"]
        assert challenge.startswith("DPoP ")
        assert 'error="invalid_token"' in challenge
        assert (
            f'resource_metadata="{house.issuer}/.well-known/oauth-protected-resource/mcp/slow"' in challenge
        )
        assert len(upstream.calls) == 1
