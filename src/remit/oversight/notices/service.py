"""Channels and the ways to people: set up, tried out, changed and removed; each change on record."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import msgspec

from remit.identity.principals import Principal
from remit.kernel.canonical import framed_digest
from remit.kernel.clock import Clock
from remit.kernel.errors import RemitError
from remit.kernel.ids import Entropy, MessageId, PrincipalId, PushDeviceId, TenantId, mint_id
from remit.kernel.sealing import Kek, seal, unseal
from remit.kernel.secret import Secret
from remit.kernel.uow import UnitOfWork
from remit.ledger import facts
from remit.ledger.record import Record
from remit.oversight.notices import message as rules
from remit.oversight.notices.channel import (
    BEARER,
    Channel,
    ChannelKind,
    ChannelState,
    Secrets,
    check_address,
    checked,
    device_place,
    place_of,
)
from remit.oversight.notices.delivery import DeliveryService, Receipt
from remit.oversight.notices.errors import (
    ChannelExists,
    ChannelInvalid,
    MessageSettled,
    NoSuchChannel,
    NoSuchMessage,
    NotCarried,
    TooManyDevices,
)
from remit.oversight.notices.letter import Topic, plain_letter
from remit.oversight.notices.message import LOST, Message, MessageState
from remit.oversight.notices.reach import (
    MOST_DEVICES,
    MOST_ROUTES,
    Device,
    Reach,
    Route,
    Subscription,
    Way,
    ways_to,
)
from remit.oversight.notices.repository import NoticeTransaction
from remit.oversight.notices.stating import record

MOST_CHANNELS: Final = 100
_KEY_BYTES: Final = 32
_SECRETS: Final = msgspec.json.Decoder(Secrets)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reachable:
    """How one person is reached now."""

    person: Principal
    chosen: bool
    """Whether somebody chose the order; else it is the order of the house."""
    ways: tuple[Way, ...]
    devices: tuple[Device, ...]


class ChannelService:
    """Channels of one tenant."""

    def __init__(
        self,
        *,
        work: UnitOfWork[NoticeTransaction],
        delivery: DeliveryService,
        make_pair: Callable[[], tuple[str, str]],
        make_secret: Callable[[bytes], str],
        kek: Kek,
        tenant: TenantId,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._work = work
        self._delivery = delivery
        self._make_pair = make_pair
        self._make_secret = make_secret
        self._kek = kek
        self._tenant = tenant
        self._clock = clock
        self._entropy = entropy

    async def add(self, channel: Channel, secrets: Secrets, *, by: PrincipalId) -> tuple[Channel, str]:
        """Set one up; the second is the secret of a webhook, which is told this once.

        Raises `ChannelInvalid`, `ChannelExists`.
        """
        found, kept, told = self._equipped(checked(channel, secrets), secrets)

        def work(tx: NoticeTransaction) -> None:
            if tx.channels.get(found.name) is not None:
                raise ChannelExists(
                    f"a channel `{found.name}` is there already", next_step=f"remit channel show {found.name}"
                )
            if len(tx.channels.all()) >= MOST_CHANNELS:
                raise ChannelInvalid(f"there are {MOST_CHANNELS} channels, the limit")
            if found.agent and tx.principals.get(PrincipalId(found.agent)) is None:
                raise ChannelInvalid(f"no agent `{found.agent}`", next_step="remit agent list")
            tx.channels.add(found, self._sealed(found, kept))
            self._record(tx, "channel.added", found.name, by, detail=(("kind", found.kind.value),))

        await self._work.commit(work)
        return found, told

    async def all(self) -> tuple[Channel, ...]:
        """Every channel with its health."""
        return await self._work.read(lambda tx: tuple(tx.channels.all()))

    async def get(self, name: str) -> Channel:
        """One; raises `NoSuchChannel`."""
        return await self._work.read(lambda tx: _channel(tx, name))

    async def counts(self) -> dict[str, int]:
        """Messages by state."""
        return await self._work.read(lambda tx: tx.messages.count())

    async def rotate(self, name: str, secrets: Secrets, *, by: PrincipalId) -> tuple[Channel, str]:
        """Put another secret in its place; a webhook's is made here, and the one before goes on for a day."""
        at = self._clock.now()

        def work(tx: NoticeTransaction) -> tuple[Channel, str]:
            channel = _channel(tx, name)
            if channel.kind is ChannelKind.WEB_PUSH:
                raise ChannelInvalid(
                    "another key would end every browser's subscription",
                    next_step=f"remit channel remove {name}, then add it again",
                )
            known = self._open(tx, channel)
            given = Secrets(key=secrets.key, url=secrets.url or known.url)
            fresh, kept, told = self._equipped(checked(channel, given), given)
            if channel.kind is ChannelKind.WEBHOOK:
                kept = replace(kept, before=known.key)
            changed = replace(fresh, rotated_at=at)
            tx.channels.save(changed, self._sealed(changed, kept))
            self._record(tx, "channel.rotated", name, by)
            return changed, told

        return await self._work.commit(work)

    async def move(self, name: str, state: ChannelState, *, by: PrincipalId) -> Channel:
        """Suspend it, or let it carry again."""

        def work(tx: NoticeTransaction) -> Channel:
            changed = replace(_channel(tx, name), state=state)
            tx.channels.save(changed)
            verb = "suspended" if state is ChannelState.SUSPENDED else "resumed"
            self._record(tx, f"channel.{verb}", name, by)
            return changed

        return await self._work.commit(work)

    async def remove(self, name: str, *, by: PrincipalId) -> int:
        """Forget it with its secrets; how many people's lists named it."""

        def work(tx: NoticeTransaction) -> int:
            _channel(tx, name)
            tx.channels.drop(name)
            self._record(tx, "channel.removed", name, by)
            return len(tx.reaches.naming(name, 1000))

        return await self._work.commit(work)

    async def test(self, name: str, *, to: PrincipalId, address: str, by: PrincipalId) -> Receipt:
        """Send one test through it now, to a person or an address. Raises `NotCarried`, `ChannelInvalid`."""
        channel, ways = await self._work.read(lambda tx: self._test_ways(tx, name, to, address))
        if not ways:
            raise ChannelInvalid(
                f"`{name}` leads to nobody here: name an address, or a person who is reached by it",
                next_step=f"remit channel test {name} --to ADDRESS",
            )
        letter = plain_letter(Topic.TEST, "If you read this, the channel works.", path="/me/messages")
        ident = MessageId(mint_id("msg", at=self._clock.now(), entropy=self._entropy))
        try:
            return await self._delivery.try_out(channel, ways[0], letter, ident)
        except RemitError as failed:
            raise NotCarried(failed.hint, next_step=f"remit doctor channel {name}") from failed
        finally:
            await self._work.commit(lambda tx: self._record(tx, "channel.tested", name, by))

    async def reach(self, person: PrincipalId) -> Reachable:
        """How somebody is reached now."""
        return await self._work.read(lambda tx: _reachable(tx, person))

    async def choose(self, person: PrincipalId, routes: Sequence[Route], *, by: PrincipalId) -> Reachable:
        """Set the order for a person; nothing means the order of the house."""
        if len(routes) > MOST_ROUTES:
            raise ChannelInvalid(f"{len(routes)} ways, the limit is {MOST_ROUTES}")

        def work(tx: NoticeTransaction) -> Reachable:
            chosen = tuple(_route(tx, each) for each in routes)
            if chosen:
                tx.reaches.put(Reach(person=person, tenant=self._tenant, routes=chosen))
            else:
                tx.reaches.drop(person)
            order = " ".join(each.channel for each in chosen)
            self._record(tx, "reach.changed", person, by, detail=(("order", order),))
            return _reachable(tx, person)

        return await self._work.commit(work)

    async def subscribe(
        self, person: PrincipalId, subscription: Subscription, *, name: str, host: str
    ) -> Device:
        """Let one more browser of a person be notified."""
        at = self._clock.now()
        parts = [person.encode(), subscription.endpoint.encode()]
        ident = PushDeviceId(f"psh_{framed_digest('remit/push-device/v1', parts)[:36]}")
        device = Device(id=ident, tenant=self._tenant, person=person, name=name, host=host, made_at=at)
        plain = Secret(msgspec.json.encode(subscription))
        sealed = seal(plain, kek=self._kek, context=device_place(self._tenant, ident), entropy=self._entropy)

        def work(tx: NoticeTransaction) -> Device:
            known = tx.push_devices.of(person)
            if len(known) >= MOST_DEVICES and ident not in {each.id for each in known}:
                raise TooManyDevices(
                    f"{MOST_DEVICES} browsers are notified, the limit", next_step="remove one first"
                )
            tx.push_devices.add(device, sealed)
            self._record(tx, "device.added", ident, person, detail=(("host", host),))
            return device

        return await self._work.commit(work)

    async def unsubscribe(self, person: PrincipalId, ident: PushDeviceId) -> bool:
        """Notify a browser no more; whether it was notified."""

        def work(tx: NoticeTransaction) -> bool:
            gone = tx.push_devices.drop(person, ident)
            if gone:
                self._record(tx, "device.removed", ident, person)
            return gone

        return await self._work.commit(work)

    async def push_key(self) -> str:
        """The public key that browsers subscribe with; empty where no channel pushes."""
        active = [
            each
            for each in await self.all()
            if each.kind is ChannelKind.WEB_PUSH and each.state is ChannelState.ACTIVE
        ]
        return active[0].public if active else ""

    async def messages(
        self,
        *,
        state: MessageState | None,
        person: PrincipalId | None,
        about: str,
        after: tuple[datetime, str] | None,
        limit: int,
    ) -> tuple[Message, ...]:
        """What people were told, newest first."""
        return await self._work.read(
            lambda tx: tuple(
                tx.messages.page(state=state, person=person, about=about, after=after, limit=limit)
            )
        )

    async def message(self, ident: MessageId) -> Message:
        """One; raises `NoSuchMessage`."""
        return await self._work.read(lambda tx: _message(tx, ident))

    async def retry(self, ident: MessageId, *, by: PrincipalId) -> Message:
        """Try a lost message from the start. Raises `MessageSettled`."""
        at = self._clock.now()

        def work(tx: NoticeTransaction) -> Message:
            message = _message(tx, ident)
            if message.state not in LOST:
                raise MessageSettled(
                    f"message `{ident}` is {message.state}; only lost ones are tried again",
                    next_step="remit channel messages --state dead",
                )
            fresh = rules.again(message, at=at)
            tx.messages.save(fresh, was=message.tries)
            self._record(tx, "notice.retried", message.person, by, detail=(("message", ident),))
            return fresh

        return await self._work.commit(work)

    async def confirm(self, ident: MessageId, *, person: PrincipalId | None = None) -> Message | None:
        """Somebody has it: no further way is tried. None for what is absent or another person's.

        Without `person`, the browser says so by the message's own unguessable id.
        """
        at = self._clock.now()
        found = await self._work.read(lambda tx: tx.messages.get(ident))
        if found is None or (person is not None and found.person != person):
            return None
        if found.state not in {MessageState.OPEN, MessageState.HANDED, MessageState.UNCONFIRMED}:
            return found

        def work(tx: NoticeTransaction) -> Message:
            seen = rules.confirmed(found, at=at)
            if tx.messages.save(seen, was=found.tries):
                record(tx, seen, at=at, entropy=self._entropy)
            return seen

        return await self._work.commit(work)

    def _equipped(self, channel: Channel, given: Secrets) -> tuple[Channel, Secrets, str]:
        """The channel with what is made here: a pair for Web Push, a secret for a webhook."""
        if channel.kind is ChannelKind.WEB_PUSH:
            private, public = self._make_pair()
            return replace(channel, public=public), Secrets(key=private), ""
        if channel.kind is ChannelKind.WEBHOOK or (channel.kind is ChannelKind.SMS and not channel.account):
            made = self._make_secret(self._entropy(_KEY_BYTES))
            return channel, Secrets(key=made, url=given.url), made
        if channel.kind in BEARER:
            kept = Secrets(key=given.key, url=given.url or channel.url)
            return replace(channel, url=""), kept, ""
        return channel, given, ""

    def _test_ways(
        self, tx: NoticeTransaction, name: str, to: PrincipalId, address: str
    ) -> tuple[Channel, Sequence[Way]]:
        channel = _channel(tx, name)
        if address:
            return channel, [Way(channel=name, address=check_address(channel, address))]
        if channel.kind in {ChannelKind.TEAMS, ChannelKind.WEBHOOK, ChannelKind.SLACK}:
            return channel, [Way(channel=name)]
        person = tx.principals.get(to)
        if person is None:
            return channel, []
        only = Reach(person=to, tenant=self._tenant, routes=_own_routes(tx, to, name))
        return channel, ways_to(person, reach=only, devices=tx.push_devices.of(to), channels={name: channel})

    def _open(self, tx: NoticeTransaction, channel: Channel) -> Secrets:
        sealed = tx.channels.sealed(channel.name)
        if sealed is None:
            return Secrets()
        plain = unseal(sealed, kek=self._kek, context=place_of(self._tenant, channel.name))
        return _SECRETS.decode(plain.reveal())

    async def secrets_of(self, name: str) -> tuple[Channel, Secrets]:
        """For whoever verifies what comes back through a channel; never shown. Raises `NoSuchChannel`."""

        def look(tx: NoticeTransaction) -> tuple[Channel, Secrets]:
            channel = _channel(tx, name)
            return channel, self._open(tx, channel)

        return await self._work.read(look)

    def _sealed(self, channel: Channel, secrets: Secrets) -> bytes:
        plain = Secret(msgspec.json.encode(secrets))
        context = place_of(self._tenant, channel.name)
        return seal(plain, kek=self._kek, context=context, entropy=self._entropy)

    def _record(
        self,
        tx: NoticeTransaction,
        what: str,
        subject: str,
        by: PrincipalId,
        *,
        detail: tuple[tuple[str, str], ...] = (),
    ) -> None:
        at = self._clock.now()
        tx.ledger.append(
            Record(
                id=facts.record_id(at, self._entropy),
                at=at,
                tenant=self._tenant,
                kind=f"oversight.{what}",
                actor=by,
                subject=subject,
                detail=detail,
            )
        )


