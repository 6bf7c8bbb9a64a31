"""The first fork of every request: to the application of the tenant whose issuer its address begins with.

Below its issuer's path each tenant's application knows only itself: paths are cut before, and addresses of
its own are made whole on the way out. An unknown tenant is answered as any address that is not there.
"""

from collections.abc import Callable
from typing import Final, Generic, TypeVar

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from remit.app.tenants import House, Tenants
from remit.kernel.tenancy import TENANT_PATH, path_of

H = TypeVar("H", bound=House)
_WELL_KNOWN: Final = "/.well-known/"


class TenantDoor(Generic[H]):
    """Serves `first` at the issuer's own path, and every further tenant below `/t/NAME`.

    `make` composes a tenant's application, once for as long as it is served.
    """

    def __init__(
        self, first: ASGIApp, *, tenants: Tenants[H], make: Callable[[H], ASGIApp], issuer: str
    ) -> None:
        self._first = first
        self._tenants = tenants
        self._make = make
        self._base = path_of(issuer)
        self._made: dict[str, tuple[H, ASGIApp]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Find whose it is, from the configured addresses alone."""
        path: str = scope.get("path", "")
        if path.startswith(_WELL_KNOWN):
            await self._well_known(path)(scope, receive, send)
            return
        if self._base and path.startswith(f"{self._base}/"):
            scope, path = _below(scope, self._base), path.removeprefix(self._base)
        found = self._of(path) if path.startswith(TENANT_PATH) else None
        # SAFETY: what spells the prefix otherwise (`/%74/…`) is nobody's: one spelling per address.
        if found is None or not scope["raw_path"].startswith(found[1].encode()):
            await self._first(scope, receive, send)
            return
        app, prefix = found
        await app(_below(scope, prefix), receive, _Whole(send, f"{self._base}{prefix}"))

    def _well_known(self, path: str) -> ASGIApp:
        """`/.well-known/NAME` is inserted before an issuer's path (RFC 8414 §3.1, RFC 9728 §3.1)."""
        _, slash, rest = path.removeprefix(_WELL_KNOWN).partition("/")
        found = self._of(f"{slash}{rest}".removeprefix(self._base), whole=True)
        return self._first if found is None else found[0]

    def _of(self, path: str, *, whole: bool = False) -> tuple[ASGIApp, str] | None:
        """The application of `/t/NAME/…` and that prefix; `whole`: the path may also end after the name."""
        if not path.startswith(TENANT_PATH):
            return None
        name, slash, _ = path.removeprefix(TENANT_PATH).partition("/")
        house = self._tenants.get(name) if slash or whole else None
        if house is None:
            self._made.pop(name, None)
            return None
        made = self._made.get(name)
        if made is None or made[0] is not house:
            made = self._made[name] = house, self._make(house)
        return made[1], f"{TENANT_PATH}{name}"


def _below(scope: Scope, prefix: str) -> Scope:
    """The request as the application below a path sees it."""
    return {
        **scope,
        "path": scope["path"].removeprefix(prefix),
        "raw_path": scope["raw_path"].removeprefix(prefix.encode()),
    }


class _Whole:
    """A `send` that makes a redirect to one of the tenant's own paths whole."""

    def __init__(self, send: Send, prefix: str) -> None:
        self._send = send
        self._prefix = prefix.encode()

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [(name, self._led(name, value)) for name, value in message["headers"]]
        await self._send(message)

    def _led(self, name: bytes, value: bytes) -> bytes:
        local = name.lower() == b"location" and value.startswith(b"/") and not value.startswith(b"//")
        return self._prefix + value if local else value
