"""What telling people needs from storage, inside one open transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from remit.kernel.ids import MessageId, PrincipalId, PushDeviceId
from remit.oversight.approvals.repository import ApprovalTransaction
from remit.oversight.notices.channel import Channel, Health
from remit.oversight.notices.message import Message, MessageState
from remit.oversight.notices.reach import Device, Reach


class Channels(Protocol):
    """Ways out; secrets only ever sealed."""

    def add(self, channel: Channel, sealed: bytes) -> None:
        """Store a new one."""

    def get(self, name: str) -> Channel | None:
        """One."""

    def all(self) -> Sequence[Channel]:
        """Every one, by name; there are few."""

    def sealed(self, name: str) -> bytes | None:
        """Its sealed secrets."""

    def save(self, channel: Channel, sealed: bytes | None = None) -> None:
        """Store what changed; the secrets too if they are given."""

    def note(self, name: str, health: Health) -> None:
        """Store how it does."""

    def drop(self, name: str) -> None:
        """Forget it, with its secrets."""


class Reaches(Protocol):
    """What was chosen for people."""

    def get(self, person: PrincipalId) -> Reach | None:
        """One person's ways."""

    def put(self, reach: Reach) -> None:
        """Store them."""

    def drop(self, person: PrincipalId) -> None:
        """Back to the order of the house."""

    def naming(self, channel: str, limit: int) -> Sequence[Reach]:
        """Whose ways name a channel."""


class PushDevices(Protocol):
    """Browsers that asked to be notified; their subscriptions only ever sealed."""

    def add(self, device: Device, sealed: bytes) -> None:
        """Store one; the same endpoint again replaces itself."""

    def of(self, person: PrincipalId) -> Sequence[Device]:
        """A person's, newest first."""

    def sealed(self, ident: PushDeviceId) -> bytes | None:
        """What is needed to reach one."""

    def drop(self, person: PrincipalId, ident: PushDeviceId) -> bool:
        """Forget one of a person's; whether it was there."""


class Messages(Protocol):
    """What people were told, or are to be."""

    def add(self, message: Message) -> bool:
        """Store a new one; False if it is there already."""

    def get(self, ident: MessageId) -> Message | None:
        """One."""

    def due(self, at: datetime, limit: int) -> Sequence[Message]:
        """Those on their way whose time has come, the longest due first."""

    def save(self, message: Message, *, was: int) -> bool:
        """Store what became of a try; False if another node was faster. One conditional update."""

    def told_since(self, person: PrincipalId, since: datetime) -> int:
        """How many of a person's were stated since then and not folded."""

    def page(
        self,
        *,
        state: MessageState | None,
        person: PrincipalId | None,
        about: str,
        after: tuple[datetime, str] | None,
        limit: int,
    ) -> Sequence[Message]:
        """Newest first; `after` is the moment and id of the last one seen."""

    def count(self) -> dict[str, int]:
        """How many there are of each state."""

    def forget(self, before: datetime, limit: int) -> int:
        """Drop what came to its end before that moment; how many."""


class NoticeTransaction(ApprovalTransaction, Protocol):
    """The transaction that messages are stated and settled in."""

    @property
    def channels(self) -> Channels:
        """Ways out."""

    @property
    def reaches(self) -> Reaches:
        """What was chosen for people."""

    @property
    def push_devices(self) -> PushDevices:
        """Browsers."""

    @property
    def messages(self) -> Messages:
        """What is told."""
