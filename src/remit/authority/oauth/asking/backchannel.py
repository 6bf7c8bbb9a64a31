"""Requests of clients that ask a person behind the scenes (CIBA Core §7): kept, shown, answered once.

INVARIANT: each step is one conditional update. A request is about one person from its first moment; only
they see it, it is answered once, and what the answer gave is fetched once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol

from remit.authority.oauth.asking.authorization_request import AuthorizationRequest
from remit.authority.oauth.asking.pending import Offer
from remit.authority.oauth.wire.errors import InvalidBindingMessage, InvalidRequest
from remit.authority.oauth.wire.polling import FRESH, Pace, Paced
from remit.kernel.canonical import Digest
from remit.kernel.ids import AgentId, KeyId, PrincipalId, TenantId

LIFE: Final = timedelta(seconds=300)
"""How long a person has to answer; a client may ask for less, never for more."""
MESSAGE_LIMIT: Final = 64
WINDOW: Final = timedelta(minutes=1)
ASKS: Final = 10
"""Requests to one person, and of one agent, within `WINDOW`."""
WAITING: Final = 3
"""Requests to one person, and of one agent, that wait at one time."""
DENIALS: Final = 5
"""How often people may say no to one agent within `DENIAL_WINDOW`, until it is suspended (CB-01)."""
DENIAL_WINDOW: Final = timedelta(hours=1)
FRESHNESS: Final = timedelta(minutes=5)
"""How long ago a person may have proven a passkey when they answer."""


class BackchannelState(StrEnum):
    """What became of a request; one that nobody answered in time stays `waiting`."""

    WAITING = "waiting"
    APPROVED = "approved"
    DENIED = "denied"


@dataclass(frozen=True, slots=True, kw_only=True)
class BackchannelRequest:
    """One request, kept under the digest of its `auth_req_id`.

    `person` is who is asked; a name that nobody has stands there as `hint:` and its digest, so that the
    request looks like one that nobody answers. `place` says from where the client asked, as we saw it.
    `offer` is what the person was shown last, in the session that it was shown in.
    """

    id: Digest
    tenant: TenantId
    person: str
    agent: AgentId
    request: AuthorizationRequest
    registration: Digest
    message: str
    place: str
    begun_at: datetime
    expires_at: datetime
    state: BackchannelState = BackchannelState.WAITING
    credential: KeyId
    """What its client proved itself by: its end is the end of what is pushed."""
    call: str = ""
    """What its client is told when it is answered, sealed; empty for one that polls."""
    offer: Offer | None = None
    step: int = 0
    """How often it moved."""
    cause: str = ""
    """Why it was denied: a person said no, or a rule did."""
    pace: Pace = FRESH
    """Of its polls."""

    @property
    def client_id(self) -> str:
        """Who asks."""
        return self.request.returning.client_id

    def waits(self, at: datetime) -> bool:
        """Whether it can still be answered."""
        return self.state is BackchannelState.WAITING and at < self.expires_at

    def is_for(self, person: PrincipalId) -> bool:
        """Whether this is the one who is asked."""
        return self.person == person


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """That somebody was asked, for counting."""

    begun_at: datetime
    waits: bool


class Backchannels(Paced, Protocol):
    """Requests to people, and what they come to."""

    def add(self, request: BackchannelRequest) -> None:
        """Store a new one."""

    def get(self, ident: Digest) -> BackchannelRequest | None:
        """One request, whatever its state."""

    def move(self, changed: BackchannelRequest, *, was: BackchannelRequest) -> bool:
        """Store the next step, not its polls; False if it moved meanwhile. One conditional update."""

    def waiting(self, person: PrincipalId, at: datetime) -> Sequence[BackchannelRequest]:
        """What a person can answer now, newest first."""

    def asks(self, *, person: str = "", agent: str = "", since: datetime, at: datetime) -> Sequence[Asked]:
        """Requests to one person, or of one agent, that wait or were made since then."""

    def forget(self, before: datetime, limit: int) -> int:
        """Drop what ran out before that moment; how many."""


def check_message(text: str) -> str:
    """A binding message that is shown as it was written (CIBA §7.1, CB-02). Raises `InvalidBindingMessage`.

    Printable means no line ends, no other controls, nothing invisible, nothing that turns the reading order.
    """
    if len(text) > MESSAGE_LIMIT or not text.isprintable():
        raise InvalidBindingMessage(
            f"`binding_message` is 1 to {MESSAGE_LIMIT} printable characters", reason="binding_message"
        )
    return text


def life_of(requested: str) -> timedelta:
    """How long the request lives (CIBA §7.1 `requested_expiry`): seconds, at most `LIFE`."""
    if not requested:
        return LIFE
    if not requested.isascii() or not requested.isdigit() or len(requested) > 9 or int(requested) == 0:  # noqa: PLR2004 — digits of any sensible count
        raise InvalidRequest("`requested_expiry` is no positive count of seconds", reason="requested_expiry")
    return min(LIFE, timedelta(seconds=int(requested)))


def over_share(asks: Sequence[Asked], *, since: datetime) -> bool:
    """Whether one more would be more than a person is to bear, or an agent may ask (security §3)."""
    waiting = sum(1 for each in asks if each.waits)
    return waiting >= WAITING or sum(1 for each in asks if each.begun_at > since) >= ASKS
