"""The outermost door: a request id, a span, a figure, and the last word on every error."""

import asyncio
import re
import time
from collections.abc import Awaitable
from typing import Final

import structlog
from opentelemetry.trace import SpanKind
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from remit.kernel.canonical import b64u
from remit.kernel.entropy import NAME_BYTES
from remit.kernel.errors import Unavailable
from remit.kernel.ids import Entropy
from remit.platform.telemetry.logging import REQUEST
from remit.platform.telemetry.metrics import OTHER, Metrics
from remit.platform.telemetry.spans import Attribute, Span
from remit.platform.telemetry.tracing import opened
from remit.surface.web.errors import foreign_error, problem_response, status_of

REQUEST_ID: Final = "remit.request_id"
"""Where the id of a request stands in its scope."""
_SERVER_ERROR: Final = 500
_ID_BYTES: Final = 16
_HEADER: Final = b"remit-request-id"

_log = structlog.stdlib.get_logger("remit.surface.web")


_ECHOING: Final = "/access/v1/"
"""Below it a request's `X-Request-ID` comes back with the answer, whatever that is (AuthZEN 1.0 §10.1.3)."""
_GIVEN: Final = b"x-request-id"
_PLAIN_ID: Final = re.compile(rb"[\x21-\x7e]{1,128}")


def _given_id(scope: Scope) -> bytes:
    """The caller's own id of the request; empty if there is none, or it is no plain word."""
    found = next((value for name, value in scope["headers"] if name == _GIVEN), b"")
    return found if _PLAIN_ID.fullmatch(found) else b""


class _Answer:
    """A `send` that adds the request id and remembers the status."""

    def __init__(self, send: Send, *, request_id: str) -> None:
        self._send = send
        self.request_id = request_id
        self.status = 0
        self.echo = b""
        """What the caller calls the request by, where the protocol wants it back."""

    def __call__(self, message: Message) -> Awaitable[None]:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            lines = message.get("headers")
            if type(lines) is list and _HEADER not in [name for name, _ in lines]:
                message["headers"] = [*lines, (_HEADER, self.request_id.encode())]
            else:
                MutableHeaders(scope=message)["remit-request-id"] = self.request_id
            if self.echo:
                message["headers"] = [*message["headers"], (_GIVEN, self.echo)]
        return self._send(message)


class Stopping(Unavailable):
    """The process ends before this request could be answered."""

    code = "stopping"


class Observation:
    """Nothing escapes it: what is raised becomes a problem document, and what is unknown a 500 with an id."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, entropy: Entropy, resource: str) -> None:
        self._app = app
        self._resource = resource
        self._metrics = metrics
        self._entropy = entropy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, whatever happens inside."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = _Answer(send, request_id=f"req_{b64u(self._entropy(NAME_BYTES)[:_ID_BYTES])}")
        if scope["path"].startswith(_ECHOING):
            answer.echo = _given_id(scope)
        scope[REQUEST_ID] = answer.request_id
        started, before = time.perf_counter(), REQUEST.set(answer.request_id)
        with opened(Span.HTTP_REQUEST, kind=SpanKind.SERVER) as span:
            try:
                await self._app(scope, receive, answer)
            except asyncio.CancelledError:
                await self._cut(scope, receive, answer)
            except Exception as raised:  # noqa: BLE001 — the one outer handler: every error gets an answer
                await self._refuse(raised, scope, receive, answer)
            finally:
                self._count(scope, answer, time.perf_counter() - started)
                if span.is_recording():
                    span.set_attributes(_attributes(scope, answer))
                REQUEST.reset(before)

    def _count(self, scope: Scope, answer: _Answer, seconds: float) -> None:
        self._metrics.request(
            method=scope["method"], route=route_of(scope), status=answer.status, seconds=seconds
        )

    async def _cut(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        """The process ends, and this request had its time: say so; a stream is left without its end."""
        _log.info("surface.request.cut", route=route_of(scope), status=answer.status)
        if not answer.status:
            error = Stopping(
                "the server is stopping before it could answer", next_step="ask again in a moment"
            )
            await problem_response(error, resource=self._resource, request_id=answer.request_id)(
                scope, receive, answer
            )

    async def _refuse(self, raised: Exception, scope: Scope, receive: Receive, answer: _Answer) -> None:
        error = foreign_error(raised)
        status = status_of(error)
        if status >= _SERVER_ERROR and error.kind == "unavailable":
            _log.error("surface.request.failed", code=error.code, route=route_of(scope), debug=error.debug)
        elif status >= _SERVER_ERROR:
            _log.error("surface.request.failed", code=error.code, route=route_of(scope), exc_info=raised)
        else:
            _log.info("surface.request.refused", code=error.code, route=route_of(scope), status=status)
        if answer.status:
            raise raised  # the head is out: only closing the connection can still say that something failed
        await problem_response(error, resource=self._resource, request_id=answer.request_id)(
            scope, receive, answer
        )


def _attributes(scope: Scope, answer: _Answer) -> dict[str, str | int]:
    return {
        Attribute.ROUTE: route_of(scope),
        Attribute.METHOD: scope["method"],
        Attribute.STATUS: answer.status,
        Attribute.REQUEST: answer.request_id,
    }


def route_of(scope: Scope) -> str:
    """The template that matched (`/api/v1/agents/{agent}`), never the path itself."""
    return str(getattr(scope.get("route"), "path", OTHER))
