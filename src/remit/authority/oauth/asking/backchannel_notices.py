"""Clients that are told when a person has answered (CIBA Core §10.2, §10.3), and what came of it.

A notice is in the transaction of the answer. A ping says no more than which request can be fetched; a push
brings the tokens, made in one commit with their sealed text, so that each try brings the same. INVARIANT:
what tells our notice from a forger's, the `client_notification_token`, is sealed where it rests like all that
is sent, and goes to the registered address alone.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, Protocol

from remit.authority.oauth.asking.backchannel import BackchannelRequest
from remit.authority.oauth.clients.registration import ClientRegistration, Delivery
from remit.authority.oauth.wire.errors import InvalidRequest
from remit.authority.oidc.logout import Outcome
from remit.kernel.canonical import Digest, JsonObject
from remit.kernel.ids import TenantId
from remit.kernel.sealed import SealedBox

TOKEN_LIMIT: Final = 1024
GRACE: Final = timedelta(minutes=1)
"""How long after the end of a request its client is still told: until then what a yes gave can be fetched."""
_FIRST: Final = timedelta(seconds=1)
_DOUBLINGS: Final = 5
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One answer, for the client that asked; `id` is the request's, `call` holds what is sent, sealed."""

    id: Digest
    tenant: TenantId
    client_id: str
    uri: str
    call: str
    due: datetime
    ends_at: datetime
    push: bool = False
    """Whether the tokens go with it, and not only that they can be fetched."""
    minted: bool = False
    """Whether they were made: then they are in `call`, and the same ones go with each try."""
    outcome: Outcome = Outcome.OPEN
    tries: int = 0
    last: str = ""
    """Why the last try did not end it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What is sent to a client: its own token, so that it knows us, and the body. Never logged."""

    handle: str
    token: str
    body: JsonObject = field(repr=False)


class Notices(Protocol):
    """Clients to be told that they may fetch."""

    def add(self, notice: Notice) -> None:
        """Store a new one."""

    def due(self, at: datetime, limit: int) -> Sequence[Notice]:
        """Open ones whose time has come, oldest first."""

    def save(self, notice: Notice, *, was: int) -> bool:
        """Store what became of a try; False if another node has tried meanwhile. One conditional update."""

    def forget(self, before: datetime, limit: int) -> int:
        """Drop what ended before that moment; how many."""


def read_token(text: str, registration: ClientRegistration) -> str:
    """The `client_notification_token` (CIBA §7.1): there where the client is told, else not looked at."""
    if registration.delivery is Delivery.POLL:
        return ""
    if not text:
        raise InvalidRequest("`client_notification_token` is missing", reason="notification_token_missing")
    if len(text) > TOKEN_LIMIT or not _TOKEN.fullmatch(text):
        raise InvalidRequest(
            f"`client_notification_token` is no Bearer token of at most {TOKEN_LIMIT} characters",
            reason="notification_token",
        )
    return text


def close(box: SealedBox, ident: Digest, *, handle: str, token: str) -> str:
    """Seal what will be sent, for this request alone; empty where nobody is told."""
    if not token:
        return ""
    return box.seal(json.dumps([handle, token]).encode(), context=_place(ident))


def open_call(box: SealedBox, notice: Notice) -> Call | None:
    """What is sent; None if the key that sealed it is another now."""
    plain = box.open(notice.call, context=_place(notice.id))
    if plain is None:
        return None
    handle, token, *bodies = json.loads(plain)
    return Call(handle=handle, token=token, body=bodies[0] if bodies else {"auth_req_id": handle})


def with_body(box: SealedBox, notice: Notice, call: Call, body: JsonObject) -> Notice:
    """The notice with what it brings, sealed like the rest; nobody else can have tried meanwhile."""
    whole = json.dumps([call.handle, call.token, {"auth_req_id": call.handle, **body}])
    sealed = box.seal(whole.encode(), context=_place(notice.id))
    return replace(notice, call=sealed, minted=True, tries=notice.tries + 1)


def notice_of(request: BackchannelRequest, registration: ClientRegistration, at: datetime) -> Notice | None:
    """What a client is told of an answer; None for one that polls, or whose address is not there any more."""
    if not request.call or registration.notification_endpoint is None:
        return None
    return Notice(
        id=request.id,
        tenant=request.tenant,
        client_id=request.client_id,
        uri=registration.notification_endpoint,
        call=request.call,
        push=registration.delivery is Delivery.PUSH,
        due=at,
        ends_at=max(request.expires_at, at + GRACE),
    )


def judged(notice: Notice, status: int, *, at: datetime) -> Notice:
    """What a client's answer makes of a notice (§10.2): a redirect is none, and is followed nowhere."""
    if status in {200, 204}:
        return _ended(notice, Outcome.DELIVERED, "")
    if 300 <= status < 500:  # noqa: PLR2004 — the same would be answered to the same again
        return _ended(notice, Outcome.REFUSED, f"status {status}")
    return failed(notice, f"status {status}", at=at)


def failed(notice: Notice, because: str, *, at: datetime) -> Notice:
    """It could not be delivered now: later, or never once nothing could be fetched any more."""
    pause = _FIRST * (1 << min(notice.tries, _DOUBLINGS))
    if at + pause >= notice.ends_at:
        return _ended(notice, Outcome.ABANDONED, because)
    return replace(notice, tries=notice.tries + 1, last=because[:64], due=at + pause)


def _ended(notice: Notice, outcome: Outcome, because: str) -> Notice:
    return replace(notice, outcome=outcome, tries=notice.tries + 1, last=because[:64], call="")


def _place(ident: Digest) -> Sequence[bytes]:
    return (b"backchannel/call", ident.encode())
