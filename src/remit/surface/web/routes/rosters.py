"""Who is on call when, and who is away: set by administrators; one's own absence by oneself."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from remit.authority.oauth.wire.scopes import Scope
from remit.identity.principals import PREFIX, Kind, Principal
from remit.identity.service import IdentityService
from remit.kernel.ids import PrincipalId, ShiftId
from remit.oversight.rosters.service import RosterService
from remit.surface.web.caller import Caller, NotAPerson, require_admin, require_own
from remit.surface.web.operation import Inbound, Method, Nothing, Operation
from remit.surface.web.schemas.rosters import (
    AbsenceQuery,
    AbsenceView,
    NewAbsence,
    NewShift,
    RosterQuery,
    ShiftView,
)

_AWAY = "/users/{ident}/absence"
_SET = (Scope.APPROVE, Scope.WRITE)


@dataclass(frozen=True, slots=True, kw_only=True)
class RosterRoutes:
    """What the noun needs: the service, the directory, and what people are called."""

    service: RosterService
    identity: IdentityService
    name_of: Callable[[str], str]

    def operations(self) -> list[Operation[Any, Any]]:
        """What is served."""
        return [*self._shifts(), *self._absences()]

    def _shifts(self) -> list[Operation[Any, Any]]:
        return [
            Operation(
                name="listShifts",
                summary="Who is on call, and will be; the earliest first",
                method=Method.GET,
                path="/oncall",
                scopes=(Scope.READ, Scope.APPROVE),
                handler=self._list_shifts,
                body=Nothing,
                query=RosterQuery,
                answer=list[ShiftView],
            ),
            Operation(
                name="setShift",
                summary="Put somebody on call on a roster for a while",
                method=Method.POST,
                path="/oncall",
                scopes=(Scope.WRITE,),
                handler=self._set_shift,
                body=NewShift,
                query=Nothing,
                answer=ShiftView,
                status=201,
            ),
            Operation(
                name="removeShift",
                summary="Take a shift off its roster",
                method=Method.POST,
                path="/oncall/{shift}/remove",
                scopes=(Scope.WRITE,),
                handler=self._remove_shift,
                body=Nothing,
                query=Nothing,
                answer=ShiftView,
            ),
        ]

    def _absences(self) -> list[Operation[Any, Any]]:
        return [
            Operation(
                name="listAbsences",
                summary="Who is away, or will be, and who stands in for them",
                method=Method.GET,
                path="/absences",
                scopes=(Scope.READ, Scope.APPROVE),
                handler=self._list_absences,
                body=Nothing,
                query=AbsenceQuery,
                answer=list[AbsenceView],
            ),
            Operation(
                name="setAbsence",
                summary="Say that somebody is away until then, and who stands in",
                method=Method.POST,
                path=_AWAY,
                scopes=_SET,
                handler=self._leave,
                body=NewAbsence,
                query=Nothing,
                answer=AbsenceView,
            ),
            Operation(
                name="endAbsence",
                summary="Say that somebody is back",
                method=Method.POST,
                path=f"{_AWAY}/end",
                scopes=_SET,
                handler=self._come_back,
                body=Nothing,
                query=Nothing,
                answer=None,
                status=204,
            ),
        ]

    async def _list_shifts(self, inbound: Inbound[Nothing, RosterQuery]) -> list[ShiftView]:
        found = await self.service.shifts(inbound.query.roster, limit=inbound.query.limit)
        return [ShiftView.of(each, self.name_of(each.person), inbound.at) for each in found]

    async def _set_shift(self, inbound: Inbound[NewShift, Nothing]) -> ShiftView:
        require_admin(inbound.caller, what="say who is on call")
        body, person = inbound.body, await self._find(inbound.body.person)
        shift = await self.service.set_shift(
            body.roster,
            person=person.id,
            starts_at=body.starts_at,
            ends_at=body.ends_at,
            by=inbound.caller.principal,
        )
        return ShiftView.of(shift, self.name_of(shift.person), inbound.at)

    async def _remove_shift(self, inbound: Inbound[Nothing, Nothing]) -> ShiftView:
        require_admin(inbound.caller, what="say who is on call")
        shift = await self.service.remove_shift(ShiftId(inbound.path["shift"]), by=inbound.caller.principal)
        return ShiftView.of(shift, self.name_of(shift.person), inbound.at)

    async def _list_absences(self, inbound: Inbound[Nothing, AbsenceQuery]) -> list[AbsenceView]:
        return [
            AbsenceView.of(each, self.name_of(each.person), self.name_of(each.deputy) if each.deputy else "")
            for each in await self.service.absences(limit=inbound.query.limit)
        ]

    async def _leave(self, inbound: Inbound[NewAbsence, Nothing]) -> AbsenceView:
        person = await self._own(inbound.path["ident"], inbound.caller)
        body = inbound.body
        deputy = await self._find(body.deputy) if body.deputy else None
        absence = await self.service.leave(
            person.id,
            starts_at=body.starts_at,
            ends_at=body.until,
            deputy=deputy.id if deputy else None,
            by=inbound.caller.principal,
        )
        return AbsenceView.of(absence, self.name_of(person.id), self.name_of(deputy.id) if deputy else "")

    async def _come_back(self, inbound: Inbound[Nothing, Nothing]) -> None:
        person = await self._own(inbound.path["ident"], inbound.caller)
        await self.service.come_back(person.id, by=inbound.caller.principal)

    async def _own(self, ident: str, caller: Caller) -> Principal:
        """Oneself, or anybody for an administrator; SAFETY: no agent says that its approver is away."""
        if not caller.person:
            raise NotAPerson("only a person says who is away", next_step="ask one: remit user list")
        person = await self._find(ident)
        require_own(caller, person.id, what="user")
        if person.id != caller.principal:
            require_admin(caller, what="say that somebody else is away")
        return person

    async def _find(self, ident: str) -> Principal:
        """One person by id or name; another kind's id names nobody here."""
        if ident.startswith(f"{PREFIX[Kind.HUMAN]}_"):
            found = await self.identity.get(PrincipalId(ident))
            if found.kind is Kind.HUMAN:
                return found
        return await self.identity.find(Kind.HUMAN, ident)
