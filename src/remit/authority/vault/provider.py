"""Another service's authorization server, or a service that knows static keys alone (R11, R123)."""

import ipaddress
import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, NewType
from urllib.parse import urlsplit

from remit.authority.vault.errors import ProviderUnfit
from remit.kernel.ids import TenantId
from remit.kernel.outbound import Destination

ProviderId = NewType("ProviderId", str)

NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
SCOPE: Final = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,128}")
"""RFC 6749 §3.3: one name of a scope."""
SCOPES_LIMIT: Final = 64
_HEADER: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
_SCHEME: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,31}")
_PORTS: Final = {"https": 443, "http": 80}
_NOT_A_CREDENTIALS_PLACE: Final = frozenset({
    "host", "connection", "content-length", "content-type", "transfer-encoding", "accept", "te", "trailer",
    "accept-encoding", "upgrade", "expect", "keep-alive", "proxy-connection", "cookie", "remit-capability",
    "mcp-session-id", "mcp-protocol-version", "mcp-method", "mcp-name",
})  # fmt: skip


class ProviderKind(StrEnum):
    """What a connection to it is made of."""

    OAUTH = "oauth"
    """Each person connects by an authorization code; tokens are refreshed and revoked."""
    STATIC = "static"
    """An administrator seals one key per agent, or per person and agent; it has an end."""


class ClientAuth(StrEnum):
    """How we prove to be our `client_id` at the provider's token endpoint (RFC 6749 §2.3)."""

    NONE = "none"
    BASIC = "client_secret_basic"
    POST = "client_secret_post"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A provider as an administrator registered it. A static one has no endpoints.

    `issuer` is compared as a string, never normalized (RFC 9207 §2.4). `iss_promised` says that its metadata
    announces `iss` in each answer: then an answer without it is refused. `header` and `scheme` are how its
    credential is shown to the servers that need it; an empty scheme shows the bare value.
    """

    id: ProviderId
    tenant: TenantId
    name: str
    kind: ProviderKind
    issuer: str = ""
    authorization_endpoint: str = ""
    token_endpoint: str = ""
    revocation_endpoint: str = ""
    client_id: str = ""
    auth: ClientAuth = ClientAuth.NONE
    iss_promised: bool = False
    header: str = "Authorization"
    scheme: str = "Bearer"
    created_at: datetime
    retired_at: datetime | None = None

    @property
    def destinations(self) -> frozenset[Destination]:
        """Exact hosts and ports that registering it opened for us."""
        urls = (self.issuer, self.token_endpoint, self.revocation_endpoint)
        return frozenset(destination_of(url) for url in urls if url)


def check(provider: Provider) -> None:
    """Refuse what nobody could connect to safely. Raises `ProviderUnfit`."""
    if not NAME.fullmatch(provider.name):
        raise ProviderUnfit(
            f"`{provider.name[:80]}` is no name: lower-case letters, digits and `-`, at most 63"
        )
    header = provider.header.lower()
    if not _HEADER.fullmatch(provider.header) or header in _NOT_A_CREDENTIALS_PLACE:
        raise ProviderUnfit(f"a credential can't be shown in the header `{provider.header[:80]}`")
    if provider.scheme and not _SCHEME.fullmatch(provider.scheme):
        raise ProviderUnfit(f"`{provider.scheme[:80]}` is no authentication scheme (RFC 9110 §11.1)")
    if provider.kind is ProviderKind.STATIC:
        return
    if not provider.client_id or not provider.client_id.isprintable() or not provider.client_id.isascii():
        raise ProviderUnfit("our `client_id` at the provider is missing, or holds what no id holds")
    for name in ("issuer", "authorization_endpoint", "token_endpoint"):
        check_url(getattr(provider, name), what=name)
    if provider.revocation_endpoint:
        check_url(provider.revocation_endpoint, what="revocation_endpoint")


def check_url(url: str, *, what: str) -> None:
    """Https, or plain http on this very machine; no user, no fragment. Raises `ProviderUnfit`."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError as broken:
        raise ProviderUnfit(f"{what} `{url[:200]}` is no URL") from broken
    plain = parts.scheme == "http" and is_loopback(host)
    if not host or not url.isascii() or parts.username is not None or parts.fragment or " " in url:
        raise ProviderUnfit(f"{what} `{url[:200]}` is no plain address")
    if parts.scheme != "https" and not plain:
        raise ProviderUnfit(f"{what} `{url[:200]}` is not https")


def is_loopback(host: str) -> bool:
    """Whether a host of a URL is this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def destination_of(url: str) -> Destination:
    """Host and port of a checked URL."""
    parts = urlsplit(url)
    return Destination(host=parts.hostname or "", port=parts.port or _PORTS[parts.scheme])


def scopes_of(names: object) -> tuple[str, ...]:
    """Sorted, each once: equal sets are equal keys. Raises `ProviderUnfit`."""
    found = sorted({*names}) if isinstance(names, (list, tuple, frozenset, set)) else []
    if len(found) > SCOPES_LIMIT or not all(
        isinstance(name, str) and SCOPE.fullmatch(name) for name in found
    ):
        raise ProviderUnfit(f"a scope is no scope (RFC 6749 §3.3), or there are more than {SCOPES_LIMIT}")
    return tuple(found)
