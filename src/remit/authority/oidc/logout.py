"""Back-channel logout (OpenID Connect Back-Channel Logout 1.0): a client is told that a session has ended.

A notice is kept until its client has confirmed it, refused it, or could not be reached for a day; what came
of it is on record.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NewType

from remit.kernel.canonical import JsonObject, sha256
from remit.kernel.ids import SessionId, TenantId, UserId

NoticeId = NewType("NoticeId", str)

EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
LIFE: Final = timedelta(minutes=2)
"""§2.6 (6): a logout token is short-lived, so that an old one signs nobody out."""
KEEP_TRYING: Final = timedelta(hours=24)
_FIRST: Final = timedelta(seconds=2)
_LONGEST: Final = timedelta(minutes=15)
_DOUBLINGS: Final = 9


class Outcome(StrEnum):
    """What became of a notice."""

    OPEN = "open"
    """Not confirmed yet; it is tried again."""
    DELIVERED = "delivered"
    """The client has confirmed it (§2.8: 200 or 204)."""
    REFUSED = "refused"
    """The client says that the request is not valid, or that its logout failed (§2.8: 400)."""
    ABANDONED = "abandoned"
    """The client could not be reached for a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogoutNotice:
    """One session's end, for one client. `last` says why the last try did not end it."""

    id: NoticeId
    tenant: TenantId
    client_id: str
    uri: str
    user: UserId
    session: SessionId
    outcome: Outcome
    tries: int = 0
    last: str = ""
    due: datetime
    created_at: datetime
    ended_at: datetime | None = None


def notice_id(session: SessionId, client_id: str) -> NoticeId:
    """The same for the same session and client, so that nobody is told twice of one end."""
    return NoticeId(f"lgn_{sha256(f'{session} {client_id}'.encode())[:32]}")


def claims_of(notice: LogoutNotice, *, issuer: str, jti: str, at: datetime) -> JsonObject:
    """Write the claims of a logout token (§2.4); a `nonce` is forbidden there, so that it is no ID token."""
    return {
        "iss": issuer,
        "sub": notice.user,
        "aud": notice.client_id,
        "iat": int(at.timestamp()),
        "exp": int((at + LIFE).timestamp()),
        "jti": jti,
        "sid": notice.session,
        "events": {EVENT: {}},
    }


def judged(notice: LogoutNotice, status: int, *, at: datetime) -> LogoutNotice:
    """What a client's answer makes of a notice (§2.8)."""
    if status in {200, 204}:
        return _ended(notice, Outcome.DELIVERED, "", at)
    if status == 400:  # noqa: PLR2004 — the one status that §2.8 gives a refusal
        return _ended(notice, Outcome.REFUSED, "status 400", at)
    return failed(notice, f"status {status}", at=at)


def failed(notice: LogoutNotice, because: str, *, at: datetime) -> LogoutNotice:
    """It could not be delivered now: later, or never after a day."""
    if at >= notice.created_at + KEEP_TRYING:
        return _ended(notice, Outcome.ABANDONED, because, at)
    pause = min(_LONGEST, _FIRST * (1 << min(notice.tries, _DOUBLINGS)))
    return replace(notice, tries=notice.tries + 1, last=because[:64], due=at + pause)


def _ended(notice: LogoutNotice, outcome: Outcome, because: str, at: datetime) -> LogoutNotice:
    return replace(notice, outcome=outcome, tries=notice.tries + 1, last=because[:64], ended_at=at)
