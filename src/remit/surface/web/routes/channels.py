"""How people are reached: channels, each person's order of them, and what became of every message."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from remit.authority.oauth.wire.scopes import Scope
from remit.identity.service import IdentityService
from remit.kernel.ids import MessageId, PrincipalId, TenantId
from remit.oversight.notices.channel import ChannelState, Secrets
from remit.oversight.notices.message import Message
from remit.oversight.notices.service import ChannelService
from remit.surface.web.caller import Caller, require_admin, require_own, unseen
from remit.surface.web.operation import Inbound, Method, Nothing, Operation, Replay, operation
from remit.surface.web.paging import Page, page_of
from remit.surface.web.routes.entries import NOUNS, Entries
from remit.surface.web.schemas.channels import (
    ChannelBody,
    ChannelReach,
    ChannelSecretBody,
    ChannelSetUp,
    ChannelsView,
    ChannelView,
    MessageQuery,
    MessageView,
    ReachBody,
    RemovedView,
    TestBody,
    TestView,
)

_ONE: Final = "/channels/{channel}"
_REACH: Final = "/users/{ident}/reach"
_WHAT: Final = "change how people are reached"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelRoutes:
    """What the noun needs."""

    service: ChannelService
    identity: IdentityService
    tenant: TenantId
    name_of: Callable[[str], str]

    def operations(self) -> list[Operation[Any, Any]]:
        """What is served."""
        return [*self._channels(), *self._people(), *self._messages()]

    def _channels(self) -> list[Operation[Any, Any]]:
        return [
            operation(
                "listChannels",
                "Every channel with its health, and messages by state",
                "GET",
                "/channels",
                self._list,
                answer=ChannelsView,
            ),
            Operation(
                name="addChannel",
                summary="Set a channel up; a webhook's secret is in this answer alone",
                method=Method.POST,
                path="/channels",
                scopes=(Scope.ADMIN,),
                handler=self._add,
                body=ChannelBody,
                query=Nothing,
                answer=ChannelSetUp,
                status=201,
                replay=Replay.REFUSE,
            ),
            operation("getChannel", "One channel", "GET", _ONE, self._get, answer=ChannelView),
            Operation(
                name="rotateChannel",
                summary="Another secret; a webhook is signed with both for a day",
                method=Method.POST,
                path=f"{_ONE}/rotate",
                scopes=(Scope.ADMIN,),
                handler=self._rotate,
                body=ChannelSecretBody,
                query=Nothing,
                answer=ChannelSetUp,
                replay=Replay.REFUSE,
            ),
            operation(
                "testChannel",
                "Send one test through it now",
                "POST",
                f"{_ONE}/test",
                self._test,
                body=TestBody,
                answer=TestView,
            ),
            operation(
                "suspendChannel",
                "Send nothing through it for now",
                "POST",
                f"{_ONE}/suspend",
                self._suspend,
                answer=ChannelView,
            ),
            operation(
                "resumeChannel",
                "Send through it again",
                "POST",
                f"{_ONE}/resume",
                self._resume,
                answer=ChannelView,
            ),
            operation(
                "removeChannel",
                "Forget it with its secrets",
                "POST",
                f"{_ONE}/remove",
                self._remove,
                answer=RemovedView,
            ),
        ]

    def _people(self) -> list[Operation[Any, Any]]:
        return [
            operation(
                "getUserReach",
                "How a person is reached now, in order",
                "GET",
                _REACH,
                self._reach,
                answer=ChannelReach,
            ),
            operation(
                "setUserReach",
                "Set the order for a person; none is the order of the house",
                "PUT",
                _REACH,
                self._choose,
                body=ReachBody,
                answer=ChannelReach,
            ),
        ]

    def _messages(self) -> list[Operation[Any, Any]]:
        return [
            Operation(
                name="listMessages",
                summary="What people were told, newest first; `state=dead` and `unreachable` are lost",
                method=Method.GET,
                path="/messages",
                scopes=(Scope.READ,),
                handler=self._page,
                body=Nothing,
                query=MessageQuery,
                answer=Page[MessageView],
            ),
            operation(
                "getMessage", "One message with every try", "GET", "/messages/{message}", self._one,
                answer=MessageView,
            ),
            operation(
                "retryMessage", "Try a lost message from the start", "POST", "/messages/{message}/retry",
                self._retry, answer=MessageView,
            ),
        ]  # fmt: skip

    async def _list(self, inbound: Inbound[Nothing, Nothing]) -> ChannelsView:
        _need_sight(inbound.caller)
        found = await self.service.all()
        return ChannelsView(
            channels=[ChannelView.of(each) for each in found], messages=await self.service.counts()
        )

    async def _add(self, inbound: Inbound[ChannelBody, Nothing]) -> ChannelSetUp:
        require_admin(inbound.caller, what=_WHAT)
        body = inbound.body
        agent = (await Entries(identity=self.identity).find(NOUNS[0], body.agent)).id if body.agent else ""
        stated = body.channel(tenant=self.tenant, agent=agent, at=inbound.at)
        channel, secret = await self.service.add(stated, body.secrets(), by=inbound.caller.principal)
        return ChannelSetUp(channel=ChannelView.of(channel), secret=secret)

    async def _get(self, inbound: Inbound[Nothing, Nothing]) -> ChannelView:
        _need_sight(inbound.caller)
        return ChannelView.of(await self.service.get(inbound.path["channel"]))

    async def _rotate(self, inbound: Inbound[ChannelSecretBody, Nothing]) -> ChannelSetUp:
        require_admin(inbound.caller, what=_WHAT)
        given = Secrets(key=inbound.body.secret, url=inbound.body.url)
        channel, secret = await self.service.rotate(
            inbound.path["channel"], given, by=inbound.caller.principal
        )
        return ChannelSetUp(channel=ChannelView.of(channel), secret=secret)

    async def _test(self, inbound: Inbound[TestBody, Nothing]) -> TestView:
        require_admin(inbound.caller, what=_WHAT)
        entries, body = Entries(identity=self.identity), inbound.body
        to = await entries.person(body.person) if body.person else inbound.caller.principal
        receipt = await self.service.test(
            inbound.path["channel"], to=to, address=body.address, by=inbound.caller.principal
        )
        return TestView(receipt=receipt.value)

    async def _suspend(self, inbound: Inbound[Nothing, Nothing]) -> ChannelView:
        return await self._moved(inbound, ChannelState.SUSPENDED)

    async def _resume(self, inbound: Inbound[Nothing, Nothing]) -> ChannelView:
        return await self._moved(inbound, ChannelState.ACTIVE)

    async def _moved(self, inbound: Inbound[Nothing, Nothing], state: ChannelState) -> ChannelView:
        require_admin(inbound.caller, what=_WHAT)
        moved = await self.service.move(inbound.path["channel"], state, by=inbound.caller.principal)
        return ChannelView.of(moved)

    async def _remove(self, inbound: Inbound[Nothing, Nothing]) -> RemovedView:
        require_admin(inbound.caller, what=_WHAT)
        named = await self.service.remove(inbound.path["channel"], by=inbound.caller.principal)
        return RemovedView(named_by=named)

    async def _reach(self, inbound: Inbound[Nothing, Nothing]) -> ChannelReach:
        person = await Entries(identity=self.identity).person(inbound.path["ident"])
        require_own(inbound.caller, person, what="user")
        return ChannelReach.of(await self.service.reach(person))

    async def _choose(self, inbound: Inbound[ReachBody, Nothing]) -> ChannelReach:
        require_admin(inbound.caller, what=_WHAT)
        person = await Entries(identity=self.identity).person(inbound.path["ident"])
        routes = [each.route() for each in inbound.body.routes]
        return ChannelReach.of(await self.service.choose(person, routes, by=inbound.caller.principal))

    async def _page(self, inbound: Inbound[Nothing, MessageQuery]) -> Page[MessageView]:
        query = inbound.query
        person = await self._whose(inbound.caller, query.person)
        found = await self.service.messages(
            state=query.state,
            person=person,
            about=query.about,
            after=_place(query.cursor),
            limit=query.limit + 1,
        )
        return page_of(found, limit=query.limit, key=_cursor, view=self._view)

    async def _whose(self, caller: Caller, named: str) -> PrincipalId | None:
        """Everybody's for whoever sees all; one's own for everybody else."""
        person = await Entries(identity=self.identity).person(named) if named else None
        if caller.sees_all:
            return person
        require_own(caller, person or caller.principal, what="user")
        return caller.principal

    async def _one(self, inbound: Inbound[Nothing, Nothing]) -> MessageView:
        message = await self.service.message(MessageId(inbound.path["message"]))
        if inbound.caller.principal != message.person and not inbound.caller.sees_all:
            raise unseen("message", next_step="remit channel messages")
        return self._view(message)

    async def _retry(self, inbound: Inbound[Nothing, Nothing]) -> MessageView:
        require_admin(inbound.caller, what=_WHAT)
        ident = MessageId(inbound.path["message"])
        return self._view(await self.service.retry(ident, by=inbound.caller.principal))

    def _view(self, message: Message) -> MessageView:
        return MessageView.of(message, self.name_of)


def _need_sight(caller: Caller) -> None:
    if not caller.sees_all:
        raise unseen("channel", next_step="ask an administrator: remit user list")


def _cursor(message: Message) -> str:
    at = message.stated_at
    return f"{int(at.timestamp()) * 1_000_000 + at.microsecond}:{message.id}"


def _place(cursor: str) -> tuple[datetime, str] | None:
    moment, _, ident = cursor.partition(":")
    if not ident:
        return None
    seconds, micros = divmod(int(moment), 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros), ident
