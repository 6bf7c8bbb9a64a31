"""A request on its way to a person: pushed by its client or brought by a browser, shown, answered once.

INVARIANT: each step is one conditional update. A pushed request is taken once (RFC 9126 §4); what is shown
from then on has a handle of its own, which only that browser was sent. Once somebody is signed in it
belongs to their session: nobody else can answer it, and what it shows does not change any more.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from remit.authority.oauth.asking.authorization_request import AuthorizationRequest
from remit.authority.oidc.disclosure import NOTHING, Disclosure
from remit.authority.rights import Ceiling
from remit.kernel.canonical import Digest
from remit.kernel.ids import SessionId, TenantId

URN: Final = "urn:ietf:params:oauth:request_uri:"
PUSHED_LIFE: Final = timedelta(seconds=60)
"""How long a pushed request waits to be taken (RFC 9126 §2.2: 5 to 600 s)."""
SHOWN_LIFE: Final = timedelta(minutes=10)
"""How long a person has to sign in and to answer."""
WAITING_LIMIT: Final = 20_000
"""Requests of one tenant that may wait at one time: strangers can begin one, so it has an end."""
WAITING_SHARE: Final = 1_000
"""Of these, requests of one client: whoever begins them in its name shuts nobody out but that client."""


class PendingState(StrEnum):
    """How far a request has come."""

    PUSHED = "pushed"
    SHOWN = "shown"
    OVER = "over"
    """Taken from its client, or answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What is offered for a person's yes: exactly this is shown, and exactly this is given.

    `ends_at` is when all of it ends. An application has no `ceiling`: it may do nothing.
    """

    session: SessionId
    resource: str
    scopes: frozenset[str]
    ceiling: Ceiling | None
    lines: tuple[str, ...]
    """The sentences of the page, which the consent keeps word by word."""
    ends_at: datetime
    disclosure: Disclosure = NOTHING
    """What the client learns of the person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """One request, kept under the digest of its handle.

    `registration` is the digest of the client as it was when the request was read; `offer` is there once
    somebody is signed in.
    """

    id: Digest
    tenant: TenantId
    request: AuthorizationRequest
    registration: Digest
    state: PendingState
    begun_at: datetime
    expires_at: datetime
    offer: Offer | None = None
    device: Digest = ""
    """The device that asked (RFC 8628), by the digest of its code; empty for a browser's request."""
