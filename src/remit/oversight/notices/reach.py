"""How one person is reached: an ordered list, the first that works carries the message."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from remit.identity.principals import Principal
from remit.kernel.canonical import sha256
from remit.kernel.ids import PrincipalId, PushDeviceId, TenantId
from remit.oversight.notices.channel import Channel, ChannelKind, ChannelState

MOST_ROUTES: Final = 8
MOST_DEVICES: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One way to one person: a channel, and the address there. Web Push means all their browsers."""

    channel: str
    address: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What was chosen for a person, first to last; absent means `default_order`."""

    person: PrincipalId
    tenant: TenantId
    routes: tuple[Route, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """One browser of a person that asked to be notified (RFC 8030 §4)."""

    id: PushDeviceId
    tenant: TenantId
    person: PrincipalId
    name: str
    host: str
    made_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """What a browser gave us: an address that is a secret, and the keys to encrypt for (RFC 8291 §2)."""

    endpoint: str = field(repr=False)
    p256dh: str = field(repr=False)
    auth: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A route as it can be taken now. `key` tells it from others without naming the address."""

    channel: str
    address: str = ""
    device: PushDeviceId | None = None

    @property
    def key(self) -> str:
        """Stable name of this way."""
        return f"{self.channel}/{sha256(f'{self.device or self.address}'.encode())[:12]}"


def ways_to(
    person: Principal, *, reach: Reach | None, devices: Sequence[Device], channels: Mapping[str, Channel]
) -> tuple[Way, ...]:
    """Every way to a person, in order. Channels that are suspended or gone are left out."""
    routes = default_order(channels.values()) if reach is None else reach.routes
    found: dict[str, Way] = {}
    for route in routes:
        channel = channels.get(route.channel)
        if channel is None or channel.state is not ChannelState.ACTIVE or channel.agent:
            continue
        for way in _ways(person, route, channel, devices):
            found.setdefault(way.key, way)
    return tuple(found.values())


def callbacks_of(agent: PrincipalId, channels: Iterable[Channel]) -> tuple[Way, ...]:
    """The ways to an agent that waits: webhooks that were registered for it."""
    return tuple(
        Way(channel=each.name)
        for each in channels
        if each.agent == agent and each.state is ChannelState.ACTIVE
    )


def default_order(channels: Iterable[Channel]) -> tuple[Route, ...]:
    """Browsers first, then mail: what reaches a person without anybody having entered an address."""
    kinds = (ChannelKind.WEB_PUSH, ChannelKind.MAIL)
    ours = sorted((each for each in channels if each.kind in kinds), key=lambda each: each.name)
    return tuple(Route(channel=each.name) for kind in kinds for each in ours if each.kind is kind)


def _ways(person: Principal, route: Route, channel: Channel, devices: Sequence[Device]) -> Iterable[Way]:
    if channel.kind is ChannelKind.WEB_PUSH:
        return [Way(channel=channel.name, device=each.id) for each in devices]
    if channel.kind is ChannelKind.MAIL:
        address = route.address or person.email
        return [Way(channel=channel.name, address=address)] if address else []
    return [Way(channel=channel.name, address=route.address)]
