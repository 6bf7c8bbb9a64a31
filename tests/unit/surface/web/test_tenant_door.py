"""The fork before all doors: whose a request is follows from its path, and its answers lead back there."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from remit.app.tenants import Tenants
from remit.identity.tenants import Tenant, TenantState
from remit.kernel.errors import Unavailable
from remit.kernel.ids import TenantId
from remit.surface.web import pages
from remit.surface.web.tenants import TenantDoor

NOW = datetime(2026, 11, 22, tzinfo=UTC)
TEMPLATES = Path(pages.__file__).parent / "templates"


class Home:
    """A tenant that answers with what it was asked, by a redirect to a path of its own."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.closed = False

    async def close(self) -> None:
        self.closed = True

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        heard = f"{self.name} {scope['path']} {scope['raw_path'].decode()}"
        headers = [(b"location", b"/sign-in"), (b"x-heard", heard.encode())]
        await send({"type": "http.response.start", "status": 303, "headers": headers})


class Register:
    """Which tenants there are; some can't be opened."""

    def __init__(self, *names: str, broken: Sequence[str] = ()) -> None:
        self.states = dict.fromkeys(names, TenantState.ACTIVE)
        self.broken = broken
        self.homes: list[Home] = []

    async def all(self) -> list[Tenant]:
        return [
            Tenant(name=TenantId(name), state=state, created_at=NOW, changed_at=NOW, by="usr_x")
            for name, state in self.states.items()
        ]

    async def open(self, name: TenantId) -> Home:
        if name in self.broken:
            raise Unavailable(f"`{name}` can't be opened")
        self.homes.append(Home(name))
        return self.homes[-1]


def door(register: Register, *, issuer: str = "https://remit.example.com") -> tuple[Any, Tenants[Home]]:
    tenants = Tenants(register=register.all, open_one=register.open)
    return TenantDoor(Home("default"), tenants=tenants, make=lambda home: home, issuer=issuer), tenants


async def heard(app: Any, path: str, raw: str = "") -> tuple[str, str]:
    """Who was asked for what, and where the answer leads."""
    told: list[Any] = []

    async def send(message: Any) -> None:
        told.append(message)

    scope = {"type": "http", "path": path, "raw_path": (raw or path).encode()}
    await app(scope, None, send)
    headers = dict(told[0]["headers"])
    return headers[b"x-heard"].decode(), headers[b"location"].decode()


@pytest.mark.parametrize(
    ("path", "asked", "leads"),
    [
        ("/token", "default /token /token", "/sign-in"),
        ("/t/acme/token", "acme /token /token", "/t/acme/sign-in"),
        ("/t/acme/mcp/x", "acme /mcp/x /mcp/x", "/t/acme/sign-in"),
        ("/t/ghost/token", "default /t/ghost/token /t/ghost/token", "/sign-in"),
        ("/t/acme", "default /t/acme /t/acme", "/sign-in"),
        ("/t/acmes/token", "default /t/acmes/token /t/acmes/token", "/sign-in"),
        ("/t/acme/t/beta/token", "acme /t/beta/token /t/beta/token", "/t/acme/sign-in"),
    ],
)
async def test_a_path_says_whose_it_is(path: str, asked: str, leads: str) -> None:
    app, tenants = door(Register("acme", "beta"))
    await tenants.settle()
    assert await heard(app, path) == (asked, leads)


@pytest.mark.spec("RFC 8414", "3.1")
@pytest.mark.parametrize(
    ("path", "who"),
    [
        ("/.well-known/oauth-authorization-server", "default"),
        ("/.well-known/oauth-authorization-server/t/acme", "acme"),
        ("/.well-known/oauth-protected-resource/t/acme/mcp/x", "acme"),
        ("/.well-known/oauth-authorization-server/t/ghost", "default"),
    ],
)
async def test_a_well_known_name_stands_before_the_issuers_path(path: str, who: str) -> None:
    app, tenants = door(Register("acme"))
    await tenants.settle()
    assert (await heard(app, path))[0] == f"{who} {path} {path}"


async def test_another_spelling_of_the_prefix_is_nobodys() -> None:
    app, tenants = door(Register("acme"))
    await tenants.settle()
    assert (await heard(app, "/t/acme/token", "/%74/acme/token"))[0].startswith("default ")


async def test_an_issuer_with_a_path_has_its_tenants_below_it() -> None:
    app, tenants = door(Register("acme"), issuer="https://example.com/remit")
    await tenants.settle()
    assert await heard(app, "/remit/t/acme/jwks") == ("acme /jwks /jwks", "/remit/t/acme/sign-in")
    well_known = "/.well-known/oauth-authorization-server/remit/t/acme"
    assert (await heard(app, well_known))[0] == f"acme {well_known} {well_known}"


async def test_a_tenant_that_leaves_is_absent_before_it_is_let_go_of() -> None:
    register = Register("acme")
    app, tenants = door(register)
    await tenants.settle()
    register.states["acme"] = TenantState.SUSPENDED
    await tenants.settle()
    assert register.homes[0].closed
    assert (await heard(app, "/t/acme/token"))[0].startswith("default ")
    register.states["acme"] = TenantState.ACTIVE
    await tenants.settle()
    assert (await heard(app, "/t/acme/token"))[0].startswith("acme ")
    assert len(register.homes) == 2


async def test_one_that_cant_be_opened_keeps_no_other_closed() -> None:
    register = Register("acme", "beta", broken=["acme"])
    app, tenants = door(register)
    with pytest.raises(Unavailable):
        await tenants.settle()
    assert (await heard(app, "/t/beta/token"))[0].startswith("beta ")
    await tenants.close()
    assert register.homes[0].closed


def test_every_address_in_a_page_stands_below_its_issuer() -> None:
    bare = [
        f"{path.name}: {found[0]}"
        for path in sorted(TEMPLATES.glob("*.html"))
        for found in re.finditer(r"""(?:href|action|src)=["']/[^"']*""", path.read_text(encoding="utf-8"))
    ]
    assert not bare, "write {{ base }} before the path, so that it leads to the tenant's own page"
