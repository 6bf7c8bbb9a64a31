"""Remit with one more door, for goal 5 alone: `POST /authorize` is one whole authorization and nothing else.

The gateway's own steps up to the point where it would forward: token, proof of possession, mapping of the
arguments, decision, capability, durable record. All of it is the product's code; only this door is not.
"""

import argparse
import asyncio
import secrets
from pathlib import Path
from typing import Any

import msgspec
import uvicorn
import uvloop

from remit.app.bindings.doors import Doorman
from remit.app.bootstrap import prepare_directory
from remit.app.run import running
from remit.app.services import Services
from remit.decision.request import ProposedCall
from remit.decision.response import Decision
from remit.enforcement.mcp.mapping import meaning_of_tool
from remit.enforcement.pep.decider import Presented
from remit.identity.tools import Server, Tool
from remit.kernel.canonical import sha256
from remit.kernel.ids import CallId, mint_id
from remit.platform.settings.load import load
from remit.surface.web.assembly import application


class Asked(msgspec.Struct):
    """Which tool with which arguments; the bytes of the arguments are what is digested."""

    tool: str
    arguments: msgspec.Raw


class Authorizer:
    """The product's application, and the one door before it."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._clock = services.ground.clock
        self._doorman = Doorman(verifier=services.verifier)
        self._app = application(services)
        self._known: dict[str, tuple[Server, Tool]] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"] != "/authorize":
            await self._app(scope, receive, send)
            return
        body = b""
        more = True
        while more:
            part = await receive()
            body, more = body + part.get("body", b""), part.get("more_body", False)
        decision = await self.authorize(dict(scope["headers"]), body)
        answer = msgspec.json.encode(
            {
                "effect": decision.verdict.effect,
                "decision": decision.id,
                "capability": decision.capability_token,
            }
        )
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    async def authorize(self, headers: dict[bytes, bytes], body: bytes) -> Decision:
        """Verify, map, decide, record."""
        scheme, _, token = headers[b"authorization"].decode().partition(" ")
        resource = f"{self._services.ground.issuer}/mcp/business"
        subject = await self._doorman.verify(
            Presented(
                scheme=scheme, token=token, proof=headers[b"dpop"].decode(), envelope="", method="POST",
                url=resource, audience=resource,
            )
        )  # fmt: skip
        asked = msgspec.json.decode(body, type=Asked)
        server, tool = self._tool(asked.tool)
        raw = bytes(asked.arguments)
        arguments = msgspec.json.decode(raw)
        meaning = meaning_of_tool(server, tool, arguments)
        now = self._clock.now()
        return await self._services.decisions.decide(
            ProposedCall(
                call=CallId(mint_id("call", at=now, entropy=secrets.token_bytes)),
                subject=subject, server=server.id, method="tools/call", action=meaning.action,
                resource=meaning.resource, tool=tool, arguments=arguments, raw_arguments=raw,
                arguments_digest=sha256(raw), money=meaning.money, consequential=meaning.consequential,
                at=now,
            )
        )  # fmt: skip

    def _tool(self, name: str) -> tuple[Server, Tool]:
        snapshot = self._services.ground.snapshots.current()
        server = next(each for each in snapshot.servers.values() if each.name == "business")
        return server, next(each for each in snapshot.tools.values() if each.name == name)


async def serve(data: Path, port: int) -> None:
    """As `remit up` serves, with the door."""
    settings = load(file=None, environ={}, flags={"data": str(data), "http.port": port})
    prepare_directory(settings)
    async with running(settings) as services:
        config = uvicorn.Config(
            Authorizer(services), host="127.0.0.1", port=port, log_level="warning", access_log=False,
            server_header=False, date_header=False, lifespan="off", http="httptools",
            proxy_headers=False,
        )  # fmt: skip
        await uvicorn.Server(config).serve()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    chosen = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(chosen.data, chosen.port))
