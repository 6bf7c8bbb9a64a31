"""Requests of devices that have no browser (RFC 8628): asked there, answered elsewhere, fetched by polling.

INVARIANT: each step is one conditional update. A request is opened by one person, answered once, and what
the answer gave is fetched once. A user code is 34 bits, typed by somebody who is signed in; wrong ones are
counted, per person and in all.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol

from remit.authority.oauth.asking.authorization_request import AuthorizationRequest
from remit.authority.oauth.wire.polling import FRESH, Pace, Paced
from remit.kernel.canonical import Digest
from remit.kernel.ids import Entropy, PrincipalId, TenantId
from remit.kernel.secret import Secret

ALPHABET: Final = "BCDFGHJKLMNPQRSTVWXZ"
"""RFC 8628 §6.1: no vowels, so no words; no digits, so nothing that looks like a letter."""
LENGTH: Final = 8
LIFE: Final = timedelta(minutes=10)
WAITING_LIMIT: Final = 400
"""Requests of one tenant that may wait at one time."""
WAITING_SHARE: Final = 50
"""Of these, requests of one client."""
TRIES: Final = 5
"""Wrong user codes of one person within `TRY_WINDOW`; then nothing is taken from them."""
TRIES_IN_ALL: Final = 50
"""Wrong user codes of all people together within `TRY_WINDOW`.

CB-10: 50 guesses at 400 of 20^8 codes hit with P < 10^-6, whoever makes them.
"""
TRY_WINDOW: Final = timedelta(minutes=15)
STRANGERS: Final = 5
"""How often a code that one person opened may be typed by others, until nobody may answer it (CB-11)."""
DENIALS: Final = 3
"""How often people may say no to one client within `DENIAL_WINDOW`, until it may ask no more."""
DENIAL_WINDOW: Final = timedelta(hours=1)
_LABEL: Final = b"remit/user-code/v1\0"
_FAIR: Final = 256 - 256 % len(ALPHABET)


class DeviceState(StrEnum):
    """How far a device's request has come."""

    WAITING = "waiting"
    OPENED = "opened"
    """Somebody typed its code and sees what it asks."""
    APPROVED = "approved"
    DENIED = "denied"


class MarkKind(StrEnum):
    """What is counted."""

    WRONG_CODE = "wrong_code"
    DENIED = "denied"
    """A client, by a person at the page of a device."""
    REFUSED_AGENT = "refused_agent"
    """An agent, by a person whom it asked behind the scenes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRequest:
    """One request, kept under the digest of its device code; `user_code` is a keyed digest too.

    `place` says from where the device asked, as we saw it; `holder` is the person who opened it.
    """

    id: Digest
    tenant: TenantId
    user_code: Digest
    request: AuthorizationRequest
    registration: Digest
    state: DeviceState
    place: str
    begun_at: datetime
    expires_at: datetime
    holder: str = ""
    strangers: int = 0
    step: int = 0
    """How often it moved."""
    cause: str = ""
    """Why it was denied: a person said no, or a rule did."""
    pace: Pace = FRESH
    """Of its polls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One thing that is counted, of one person or client, for as long as its window is."""

    id: str
    kind: MarkKind
    who: str
    at: datetime
    expires_at: datetime


class Devices(Paced, Protocol):
    """Requests of devices, and what is counted about them."""

    def add(self, request: DeviceRequest) -> None:
        """Store a new one."""

    def get(self, ident: Digest) -> DeviceRequest | None:
        """One request, whatever its state."""

    def by_user_code(self, user_code: Digest) -> DeviceRequest | None:
        """The request of that user code, whatever its state."""

    def move(self, changed: DeviceRequest, *, was: DeviceRequest) -> bool:
        """Store the next step, not its polls; False if it moved meanwhile. One conditional update."""

    def crowded(self, client: str, *, share: int, limit: int, at: datetime) -> bool:
        """Whether as many as `share` wait of this client, or `limit` of all."""

    def mark(self, mark: Mark) -> None:
        """Count one thing."""

    def marks(self, kind: MarkKind, *, who: str, at: datetime, limit: int) -> Sequence[datetime]:
        """When this was counted, newest first, of one or (`who` empty) of all; at most so many."""

    def forget(self, before: datetime, limit: int) -> int:
        """Drop what ran out before that moment; how many."""


def make_user_code(entropy: Entropy) -> str:
    """A code for people to type, each letter as likely as any other."""
    letters: list[str] = []
    while len(letters) < LENGTH:
        letters += [ALPHABET[byte % len(ALPHABET)] for byte in entropy(LENGTH) if byte < _FAIR]
    return "".join(letters[:LENGTH])


def spell(code: str) -> str:
    """As it is shown: two groups of four."""
    return f"{code[:4]}-{code[4:]}"


def read_user_code(typed: str) -> str:
    """What somebody typed, without what means nothing (RFC 8628 §6.1); empty if it can be no code."""
    letters = "".join(char for char in typed.upper() if char.isalnum())
    return letters if len(letters) == LENGTH and set(letters) <= set(ALPHABET) else ""


def user_code_digest(code: str, key: Secret) -> Digest:
    """What is kept of it. SAFETY: 34 bits could be tried one by one, so the digest is keyed."""
    return hmac.new(key.reveal(), _LABEL + code.encode("ascii"), hashlib.sha256).hexdigest()


def lives(request: DeviceRequest, at: datetime) -> bool:
    """Whether somebody can still be asked about it."""
    return request.state in {DeviceState.WAITING, DeviceState.OPENED} and at < request.expires_at


def may_open(request: DeviceRequest, person: PrincipalId, at: datetime) -> bool:
    """Whether this person may see it: nobody else has opened it."""
    return lives(request, at) and request.holder in {"", person}
