"""How far this installation goes to fetch the keys of issuers that it trusts."""

from dataclasses import dataclass
from typing import Final

from remit.kernel.outbound import AddressRule, Destination

_HIGHEST: Final = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class FederationChoices:
    """Where keys of trusted issuers may be fetched from, beside the public network."""

    private_hosts: tuple[str, ...] = ()
    """Exact `host:port` of issuers inside a private network, as a cluster's API server."""
    unsafe_loopback_http: bool = False
    """Whether an issuer on this machine may be plain http, in development; list it in `private_hosts` too."""

    def __post_init__(self) -> None:
        """Hold the form: a host without its port would open every port of it."""
        self.destinations()

    def destinations(self) -> frozenset[Destination]:
        """As the outbound guard takes them."""
        return frozenset(_destination(each) for each in self.private_hosts)

    def rule(self) -> AddressRule:
        """What may be connected to: public addresses on 443, and what is listed."""
        return AddressRule(registered=self.destinations())


def _destination(text: str) -> Destination:
    host, mark, port = text.strip().rpartition(":")
    if not mark or not host or not port.isascii() or not port.isdigit() or not 0 < int(port) <= _HIGHEST:
        raise ValueError(f"setting `federation.private_hosts` holds `{text}`, which is no `host:port`")
    return Destination(host=host.lower().strip("[]"), port=int(port))
