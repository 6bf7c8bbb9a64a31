"""What further tenants may reach; the installation's own private hosts are never theirs."""

from dataclasses import dataclass

from remit.kernel.outbound import Destination
from remit.platform.settings.federation import destination_of


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantChoices:
    """Bounds of every tenant but `default`."""

    private_hosts: tuple[str, ...] = ()
    """Exact `host:port` inside a private network that tenants' servers, providers and issuers may be at."""

    def __post_init__(self) -> None:
        """Hold the form."""
        self.destinations()

    def destinations(self) -> frozenset[Destination]:
        """As the outbound guard takes them."""
        return frozenset(destination_of(each, "tenants.private_hosts") for each in self.private_hosts)
