"""The public MCP conformance suite for authorization servers, against ours; a person plays its browser."""

import asyncio
import dataclasses
import os
import re
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest
import uvicorn

from remit.authority.oauth.clients.registration import ApplicationType, AuthMethod
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.absent import absent
from support.authorizing import AuthorizingWorld, SignedIn
from support.oauth import OPTIONS
from support.ports import free_port

SUITE = "@modelcontextprotocol/conformance@0.2.0-alpha.12"
NPX = Path(__file__).parents[3] / ".venv" / "bin" / "npx"


async def answer(world: AuthorizingWorld, person: SignedIn, url: str) -> None:
    """Open the page that the suite names, say yes, and follow the answer back to it."""
    async with httpx2.AsyncClient(trust_env=False) as browser:
        headers = {"cookie": person.cookie}
        begun = await browser.get(url, headers=headers)
        page = f"{world.options.issuer}{begun.headers['location']}"
        shown = (await browser.get(page, headers=headers)).text
        csrf = re.search(r'name="csrf" value="([0-9a-f]{64})"', shown)
        assert csrf is not None, shown
        said = await browser.post(
            page,
            data={"csrf": csrf.group(1), "answer": "allow"},
            headers={**headers, "origin": world.options.issuer},
        )
        await browser.get(said.headers["location"])


async def plain_client(world: AuthorizingWorld, back: str) -> None:
    """The suite's client: without a key, and without proofs, as most MCP clients are today."""
    agent = world.actors["calendar-bot"].principal.parent
    assert agent is not None
    instance = await world.instance("suite", agent, attributes=(("token_binding", "bearer"),))
    await world.register(
        "suite",
        instance.principal.id,
        auth_method=AuthMethod.NONE,
        application_type=ApplicationType.NATIVE,
        redirect_uris=(back,),
        dpop_bound=False,
    )


async def run(world: AuthorizingWorld, port: int, folder: Path) -> str:
    """What the suite says in the end."""
    person = await world.sign_in()
    options = {
        "--url": world.options.issuer,
        "--client-id": world.clients["suite"].client_id,
        "--resource": world.options.mcp("business"),
        "--port": str(port),
        "--output-dir": str(folder),
    }
    process = await asyncio.create_subprocess_exec(
        *(str(NPX), "--yes", SUITE, "authorization", *(part for pair in options.items() for part in pair)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "PATH": f"{NPX.parent}:{os.environ['PATH']}"},
    )
    assert process.stdout is not None
    said, opened = "", set[str]()
    async for line in process.stdout:
        text = line.decode()
        said += text
        for url in re.findall(r"https?://\S+/authorize\?\S+", text):
            if url not in opened:
                opened.add(url)
                await answer(world, person, url)
    await process.wait()
    return said


@pytest.mark.needs("npm")
@pytest.mark.req("N34")
@pytest.mark.timeout(300)
async def test_the_public_suite_accepts_the_authorization_server(
    sqlite_uow: SqlUnitOfWork, tmp_path: Path
) -> None:
    if not NPX.exists():
        absent("npx is not here")
    socket = uvicorn.Config("", port=0).bind_socket()
    issuer = f"http://127.0.0.1:{socket.getsockname()[1]}"
    world = AuthorizingWorld(sqlite_uow, options=dataclasses.replace(OPTIONS, issuer=issuer))
    world.clock.wall = datetime.now(UTC)
    await world.populate()
    port = free_port()
    await plain_client(world, f"http://127.0.0.1:{port}/callback")
    server = uvicorn.Server(uvicorn.Config(world.app, log_level="error", lifespan="off"))
    running = asyncio.create_task(server.serve(sockets=[socket]))
    try:
        said = await run(world, port, tmp_path)
    finally:
        server.should_exit = True
        await running
    if "Running test" not in said:
        absent("the public suite can't be fetched")
    assert "authorization-server-metadata-endpoint: 1 passed, 0 failed" in said, said
    assert "authorization-code-grant: 1 passed, 0 failed" in said, said
