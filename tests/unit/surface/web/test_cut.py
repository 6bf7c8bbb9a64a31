"""What the end of the process cuts off still gets an answer, and never a traceback."""

import asyncio
import json
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from remit.platform.telemetry.metrics import Metrics
from remit.surface.web.observation import Observation


async def cut(*, begun: bool) -> list[Message]:
    """Cancel a request while it is answered, as a server does at the end of its patience."""
    sent: list[Message] = []
    inside = asyncio.Event()

    async def held(_scope: Scope, _receive: Receive, send: Send) -> None:
        if begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        inside.set()
        await asyncio.Event().wait()

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    app = Observation(held, metrics=Metrics(), entropy=bytes, resource="https://remit.company.com/api")
    scope: dict[str, Any] = {"type": "http", "method": "POST", "path": "/", "headers": []}
    request = asyncio.create_task(app(scope, receive, send))
    await inside.wait()
    request.cancel()
    await request
    return sent


async def test_a_request_that_is_cut_off_is_told_so() -> None:
    head, body = await cut(begun=False)
    assert head["status"] == 503
    told = json.loads(body["body"])
    assert told["code"] == "stopping"
    assert told["next"] == "ask again in a moment"


async def test_an_answer_that_has_begun_gets_no_false_end() -> None:
    sent = await cut(begun=True)
    assert [each["type"] for each in sent] == ["http.response.start"]
