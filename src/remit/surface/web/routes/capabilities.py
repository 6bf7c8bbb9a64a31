"""Capabilities to carry: given for one call, used up by the tool server, and how the call ended.

Giving one out is the busiest door beside the gateway, so it is an ASGI application of its own in front of
the router. What every request passes (limits, headers, figures, errors) it passes too.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from starlette.types import Receive, Scope, Send

from remit.app.bindings.issuing import CapabilityIssuer, Presented, Wanted
from remit.app.bindings.spending import CapabilitySpender, Ending, Spending
from remit.authority.capability import CapabilityState
from remit.authority.oauth.wire.errors import MissingToken
from remit.authority.oauth.wire.scopes import Scope as OAuthScope
from remit.authority.tokens import VerifiedSubject
from remit.identity.tools import Server
from remit.kernel.building import builder
from remit.kernel.canonical import framed_digest, parse_object
from remit.kernel.clock import Clock
from remit.kernel.ids import CapabilityId, PrincipalId
from remit.surface.web.bare import headers_of, tell, whole_of
from remit.surface.web.errors import (
    AmbiguousRequest,
    InvalidBody,
    MediaTypeUnsupported,
    MethodNotAllowed,
    NoSuchAddress,
)
from remit.surface.web.idempotency import Attempt, Idempotency, Kept, check_key
from remit.surface.web.inbound import ESCAPED_NUL, JSON_MEDIA, refuse_nul, sentence
from remit.surface.web.operation import Inbound, Method, Nothing, Operation, Replay
from remit.surface.web.schemas.capability import (
    CapabilityAnswer,
    CapabilityRequest,
    Consumption,
    ConsumptionView,
    OutcomeBody,
    OutcomeView,
)

PATH: Final = "/api/v1/capabilities"
NAME: Final = "issueCapability"
_JSON: Final = re.compile(JSON_MEDIA, re.IGNORECASE)
_presented, _wanted = builder(Presented), builder(Wanted)
_encode = msgspec.json.Encoder().encode


class _Asked(msgspec.Struct, frozen=True, kw_only=True):
    """Where the bytes of the arguments begin and end."""

    arguments: msgspec.Raw


_spans = msgspec.json.Decoder(_Asked).decode


@dataclass(frozen=True, slots=True)
class _Matched:
    """What the figures call this route by."""

    path: str = PATH


_ROUTE: Final = _Matched()


class CapabilityDoor:
    """`POST /api/v1/capabilities`: one whole authorization, and the capability in the answer."""

    def __init__(self, *, issuer: CapabilityIssuer, once: Idempotency, clock: Clock, address: str) -> None:
        self._issuer = issuer
        self._once = once
        self._clock = clock
        self._address = f"{address}{PATH}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; errors are raised for the outer door to tell."""
        scope["route"] = _ROUTE
        if scope["method"] != "POST":
            raise MethodNotAllowed("this method is not served here", next_step="use POST")
        if scope["query_string"]:
            raise AmbiguousRequest("a query is not read here")
        headers = headers_of(scope, _LOOKED_AT)
        if b"authorization" not in headers:
            # Which server the token must be for stands in the body; whoever shows none is not read at all.
            raise MissingToken("no access token was presented")
        body = await self._serve(headers, await whole_of(receive))
        await tell(send, body)

    async def _serve(self, headers: Mapping[bytes, list[str]], raw: bytes) -> bytes:
        wanted = _read(headers, raw)
        subject, server = await self._issuer.admit(
            _presented(
                authorization=headers.get(b"authorization", [""])[0],
                proofs=headers.get(b"dpop", []),
                envelope=headers.get(b"remit-envelope", [""])[0],
                method="POST",
                url=self._address,
            ),
            wanted.server,
        )

        async def run() -> Kept:
            return Kept(status=200, body=await self._issue(subject, server, wanted))

        key = headers.get(b"idempotency-key")
        if key is None:
            return await self._issue(subject, server, wanted)
        return (await self._once.once(_attempt(subject, key[0], raw, self._clock), run)).body

    async def _issue(self, subject: VerifiedSubject, server: Server, wanted: Wanted) -> bytes:
        return _encode(CapabilityAnswer.of(await self._issuer.issue(subject, server, wanted)))


