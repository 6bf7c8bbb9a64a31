"""People who sign in: their passkeys and sessions, for themselves to see and administrators to end."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from remit.authority.oauth.wire.scopes import Scope
from remit.identity.enrolment_service import EnrolmentService
from remit.identity.passkey_service import PasskeyService
from remit.identity.principals import PREFIX, Kind, Principal
from remit.identity.service import IdentityService
from remit.identity.session_service import SessionService
from remit.kernel.canonical import b64u
from remit.kernel.ids import PasskeyId, PrincipalId
from remit.surface.web.caller import Caller, require_admin, require_own
from remit.surface.web.operation import Inbound, Method, Nothing, Operation, Replay
from remit.surface.web.schemas.identity import Because
from remit.surface.web.schemas.people import (
    EndedView,
    EnrolmentView,
    NewEnrolment,
    PasskeyView,
    SessionView,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleRoutes:
    """What the noun needs; `origin` is the address at which passkeys are made."""

    identity: IdentityService
    passkeys: PasskeyService
    sessions: SessionService
    enrolments: EnrolmentService
    lifetime: timedelta
    origin: str

    def operations(self) -> list[Operation[Any, Any]]:
        """What is served below `/users/{ident}`."""
        return [*self._seeing(), *self._ending()]

    def _seeing(self) -> list[Operation[Any, Any]]:
        return [
            Operation(
                name="listUserPasskeys",
                summary="Passkeys of a person, revoked ones too",
                method=Method.GET,
                path="/users/{ident}/passkeys",
                scopes=(Scope.READ,),
                handler=self._list_passkeys,
                body=Nothing,
                query=Nothing,
                answer=list[PasskeyView],
            ),
            Operation(
                name="listUserSessions",
                summary="Open sessions of a person, newest first",
                method=Method.GET,
                path="/users/{ident}/sessions",
                scopes=(Scope.READ,),
                handler=self._list_sessions,
                body=Nothing,
                query=Nothing,
                answer=list[SessionView],
            ),
            Operation(
                name="enrolUser",
                summary="A link by which a person makes a passkey: once, within its time",
                method=Method.POST,
                path="/users/{ident}/enrolments",
                scopes=(Scope.ADMIN,),
                handler=self._enrol,
                body=NewEnrolment,
                query=Nothing,
                answer=EnrolmentView,
                status=201,
                replay=Replay.REFUSE,
                verified=True,
            ),
        ]

    def _ending(self) -> list[Operation[Any, Any]]:
        return [
            Operation(
                name="withdrawUserEnrolments",
                summary="Take back a person's links that were not used",
                method=Method.POST,
                path="/users/{ident}/enrolments/withdraw",
                scopes=(Scope.ADMIN,),
                handler=self._withdraw,
                body=Nothing,
                query=Nothing,
                answer=EndedView,
            ),
            Operation(
                name="revokeUserPasskey",
                summary="Revoke a person's passkey with the sessions that it opened",
                method=Method.POST,
                path="/users/{ident}/passkeys/{passkey}/revoke",
                scopes=(Scope.ADMIN,),
                handler=self._revoke,
                body=Because,
                query=Nothing,
                answer=PasskeyView,
            ),
            Operation(
                name="endUserSessions",
                summary="Sign a person out everywhere",
                method=Method.POST,
                path="/users/{ident}/sessions/end",
                scopes=(Scope.ADMIN,),
                handler=self._end,
                body=Because,
                query=Nothing,
                answer=EndedView,
            ),
        ]

    async def _list_passkeys(self, inbound: Inbound[Nothing, Nothing]) -> list[PasskeyView]:
        person = await self._seen(inbound.path["ident"], inbound.caller)
        return [PasskeyView.of(each) for each in await self.passkeys.of(person.id)]

    async def _list_sessions(self, inbound: Inbound[Nothing, Nothing]) -> list[SessionView]:
        person = await self._seen(inbound.path["ident"], inbound.caller)
        return [SessionView.of(each) for each in await self.sessions.of(person.id)]

    async def _enrol(self, inbound: Inbound[NewEnrolment, Nothing]) -> EnrolmentView:
        person = await self._administered(inbound.path["ident"], inbound.caller)
        asked = inbound.body.seconds
        lifetime = self.lifetime if asked is None else timedelta(seconds=asked)
        link, secret = await self.enrolments.issue(person.id, by=inbound.caller.principal, lifetime=lifetime)
        return EnrolmentView(
            id=link.id,
            user=person.id,
            url=f"{self.origin}/enrol#{b64u(secret.reveal())}",
            expires_at=link.expires_at,
        )

    async def _withdraw(self, inbound: Inbound[Nothing, Nothing]) -> EndedView:
        person = await self._administered(inbound.path["ident"], inbound.caller)
        return EndedView(ended=await self.enrolments.withdraw(person.id, by=inbound.caller.principal))

    async def _revoke(self, inbound: Inbound[Because, Nothing]) -> PasskeyView:
        person = await self._administered(inbound.path["ident"], inbound.caller)
        revoked = await self.passkeys.revoke(
            PasskeyId(inbound.path["passkey"]),
            of=person.id,
            by=inbound.caller.principal,
            because=inbound.body.reason,
        )
        return PasskeyView.of(revoked)

    async def _end(self, inbound: Inbound[Because, Nothing]) -> EndedView:
        person = await self._administered(inbound.path["ident"], inbound.caller)
        ended = await self.sessions.end_all(
            person.id, by=inbound.caller.principal, because=inbound.body.reason
        )
        return EndedView(ended=ended)

    async def _seen(self, ident: str, caller: Caller) -> Principal:
        person = await self._find(ident)
        require_own(caller, person.id, what="user")
        return person

    async def _administered(self, ident: str, caller: Caller) -> Principal:
        require_admin(caller, what="act on people's passkeys and sessions")
        return await self._find(ident)

    async def _find(self, ident: str) -> Principal:
        """One person by id or name; another kind's id names nobody here."""
        if ident.startswith(f"{PREFIX[Kind.HUMAN]}_"):
            found = await self.identity.get(PrincipalId(ident))
            if found.kind is Kind.HUMAN:
                return found
        return await self.identity.find(Kind.HUMAN, ident)
