"""Delivers what is due: way by way in order, until somebody has it or nothing is left.

CRASH: a try that nobody recorded is made again with the same id; a receiver sees it twice at worst.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

import msgspec

from remit.identity.principals import Kind
from remit.kernel.clock import Clock
from remit.kernel.errors import RemitError, Unavailable
from remit.kernel.ids import ApprovalId, Entropy, MessageId, PushDeviceId
from remit.kernel.sealing import Kek, unseal
from remit.kernel.uow import UnitOfWork
from remit.oversight.approvals.approval import Approval, ApprovalState
from remit.oversight.notices import message as rules
from remit.oversight.notices.channel import (
    OVERLAP,
    Channel,
    ChannelKind,
    Secrets,
    device_place,
    place_of,
    tried,
)
from remit.oversight.notices.errors import GONE, Rejected
from remit.oversight.notices.letter import Letter, Topic
from remit.oversight.notices.message import ENDS, Message, MessageState, Pace
from remit.oversight.notices.reach import Subscription, Way, callbacks_of, ways_to
from remit.oversight.notices.repository import NoticeTransaction
from remit.oversight.notices.stating import record

AT_ONCE: Final = 32
"""Messages of one turn; they go out side by side, so that one slow channel holds up no other."""
_PATIENCE: Final = 20.0
"""Seconds for one try, whatever the transport does."""
_SECRETS: Final = msgspec.json.Decoder(Secrets)
_SUBSCRIPTION: Final = msgspec.json.Decoder(Subscription)


class Receipt(StrEnum):
    """What a transport can say of a message that it got rid of."""

    DELIVERED = "delivered"
    """The other side has it."""
    HANDED = "handed"
    """Somebody took it to pass it on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answerable:
    """What a button may answer, where the channel has buttons: exactly this ask, as it was shown."""

    approval: ApprovalId
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """One message as a transport takes it; `link` leads behind sign-in and answers nothing."""

    id: MessageId
    channel: Channel
    secrets: Secrets
    letter: Letter
    link: str
    at: datetime
    seconds: int
    """How long it is worth delivering."""
    address: str = ""
    subscription: Subscription | None = None
    answerable: Answerable | None = None


