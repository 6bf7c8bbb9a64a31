"""The log as it happens: server-sent events (WHATWG HTML, section 9.2), resumed by `Last-Event-ID`."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Final, Protocol, Self

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from remit.app.live import StreamEnded, Subscription
from remit.authority.oauth.wire.scopes import Scope as OAuthScope
from remit.authority.tokens import VerifiedSubject
from remit.kernel.errors import RemitError
from remit.ledger.query import FINISHED
from remit.ledger.repository import Placed
from remit.ledger.stream import Offset, Wanted
from remit.surface.web.caller import NotAdministrator
from remit.surface.web.operation import Inbound, Live, Method, Nothing, Operation

MEDIA_TYPE: Final = "text/event-stream"
HEARTBEAT_SECONDS: Final = 10.0
"""The longest silence: a comment and the present place follow, so that proxies keep the stream open."""
WRITE_SECONDS: Final = 15.0
"""How long one write may wait for a reader that takes nothing; then the connection is closed."""
RETRY_MILLISECONDS: Final = 1000


class StreamQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where to begin and what to tell; without `after`, what is committed from now on."""

    after: Annotated[
        str,
        msgspec.Meta(
            max_length=512,
            pattern=r"^([a-z0-9_:,-]*)$",
            description="`id` of the last event seen, or a count of records of the main log; 0 is all of it",
        ),
    ] = ""
    kind: Annotated[
        str,
        msgspec.Meta(
            max_length=100, pattern=r"^[a-z0-9_.]*$", description="a kind, or its first words up to a point"
        ),
    ] = ""
    agent: Annotated[
        str, msgspec.Meta(max_length=200, description="an agent, or an instance anywhere in the chain, by id")
    ] = ""
    task: Annotated[str, msgspec.Meta(max_length=200, description="a task, by id")] = ""


class StreamEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One record with what it needs to be understood alone (R137): ids, codes and times, never a text."""

    record: str
    kind: str
    at: datetime
    agent: str = ""
    instance: str = ""
    """Who caused it: an instance, a person, or `system`."""
    user: str = ""
    owner: str = ""
    chain: tuple[str, ...] = ()
    """Instances from the first to the one that acted."""
    task: str = ""
    purpose: str = ""
    decision: str = ""
    effect: str = ""
    codes: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    action: str = ""
    resource: str = ""
    call: str = ""
    approval: str = ""
    outcome: str = ""
    """`done`, `failed` or `unknown`, once a call has ended."""
    subject: str = ""
    """What it is about, when that is no action."""

    @classmethod
    def of(cls, placed: Placed) -> Self:
        """From a record."""
        record = placed.record
        ended = record.kind == FINISHED
        same = set(cls.__struct_fields__) - {"record", "instance", "effect", "outcome"}
        return cls(
            record=record.id,
            instance=record.actor,
            effect="" if ended else record.effect,
            outcome=record.effect if ended else "",
            **{name: getattr(record, name) for name in same},
        )


class Followers(Protocol):
    """Whoever tells the log live."""

    async def subscribe(
        self, subject: VerifiedSubject, *, wanted: Wanted, after: Offset | None
    ) -> Subscription:
        """Begin behind a place, or behind all that is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamRoutes:
    """What the noun needs: the live log."""

    live: Followers

    def operations(self) -> list[Operation[Any, Any]]:
        """What is served."""
        return [
            Operation(
                name="followLedger",
                summary="Each record as it is committed, with chain, task and decision; resumes by `id`",
                method=Method.GET,
                path="/stream",
                scopes=(OAuthScope.READ,),
                handler=self._follow,
                body=Nothing,
                query=StreamQuery,
                answer=Live,
            )
        ]

    async def _follow(self, inbound: Inbound[Nothing, StreamQuery]) -> Response:
        if not inbound.caller.sees_all:
            raise NotAdministrator(
                "only a reader or an administrator may follow the log", next_step="remit user list"
            )
        query = inbound.query
        # What a client that reconnects says of itself is newer than the address that it began with.
        place = inbound.last_event or query.after
        subscription = await self.live.subscribe(
            inbound.caller.subject,
            wanted=Wanted(kind=query.kind, agent=query.agent, task=query.task),
            after=Offset.parse(place) if place else None,
        )
        return EventStream(subscription)


class EventStream(Response):
    """Writes one subscription, until it ends, the reader hangs up, or takes nothing any more."""

    media_type = MEDIA_TYPE

    def __init__(
        self,
        subscription: Subscription,
        *,
        heartbeat: float = HEARTBEAT_SECONDS,
        patience: float = WRITE_SECONDS,
    ) -> None:
        super().__init__()
        del self.headers["content-length"]
        self.headers["cache-control"] = "no-store"
        self.headers["x-accel-buffering"] = "no"
        self._subscription = subscription
        self._heartbeat = heartbeat
        self._patience = patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Begin, tell, end."""
        try:
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )
            if scope["method"] == "HEAD":
                await send({"type": "http.response.body", "body": b""})
                return
            await self._until_hangup(receive, send)
        finally:
            self._subscription.close()

    async def _until_hangup(self, receive: Receive, send: Send) -> None:
        telling = asyncio.create_task(self._tell(send))
        gone = asyncio.create_task(_hangup(receive))
        try:
            await asyncio.wait({telling, gone}, return_when=asyncio.FIRST_COMPLETED)
            if telling.done():
                telling.result()
        finally:
            for task in (telling, gone):
                task.cancel()
            await asyncio.gather(telling, gone, return_exceptions=True)

    async def _tell(self, send: Send) -> None:
        # Without its last message the server closes the connection: all that can be said to who reads not.
        with suppress(TimeoutError):
            await self._write(send, f"retry: {RETRY_MILLISECONDS}\n{self._beat()}".encode())
            try:
                while True:
                    await self._turn(send)
            except StreamEnded as ended:
                await self._write(send, self._end(ended))
            await self._write(send, b"", more=False)

    async def _turn(self, send: Send) -> None:
        """Wait for events and write them; a silence is broken by the present place alone."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._heartbeat
        found: Sequence[tuple[Offset, Placed]] = ()
        while not found and (left := until - loop.time()) > 0:
            found = await self._subscription.next(seconds=left)
        await self._write(send, b"".join(map(_event, found)) or self._beat().encode())

    async def _write(self, send: Send, body: bytes, *, more: bool = True) -> None:
        async with asyncio.timeout(self._patience):
            await send({"type": "http.response.body", "body": body, "more_body": more})

    def _beat(self) -> str:
        """An id without data is no event, and moves the place from which a client resumes."""
        return f": \nid: {self._subscription.place.text()}\n\n"

    def _end(self, ended: RemitError) -> bytes:
        said = {
            "code": ended.code,
            "detail": ended.hint,
            "next": ended.next_step,
            "after": self._subscription.place.text(),
        }
        return b"event: end\ndata: " + msgspec.json.encode(said) + b"\n\n"


def _event(found: tuple[Offset, Placed]) -> bytes:
    place, placed = found
    data = msgspec.json.encode(StreamEvent.of(placed))
    return b"id: %b\nevent: record\ndata: %b\n\n" % (place.text().encode(), data)


async def _hangup(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
