"""The trust matrix over the API: domains, rules, people of other domains; administrators alone."""

from dataclasses import dataclass
from typing import Any, Protocol

import msgspec

from remit.authority.oauth.domains.service import DomainService, StatedDomain, StatedRule
from remit.authority.oauth.wire.scopes import Scope
from remit.identity.principals import Kind, Principal
from remit.identity.service import IdentityService
from remit.kernel.ids import PrincipalId, UserId
from remit.surface.web.caller import require_admin
from remit.surface.web.operation import Inbound, Nothing, Operation, operation
from remit.surface.web.schemas.domains import (
    DomainPersonView,
    DomainRuleView,
    DomainView,
    NewDomain,
    NewDomainPerson,
    NewDomainRule,
    ShownDomainView,
    UnlinkedPerson,
)
from remit.surface.web.schemas.identity import Because
from remit.surface.web.schemas.rights import ceiling_of


class Named(Protocol):
    """Finds an entry of the directory by kind, name or id."""

    async def __call__(self, kind: Kind, ident: str) -> Principal:
        """The entry, or `UnknownPrincipal`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DomainRoutes:
    """What the noun needs."""

    service: DomainService
    named: Named

    def operations(self) -> list[Operation[Any, Any]]:
        """What is served; only administrators decide whose word counts here, and who goes where."""
        return [
            operation("listDomains", "Domains that are, or were, trusted", "GET", "/domains", self._all,
                       answer=list[DomainView]),
            operation("showDomain", "One domain, its rules, its people", "GET", "/domains/{domain}",
                       self._one, answer=ShownDomainView),
            operation("trustDomain", "Trust another authorization server, in one direction", "POST",
                       "/domains", self._trust, body=NewDomain, answer=DomainView, scope=Scope.ADMIN),
            operation("revokeDomain", "Trust a domain no longer; its tasks end", "POST",
                       "/domains/{domain}/revoke", self._revoke, body=Because, answer=DomainView,
                       scope=Scope.ADMIN),
            operation("addDomainRule", "Say who may use which client across the border", "POST",
                       "/domains/{domain}/rules", self._allow, body=NewDomainRule, answer=DomainRuleView,
                       scope=Scope.ADMIN),
            operation("withdrawDomainRule", "Take a rule back; the tasks that began by it end", "POST",
                       "/domains/rules/{rule}/withdraw", self._disallow, body=Because,
                       answer=DomainRuleView, scope=Scope.ADMIN),
            operation("linkDomainPerson", "Say who a subject of a domain is here", "POST",
                       "/domains/{domain}/people", self._link, body=NewDomainPerson,
                       answer=DomainPersonView, scope=Scope.ADMIN),
            operation("unlinkDomainPerson", "Forget who a subject is; that person's tasks from there end",
                       "POST", "/domains/{domain}/people/unlink", self._unlink, body=UnlinkedPerson,
                       answer=DomainPersonView, scope=Scope.ADMIN),
        ]  # fmt: skip

    async def _all(self, inbound: Inbound[Nothing, Nothing]) -> list[DomainView]:
        require_admin(inbound.caller, what="see which domains are trusted")
        return [DomainView.of(each) for each in await self.service.all()]

    async def _one(self, inbound: Inbound[Nothing, Nothing]) -> ShownDomainView:
        require_admin(inbound.caller, what="see which domains are trusted")
        return ShownDomainView.of(await self.service.get(inbound.path["domain"]))

    async def _trust(self, inbound: Inbound[NewDomain, Nothing]) -> DomainView:
        require_admin(inbound.caller, what="trust a domain")
        body = inbound.body
        stated = StatedDomain(
            name=body.name,
            issuer=body.issuer,
            direction=body.direction,
            address=body.address,
            keys=b"" if body.keys is None else msgspec.json.encode(body.keys),
            scopes=frozenset(body.scopes),
            ceiling=None if body.ceiling is None else ceiling_of(body.ceiling),
            bound=body.bound,
        )
        return DomainView.of(await self.service.trust(stated, by=inbound.caller.principal, at=inbound.at))

    async def _revoke(self, inbound: Inbound[Because, Nothing]) -> DomainView:
        require_admin(inbound.caller, what="revoke trust in a domain")
        domain = await self.service.withdraw(
            inbound.path["domain"],
            by=inbound.caller.principal,
            because=inbound.body.reason,
            at=inbound.at,
        )
        return DomainView.of(domain)

    async def _allow(self, inbound: Inbound[NewDomainRule, Nothing]) -> DomainRuleView:
        require_admin(inbound.caller, what="write rules over domains")
        body = inbound.body
        stated = StatedRule(
            who=body.who,
            client=body.client,
            text=body.text,
            there=body.there,
            scopes=frozenset(body.scopes),
            ceiling=None if body.ceiling is None else ceiling_of(body.ceiling),
        )
        rule = await self.service.allow(
            inbound.path["domain"], stated, by=inbound.caller.principal, at=inbound.at
        )
        return DomainRuleView.of(rule)

    async def _disallow(self, inbound: Inbound[Because, Nothing]) -> DomainRuleView:
        require_admin(inbound.caller, what="withdraw rules over domains")
        rule = await self.service.disallow(
            inbound.path["rule"],
            by=inbound.caller.principal,
            because=inbound.body.reason,
            at=inbound.at,
        )
        return DomainRuleView.of(rule)

    async def _link(self, inbound: Inbound[NewDomainPerson, Nothing]) -> DomainPersonView:
        require_admin(inbound.caller, what="link people of other domains")
        body = inbound.body
        person = await self.named(Kind.HUMAN, body.user)
        link = await self.service.link(
            inbound.path["domain"],
            body.subject,
            UserId(person.id),
            theirs=body.tenant,
            by=inbound.caller.principal,
            at=inbound.at,
        )
        return DomainPersonView.of(link)

    async def _unlink(self, inbound: Inbound[UnlinkedPerson, Nothing]) -> DomainPersonView:
        require_admin(inbound.caller, what="unlink people of other domains")
        link = await self.service.unlink(
            inbound.path["domain"],
            inbound.body.subject,
            theirs=inbound.body.tenant,
            by=inbound.caller.principal,
            at=inbound.at,
        )
        return DomainPersonView.of(link)


async def entry_named(identity: IdentityService, kind: Kind, ident: str) -> Principal:
    """An entry by id, or by the name that its kind knows it by."""
    if ident.startswith("usr_"):
        entry = await identity.get(PrincipalId(ident))
        if entry.kind is kind:
            return entry
    return await identity.find(kind, ident)
