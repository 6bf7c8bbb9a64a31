"""What serves everything under a first part: found at once, counted under that part, given the whole path."""

import secrets

import httpx2
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from remit.platform.settings.options import HttpOptions
from remit.platform.telemetry.metrics import Metrics
from remit.surface.web.app import build_app
from support.surface import ISSUER


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    request = Request(scope, receive)
    await PlainTextResponse(f"{request.url.path} {scope.get('root_path', '')}")(scope, receive, send)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/mcp/business", True),
        ("/mcp/", True),
        ("/mcp/a/b", True),
        ("/mcp", False),
        ("/mcpx/business", False),
        ("/mcp2", False),
        ("/x/mcp/business", False),
        ("/", False),
    ],
)
async def test_only_what_is_below_is_served_and_it_sees_its_whole_path(path: str, found: bool) -> None:
    metrics = Metrics()
    app = build_app(
        [],
        options=HttpOptions(),
        issuer=ISSUER,
        metrics=metrics,
        entropy=secrets.token_bytes,
        below={"/mcp": echo},
    )
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=ISSUER) as client:
        answer = await client.get(path)
    assert (answer.status_code == 200) is found
    assert answer.headers["x-frame-options"] == "DENY"
    told = metrics.render()[0].decode()
    assert ('route="/mcp"' in told) is found
    if found:
        assert answer.text == f"{path} "
