"""Channels, ways to people and messages as the API shows them: never a secret, never a whole address."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Self

import msgspec

from remit.kernel.ids import TenantId
from remit.oversight.notices.channel import Channel, ChannelKind, ChannelState, Secrets
from remit.oversight.notices.letter import Topic
from remit.oversight.notices.message import Attempt, Message, MessageState, Result
from remit.oversight.notices.reach import Route
from remit.oversight.notices.service import Reachable
from remit.surface.web.paging import Limit
from remit.surface.web.schemas.words import Ident

ChannelName = Annotated[str, msgspec.Meta(max_length=40, pattern=r"^[a-z][a-z0-9-]*$")]
ChannelUrl = Annotated[str, msgspec.Meta(max_length=2048, pattern=r"^[!-~]*$")]
ChannelSecret = Annotated[str, msgspec.Meta(max_length=1024, pattern=r"^[ -~]*$")]
ChannelWord = Annotated[str, msgspec.Meta(max_length=254, pattern=r"^[!-~]*$")]


class ChannelBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A channel to set up. `secret` is sealed at once and never shown."""

    name: ChannelName
    kind: ChannelKind
    url: ChannelUrl = ""
    sender: ChannelWord = ""
    account: ChannelWord = ""
    agent: Annotated[str, msgspec.Meta(max_length=128)] = ""
    answers: bool = False
    secret: ChannelSecret = ""

    def channel(self, *, tenant: TenantId, agent: str, at: datetime) -> Channel:
        """As the domain takes it."""
        return Channel(
            tenant=tenant,
            name=self.name,
            kind=self.kind,
            url=self.url,
            sender=self.sender,
            account=self.account,
            agent=agent,
            answers=self.answers,
            made_at=at,
        )

    def secrets(self) -> Secrets:
        """What is sealed of it."""
        return Secrets(key=self.secret)


class ChannelSecretBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another secret; webhooks need none, theirs is made here. `url` where the address is the secret."""

    secret: ChannelSecret = ""
    url: ChannelUrl = ""


class ChannelView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One channel with its health."""

    name: str
    kind: ChannelKind
    state: ChannelState
    host: str = ""
    sender: str = ""
    account: str = ""
    agent: str = ""
    answers: bool = False
    public_key: str = ""
    made_at: datetime
    rotated_at: datetime | None = None
    well: bool
    succeeded_at: datetime | None = None
    failed_at: datetime | None = None
    failures: int = 0
    why: str = ""

    @classmethod
    def of(cls, channel: Channel) -> Self:
        """From the domain."""
        health = channel.health
        return cls(
            name=channel.name,
            kind=channel.kind,
            state=channel.state,
            host=channel.host,
            sender=channel.sender,
            account=channel.account,
            agent=channel.agent,
            answers=channel.answers,
            public_key=channel.public,
            made_at=channel.made_at,
            rotated_at=channel.rotated_at,
            well=health.well,
            succeeded_at=health.succeeded_at,
            failed_at=health.failed_at,
            failures=health.failures,
            why=health.why,
        )


class ChannelSetUp(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A channel that was set up or got another secret; a webhook's secret is told this once."""

    channel: ChannelView
    secret: str = ""


class ChannelsView(msgspec.Struct, frozen=True, kw_only=True):
    """Every channel, and how many messages are in which state."""

    channels: list[ChannelView]
    messages: dict[str, int]


class RemovedView(msgspec.Struct, frozen=True, kw_only=True):
    """How many people's lists named what is gone."""

    named_by: int


class TestBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom a test is for: a person, an address, or nobody where the channel itself leads somewhere."""

    person: Annotated[str, msgspec.Meta(max_length=128)] = ""
    address: ChannelWord = ""


class TestView(msgspec.Struct, frozen=True, kw_only=True):
    """What the other side said."""

    receipt: str


class RouteBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way to somebody."""

    channel: ChannelName
    address: ChannelWord = ""

    def route(self) -> Route:
        """As the domain takes it."""
        return Route(channel=self.channel, address=self.address)


class ReachBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The ways to somebody, first to last; none means the order of the house."""

    routes: Annotated[list[RouteBody], msgspec.Meta(max_length=8)]


class WayView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One way that would be tried now."""

    channel: str
    address: str = ""
    device: str = ""


class ChannelReach(msgspec.Struct, frozen=True, kw_only=True):
    """How somebody is reached now, in order."""

    person: str
    chosen: bool
    ways: list[WayView]
    devices: int

    @classmethod
    def of(cls, reachable: Reachable) -> Self:
        """From the domain."""
        return cls(
            person=reachable.person.id,
            chosen=reachable.chosen,
            ways=[
                WayView(channel=each.channel, address=each.address, device=each.device or "")
                for each in reachable.ways
            ],
            devices=len(reachable.devices),
        )


class MessageQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which messages."""

    state: MessageState | None = None
    person: Annotated[str, msgspec.Meta(max_length=128)] = ""
    about: Annotated[str, msgspec.Meta(max_length=128)] = ""
    limit: Limit = 50
    cursor: Annotated[str, msgspec.Meta(max_length=128, pattern=r"^([0-9]{1,16}:[a-z0-9_]{1,64})?$")] = ""


class AttemptView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One try."""

    channel: str
    at: datetime
    result: Result
    turn: int
    why: str = ""

    @classmethod
    def of(cls, attempt: Attempt) -> Self:
        """From the domain."""
        return cls(
            channel=attempt.channel, at=attempt.at, result=attempt.result, turn=attempt.turn, why=attempt.why
        )


class MessageView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One message: to whom, about what, and every try."""

    id: str
    person: str
    person_name: str = ""
    topic: Topic
    about: Ident
    title: str
    state: MessageState
    channel: str = ""
    stated_at: datetime
    due: datetime
    attempts: list[AttemptView] = []

    @classmethod
    def of(cls, message: Message, name_of: Callable[[str], str]) -> Self:
        """From the domain."""
        return cls(
            id=message.id,
            person=message.person,
            person_name=name_of(message.person),
            topic=message.letter.topic,
            about=message.about,
            title=message.letter.title,
            state=message.state,
            channel=message.channel,
            stated_at=message.stated_at,
            due=message.due,
            attempts=[AttemptView.of(each) for each in message.attempts],
        )
