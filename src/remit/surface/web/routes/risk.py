"""Risk over the API: what others say of it, and what it is."""

from dataclasses import dataclass
from typing import Any, Final

from remit.authority.oauth.wire.scopes import Scope
from remit.decision.facts.signals import Signal
from remit.decision.risk_service import RiskService
from remit.identity.principals import PREFIX, Kind, Principal
from remit.identity.service import IdentityService
from remit.kernel.ids import PrincipalId
from remit.surface.web.caller import require_admin, require_own
from remit.surface.web.operation import Inbound, Method, Nothing, Operation, operation
from remit.surface.web.paging import Page, PageQuery, page_of
from remit.surface.web.schemas.risk import ClearedSignal, NewSignal, SignalView, StandingView

_PREFIXES: Final = tuple(f"{prefix}_" for prefix in PREFIX.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskRoutes:
    """What the noun needs."""

    service: RiskService
    identity: IdentityService

    def operations(self) -> list[Operation[Any, Any]]:
        """What is served."""
        return [
            operation("setRiskSignal", "Say how risky somebody is, in place of the last word of that kind",
                      "PUT", "/risk/signals", self._set, body=NewSignal, answer=SignalView,
                      scope=Scope.ADMIN),
            operation("clearRiskSignal", "Take a signal about somebody's risk away", "POST",
                      "/risk/signals/clear", self._clear, body=ClearedSignal, answer=ClearedSignal,
                      scope=Scope.ADMIN),
            Operation(
                name="listRiskSignals",
                summary="What others say of anybody's risk",
                method=Method.GET,
                path="/risk/signals",
                scopes=(Scope.READ,),
                handler=self._list,
                body=Nothing,
                query=PageQuery,
                answer=Page[SignalView],
            ),
            operation("showRisk", "How risky an agent's last call was, what changed, and its signals", "GET",
                      "/risk/agents/{agent}", self._show, answer=StandingView),
        ]  # fmt: skip

    async def _set(self, inbound: Inbound[NewSignal, Nothing]) -> SignalView:
        require_admin(inbound.caller, what="say how risky somebody is")
        body = inbound.body
        subject = await self._named(body.subject)
        signal = Signal(
            tenant=subject.tenant,
            subject=subject.id,
            kind=body.kind,
            level=body.level,
            source=body.source,
            at=inbound.at,
            expires_at=body.until,
            lapses=body.lapses,
        )
        return SignalView.of(await self.service.put(signal, by=inbound.caller.principal))

    async def _clear(self, inbound: Inbound[ClearedSignal, Nothing]) -> ClearedSignal:
        require_admin(inbound.caller, what="take a signal away")
        subject = await self._named(inbound.body.subject)
        kind = inbound.body.kind
        await self.service.clear(subject.id, kind, by=inbound.caller.principal, at=inbound.at)
        return ClearedSignal(subject=subject.id, kind=kind)

    async def _list(self, inbound: Inbound[Nothing, PageQuery]) -> Page[SignalView]:
        require_own(inbound.caller, what="signal")
        query = inbound.query
        found = await self.service.page(after=query.cursor, limit=query.limit + 1)
        return page_of(
            found, limit=query.limit, key=lambda each: f"{each.subject}:{each.kind}", view=SignalView.of
        )

    async def _show(self, inbound: Inbound[Nothing, Nothing]) -> StandingView:
        agent = await self._named(inbound.path["agent"])
        require_own(inbound.caller, agent.id, agent.owner, what="agent")
        return StandingView.of(agent.id, agent.name, await self.service.standing(agent.id))

    async def _named(self, ident: str) -> Principal:
        """Anybody by id, an agent by name too; raises `UnknownPrincipal`."""
        if ident.startswith(_PREFIXES):
            return await self.identity.get(PrincipalId(ident))
        return await self.identity.find(Kind.AGENT, ident)
