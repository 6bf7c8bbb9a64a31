"""The HTTP surface in one process: an application, a door that lets a test in, a client."""

from collections.abc import Sequence
from typing import Any

import httpx2
from starlette.requests import Request
from starlette.routing import BaseRoute
from starlette.types import ASGIApp

from remit.authority.oauth.wire.errors import MissingToken
from remit.authority.oauth.wire.scopes import Scope
from remit.authority.tokens import VerifiedSubject
from remit.decision.administration.texts import shipped
from remit.kernel.ids import AgentId, InstanceId, PrincipalId, TenantId, TokenId
from remit.platform.settings.options import HttpOptions
from remit.platform.telemetry.metrics import Metrics
from remit.surface.web.app import build_app
from remit.surface.web.caller import Caller
from support.clock import NOON
from support.jose import entropy_of

ISSUER = "http://127.0.0.1:7480"
TENANT = TenantId("default")


def caller(
    principal: str = "usr_ana", *, roles: str = "admin", scopes: Sequence[str] = tuple(Scope)
) -> Caller:
    """A person with a live token for the API."""
    ident = PrincipalId(principal)
    return Caller(
        tenant=TENANT,
        principal=ident,
        person=True,
        roles=frozenset(roles.split()),
        scopes=frozenset(scopes),
        policy=shipped(),
        # For handlers that are asked directly; at the API the policy itself says it anew.
        whole="admin" in roles.split(),
        seeing=not {"admin", "reader"}.isdisjoint(roles.split()),
        subject=VerifiedSubject(
            tenant=TENANT,
            token=TokenId("tok_1"),
            instance=InstanceId(ident),
            agent=AgentId(ident),
            user=None,
            task=None,
            chain=(),
            envelope=None,
            ceiling=None,
            audience=f"{ISSUER}/api",
            scopes=frozenset(scopes),
            key="thumb",
            proof=None,
            issued_at=NOON,
            expires_at=NOON,
        ),
    )


class OpenDoor:
    """A door that knows callers by the name in their header; for tests of what lies behind it."""

    def __init__(self, **known: Caller) -> None:
        self.known = known or {"ana": caller()}

    async def admit(self, request: Request) -> Caller:
        name = request.headers.get("authorization", "").removeprefix("Test ")
        if name not in self.known:
            raise MissingToken("no access token")
        return self.known[name]


def application(routes: Sequence[BaseRoute], *, options: HttpOptions | None = None) -> ASGIApp:
    """The routes behind the real doors."""
    return build_app(
        routes,
        options=options or HttpOptions(),
        issuer=ISSUER,
        metrics=Metrics(),
        entropy=entropy_of("surface"),
    )


def client_of(app: ASGIApp, *, name: str = "ana", **more: Any) -> httpx2.AsyncClient:
    """A client in the same process; a failure inside is raised here."""
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=app),
        base_url=ISSUER,
        headers={"authorization": f"Test {name}"} if name else {},
        **more,
    )
