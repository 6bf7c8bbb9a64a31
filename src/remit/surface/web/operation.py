"""One operation of the API, said once: the route and its OpenAPI entry come from the same value."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, TypeVar

import msgspec

from remit.authority.oauth.wire.scopes import Scope
from remit.decision.administration.actions import AdminAction, named
from remit.surface.web.caller import Caller

B = TypeVar("B")
Q = TypeVar("Q")


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No body, or no query parameter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """An answer that is no JSON: a file, with its media type."""

    media: str
    body: bytes


class Live:
    """An answer that goes on until one side ends it: server-sent events. Its handler gives the response."""


class Method(StrEnum):
    """The methods in use; GET never changes state."""

    GET = "GET"
    POST = "POST"
    PUT = "PUT"
    DELETE = "DELETE"


class Replay(StrEnum):
    """What a repeated `Idempotency-Key` is answered with."""

    ANSWER = "answer"
    """The first answer again, byte for byte."""
    REFUSE = "refuse"
    """A conflict: the first answer held something that is not kept and not shown twice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound(Generic[B, Q]):
    """One request that passed every door: who, what, when."""

    caller: Caller
    body: B
    query: Q
    path: Mapping[str, str]
    at: datetime
    last_event: str = ""
    """`Last-Event-ID`: where a stream that broke off is taken up again."""


async def always(_: Inbound[Any, Any]) -> bool:
    """Whatever the request says."""
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Second:
    """What a second person has to know of an operation: in words, and what it stands on.

    `basis` is text that changes whenever what the change was made from does; `when` picks the requests that
    take two. SAFETY: what takes authority away never waits.
    """

    says: Callable[[Inbound[Any, Any]], str]
    basis: Callable[[Inbound[Any, Any]], Awaitable[str]]
    when: Callable[[Inbound[Any, Any]], Awaitable[bool]] = always


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation(Generic[B, Q]):
    """Method and path, who may, what goes in, what comes out, and the one call that does it.

    `path` is below `/api/v1`. `answer` is the type that is encoded, or None for an empty 204.
    """

    name: str
    summary: str
    method: Method
    path: str
    scopes: tuple[str, ...]
    """Any one of these suffices."""
    handler: Callable[[Inbound[B, Q]], Awaitable[object]]
    body: type[B]
    query: type[Q]
    answer: Any
    status: int = 200
    replay: Replay = Replay.ANSWER
    second: "Second | None" = None
    """That a second person confirms it, where there is one."""
    verified: bool = False
    """Whether a browser's session suffices only shortly after a passkey with user verification."""

    @property
    def action(self) -> AdminAction:
        """What the administrative policy calls it; from its name, so that there is exactly one."""
        return named(self.name, self.noun, reads=self.reads)

    @property
    def reads(self) -> bool:
        """Whether it changes nothing, whatever its method: what takes the scope to read and no other."""
        return self.method is Method.GET or self.scopes == (Scope.READ,)

    @property
    def by_rank(self) -> bool:
        """Whether nobody does it to what is their own: it is about the whole installation."""
        return set(self.scopes) <= {Scope.ADMIN, Scope.KILL}

    @property
    def noun(self) -> str:
        """The first part of the path: what the operation is about."""
        return self.path.strip("/").split("/", maxsplit=1)[0]

    @property
    def reads_body(self) -> bool:
        """Whether the request has a body."""
        return self.body is not Nothing

    @property
    def changes(self) -> bool:
        """Whether it may change state; then it takes an `Idempotency-Key`."""
        return self.method is not Method.GET


def operation(
    name: str,
    summary: str,
    method: str,
    path: str,
    handler: Callable[[Inbound[Any, Any]], Awaitable[object]],
    *,
    answer: Any,
    body: Any = Nothing,
    scope: Scope | None = None,
    status: int = 200,
    second: Second | None = None,
) -> Operation[Any, Any]:
    """An operation with one scope and no query; unless said otherwise, a change is for administrators."""
    return Operation(
        name=name,
        summary=summary,
        method=Method(method),
        path=path,
        scopes=(scope or (Scope.READ if method == Method.GET else Scope.ADMIN),),
        handler=handler,
        body=body,
        query=Nothing,
        answer=answer,
        status=status,
        second=second,
    )
