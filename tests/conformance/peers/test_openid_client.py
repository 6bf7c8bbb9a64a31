"""Strict OpenID Connect clients of another make sign a person in, learn who it is, and sign them out."""

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

from remit.authority.oauth.endpoints.end_session import EndSessionEndpoint
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.keys import KeyClass
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from remit.surface.web.pages.end_session import EndSessionPages
from remit.surface.web.pages.mine import Own
from remit.surface.web.pages.paper import Paper
from support.authorizing import BACK, AuthorizingWorld
from support.jose import party
from support.npm import installed
from support.oauth import OPTIONS

BIN = Path(sys.executable).parent
GOODBYE = "https://client.example/goodbye"


@pytest_asyncio.fixture
async def served(sqlite_uow: SqlUnitOfWork) -> AsyncIterator[AuthorizingWorld]:
    """The real application on a real socket, with the real time."""
    socket = uvicorn.Config("", port=0).bind_socket()
    issuer = f"http://127.0.0.1:{socket.getsockname()[1]}"
    world = AuthorizingWorld(
        sqlite_uow,
        options=dataclasses.replace(OPTIONS, issuer=issuer),
        more_keys=[party(KeyClass.ID_TOKEN_RSA, issuer=issuer, algorithm=Algorithm.RS256)],
    )
    world.clock.wall = datetime.now(UTC)
    await world.populate()
    await world.application("wiki", bearer=True, post_logout_redirect_uris=(GOODBYE,))
    own = Own(paper=Paper(issuer=issuer, origin=issuer), door=world.door, name_of=str)
    endpoint = EndSessionEndpoint(uow=sqlite_uow, keys=world.keyring)
    leaving = EndSessionPages(own=own, sessions=world.sessions, endpoint=endpoint, clock=world.clock)
    world.serve(leaving.routes())
    server = uvicorn.Server(uvicorn.Config(world.app, log_level="error", lifespan="off"))
    running = asyncio.create_task(server.serve(sockets=[socket]))
    yield world
    server.should_exit = True
    await running


async def converse(world: AuthorizingWorld, script: str, peers: Path, **metadata: str) -> dict[str, Any]:
    person = await world.sign_in()
    told = {
        "issuer": world.options.issuer,
        "client_id": world.clients["wiki"].client_id,
        "redirect_uri": BACK,
        "goodbye": GOODBYE,
        "cookie": person.cookie,
        "metadata": metadata,
    }
    process = await asyncio.create_subprocess_exec(
        BIN / "node",
        Path(__file__).with_name(script),
        env={**os.environ, "PEERS": str(peers)},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, errors = await asyncio.wait_for(process.communicate(json.dumps(told).encode()), timeout=60)
    assert process.returncode == 0, errors.decode()
    return dict(json.loads(output))


@pytest.mark.needs("npm openid-client")
@pytest.mark.spec("OIDC Core", "3.1")
@pytest.mark.spec("OIDC Core", "5.3")
@pytest.mark.spec("OIDC Discovery", "4")
@pytest.mark.spec("OIDC RP-Initiated Logout", "2")
@pytest.mark.req("R22", "N34")
@pytest.mark.parametrize("algorithm", [Algorithm.ES256, Algorithm.RS256])
async def test_openid_client_goes_from_discovery_to_logout(
    served: AuthorizingWorld, algorithm: Algorithm
) -> None:
    peers = installed("openid-client", "6.8.9").parents[1]
    await served.change("wiki", id_token_alg=algorithm)
    told = {"id_token_signed_response_alg": algorithm}
    found = await converse(served, "openid_client.mjs", peers, **told)
    ana = served.actors["ana"].id
    assert found["claims"]["sub"] == found["told"]["sub"] == found["renewed"]["sub"] == ana
    assert found["told"]["email"] == "user@company.com"
    assert found["renewed"]["auth_time"] == found["claims"]["auth_time"]
    assert found["asked"] == [True, False], "the second time nobody is asked"
    assert found["gone"] == {"status": 303, "location": f"{GOODBYE}?state=a+state"}
    assert found["refusal"] == {"status": 401, "challenge": "invalid_token"}


@pytest.mark.needs("npm oauth4webapi")
@pytest.mark.spec("OIDC Core", "3.1.3.7")
@pytest.mark.spec("OIDC Core", "5.3.4")
@pytest.mark.req("R22")
async def test_oauth4webapi_takes_the_id_token_and_its_signature(
    served: AuthorizingWorld, peers: Path
) -> None:
    found = await converse(served, "openid_oauth4webapi.mjs", peers)
    assert found["claims"]["sub"] == found["told"]["sub"] == served.actors["ana"].id
    assert found["tokens"]["token_type"] == "dpop"
    assert found["tokens"]["scope"] == "openid profile"
