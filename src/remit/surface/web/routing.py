"""Routes found by the first parts of a path: each is tried in its order, but only where it can fit.

Some two hundred routes, tried one after the other, cost more than a decision does.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from starlette._utils import get_route_path  # the very path that its routes look at
from starlette.routing import BaseRoute, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

_PARTS: Final = 3
"""How many parts of a path tell routes apart: `/api/v1/tasks`."""
_Parts = tuple[str, ...]


class Signpost:
    """Answers what a router over all of the routes would (an ASGI application).

    INVARIANT: a router gets every route whose literal first parts are those of the path, in the order of all
    routes; what it does not get could not have matched.
    """

    def __init__(self, routes: Sequence[BaseRoute], *, default: ASGIApp) -> None:
        parts = [(each, _literal(each)) for each in routes]
        named = {known for _, known in parts if len(known) == _PARTS}
        self._ways: dict[_Parts, Router] = {
            place: _router((each for each, known in parts if _fits(known, place)), default) for place in named
        }
        self._others = _router((each for each, known in parts if len(known) < _PARTS), default)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand over to the routes that can fit."""
        if scope["type"] == "lifespan":
            await self._others(scope, receive, send)
            return
        place: _Parts = tuple(get_route_path(scope).split("/", _PARTS + 1)[1 : _PARTS + 1])
        await self._ways.get(place, self._others)(scope, receive, send)


def _router(routes: Iterable[BaseRoute], default: ASGIApp) -> Router:
    return Router(list(routes), redirect_slashes=False, default=default)


def _literal(route: BaseRoute) -> _Parts:
    """The parts before the first that is not plain text, three at most; nothing is known of other kinds."""
    if not isinstance(route, Route):
        return ()
    whole = route.path.split("/")[1:]
    plain = next((place for place, part in enumerate(whole) if "{" in part), len(whole))
    return tuple(whole[: min(plain, _PARTS)])


def _fits(known: _Parts, place: _Parts) -> bool:
    return known == place[: len(known)]
