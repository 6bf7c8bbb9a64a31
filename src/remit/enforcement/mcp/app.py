"""The ASGI application of `/mcp/<server>`: edge, token, message, answer, in that order."""

import asyncio
import re
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import structlog

from remit.authority.tokens import VerifiedSubject
from remit.enforcement.mcp import inbound
from remit.enforcement.mcp.frames import Message, read_message
from remit.enforcement.mcp.inbound import Edge, Headers, Refused
from remit.enforcement.mcp.pins import ToolRegistry
from remit.enforcement.mcp.reply import KEEP_ALIVE_SECONDS, Responder, Send, challenge, plain
from remit.enforcement.mcp.request import Request
from remit.enforcement.mcp.results import Answer
from remit.enforcement.mcp.sessions import Sessions, SessionUnknown, owner_of
from remit.enforcement.mcp.streams import UNHEARD, Cut, Hangup, HungUp, Later, Watch, listen_for_hangup
from remit.enforcement.mcp.wire import (
    ENVELOPE_HEADER,
    META_ENVELOPE,
    NOTIFICATIONS,
    SESSION_HEADER,
    TRANSACTION_HEADER,
    Code,
    Era,
)
from remit.enforcement.pep.decider import (
    Liveness,
    Presented,
    ScopeMissing,
    TokenVerifier,
    Unauthenticated,
)
from remit.identity.tools import Server
from remit.kernel.canonical import JsonTooLarge, MalformedJson
from remit.kernel.certificate import SCOPE_KEY, PresentedCertificate
from remit.kernel.clock import Clock
from remit.kernel.errors import RemitError
from remit.kernel.ids import CallId

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

_PATH: Final = re.compile(r"/mcp/([A-Za-z0-9][A-Za-z0-9_\-]{0,63})")
_TOKEN: Final = re.compile(r"(DPoP|Bearer) ([A-Za-z0-9._~+/=\-]{1,16384})", re.IGNORECASE)
_READ_SECONDS: Final = 30.0
_TOKEN_ERRORS: Final = {"invalid_token", "invalid_dpop_proof", "use_dpop_nonce"}
_log = structlog.get_logger("remit.enforcement.mcp")


@dataclass(frozen=True, slots=True, kw_only=True)
class AppOptions:
    """`issuer` is the configured base address; audiences and proofs name `<issuer>/mcp/<server>`.

    `scopes` are named in challenges. `streams` is how many exchanges one instance may have open at once.
    """

    issuer: str
    edge: Edge
    scopes: tuple[str, ...] = ()
    streams: int = 32
    transactions: bool = False
    """Whether transaction tokens are verified, and passed on to servers."""


@dataclass(slots=True)
class _Exchange:
    """One HTTP request on its way, as far as it has been understood."""

    scope: Scope
    receive: Receive
    responder: Responder
    headers: Headers
    server: Server
    resource: str
    authorization: tuple[str, str] = ("", "")


class Answering(Protocol):
    """What answers a request that was read and authenticated: `Gateway`, or something around it."""

    async def answer(self, request: Request) -> Answer:
        """Answer one request. Raises `Refused` and `Unauthenticated` for the edge to render."""

    async def refuse(self, request: Request, code: str, sentence: str) -> None:
        """Put on record what the gateway refuses by itself."""

    def call_of(self, message: Message, subject: VerifiedSubject) -> tuple[CallId, str, bool]:
        """The call's id, the key by which its caller may repeat it, and whether the caller brought it."""


