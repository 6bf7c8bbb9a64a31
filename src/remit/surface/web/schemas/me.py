"""The caller, as told to itself."""

from datetime import datetime

import msgspec


class MeView(msgspec.Struct, frozen=True, kw_only=True):
    """Who calls, and how that is known."""

    id: str
    name: str
    tenant: str
    person: bool
    roles: list[str]
    """Those of this moment."""
    scopes: list[str]
    sees_all: bool
    """Whether lists hold everybody's things, rather than the caller's own."""
    channel: str
    """`session` for a browser that somebody is signed in with, else `token`."""
    acr: str
    """How they signed in; empty where no sign-in stands behind it."""
    auth_time: datetime | None
    """When they last proved who they are."""
    session: str
    csrf: str
    """What each change of a browser brings along in `Remit-CSRF`; another after every sign-in."""
    expires_at: datetime
