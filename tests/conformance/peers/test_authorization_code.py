"""A strict client of another make (npm oauth4webapi) signs a person in without a special case."""

import asyncio
import dataclasses
import json
import os
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio
import uvicorn

from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.authorizing import BACK, AuthorizingWorld
from support.oauth import OPTIONS, claims_in

BIN = Path(sys.executable).parent


@pytest_asyncio.fixture
async def served(sqlite_uow: SqlUnitOfWork) -> AsyncIterator[AuthorizingWorld]:
    """The real application on a real socket, with the real time."""
    socket = uvicorn.Config("", port=0).bind_socket()
    issuer = f"http://127.0.0.1:{socket.getsockname()[1]}"
    world = AuthorizingWorld(sqlite_uow, options=dataclasses.replace(OPTIONS, issuer=issuer))
    world.clock.wall = datetime.now(UTC)
    await world.populate()
    server = uvicorn.Server(uvicorn.Config(world.app, log_level="error", lifespan="off"))
    running = asyncio.create_task(server.serve(sockets=[socket]))
    yield world
    server.should_exit = True
    await running


@pytest.mark.needs("npm oauth4webapi")
@pytest.mark.spec("RFC 6749", "4.1")
@pytest.mark.spec("RFC 7636", "4")
@pytest.mark.spec("RFC 9126", "2")
@pytest.mark.spec("RFC 9207", "2")
@pytest.mark.req("R26", "N24")
async def test_a_strict_client_signs_a_person_in(served: AuthorizingWorld, peers: Path) -> None:
    world, person = served, await served.sign_in()
    told = {
        "issuer": world.options.issuer,
        "resource": world.options.mcp("business"),
        "client_id": "cli_strict",
        "redirect_uri": BACK,
        "cookie": person.cookie,
    }
    process = await asyncio.create_subprocess_exec(
        BIN / "node",
        Path(__file__).with_name("authorization_code.mjs"),
        env={**os.environ, "PEERS": str(peers)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await asyncio.wait_for(process.communicate(json.dumps(told).encode()), timeout=60)
    assert process.returncode == 0, errors.decode()
    found = json.loads(output)
    assert found["tokens"]["token_type"] == "dpop"
    claims = claims_in(found["renewed"]["access_token"])
    assert claims["sub"] == world.actors["ana"].id
    assert claims["act"]["sub"].endswith(world.clients["strict"].principal)
    assert found["renewed"]["refresh_token"] != found["tokens"]["refresh_token"]
    assert found["refusal"] == {"error": "invalid_grant", "status": 400}
