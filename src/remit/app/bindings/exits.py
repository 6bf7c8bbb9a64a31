"""Where the gateway may connect: to what an administrator registered, and nowhere else."""

from urllib.parse import urlsplit

from remit.decision.facts import Snapshots
from remit.identity.tools import Transport
from remit.kernel.outbound import Address, AddressRule, Destination

_PORTS = {"http": 80, "https": 443}


class RegisteredServers:
    """An address rule that follows the directory: the exact host and port of each registered server."""

    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots

    @property
    def registered(self) -> frozenset[Destination]:
        """Host and port of every MCP server that is reached over HTTP."""
        servers = self._snapshots.current().servers.values()
        urls = [urlsplit(server.url) for server in servers if server.transport is Transport.HTTP]
        return frozenset(
            Destination(host=url.hostname, port=url.port or _PORTS[url.scheme])
            for url in urls
            if url.hostname and url.scheme in _PORTS
        )

    def check(self, destination: Destination, address: Address) -> None:
        """Refuse what no administrator named."""
        AddressRule(registered=self.registered, ports=frozenset()).check(destination, address)
