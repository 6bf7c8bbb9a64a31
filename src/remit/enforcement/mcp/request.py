"""One request with everything that the edge has established about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from remit.authority.tokens import VerifiedSubject
from remit.enforcement.mcp.frames import Message
from remit.enforcement.mcp.upstream import Notify
from remit.enforcement.mcp.wire import Era
from remit.identity.tools import Server
from remit.kernel.ids import CallId


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A verified caller's message to one server; `notify` speaks to that caller alone."""

    server: Server
    subject: VerifiedSubject
    message: Message
    era: Era
    version: str
    headers: Mapping[str, Sequence[str]]
    notify: Notify
    call: CallId
    call_key: str
    repeated: bool
    """Whether the caller brought the call key, so that the call may be on record."""
