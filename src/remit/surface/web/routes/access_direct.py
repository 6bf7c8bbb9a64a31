"""The two busiest addresses of AuthZEN as ASGI applications of their own, in front of the router.

What every request passes (limits, headers, figures, errors) it passes too, and what it is answered is what
`AccessRoutes` says.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

import msgspec
from starlette.types import Receive, Scope, Send

from remit.kernel.canonical import JsonObject
from remit.kernel.certificate import SCOPE_KEY, PresentedCertificate
from remit.kernel.ids import PrincipalId
from remit.surface.web.bare import NO_STORE, headers_of, tell, whole_of
from remit.surface.web.door import Entered, Shown
from remit.surface.web.errors import MethodNotAllowed
from remit.surface.web.routes.access import BASE, AccessRoutes
from remit.surface.web.routes.access_door import document_of, require_deciding

_Answer: TypeAlias = Callable[[PrincipalId, JsonObject], Awaitable[JsonObject]]
_LOOKED_AT: Final = frozenset({b"authorization", b"dpop", b"content-type"})
_encode = msgspec.json.Encoder().encode


class Entrance(Protocol):
    """Turns what a request shows into its caller, or refuses."""

    async def enter(self, shown: Shown) -> Entered:
        """Verify token, audience and proof; raises a `RemitError` of kind `unauthenticated`."""


@dataclass(frozen=True, slots=True)
class _Matched:
    """What the figures call this route by."""

    path: str


class AccessDoor:
    """Answers `POST` at one address."""

    def __init__(self, path: str, answer: _Answer, *, entrance: Entrance) -> None:
        self._route = _Matched(path)
        self._answer = answer
        self._entrance = entrance

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; errors are raised for the outer door to tell."""
        scope["route"] = self._route
        if scope["method"] != "POST":
            raise MethodNotAllowed("this method is not served here", next_step="use POST")
        headers = headers_of(scope, _LOOKED_AT)
        certificate: PresentedCertificate | None = scope.get(SCOPE_KEY)
        shown = Shown(
            authorization=headers.get(b"authorization", [""])[0],
            proofs=headers.get(b"dpop", []),
            method="POST",
            path=self._route.path,
            certificate="" if certificate is None else certificate.thumbprint,
        )
        entered = await self._entrance.enter(shown)
        require_deciding(entered.scopes)
        found = document_of(headers.get(b"content-type", [""])[0], await whole_of(receive))
        await tell(send, _encode(await self._answer(entered.principal, found)), NO_STORE)


def access_doors(routes: AccessRoutes, *, entrance: Entrance) -> dict[str, AccessDoor]:
    """Those of the evaluations, by their paths."""
    served: dict[str, _Answer] = {"evaluation": routes.evaluate, "evaluations": routes.evaluate_all}
    return {
        (path := f"{BASE}/{name}"): AccessDoor(path, answer, entrance=entrance)
        for name, answer in served.items()
    }
