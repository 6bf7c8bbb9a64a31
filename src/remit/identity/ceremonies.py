"""Ceremonies: one question to an authenticator, bound to what it is for, who was asked, and one client.

The question travels with the page, under a MAC, so that visitors leave nothing behind; that it was answered
is a durable row, in the transaction of what the answer did (WebAuthn §13.4.3).
"""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import msgspec

from remit.identity.errors import CeremonyOver
from remit.kernel.canonical import Digest, b64u, b64u_decode, same_bytes, sha256
from remit.kernel.errors import Invalid
from remit.kernel.ids import Entropy, TenantId
from remit.kernel.secret import Secret

NONCE_BYTES: Final = 32
LIFE: Final = timedelta(minutes=2)
_SKEW: Final = timedelta(seconds=5)
_LIMIT: Final = 4096


class Act(StrEnum):
    """What the answer of an authenticator is for; an answer for one act is none for another."""

    SIGN_IN = "sign_in"
    CONFIRM = "confirm"
    REGISTER = "register"
    ENROL = "enrol"
    APPROVE = "approve"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceremony:
    """One question. `bound_to` names the client that was asked: a session, a visit, a link."""

    act: Act
    nonce: str
    bound_to: str
    asked_at: datetime
    human: str = ""
    handle: str = ""

    @property
    def challenge(self) -> bytes:
        """What the authenticator signs; acts with a subject of their own derive it from the nonce."""
        return b64u_decode(self.nonce)

    @property
    def digest(self) -> Digest:
        """What is remembered of an answered question."""
        return sha256(b64u_decode(self.nonce))

    @property
    def keep_until(self) -> datetime:
        """Until when an answered question could be shown again."""
        return self.asked_at + LIFE + _SKEW


_BODY: Final = msgspec.json.Decoder(Ceremony)


@dataclass(frozen=True, slots=True, kw_only=True)
class CeremonyBox:
    """Makes and recognizes the questions of one tenant; `key` is its `Purpose.CEREMONY` subkey."""

    key: Secret
    tenant: TenantId
    entropy: Entropy

    def ask(
        self, act: Act, *, bound_to: str, at: datetime, human: str = "", handle: str = ""
    ) -> tuple[Ceremony, str]:
        """Make a question, and the ticket that its page brings back."""
        nonce = b64u(self.entropy(NONCE_BYTES))
        ceremony = Ceremony(act=act, nonce=nonce, bound_to=bound_to, asked_at=at, human=human, handle=handle)
        body = msgspec.json.encode(ceremony)
        return ceremony, f"{b64u(body)}.{b64u(self._mac(body))}"

    def take(self, ticket: str, act: Act, *, bound_to: str, at: datetime) -> Ceremony:
        """Read a ticket back. Raises `CeremonyOver` unless we made it, for this act and client, just now."""
        ceremony = self._read(ticket)
        if ceremony is None or ceremony.act is not act:
            raise CeremonyOver("the page is not one of ours; open it again")
        if not same_bytes(ceremony.bound_to.encode(), bound_to.encode()):
            raise CeremonyOver("the page was opened by another client; open it again")
        if not -_SKEW <= at - ceremony.asked_at <= LIFE:
            raise CeremonyOver(f"the page is older than {int(LIFE.total_seconds())} s; open it again")
        return ceremony

    def _read(self, ticket: str) -> Ceremony | None:
        body, _, mac = ticket.partition(".")
        if len(ticket) > _LIMIT:
            return None
        try:
            raw, tag = b64u_decode(body), b64u_decode(mac)
        except Invalid:
            return None
        return _BODY.decode(raw) if same_bytes(tag, self._mac(raw)) else None

    def _mac(self, body: bytes) -> bytes:
        tenant = self.tenant.encode()
        message = b"remit/ceremony/v1" + len(tenant).to_bytes(4, "big") + tenant + body
        return hmac.new(self.key.reveal(), message, hashlib.sha256).digest()
