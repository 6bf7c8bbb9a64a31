"""Resource indicators: which resource a token is for (RFC 8707), always exactly one."""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from remit.authority.oauth.wire.errors import InvalidTarget
from remit.authority.oauth.wire.options import OAuthOptions

LENGTH_LIMIT: Final = 2048
_ABSOLUTE: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#@\\]+)((?:[/?][^#\\]*)?)")
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_PRINTABLE: Final = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A resource that we protect: the HTTP API (`server` empty) or one MCP server."""

    resource: str
    server: str = ""


@lru_cache(maxsize=256)
def parse_resource(text: str) -> str:
    """Read an absolute URI and lower the case of scheme and host, nothing else (RFC 3986 §6.2.2.1).

    Path, query and escapes stay byte for byte: two spellings of a path are two resources.
    Raises `InvalidTarget` for a relative URI, user information, a fragment (RFC 8707 §2) or odd bytes.
    Pure, and asked about few resources again and again.
    """
    if len(text) > LENGTH_LIMIT or not _PRINTABLE.fullmatch(text):
        raise InvalidTarget("resource is no absolute URI", reason="target_malformed")
    parts = _ABSOLUTE.fullmatch(text)
    if parts is None:
        raise InvalidTarget("resource must be an absolute URI without fragment", reason="target_malformed")
    scheme, authority, rest = parts.groups()
    return f"{scheme.lower()}://{authority.lower()}{rest}"


def target_of(resource: str, options: OAuthOptions) -> Target:
    """Which of ours a parsed resource names, byte for byte; whether the server exists is not asked here."""
    return _target(resource, options.api, options.mcp(""))


@lru_cache(maxsize=256)
def _target(resource: str, api: str, servers: str) -> Target:
    """Pure, and asked about few resources again and again; what is not ours is not remembered."""
    if resource == parse_resource(api):
        return Target(resource=api)
    prefix = parse_resource(servers)
    server = resource.removeprefix(prefix)
    if not resource.startswith(prefix) or not _NAME.fullmatch(server):
        raise InvalidTarget(f"resource `{resource}` is not protected here", reason="target_unknown")
    return Target(resource=f"{servers}{server}", server=server)
