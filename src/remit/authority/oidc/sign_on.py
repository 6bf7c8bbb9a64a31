"""Remembered yeses: a person let an application learn who they are, and need not be asked each time (OA-26).

Only what was shown is remembered: this person, this client as it was registered, this redirect URI, these
scopes. An agent's client is never let in by an earlier yes: each of its tasks is a person's own act.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import NewType

from remit.authority.oidc.disclosure import Disclosure
from remit.kernel.canonical import Digest
from remit.kernel.ids import TenantId, UserId

SignOnId = NewType("SignOnId", str)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignOn:
    """One such yes, with the sentences that were shown, word by word.

    `registration` is the digest of the client as the page showed it: another one asks again.
    """

    id: SignOnId
    tenant: TenantId
    user: UserId
    client_id: str
    client_name: str
    redirect_uri: str
    disclosure: Disclosure
    registration: Digest
    text: str
    given_at: datetime
    withdrawn_at: datetime | None = None

    @property
    def stands(self) -> bool:
        """Whether it was not taken back."""
        return self.withdrawn_at is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """What a client asks now, of a person who is there."""

    redirect_uri: str
    disclosure: Disclosure
    registration: Digest


def answers(earlier: SignOn, now: Occasion) -> bool:
    """Whether an earlier yes is one to this too: the same in everything that was shown, and no more asked."""
    return (
        earlier.stands
        and earlier.registration == now.registration
        and earlier.redirect_uri == now.redirect_uri
        and earlier.disclosure.covers(now.disclosure)
    )
