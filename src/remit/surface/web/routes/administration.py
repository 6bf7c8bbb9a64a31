"""Who may administer: roles, who holds them, the policy behind them, whether somebody may do something."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from remit.authority.oauth.wire.scopes import Scope
from remit.decision.administration.errors import NoSuchAdminPolicy, NoSuchRole
from remit.decision.administration.guard import roles_of
from remit.decision.administration.judging import Channel
from remit.decision.administration.service import AdministrationService
from remit.decision.administration.texts import shipped
from remit.identity.principals import PREFIX, Kind, Principal
from remit.identity.service import IdentityService
from remit.kernel.ids import PrincipalId
from remit.surface.web.caller import require_admin, require_own
from remit.surface.web.operation import Inbound, Method, Nothing, Operation, operation
from remit.surface.web.paging import Page, PageQuery, page_of
from remit.surface.web.schemas.administration import (
    AdminActionView,
    HeldRoles,
    MayQuestion,
    MayView,
    NewRules,
    RoleGift,
    RoleView,
    RulesCheck,
    RulesFault,
    RulesText,
    RulesView,
)

_LAST = (1 << 62) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class AdministrationRoutes:
    """What the noun needs; `by_rank` tells the actions that are about the whole installation."""

    service: AdministrationService
    identity: IdentityService
    by_rank: Callable[[], frozenset[str]]

    def operations(self) -> list[Operation[Any, Any]]:
        """What is served."""
        return [*self._roles(), *self._rules()]

    def _roles(self) -> list[Operation[Any, Any]]:
        return [
            operation(
                "listRoles",
                "Roles, the rules that name them, and who holds them",
                "GET",
                "/roles",
                self._list,
                answer=list[RoleView],
            ),
            operation("getRole", "One role", "GET", "/roles/{role}", self._get, answer=RoleView),
            operation(
                "grantRole",
                "Give a person a role",
                "POST",
                "/roles/{role}/grant",
                self._grant,
                body=RoleGift,
                answer=HeldRoles,
            ),
            operation(
                "revokeRole",
                "Take a role from a person; not from the last who administers",
                "POST",
                "/roles/{role}/revoke",
                self._revoke,
                body=RoleGift,
                answer=HeldRoles,
            ),
        ]

    def _rules(self) -> list[Operation[Any, Any]]:
        base = "/administration"
        return [
            operation(
                "getAdministration",
                "The administrative policy that is in force",
                "GET",
                base,
                self._current,
                answer=RulesView,
            ),
            operation(
                "publishAdministration",
                "Put another in its place; refused if nobody could administer under it",
                "POST",
                base,
                self._publish,
                body=NewRules,
                answer=RulesView,
                status=201,
            ),
            Operation(
                name="listAdministrationVersions",
                summary="Its versions, newest first",
                method=Method.GET,
                path=f"{base}/versions",
                scopes=(Scope.READ,),
                handler=self._versions,
                body=Nothing,
                query=PageQuery,
                answer=Page[RulesView],
            ),
            operation(
                "getAdministrationVersion",
                "One version; 0 is what is shipped",
                "GET",
                f"{base}/versions/{{version}}",
                self._version,
                answer=RulesView,
            ),
            operation(
                "checkAdministration",
                "What is wrong with a text; nothing is stored",
                "POST",
                f"{base}/check",
                self._check,
                body=RulesText,
                answer=RulesCheck,
                scope=Scope.READ,
            ),
            operation(
                "listAdministrationActions",
                "Everything that can be done here, as rules name it",
                "GET",
                f"{base}/actions",
                self._actions,
                answer=list[AdminActionView],
            ),
            operation(
                "mayAdminister",
                "Whether a person may do something here, and which rule says so",
                "POST",
                f"{base}/may",
                self._may,
                body=MayQuestion,
                answer=MayView,
                scope=Scope.READ,
            ),
        ]

    async def _list(self, _: Inbound[Nothing, Nothing]) -> list[RoleView]:
        return [RoleView.of(each) for each in await self.service.roles()]

    async def _get(self, inbound: Inbound[Nothing, Nothing]) -> RoleView:
        wanted = inbound.path["role"]
        for each in await self.service.roles():
            if each.name == wanted:
                return RoleView.of(each)
        raise NoSuchRole(f"no rule names a role `{wanted}`, and nobody holds it", next_step="remit role list")

    async def _grant(self, inbound: Inbound[RoleGift, Nothing]) -> HeldRoles:
        require_admin(inbound.caller, what="give roles")
        person = await self._person(inbound.body.user)
        changed = await self.service.grant(
            inbound.path["role"], person.id, by=inbound.caller.principal, at=inbound.at
        )
        return _held(changed)

    async def _revoke(self, inbound: Inbound[RoleGift, Nothing]) -> HeldRoles:
        require_admin(inbound.caller, what="take roles")
        person = await self._person(inbound.body.user)
        changed = await self.service.revoke(
            inbound.path["role"], person.id, by=inbound.caller.principal, at=inbound.at
        )
        return _held(changed)

    async def _current(self, _: Inbound[Nothing, Nothing]) -> RulesView:
        return await self._text((await self.service.current()).number)

    async def _text(self, number: int) -> RulesView:
        if number:
            return RulesView.of(await self.service.version(number), text=True)
        bundle = shipped().bundle
        return RulesView(version=0, digest=bundle.version.digest, text=bundle.text)

    async def _publish(self, inbound: Inbound[NewRules, Nothing]) -> RulesView:
        require_admin(inbound.caller, what="rule on administration")
        body = inbound.body
        found = await self.service.publish(
            body.text, over=body.over, by=inbound.caller.principal, at=inbound.at
        )
        return RulesView.of(found)

    async def _versions(self, inbound: Inbound[Nothing, PageQuery]) -> Page[RulesView]:
        query = inbound.query
        before = int(query.cursor) if query.cursor.isdecimal() else _LAST
        found = await self.service.page(before=min(before, _LAST), limit=query.limit + 1)
        return page_of(found, limit=query.limit, key=lambda each: str(each.number), view=RulesView.of)

    async def _version(self, inbound: Inbound[Nothing, Nothing]) -> RulesView:
        text = inbound.path["version"]
        if not text.isdecimal() or int(text) > _LAST:
            raise NoSuchAdminPolicy(f"no version `{text}`", next_step="remit role history")
        return await self._text(int(text))

    async def _check(self, inbound: Inbound[RulesText, Nothing]) -> RulesCheck:
        faults = self.service.check(inbound.body.text)
        return RulesCheck(good=not faults, faults=[RulesFault.of(each) for each in faults])

    async def _actions(self, _: Inbound[Nothing, Nothing]) -> list[AdminActionView]:
        return [AdminActionView.of(each) for each in self.service.actions()]

    async def _may(self, inbound: Inbound[MayQuestion, Nothing]) -> MayView:
        body, person = inbound.body, await self._person(inbound.body.user)
        require_own(inbound.caller, person.id, what="user")
        who, action, whole, own = await self.service.may(
            person.id, body.action, at=inbound.at, channel=Channel(body.channel)
        )
        return MayView.of(who.id, who.name, action, whole, own, by_rank=action.name in self.by_rank())

    async def _person(self, named: str) -> Principal:
        """One person by id or name."""
        if named.startswith(f"{PREFIX[Kind.HUMAN]}_"):
            found = await self.identity.get(PrincipalId(named))
            if found.kind is Kind.HUMAN:
                return found
        return await self.identity.find(Kind.HUMAN, named)


def _held(person: Principal) -> HeldRoles:
    return HeldRoles(user=person.id, name=person.name, roles=sorted(roles_of(person)))
