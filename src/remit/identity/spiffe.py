"""The names that workloads have: SPIFFE IDs (SPIFFE-ID §2), those that we give and those that others do."""

import re
from dataclasses import dataclass
from typing import Final

from remit.kernel.errors import Invalid
from remit.kernel.ids import InstanceId

_SEGMENT = re.compile(r"[a-zA-Z0-9._-]{1,64}")
_LIMIT: Final = 2048  # SPIFFE-ID §2.3: every implementation supports this many bytes
_SCHEME: Final = "spiffe://"
_DOMAIN: Final = re.compile(r"[a-z0-9._-]{1,255}")
_PATH_SEGMENT: Final = re.compile(r"[a-zA-Z0-9._-]+")


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


class MalformedSpiffeId(Invalid):
    """A text is no SPIFFE ID (SPIFFE-ID §2)."""

    code = "malformed_spiffe_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpiffeId:
    """A SPIFFE ID taken apart; `path` has no leading slash and is empty for the domain's own."""

    trust_domain: str
    path: str

    def __str__(self) -> str:
        return f"{_SCHEME}{self.trust_domain}/{self.path}" if self.path else _SCHEME + self.trust_domain


def check_trust_domain(name: str) -> str:
    """Give back a trust domain: 1 to 255 of lower case letters, digits, `.`, `-`, `_` (§2.1)."""
    if not _DOMAIN.fullmatch(name):
        raise MalformedSpiffeId(f"`{name[:64]}` is no trust domain: 1 to 255 of a-z, 0-9, `.`, `-`, `_`")
    return name


def parse_spiffe_id(text: str) -> SpiffeId:
    """Read a SPIFFE ID strictly: no port, user info, query, fragment, escape, empty or dot segment (§2).

    The text is the only spelling of the ID: whatever passes is compared byte for byte. Raises
    `MalformedSpiffeId`.
    """
    if len(text) > _LIMIT or not text.startswith(_SCHEME):
        raise MalformedSpiffeId(f"a SPIFFE ID begins with `{_SCHEME}` and has at most {_LIMIT} bytes")
    domain, slash, path = text.removeprefix(_SCHEME).partition("/")
    check_trust_domain(domain)
    segments = path.split("/") if slash else []
    if any(not _PATH_SEGMENT.fullmatch(each) or each in {".", ".."} for each in segments):
        raise MalformedSpiffeId("path of a SPIFFE ID holds an empty, a dot or a malformed segment")
    return SpiffeId(trust_domain=domain, path=path)
