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

    saml: bool = False
    """Whether SAML assertions are taken at all: as grants of workloads, and from providers that people sign
    in with."""

    def __post_init__(self) -> None:
        """Hold the form: a host without its port would open every port of it."""
        self.destinations()

    def destinations(self) -> frozenset[Destination]:
        """As the outbound guard takes them."""
        return frozenset(destination_of(each, "federation.private_hosts") for each in self.private_hosts)

    def rule(self) -> AddressRule:
        """What may be connected to: public addresses on 443, and what is listed."""
        return AddressRule(registered=self.destinations())


def destination_of(text: str, setting: str) -> Destination:
    """Read `host:port`; `setting` is named if it is none."""
    host, mark, port = text.strip().rpartition(":")
    if not mark or not host or not port.isascii() or not port.isdigit() or not 0 < int(port) <= _HIGHEST:
        raise ValueError(f"setting `{setting}` holds `{text}`, which is no `host:port`")
    return Destination(host=host.lower().strip("[]"), port=int(port))