def _attempt(subject: VerifiedSubject, key: str, raw: bytes, clock: Clock) -> Attempt:
    """SAFETY: the answer holds a capability, so it is not kept: a repeat is told that it was given."""
    return Attempt(
        tenant=subject.tenant,
        principal=PrincipalId(subject.instance),
        key=check_key(key),
        request=framed_digest(NAME, [raw]),
        at=clock.now(),
        keep_answer=False,
    )


_LOOKED_AT: Final = frozenset(
    {b"authorization", b"dpop", b"remit-envelope", b"content-type", b"idempotency-key"}
)


def _read(headers: Mapping[bytes, list[str]], raw: bytes) -> Wanted:
    """Strict I-JSON first; then the arguments' own bytes, which are now read in one way only."""
    media = headers.get(b"content-type", [""])[0]
    if media != "application/json" and not _JSON.fullmatch(media.strip()):
        raise MediaTypeUnsupported(f"body is `{media[:80]}`, not `application/json`")
    document = parse_object(raw)
    if ESCAPED_NUL in raw:
        refuse_nul(document)
    try:
        asked = msgspec.convert(document, CapabilityRequest)
        return _wanted(
            server=asked.server,
            tool=asked.tool,
            arguments=asked.arguments,
            raw=bytes(_spans(raw).arguments),
        )
    except msgspec.ValidationError as wrong:
        raise InvalidBody(sentence(wrong)) from wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class CapabilityRoutes:
    """What the noun `capability` needs."""

    spender: CapabilitySpender

    def operations(self) -> list[Operation[Any, Any]]:
        """What is served; the first by `CapabilityDoor`."""
        return [
            Operation(
                name=NAME,
                summary="Decide one call of a tool; a permit comes with its capability, for one use",
                method=Method.POST,
                path="/capabilities",
                scopes=(OAuthScope.MCP,),
                handler=_elsewhere,
                body=CapabilityRequest,
                query=Nothing,
                answer=CapabilityAnswer,
                replay=Replay.REFUSE,
            ),
            Operation(
                name="consumeCapability",
                summary="Use a capability up, as the tool server it is made out to; then the tool may run",
                method=Method.POST,
                path="/capabilities/consume",
                scopes=(OAuthScope.ACT,),
                handler=self._consume,
                body=Consumption,
                query=Nothing,
                answer=ConsumptionView,
            ),
            Operation(
                name="endCapability",
                summary="Say how the call ended for which a capability was used up",
                method=Method.POST,
                path="/capabilities/{capability}/outcome",
                scopes=(OAuthScope.ACT,),
                handler=self._end,
                body=OutcomeBody,
                query=Nothing,
                answer=OutcomeView,
            ),
        ]

    async def _consume(self, inbound: Inbound[Consumption, Nothing]) -> ConsumptionView:
        body = inbound.body
        wanted = Spending(
            token=body.capability,
            server=body.server,
            tool=body.tool,
            arguments=body.arguments_sha256,
            key=body.key,
        )
        used = await self.spender.spend(wanted, by=inbound.caller.principal, at=inbound.at)
        return ConsumptionView.of(used)

    async def _end(self, inbound: Inbound[OutcomeBody, Nothing]) -> OutcomeView:
        body, ident = inbound.body, inbound.path["capability"]
        ending = Ending(
            capability=CapabilityId(ident),
            state=CapabilityState(body.outcome.value),
            code=body.code or body.outcome.value,
            result=body.result_sha256,
            resources=tuple(body.resources),
            used=tuple(body.used.items()),
        )
        await self.spender.end(ending, by=inbound.caller.principal, at=inbound.at)
        return OutcomeView(capability=ident, outcome=body.outcome)


async def _elsewhere(_: Inbound[CapabilityRequest, Nothing]) -> object:
    """The door in front answers; where there is none, nothing is given out."""
    raise NoSuchAddress("nothing is served at this address")
