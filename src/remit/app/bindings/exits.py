"""Where the gateway may connect: to what an administrator registered, and nowhere else."""

from collections.abc import Iterable, Mapping
from urllib.parse import urlsplit

from remit.decision.facts.snapshot import Snapshots
from remit.identity.tools import Server, Transport
from remit.kernel.ids import ServerId
from remit.kernel.outbound import Address, AddressRule, Destination

_PORTS = {"http": 80, "https": 443}


class RegisteredServers:
    """An address rule that follows the directory: the exact host and port of each registered server."""

    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots
        self._read: Mapping[ServerId, Server] | None = None
        self._registered: frozenset[Destination] = frozenset()

    @property
    def registered(self) -> frozenset[Destination]:
        """Host and port of every MCP server that is reached over HTTP; read again when one has changed."""
        servers = self._snapshots.current().servers
        if servers is not self._read:
            self._registered = _destinations(servers.values())
            self._read = servers
        return self._registered

    def check(self, destination: Destination, address: Address) -> None:
        """Refuse what no administrator named."""
        AddressRule(registered=self.registered, ports=frozenset()).check(destination, address)


def _destinations(servers: Iterable[Server]) -> frozenset[Destination]:
    urls = [urlsplit(server.url) for server in servers if server.transport is Transport.HTTP]
    return frozenset(
        Destination(host=url.hostname, port=url.port or _PORTS[url.scheme])
        for url in urls
        if url.hostname and url.scheme in _PORTS
    )
