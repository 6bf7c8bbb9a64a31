"""What is fetched by polling once a person has answered elsewhere: of a device, or asked behind the scenes.

1 the client is registered for it   2 what it shows is its own, shown with the key that asked   3 what was
given and fetched before ends, with all that came of it   4 nobody answered yet: pending, or slower
5 everything that the token stands on is alive   6 it is fetched where the token is issued, once
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from remit.authority.oauth.asking.codes import AuthorizationCode
from remit.authority.oauth.asking.families import Family
from remit.authority.oauth.clients.registration import ClientRegistration
from remit.authority.oauth.issuing.client_sessions import SessionMint
from remit.authority.oauth.issuing.redeeming import SpendCode, family_of, registered_for, replayed
from remit.authority.oauth.proving.requests import Asking, Draft
from remit.authority.oauth.repository import OAuthTransaction
from remit.authority.oauth.wire import opaque, polling
from remit.authority.oauth.wire.errors import (
    AccessDenied,
    AuthorizationPending,
    ExpiredToken,
    InvalidGrant,
    OAuthError,
    SlowDown,
)
from remit.authority.oidc.id_token import IdToken
from remit.kernel.canonical import Digest
from remit.kernel.ids import Entropy


class Answer(StrEnum):
    """What a person has said so far."""

    NONE = "none"
    YES = "yes"
    NO = "no"


@dataclass(frozen=True, slots=True, kw_only=True)
class Polled:
    """A request as its grant sees it; `key` is the thumbprint that it is bound to, or empty.

    `cause` says why the answer is no.
    """

    id: Digest
    client_id: str
    key: str
    answer: Answer
    cause: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """How one kind of request is called: in our codes, in sentences, and by its parameter."""

    code: str
    thing: str
    parameter: str
    prefix: str
    backchannel: bool

    @property
    def no_good(self) -> str:
        """The one sentence for whatever is not the client's to fetch."""
        return f"{self.thing} is not good"

    def expired(self) -> ExpiredToken:
        """It ran out."""
        return ExpiredToken(f"{self.thing} has run out", reason=f"{self.code}_expired")


class PolledGrant(ABC):
    """Earns a client the tokens of what a person allowed it elsewhere."""

    words: Words

    def __init__(self, *, mint: SessionMint, entropy: Entropy) -> None:
        self._mint = mint
        self._entropy = entropy

    @property
    @abstractmethod
    def type(self) -> str:
        """The `grant_type`."""

    @abstractmethod
    def find(self, tx: OAuthTransaction, ident: Digest) -> Polled | None:
        """The request of that digest."""

    def identify(self, asking: Asking, family: Family, code: AuthorizationCode) -> IdToken | None:  # noqa: ARG002 — for grants that tell
        """What the client learns of the person with its tokens: nothing, unless the grant says so."""
        return None

    def draft(self, asking: Asking) -> Draft:
        """Judge what is shown; a poll that is too soon is known where it is counted."""
        registration = registered_for(self.type, asking)
        polled = self._polled(asking, registration)
        code = asking.tx.codes.get(polled.id)
        if code is None or polled.answer is not Answer.YES:
            raise self._unanswered(polled, asking.request.at)
        if code.spent_at is not None:
            raise replayed(code)
        if asking.request.at >= code.expires_at:
            raise self.words.expired()
        family = family_of(code, registration, asking)
        return Draft(
            token=self._mint.token(asking, family),
            spend=SpendCode(code=code, family=family, registration=registration, entropy=self._entropy),
            id_token=self.identify(asking, family, code),
        )

    def _polled(self, asking: Asking, registration: ClientRegistration) -> Polled:
        words = self.words
        text = asking.request.parameters.need(words.parameter)
        shaped = opaque.is_one(words.prefix, text)
        known = self.find(asking.tx, opaque.digest_of(text)) if shaped else None
        if known is None or known.client_id != registration.client_id:
            why = "unknown" if known is None else "other_client"
            raise InvalidGrant(words.no_good, reason=f"{words.code}_{why}")
        # Whoever can't show the key that asked learns nothing, and ends nothing.
        if known.key and (asking.proof is None or asking.proof.key != known.key):
            raise InvalidGrant(words.no_good, reason=f"{words.code}_other_key")
        return known

    def _unanswered(self, polled: Polled, at: datetime) -> OAuthError:
        if polled.answer is Answer.NO:
            return AccessDenied("the request was denied", reason=polled.cause)
        if at >= polled.expires_at:
            return self.words.expired()
        return AuthorizationPending(
            "nobody has answered yet", asked=polled.id, backchannel=self.words.backchannel
        )


DEVICES = Words(
    code="device",
    thing="the device code",
    parameter="device_code",
    prefix=opaque.DEVICE,
    backchannel=False,
)
BACKCHANNEL = Words(
    code="backchannel",
    thing="the authentication request",
    parameter="auth_req_id",
    prefix=opaque.BACKCHANNEL,
    backchannel=True,
)


def count_poll(tx: OAuthTransaction, pending: AuthorizationPending, *, at: datetime) -> OAuthError:
    """Put one poll on record, in an open transaction; what its client is told (RFC 8628 §3.5, CIBA §11)."""
    words = BACKCHANNEL if pending.backchannel else DEVICES
    requests: polling.Paced = tx.backchannels if pending.backchannel else tx.devices
    in_time = polling.count(requests, pending.asked, at=at)
    if in_time is None:
        return words.expired()
    if not in_time:
        return SlowDown("this is polled too fast", reason=f"{words.code}_slow_down")
    return pending
