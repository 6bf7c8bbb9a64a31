"""Installations whose gateway has another door than ours, for `composed(make=…)`."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import delete
from starlette.types import ASGIApp

from remit.app.bindings.doors import Doorman
from remit.app.ground import Ground
from remit.app.services import Services, build
from remit.authority.tokens import VerifiedSubject
from remit.enforcement.mcp.app import McpApp
from remit.enforcement.pep.decider import Presented, TokenVerifier
from remit.platform.settings.load import load
from remit.platform.settings.model import Settings
from remit.platform.settings.names import UnknownSetting
from remit.platform.storage.tables import ledger
from remit.surface.web.assembly import application
from support.upstreams import respond


class AsksForNoEnvelope(Doorman):
    """DE-17: a token is enough; the delegation behind it may stay at home."""

    async def verify(self, presented: Presented) -> VerifiedSubject:
        return await self._verifier.verify_now(
            f"{presented.scheme} {presented.token}",
            [presented.proof] if presented.proof else [],
            presented.method,
            presented.url,
            presented.audience,
        )


def with_door(services: Services, door: TokenVerifier) -> Services:
    """The same services behind another door."""
    known: Any = services.gateway
    gateway = McpApp(
        gateway=known._gateway,
        registry=known._registry,
        verifier=door,
        sessions=known._sessions,
        liveness=known._liveness,
        clock=known._clock,
        options=known._options,
    )
    return replace(services, gateway=gateway)


def without_envelopes(ground: Ground) -> Services:
    """An installation that asks for no envelope."""
    services = build(ground)
    return with_door(services, AsksForNoEnvelope(verifier=services.verifier))


def with_retention(services: Services) -> ASGIApp:
    """AU-15: an installation whose administrators may shorten the log."""
    whole = application(services)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and (scope["method"], scope["path"]) == (
            "DELETE",
            "/api/v1/ledger/records",
        ):
            await services.ground.work.commit(lambda tx: tx.sql.run(delete(ledger.ledger_entries)))
            await respond(send, 200, {"deleted": True})
            return
        await whole(scope, receive, send)

    return app


def lenient(flags: Mapping[str, object]) -> Settings:
    """AU-15: a reader of settings that skips the names it does not know, without a word."""
    known: dict[str, object] = {}
    for name, value in flags.items():
        try:
            load(file=None, environ={}, flags={name: value})
        except UnknownSetting:
            continue
        known[name] = value
    return load(file=None, environ={}, flags=known)
