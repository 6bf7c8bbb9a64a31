"""Installations whose gateway has another door than ours, for `composed(make=…)`."""

from dataclasses import replace
from typing import Any

from remit.app.bindings.doors import Doorman
from remit.app.services import Ground, Services, build
from remit.authority.tokens import VerifiedSubject
from remit.enforcement.mcp.app import McpApp
from remit.enforcement.pep.decider import Presented, TokenVerifier


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
