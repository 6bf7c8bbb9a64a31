"""Sessions of legacy clients: bound to whoever opened them, ended by time, silence or a kill (R129).

A session id is no credential: each request is authenticated anew, and an id in other hands is unknown there.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from remit.authority.tokens import VerifiedSubject
from remit.kernel.canonical import b64u
from remit.kernel.errors import NotFound
from remit.kernel.ids import Entropy, ServerId

_ID_BYTES: Final = 24


class SessionUnknown(NotFound):
    """No such session, or not this caller's: MCP 2025-11-25 answers 404, and the client begins anew."""

    code = "session_unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOptions:
    """`longest` from opening, `idle` from the last request, `per_subject` open at once."""

    longest: timedelta = timedelta(hours=8)
    idle: timedelta = timedelta(minutes=30)
    per_subject: int = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Whom a session belongs to: user, instance and key together."""

    tenant: str
    user: str
    instance: str
    task: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One legacy session."""

    id: str
    owner: Owner
    server: ServerId
    version: str
    opened_at: datetime
    used_at: datetime


def owner_of(subject: VerifiedSubject) -> Owner:
    """The binding of a session, from a verified token."""
    return Owner(
        tenant=subject.tenant,
        user=subject.user or "",
        instance=subject.instance,
        task=subject.task or "",
        key=subject.key,
    )


class Sessions:
    """Open legacy sessions of this node."""

    def __init__(self, *, options: SessionOptions, entropy: Entropy) -> None:
        self._options = options
        self._entropy = entropy
        self._open: dict[str, Session] = {}

    def open(self, subject: VerifiedSubject, server: ServerId, version: str, *, at: datetime) -> Session:
        """Open one; where its owner has too many, the one that was silent longest gives way."""
        self._sweep(at)
        owner = owner_of(subject)
        own = sorted((one for one in self._open.values() if one.owner == owner), key=lambda one: one.used_at)
        for surplus in own[: max(0, len(own) + 1 - self._options.per_subject)]:
            self.close(surplus.id)
        ident = b64u(self._entropy(_ID_BYTES))
        session = Session(id=ident, owner=owner, server=server, version=version, opened_at=at, used_at=at)
        self._open[ident] = session
        return session

    def use(self, ident: str, subject: VerifiedSubject, server: ServerId, *, at: datetime) -> Session:
        """Find a session of this very caller and server and keep it awake. Raises `SessionUnknown`."""
        self._sweep(at)
        session = self._open.get(ident)
        if session is None or session.owner != owner_of(subject) or session.server != server:
            raise SessionUnknown("session is unknown; open a new one with `initialize`")
        session = self._open[ident] = replace(session, used_at=at)
        return session

    def close(self, ident: str) -> None:
        """End one; ending it twice is no error."""
        self._open.pop(ident, None)

    def close_of(self, owner: Owner) -> None:
        """End all of one caller, because it no longer lives."""
        for ident in [session.id for session in self._open.values() if session.owner == owner]:
            self.close(ident)

    def _sweep(self, at: datetime) -> None:
        for session in list(self._open.values()):
            if at - session.opened_at >= self._options.longest or at - session.used_at >= self._options.idle:
                self.close(session.id)