class McpApp:
    """Serves every registered server at `/mcp/<name>`."""

    def __init__(
        self,
        *,
        gateway: Answering,
        registry: ToolRegistry,
        verifier: TokenVerifier,
        sessions: Sessions,
        liveness: Liveness,
        clock: Clock,
        options: AppOptions,
    ) -> None:
        self._gateway = gateway
        self._registry = registry
        self._verifier = verifier
        self._sessions = sessions
        self._liveness = liveness
        self._clock = clock
        self._options = options
        self._open: dict[str, int] = {}
        self._cancellable: dict[tuple[str, bytes], Hangup] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request; other kinds of connection are closed."""
        if scope["type"] != "http":
            return
        responder = Responder(send)
        resource = ""
        try:
            headers = inbound.gather(scope["headers"])
            if not self._options.transactions:
                # What nobody here verifies goes no further.
                headers = {name: values for name, values in headers.items() if name != TRANSACTION_HEADER}
            inbound.check_edge(scope["method"], headers, self._options.edge)
            server = self._server(scope["path"])
            resource = f"{self._options.issuer}/mcp/{server.name}"
            exchange = _Exchange(scope, receive, responder, headers, server, resource)
            await self._serve(exchange)
        except HungUp:
            return  # Nobody is there to be answered.
        except Exception as error:  # noqa: BLE001 — the one outer handler: whatever breaks, denies
            await self._tell_error(responder, resource, error)

    def _server(self, path: str) -> Server:
        match = _PATH.fullmatch(path)
        server = None if match is None else self._registry.server(match[1])
        if server is None:
            raise Refused("no such server", status=404)
        return server

    async def _serve(self, exchange: _Exchange) -> None:
        method = exchange.scope["method"]
        legacy = exchange.server.allow_legacy
        if method == "DELETE" and legacy and SESSION_HEADER in exchange.headers:
            return await self._end_session(exchange)
        if method != "POST":
            allowed = "POST, DELETE" if legacy else "POST"
            return await exchange.responder.send(
                *plain(405, "only POST carries a message", ("Allow", allowed), code="method_not_allowed")
            )
        inbound.check_media(exchange.headers)
        exchange.authorization = _authorization(exchange.headers)
        message = read_message(await self._body(exchange))
        exchange.responder.raw_id = message.raw_id or b"null"
        era, version = inbound.era_of(message, exchange.headers, legacy=legacy)
        exchange.responder.era = era
        subject = await self._verify(exchange, message)
        await self._within_limit(exchange, message, era, version, subject)
        return None

    async def _body(self, exchange: _Exchange) -> bytes:
        """The whole body: no more and no less than `Content-Length` said."""
        length = int(exchange.headers["content-length"][0])
        body = bytearray()
        try:
            async with asyncio.timeout(_READ_SECONDS):
                more = True
                while more:
                    part = await exchange.receive()
                    if part["type"] == "http.disconnect":
                        raise HungUp("caller closed the connection")
                    body += part.get("body", b"")
                    more = part.get("more_body", False)
        except TimeoutError as slow:
            raise Refused("body did not arrive in time", status=408, close=True) from slow
        if len(body) != length:
            raise Refused("body is not as long as `Content-Length` says", status=400, close=True)
        return bytes(body)

    async def _verify(self, exchange: _Exchange, message: Message | None) -> VerifiedSubject:
        scheme, token = exchange.authorization
        carried = "" if message is None else message.meta.get(META_ENVELOPE, "")
        envelope = exchange.headers.get(ENVELOPE_HEADER, (carried,))[0]
        subject = await self._verifier.verify(
            Presented(
                scheme=scheme,
                token=token,
                proof=exchange.headers.get("dpop", ("",))[0],
                envelope=envelope if isinstance(envelope, str) else "",
                method=exchange.scope["method"],
                url=exchange.resource,
                audience=exchange.resource,
                certificate=_certificate(exchange.scope),
                transaction=exchange.headers.get(TRANSACTION_HEADER, ("",))[0],
            )
        )
        # RFC 8707 §2: whatever the verifier was asked, a token for another resource ends here.
        if subject.audience != exchange.resource or subject.tenant != exchange.server.tenant:
            raise Unauthenticated("token is for another resource")
        return subject

    async def _within_limit(
        self, exchange: _Exchange, message: Message, era: Era, version: str, subject: VerifiedSubject
    ) -> None:
        if self._open.get(subject.instance, 0) >= self._options.streams:
            raise Refused(f"no more than {self._options.streams} requests can be open at once", status=429)
        self._open[subject.instance] = self._open.get(subject.instance, 0) + 1
        try:
            session = self._session(exchange, message, era, subject)
            if message.is_notification:
                await self._take_notification(exchange, message, era, subject, session)
            else:
                await self._answer(exchange, message, era, version, subject, session)
        finally:
            self._open[subject.instance] -= 1
            if not self._open[subject.instance]:
                del self._open[subject.instance]

    def _session(self, exchange: _Exchange, message: Message, era: Era, subject: VerifiedSubject) -> str:
        """The legacy session this request is in; empty on the modern wire, where the header means nothing."""
        if era is Era.MODERN or message.method == "initialize":
            return ""
        idents = exchange.headers.get(SESSION_HEADER, ())
        if len(idents) != 1:
            raise Refused("`Mcp-Session-Id` must be sent exactly once", status=400)
        return self._sessions.use(idents[0], subject, exchange.server.id, at=self._clock.now()).id

    async def _take_notification(
        self, exchange: _Exchange, message: Message, era: Era, subject: VerifiedSubject, session: str
    ) -> None:
        """Nothing of a notification is forwarded; a legacy one may cancel a request of its own session."""
        if message.method not in NOTIFICATIONS:
            request = self._request(exchange, message, era, "", subject)
            await self._gateway.refuse(request, "method_unknown", "notification is not served here")
            raise Refused("notification is not served here", status=400, rpc=Code.METHOD_NOT_FOUND)
        if message.method == "notifications/cancelled" and session:
            target = self._cancellable.get((session, message.raw_params.get("requestId", b"")))
            if target is not None:
                target.set()
        await exchange.responder.send(202, (), b"")

    async def _answer(
        self,
        exchange: _Exchange,
        message: Message,
        era: Era,
        version: str,
        subject: VerifiedSubject,
        session: str,
    ) -> None:
        responder = exchange.responder
        responder.may_stream = inbound.accepts_stream(exchange.headers)
        if message.method == "subscriptions/listen" and not responder.may_stream:
            raise Refused("a subscription is answered with an event stream", status=406)
        watch = self._watch(subject)
        gone = Hangup()
        self._listen_to_cancellation(message, era, session, gone)
        hangup = Later(UNHEARD, lambda: self._hangup(exchange, era, gone))
        alive = Later(KEEP_ALIVE_SECONDS, responder.keep_alive)
        try:
            request = self._request(exchange, message, era, version, subject)
            answer = await watch.run(self._gateway.answer(request), gone=gone)
            await watch.check()
        except Cut:
            self._sessions.close_of(owner_of(subject))
            raise
        finally:
            hangup.cancel()
            alive.cancel()
            self._cancellable.pop((session, message.raw_id), None)
        await responder.finish(answer, *self._opened(message, era, version, subject, exchange, answer))

    def _watch(self, subject: VerifiedSubject) -> Watch:
        return Watch(subject, self._liveness)

    def _listen_to_cancellation(self, message: Message, era: Era, session: str, gone: Hangup) -> None:
        """On the legacy wire a notification cancels, and only that."""
        if era is Era.LEGACY:
            self._cancellable[session, message.raw_id] = gone

    async def _hangup(self, exchange: _Exchange, era: Era, gone: Hangup) -> None:
        """On the modern wire a closed connection cancels."""
        if era is Era.MODERN:
            await listen_for_hangup(exchange.receive, gone)

    def _opened(
        self,
        message: Message,
        era: Era,
        version: str,
        subject: VerifiedSubject,
        exchange: _Exchange,
        answer: Answer,
    ) -> tuple[tuple[str, str], ...]:
        if era is Era.MODERN or message.method != "initialize" or answer.error is not None:
            return ()
        session = self._sessions.open(subject, exchange.server.id, version, at=self._clock.now())
        return (("Mcp-Session-Id", session.id),)

    def _request(
        self, exchange: _Exchange, message: Message, era: Era, version: str, subject: VerifiedSubject
    ) -> Request:
        call, key, repeated = self._gateway.call_of(message, subject)
        return Request(
            server=exchange.server,
            subject=subject,
            message=message,
            era=era,
            version=version,
            headers=exchange.headers,
            notify=exchange.responder.notify,
            call=call,
            call_key=key,
            repeated=repeated,
        )

    async def _end_session(self, exchange: _Exchange) -> None:
        exchange.authorization = _authorization(exchange.headers)
        subject = await self._verify(exchange, None)
        idents = exchange.headers[SESSION_HEADER]
        session = self._sessions.use(idents[0], subject, exchange.server.id, at=self._clock.now())
        self._sessions.close(session.id)
        await exchange.responder.send(204, (), b"")

    async def _tell_error(self, responder: Responder, resource: str, error: Exception) -> None:
        """Turn what went wrong into what the caller is told: HTTP first, then tokens, then JSON-RPC."""
        match error:
            case Refused(rpc=None):
                await responder.refuse(error.status, error.hint, close=error.close)
            case Refused(rpc=Code() as code):
                await responder.finish_error(code, error.hint, error.data, status=error.status)
            case SessionUnknown():
                await responder.refuse(404, error.hint, close=False)
            case RemitError(kind="rate_limited"):
                await responder.refuse(HTTPStatus.TOO_MANY_REQUESTS, error.hint, close=False)
            case Unauthenticated() | ScopeMissing() | Cut() | RemitError(kind="unauthenticated"):
                await self._challenge(responder, resource, error)
            case _:
                code, sentence, status = _as_rpc(error)
                await responder.finish_error(code, sentence, None, status=status)

    async def _challenge(self, responder: Responder, resource: str, error: RemitError) -> None:
        known: Unauthenticated | ScopeMissing
        if isinstance(error, Unauthenticated | ScopeMissing):
            known = error
        else:
            name = error.code if error.code in _TOKEN_ERRORS else "invalid_token"
            known = Unauthenticated(error.hint, error=name)
        scopes = known.scopes if isinstance(known, ScopeMissing) else self._options.scopes
        await responder.challenge(challenge(self._metadata(resource), scopes, known))

    def _metadata(self, resource: str) -> str:
        """RFC 9728 §3.1: the well-known name is inserted before the resource's path."""
        parts = urlsplit(resource)
        return f"{parts.scheme}://{parts.netloc}/.well-known/oauth-protected-resource{parts.path}"


