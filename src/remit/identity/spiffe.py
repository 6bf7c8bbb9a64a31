"""The name that an agent's instance has outside: its SPIFFE ID (SPIFFE-ID §2)."""

import re
from typing import Final

from remit.kernel.errors import Invalid
from remit.kernel.ids import InstanceId

_SEGMENT = re.compile(r"[a-zA-Z0-9._-]{1,64}")
_LIMIT: Final = 2048  # SPIFFE-ID §2.3: every implementation supports this many bytes


class MalformedName(Invalid):
    """A name can't stand in a SPIFFE ID, a path or a policy."""

    code = "malformed_name"


def check_name(name: str) -> str:
    """Give back a name of letters, digits, `.`, `_`, `-`, 1 to 64 long, and not `.` or `..` (§2.2)."""
    if not _SEGMENT.fullmatch(name) or name in {".", ".."}:
        raise MalformedName(f"`{name[:64]}` is no name: 1 to 64 of letters, digits, `.`, `_`, `-`")
    return name


def spiffe_id(trust_domain: str, agent: str, instance: InstanceId) -> str:
    """Build `spiffe://<trust-domain>/agent/<agent-name>/<instance>`."""
    ident = f"spiffe://{trust_domain}/agent/{check_name(agent)}/{check_name(instance)}"
    if len(ident) > _LIMIT:
        raise MalformedName(f"SPIFFE ID has {len(ident)} bytes, the limit is {_LIMIT}")
    return ident
