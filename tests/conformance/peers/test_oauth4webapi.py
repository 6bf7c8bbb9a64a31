"""A strict client of another make (npm oauth4webapi) accepts our answers without a special case."""

import asyncio
import dataclasses
import json
import os
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import uvicorn

from remit.kernel.canonical import b64u
from remit.kernel.jose.algorithms import Algorithm
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.oauth import OPTIONS, World

BIN = Path(sys.executable).parent


@pytest_asyncio.fixture
async def served(sqlite_uow: SqlUnitOfWork) -> AsyncIterator[World]:
    """The real application on a real socket, with the real time."""
    socket = uvicorn.Config("", port=0).bind_socket()
    issuer = f"http://127.0.0.1:{socket.getsockname()[1]}"
    world = World(sqlite_uow, options=dataclasses.replace(OPTIONS, issuer=issuer))
    world.clock.wall = datetime.now(UTC)
    await world.populate()
    server = uvicorn.Server(uvicorn.Config(world.app, log_level="error", lifespan="off"))
    running = asyncio.create_task(server.serve(sockets=[socket]))
    yield world
    server.should_exit = True
    await running


@pytest.mark.needs("npm oauth4webapi")
@pytest.mark.spec("RFC 6749", "5.1")
@pytest.mark.spec("RFC 8693", "2.2.1")
@pytest.mark.req("R26", "N24")
async def test_a_strict_client_goes_the_whole_way(served: World, peers: Path) -> None:
    world = served
    agent = world.actors["calendar-bot"].principal.parent
    assert agent is not None
    actor = await world.instance("strict", agent, algorithm=Algorithm.ES256)
    found = await converse(
        peers,
        {
            "issuer": world.options.issuer,
            "resource": world.options.mcp("business"),
            "client_id": actor.id,
            "kid": actor.kid,
            "jwk": {**actor.key.public.jwk(), "d": b64u(actor.key.export().reveal())},
            "envelope": world.envelope,
        },
    )
    assert found["own"]["token_type"] == "dpop"
    assert found["task"]["issued_token_type"] == "urn:ietf:params:oauth:token-type:access_token"
    assert found["before"]["active"] is True
    assert found["before"]["act"]["sub"].endswith(actor.id)
    assert found["before"]["sub"] == world.actors["ana"].id
    assert found["after"] == {"active": False}
    assert (found["refusal"]["error"], found["refusal"]["status"]) == ("invalid_scope", 400)
    assert found["described"]["authorization_servers"] == [world.options.issuer]


async def converse(peers: Path, told: dict[str, Any]) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        BIN / "node",
        Path(__file__).with_name("oauth4webapi.mjs"),
        env={**os.environ, "PEERS": str(peers)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await asyncio.wait_for(process.communicate(json.dumps(told).encode()), timeout=60)
    assert process.returncode == 0, errors.decode()
    return dict(json.loads(output))
