"""A strict client of another make (npm oauth4webapi) asks a person behind the scenes."""

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

from remit.kernel.canonical import b64u
from remit.kernel.jose.algorithms import Algorithm
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.backchannel import BackchannelWorld
from support.oauth import OPTIONS, claims_in

BIN = Path(sys.executable).parent


@pytest_asyncio.fixture
async def served(sqlite_uow: SqlUnitOfWork) -> AsyncIterator[BackchannelWorld]:
    """The real application on a real socket, with the real time."""
    socket = uvicorn.Config("", port=0).bind_socket()
    issuer = f"http://127.0.0.1:{socket.getsockname()[1]}"
    world = BackchannelWorld(sqlite_uow, options=dataclasses.replace(OPTIONS, issuer=issuer))
    world.clock.wall = datetime.now(UTC)
    await world.populate()
    server = uvicorn.Server(uvicorn.Config(world.app, log_level="error", lifespan="off"))
    running = asyncio.create_task(server.serve(sockets=[socket]))
    yield world
    server.should_exit = True
    await running


@pytest.mark.needs("npm oauth4webapi")
@pytest.mark.req("R68", "R69")
@pytest.mark.spec("CIBA Core", "7.3")
@pytest.mark.spec("CIBA Core", "10.1.1")
@pytest.mark.spec("CIBA Core", "11")
async def test_a_strict_client_gets_its_tokens_once_the_person_has_answered(
    served: BackchannelWorld, peers: Path
) -> None:
    world, person = served, await served.sign_in()
    agent = world.actors["calendar-bot"].principal.parent
    assert agent is not None
    actor = await world.instance("strict", agent, algorithm=Algorithm.ES256)
    told = {
        "issuer": world.options.issuer,
        "resource": world.options.mcp("business"),
        "client_id": actor.id,
        "kid": actor.kid,
        "jwk": {**actor.key.public.jwk(), "d": b64u(actor.key.export().reveal())},
        "person": world.actors["ana"].id,
        "cookie": person.cookie,
    }
    process = await asyncio.create_subprocess_exec(
        BIN / "node",
        Path(__file__).with_name("backchannel.mjs"),
        env={**os.environ, "PEERS": str(peers)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await asyncio.wait_for(process.communicate(json.dumps(told).encode()), timeout=60)
    assert process.returncode == 0, errors.decode()
    found = json.loads(output)
    assert found["as"]["backchannel_authentication_endpoint"] == f"{world.options.issuer}/bc-authorize"
    assert found["first"] == {"error": "authorization_pending", "status": 400}
    assert found["second"] == {"error": "slow_down", "status": 400}
    tokens = found["third"]["tokens"]
    assert tokens["token_type"] == "dpop"
    assert claims_in(tokens["access_token"])["sub"] == world.actors["ana"].id
    assert found["third"]["claims"]["aud"] == actor.id
    assert found["fourth"] == {"error": "invalid_grant", "status": 400}
