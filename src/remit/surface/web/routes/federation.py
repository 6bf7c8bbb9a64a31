"""Trusted issuers, the rules over their workloads, and what would come of an assertion."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

import msgspec

from remit.authority.oauth.wire.scopes import Scope
from remit.identity.federation.conditions import Condition
from remit.identity.federation.errors import KeysUnfit
from remit.identity.federation.profiles import profile_of
from remit.identity.federation.refresh import KeyRefresher
from remit.identity.federation.registering import StatedIssuer
from remit.identity.federation.service import FederationService
from remit.identity.federation.trust import RuleId
from remit.identity.principals import PREFIX, Kind, Principal
from remit.identity.service import IdentityService
from remit.kernel.ids import PrincipalId
from remit.surface.web.caller import require_admin
from remit.surface.web.operation import Inbound, Nothing, Operation, operation
from remit.surface.web.schemas.federation import (
    ClaimView,
    IssuerView,
    KeySetView,
    NewIssuer,
    NewRule,
    ProfileView,
    RuleView,
    Shown,
    ShownIssuer,
    TrialView,
)
from remit.surface.web.schemas.federation import PinnedKeys as Pinned
from remit.surface.web.schemas.identity import Because


class Agents(Protocol):
    """Finds an agent by name or id."""

    async def __call__(self, ident: str) -> Principal:
        """The entry, or `UnknownPrincipal`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FederationRoutes:
    """What the noun needs: trust, the keys of issuers, and agents by name."""

    service: FederationService
    refresher: KeyRefresher
    agent: Agents

    def operations(self) -> list[Operation[Any, Any]]:
        """What is served; only administrators decide whom this installation believes."""
        return [*self._reading(), *self._changing()]

    def _reading(self) -> list[Operation[Any, Any]]:
        return [
            operation("listProfiles", "Kinds of issuers, and what each one's claims are worth", "GET",
                       "/issuers/profiles", self._profiles, answer=list[ProfileView]),
            operation("listIssuers", "Issuers that are, or were, trusted", "GET", "/issuers", self._all,
                       answer=list[IssuerView]),
            operation("showIssuer", "One issuer, its keys as last seen, rules", "GET", "/issuers/{issuer}",
                       self._one, answer=ShownIssuer),
            operation("tryAssertion", "What would come of an assertion; uses nothing up", "POST",
                       "/issuers/try", self._try, body=Shown, answer=TrialView, scope=Scope.ADMIN),
        ]  # fmt: skip

    def _changing(self) -> list[Operation[Any, Any]]:
        return [
            operation("trustIssuer", "Trust an issuer's word about its workloads", "POST", "/issuers",
                       self._trust, body=NewIssuer, answer=IssuerView, scope=Scope.ADMIN),
            operation("distrustIssuer", "Trust an issuer no longer; all its workloads end", "POST",
                       "/issuers/{issuer}/distrust", self._distrust, body=Because, answer=IssuerView,
                       scope=Scope.ADMIN),
            operation("refreshIssuerKeys", "Ask an issuer for its keys now, at most once a minute", "POST",
                       "/issuers/{issuer}/refresh", self._refresh, answer=KeySetView, scope=Scope.ADMIN),
            operation("pinIssuerKeys", "Replace the pinned keys of an issuer", "PUT",
                       "/issuers/{issuer}/keys", self._pin, body=Pinned, answer=KeySetView,
                       scope=Scope.ADMIN),
            operation("addTrustRule", "Say which workloads of an issuer are an agent", "POST",
                       "/issuers/{issuer}/rules", self._add_rule, body=NewRule, answer=RuleView,
                       scope=Scope.ADMIN),
            operation("withdrawTrustRule", "Take a rule back; the workloads that stand on it end", "POST",
                       "/issuers/rules/{rule}/withdraw", self._withdraw, body=Because, answer=RuleView,
                       scope=Scope.ADMIN),
        ]  # fmt: skip

    async def _profiles(self, _: Inbound[Nothing, Nothing]) -> list[ProfileView]:
        return ProfileView.all()

    async def _all(self, inbound: Inbound[Nothing, Nothing]) -> list[IssuerView]:
        require_admin(inbound.caller, what="see whom this installation trusts")
        return [IssuerView.of(each) for each in await self.service.all()]

    async def _one(self, inbound: Inbound[Nothing, Nothing]) -> ShownIssuer:
        require_admin(inbound.caller, what="see whom this installation trusts")
        issuer, keys, rules = await self.service.get(inbound.path["issuer"])
        return ShownIssuer(
            issuer=IssuerView.of(issuer),
            keys=None if keys is None else KeySetView.of(keys),
            rules=[RuleView.of(each) for each in rules],
            claims=[ClaimView.of(each) for each in profile_of(issuer.profile).rows],
        )

    async def _trust(self, inbound: Inbound[NewIssuer, Nothing]) -> IssuerView:
        require_admin(inbound.caller, what="trust an issuer")
        body = inbound.body
        stated = StatedIssuer(
            name=body.name,
            profile=body.profile,
            issuer=body.issuer,
            audience=body.audience,
            address=body.address,
            keys=_pinned(body.keys, body.metadata),
            longest=None if body.longest_seconds is None else timedelta(seconds=body.longest_seconds),
            repeatable=body.repeatable,
        )
        return IssuerView.of(await self.service.trust(stated, by=inbound.caller.principal, at=inbound.at))

    async def _distrust(self, inbound: Inbound[Because, Nothing]) -> IssuerView:
        require_admin(inbound.caller, what="distrust an issuer")
        issuer = await self.service.distrust(
            inbound.path["issuer"],
            by=inbound.caller.principal,
            because=inbound.body.reason,
            at=inbound.at,
        )
        return IssuerView.of(issuer)

    async def _refresh(self, inbound: Inbound[Nothing, Nothing]) -> KeySetView:
        require_admin(inbound.caller, what="ask an issuer for its keys")
        return KeySetView.of(await self.refresher.refresh(inbound.path["issuer"], at=inbound.at))

    async def _pin(self, inbound: Inbound[Pinned, Nothing]) -> KeySetView:
        require_admin(inbound.caller, what="pin keys")
        raw = _pinned(inbound.body.keys, inbound.body.metadata)
        issuer = inbound.path["issuer"]
        return KeySetView.of(await self.service.pin(issuer, raw, by=inbound.caller.principal, at=inbound.at))

    async def _add_rule(self, inbound: Inbound[NewRule, Nothing]) -> RuleView:
        require_admin(inbound.caller, what="write rules over workloads")
        agent = await self.agent(inbound.body.agent)
        conditions = [
            Condition(claim=claim, pattern=pattern) for claim, pattern in inbound.body.conditions.items()
        ]
        rule = await self.service.add_rule(
            inbound.path["issuer"],
            PrincipalId(agent.id),
            conditions,
            by=inbound.caller.principal,
            at=inbound.at,
        )
        return RuleView.of(rule)

    async def _withdraw(self, inbound: Inbound[Because, Nothing]) -> RuleView:
        require_admin(inbound.caller, what="withdraw rules")
        rule = await self.service.withdraw_rule(
            RuleId(inbound.path["rule"]),
            by=inbound.caller.principal,
            because=inbound.body.reason,
            at=inbound.at,
        )
        return RuleView.of(rule)

    async def _try(self, inbound: Inbound[Shown, Nothing]) -> TrialView:
        require_admin(inbound.caller, what="try an assertion")
        shown = inbound.body
        await self.refresher.prepare(shown.assertion, at=inbound.at, form=shown.form)
        return TrialView.of(await self.service.attempt(shown.assertion, at=inbound.at, form=shown.form))


def _pinned(keys: dict[str, Any] | None, metadata: str) -> bytes:
    """Keys as they are read: a set as JSON, or what a SAML provider gave."""
    if keys is not None and metadata:
        raise KeysUnfit("keys are either a set or metadata, not both")
    return metadata.encode() if keys is None else msgspec.json.encode(keys)


async def agent_named(identity: IdentityService, ident: str) -> Principal:
    """An agent by name or id; another kind's id names nothing here."""
    if ident.startswith(f"{PREFIX[Kind.AGENT]}_"):
        entry = await identity.get(PrincipalId(ident))
        if entry.kind is Kind.AGENT:
            return entry
    return await identity.find(Kind.AGENT, ident)
