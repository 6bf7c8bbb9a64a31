"""Where we may connect to: globally routable unicast addresses, and pairs that the operator registered."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Final, Protocol, TypeAlias

from remit.kernel.errors import RemitError

Address: TypeAlias = IPv4Address | IPv6Address


class OutboundRefused(RemitError):
    """The address or the port is none that this server connects to."""

    code = "outbound_refused"
    kind = "forbidden"


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A host name or address literal, lower-case, and a port, as in the configured URL."""

    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressRule:
    """Judges each address that a name resolved to; the connection is then made to that very address."""

    registered: frozenset[Destination] = frozenset()
    """Exact pairs that the operator named, as in `127.0.0.1:9000`: any address, any port."""
    ports: frozenset[int] = frozenset({443})

    def check(self, destination: Destination, address: Address) -> None:
        """Refuse unless the pair is registered, or the port is open and the address is of the public net."""
        if destination in self.registered:
            return
        if destination.port not in self.ports:
            raise OutboundRefused(f"port `{destination.port}` is not one that this server connects to")
        if not is_public(address):
            raise OutboundRefused(
                f"`{destination.host}` is not on the public network",
                debug=f"resolved to {address}",
                next_step="register the exact host and port if this is intended",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundRequest:
    """One HTTP request to somebody else; the URL has no user info."""

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    largest_answer: int = 1 << 20
    """Bytes; more is an error, never a truncated answer."""
    timeout: float = 10.0
    """Seconds for the whole exchange."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundResponse:
    """What came back; redirects are not followed, so `status` may be 3xx."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Outbound(Protocol):
    """The one way out. Raises `OutboundRefused` before it connects, `Unavailable` when it can't."""

    async def send(self, request: OutboundRequest) -> OutboundResponse:
        """Resolve once, judge every address, connect to the judged one, send and read all."""


def is_public(address: Address) -> bool:
    """Whether an address, and each IPv4 address embedded in it, is globally routable unicast.

    `ipaddress.is_global` is not enough: Python 3.11 calls multicast, NAT64 and relay ranges global.
    """
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _CLOSED_V4)
    if address.ipv4_mapped is not None:
        return address.scope_id is None and is_public(address.ipv4_mapped)
    return _is_open(address) and all(is_public(inner) for inner in _embedded(address))


def _is_open(address: IPv6Address) -> bool:
    """Whether an address is unicast and of no special-purpose range; what it embeds is judged apart."""
    if address.scope_id is not None or not (address in _NAT64 or address in _UNICAST_V6):
        return False
    if address in _IETF and address not in _TEREDO:
        return False
    return not any(address in network for network in _CLOSED_V6)


def _embedded(address: IPv6Address) -> tuple[IPv4Address, ...]:
    """Find the IPv4 addresses that packets to this one may be handed on to."""
    bits = int(address)
    low = IPv4Address(bits & 0xFFFFFFFF)
    if address in _NAT64:  # RFC 6052 §2.1
        return (low,)
    if address.sixtofour is not None:  # RFC 3056 §2
        return (address.sixtofour,)
    if address.teredo is not None:  # RFC 4380 §4: server, then the client behind it
        return address.teredo
    if (bits >> 32) & 0xFCFF_FFFF == _ISATAP:  # RFC 5214 §6.1; the u and g bits may be set
        return (low,)
    return ()


_ISATAP: Final = 0x0000_5EFE
_NAT64: Final = IPv6Network("64:ff9b::/96")
_UNICAST_V6: Final = IPv6Network("2000::/3")

# IANA IPv4 Special-Purpose Address Registry (RFC 6890), multicast (RFC 5771) and class E.
_CLOSED_V4: Final = tuple(
    IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
    )
)

# IANA IPv6 Special-Purpose Address Registry, as far as it lies inside 2000::/3. Of the IETF's own block
# (RFC 2928) only Teredo is let through, to be unwrapped.
_IETF: Final = IPv6Network("2001::/23")
_TEREDO: Final = IPv6Network("2001::/32")
_CLOSED_V6: Final = tuple(
    IPv6Network(network) for network in ("2001:db8::/32", "2620:4f:8000::/48", "3fff::/20")
)