class Transport(Protocol):
    """Carries messages of one kind of channel."""

    async def send(self, parcel: Parcel) -> Receipt:
        """Send. Raises `Rejected` for good, any other `RemitError` for now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ready:
    """A message with the way that is next, or what becomes of it without one."""

    message: Message
    way: Way | None = None
    parcel: Parcel | None = None
    settled: Message | None = None


class DeliveryService:
    """Sends what is due."""

    def __init__(
        self,
        *,
        work: UnitOfWork[NoticeTransaction],
        transports: Mapping[ChannelKind, Transport],
        kek: Kek,
        issuer: str,
        pace: Pace,
        clock: Clock,
        entropy: Entropy,
    ) -> None:
        self._work = work
        self._transports = transports
        self._kek = kek
        self._issuer = issuer
        self._pace = pace
        self._clock = clock
        self._entropy = entropy

    def has_due(self, tx: NoticeTransaction) -> bool:
        """Whether somebody should be told something now."""
        return bool(tx.messages.due(self._clock.now(), 1))

    async def run_due(self) -> int:
        """Take one step with each message that is due; returns how many were delivered."""
        at = self._clock.now()
        ready = await self._work.read(
            lambda tx: [self._ready(tx, each, at) for each in tx.messages.due(at, AT_ONCE)]
        )
        return sum(await asyncio.gather(*(self._step(each) for each in ready)))

    async def try_out(self, channel: Channel, way: Way, letter: Letter, ident: MessageId) -> Receipt:
        """Send one letter through one channel at once; what fails is raised. Its health is noted."""
        at = self._clock.now()
        parcel = await self._work.read(
            lambda tx: self._parcel(tx, channel, way, letter, ident, at=at, seconds=300)
        )
        try:
            receipt = await self._sent(parcel)
        except RemitError as failed:
            await self._note(channel.name, why=failed.hint)
            raise
        await self._note(channel.name)
        return receipt

    def _ready(self, tx: NoticeTransaction, message: Message, at: datetime) -> _Ready:
        approval = _approval_of(tx, message)
        if _is_over(message, approval, at):
            return _Ready(message=message, settled=rules.over(message))
        ways, channels = _ways(tx, message)
        way = rules.next_way(message, ways)
        if way is None:
            return _Ready(message=message, settled=rules.exhausted(message, ways, at=at, pace=self._pace))
        left = max(1, int((message.ends_at - at).total_seconds()))
        parcel = self._parcel(
            tx,
            channels[way.channel],
            way,
            message.letter,
            message.id,
            at=at,
            seconds=left,
            answerable=_answerable(channels[way.channel], approval),
        )
        return _Ready(message=message, way=way, parcel=parcel)

    async def _step(self, ready: _Ready) -> bool:
        before, after = ready.message, ready.settled
        if ready.way is not None and ready.parcel is not None:
            after = await self._tried(before, ready.way, ready.parcel)
        if after is None:
            return False
        stands = await self._work.commit(lambda tx: self._settle(tx, before, after))
        return stands and after.state is MessageState.DELIVERED

    async def _tried(self, message: Message, way: Way, parcel: Parcel) -> Message:
        try:
            receipt = await self._sent(parcel)
        except Rejected as refused:
            return rules.failed(message, way, refused.hint, at=self._clock.now(), for_good=True)
        except RemitError as unable:  # refused by our own rule, or not reached: on record, and another way
            return rules.failed(message, way, unable.hint, at=self._clock.now())
        at = self._clock.now()
        if receipt is Receipt.DELIVERED or not rules.wants_confirmation(message):
            return rules.delivered(message, way, at=at)
        return rules.handed(message, way, at=at, pace=self._pace)

    async def _sent(self, parcel: Parcel) -> Receipt:
        transport = self._transports.get(parcel.channel.kind)
        if transport is None:
            raise Unavailable(f"nothing here carries `{parcel.channel.kind}`")
        try:
            async with asyncio.timeout(_PATIENCE):
                return await transport.send(parcel)
        except TimeoutError as late:
            raise Unavailable(f"no answer within {_PATIENCE:g} s") from late

    def _settle(self, tx: NoticeTransaction, before: Message, after: Message) -> bool:
        if not tx.messages.save(after, was=before.tries):
            return False  # another node, or a confirmation, was faster: that stands
        last = after.attempts[-1] if len(after.attempts) > len(before.attempts) else None
        if last is not None:
            why = last.why or last.result.value if last.result in _BAD else ""
            self._noted(tx, last.channel, why=why, at=last.at)
            self._forget_gone(tx, after)
        if after.state in ENDS:
            record(tx, after, at=self._clock.now(), entropy=self._entropy)
        return True

    def _forget_gone(self, tx: NoticeTransaction, message: Message) -> None:
        """A browser whose push service says that it is gone is told nothing any more (RFC 8030 §7.3)."""
        last = message.attempts[-1]
        if not last.why.startswith(GONE):
            return
        for device in tx.push_devices.of(message.person):
            if Way(channel=last.channel, device=device.id).key == last.way:
                tx.push_devices.drop(message.person, device.id)

    async def _note(self, name: str, *, why: str = "") -> None:
        at = self._clock.now()
        await self._work.commit(lambda tx: self._noted(tx, name, why=why, at=at))

    def _noted(self, tx: NoticeTransaction, name: str, *, why: str, at: datetime) -> None:
        channel = tx.channels.get(name)
        if channel is not None:
            tx.channels.note(name, tried(channel.health, at=at, why=why))

    def _parcel(
        self,
        tx: NoticeTransaction,
        channel: Channel,
        way: Way,
        letter: Letter,
        ident: MessageId,
        *,
        at: datetime,
        seconds: int,
        answerable: Answerable | None = None,
    ) -> Parcel:
        return Parcel(
            id=ident,
            channel=channel,
            secrets=self._secrets(tx, channel, at),
            letter=letter,
            link=f"{self._issuer}/me/messages/{ident}",
            at=at,
            seconds=seconds,
            address=way.address,
            subscription=None if way.device is None else self._subscription(tx, way.device, channel),
            answerable=answerable,
        )

    def _secrets(self, tx: NoticeTransaction, channel: Channel, at: datetime) -> Secrets:
        sealed = tx.channels.sealed(channel.name)
        if sealed is None:
            return Secrets()
        plain = unseal(sealed, kek=self._kek, context=place_of(channel.tenant, channel.name))
        found = _SECRETS.decode(plain.reveal())
        since = channel.rotated_at
        if found.before and (since is None or at >= since + OVERLAP):
            return Secrets(key=found.key, url=found.url)
        return found

    def _subscription(
        self, tx: NoticeTransaction, ident: PushDeviceId, channel: Channel
    ) -> Subscription | None:
        sealed = tx.push_devices.sealed(ident)
        if sealed is None:
            return None
        plain = unseal(sealed, kek=self._kek, context=device_place(channel.tenant, ident))
        return _SUBSCRIPTION.decode(plain.reveal())


_BAD: Final = frozenset({rules.Result.FAILED, rules.Result.REJECTED})


def _ways(tx: NoticeTransaction, message: Message) -> tuple[tuple[Way, ...], Mapping[str, Channel]]:
    channels = {each.name: each for each in tx.channels.all()}
    person = tx.principals.get(message.person)
    if person is None:
        return (), channels
    if person.kind is not Kind.HUMAN:
        return callbacks_of(person.id, channels.values()), channels
    found = ways_to(
        person,
        reach=tx.reaches.get(person.id),
        devices=tx.push_devices.of(person.id),
        channels=channels,
    )
    return found, channels


def _approval_of(tx: NoticeTransaction, message: Message) -> Approval | None:
    if message.letter.topic is not Topic.APPROVAL:
        return None
    return tx.approvals.get(ApprovalId(message.about))


def _is_over(message: Message, approval: Approval | None, at: datetime) -> bool:
    if at >= message.ends_at:
        return bool(message.letter.ends_at) or message.letter.topic is Topic.FOLDED
    return approval is not None and approval.state is not ApprovalState.PENDING


def _answerable(channel: Channel, approval: Approval | None) -> Answerable | None:
    """Buttons serve what can be taken back alone; everything else is answered on its page."""
    if not channel.answers or approval is None or not approval.reversible or approval.passkey:
        return None
    return Answerable(approval=approval.id, digest=approval.digest)
