"""Routes that are found by the first parts of a path: what a plain router over all of them would find."""

import random

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from remit.surface.web.routing import Signpost

PATHS = (
    "/", "/token", "/{any}", "/api/v1/tasks", "/api/v1/tasks/{task}", "/api/v1/tasks/{task}/end",
    "/api/v1/{noun}", "/api/{rest:path}", "/fga/stores/{store}/check", "/fga/stores", "/t/{name}/x-{mark}",
    "/api/v1/tasks/new", "/a/b/c/d/e", "/a/b/{c}/d", "/a/b/c-{d}",
)  # fmt: skip
ASKED = (
    "/", "//", "/token", "/token/", "/api/v1/tasks", "/api/v1/tasks/", "/api/v1/tasks/new", "/api/v1/tasks/7",
    "/api/v1/tasks/7/end", "/api/v1/x", "/api", "/api/", "/api/v2/y/z", "/fga/stores", "/fga/stores/s/check",
    "/fga/stores/s", "/t/n/x-1", "/t/n/x-", "/a/b/c/d/e", "/a/b/c/d", "/a/b/c-1", "/a/b", "/a//b/c",
    "/nowhere",
)  # fmt: skip


def route(path: str, methods: list[str]) -> Route:
    async def answer(request: Request) -> Response:
        return PlainTextResponse(f"{path} {methods} {sorted(request.path_params.items())}")

    return Route(path, answer, methods=methods)


async def nothing(_scope: Scope, _receive: Receive, send: Send) -> None:
    await PlainTextResponse("nothing here", status_code=404)(_scope, _receive, send)


async def told(app: ASGIApp, path: str, method: str) -> list[Message]:
    heard: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    async def send(message: Message) -> None:
        heard.append(message)

    scope: Scope = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(), "root_path": "",
        "query_string": b"", "headers": [],
    }  # fmt: skip
    await app(scope, receive, send)
    return heard


@pytest.mark.parametrize("seed", range(12))
async def test_every_path_gets_the_answer_of_a_router_over_all_routes(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 — a test, not a secret
    routes: list[Route | Mount] = [
        route(path, dice.choice((["GET"], ["POST"], ["PUT", "POST"]))) for path in dice.choices(PATHS, k=18)
    ]
    if seed % 3 == 0:
        routes.insert(dice.randrange(len(routes)), Mount("/api/v1", app=nothing))
    plain, found = Router(routes, redirect_slashes=False, default=nothing), Signpost(routes, default=nothing)
    for path in ASKED:
        for method in ("GET", "POST", "HEAD", "DELETE"):
            assert await told(found, path, method) == await told(plain, path, method), (path, method)