def _as_rpc(error: Exception) -> tuple[Code, str, int]:
    """Code, sentence and status of a failure that is none of HTTP or of the token."""
    match error:
        case JsonTooLarge():
            return Code.INVALID_REQUEST, error.hint, 413
        case MalformedJson():
            whole = error.code == MalformedJson.code
            return (Code.PARSE_ERROR if whole else Code.INVALID_REQUEST), error.hint, 400
        case RemitError(kind="unavailable"):
            _log.warning("gateway.request.unavailable", code=error.code, debug=error.debug)
            return Code.INTERNAL, error.hint, 200
        case _:
            _log.error("gateway.request.failed", exc_info=error)
            return Code.INTERNAL, "request could not be decided", 200


def _authorization(headers: Headers) -> tuple[str, str]:
    value = headers.get("authorization", ("",))[0]
    if not value:
        raise Unauthenticated("an access token is required", error="")
    match = _TOKEN.fullmatch(value)
    if match is None:
        raise Unauthenticated("`Authorization` holds no access token")
    return ("DPoP" if match[1].lower() == "dpop" else "Bearer"), match[2]


def _certificate(scope: Scope) -> str:
    """The thumbprint of the connection's client certificate, as a proxy of ours reported it."""
    found = scope.get(SCOPE_KEY)
    return found.thumbprint if isinstance(found, PresentedCertificate) else ""