def _channel(tx: NoticeTransaction, name: str) -> Channel:
    found = tx.channels.get(name)
    if found is None:
        raise NoSuchChannel(f"no channel `{name[:48]}`", next_step="remit channel list")
    return found


def _message(tx: NoticeTransaction, ident: MessageId) -> Message:
    found = tx.messages.get(ident)
    if found is None:
        raise NoSuchMessage(f"no message `{ident[:64]}`", next_step="remit channel messages")
    return found


def _route(tx: NoticeTransaction, route: Route) -> Route:
    channel = _channel(tx, route.channel)
    if channel.agent:
        raise ChannelInvalid(f"`{channel.name}` tells an agent, and no person")
    return Route(channel=channel.name, address=check_address(channel, route.address))


def _own_routes(tx: NoticeTransaction, person: PrincipalId, name: str) -> tuple[Route, ...]:
    """A person's own address on a channel, if one was entered; else what their directory entry says."""
    chosen = tx.reaches.get(person)
    named = () if chosen is None else tuple(each for each in chosen.routes if each.channel == name)
    channel = tx.channels.get(name)
    fallback = channel is not None and channel.kind in {ChannelKind.WEB_PUSH, ChannelKind.MAIL}
    return named or ((Route(channel=name),) if fallback else ())


def _reachable(tx: NoticeTransaction, ident: PrincipalId) -> Reachable:
    person = tx.principals.get(ident)
    if person is None:
        raise NoSuchMessage(f"no person `{ident[:64]}`", next_step="remit user list")
    chosen, devices = tx.reaches.get(ident), tuple(tx.push_devices.of(ident))
    channels = {each.name: each for each in tx.channels.all()}
    return Reachable(
        person=person,
        chosen=chosen is not None,
        ways=ways_to(person, reach=chosen, devices=devices, channels=channels),
        devices=devices,
    )
