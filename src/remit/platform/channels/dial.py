"""Connections that are not HTTP: a name resolved once, every address judged, the judged one dialled."""

import asyncio
import ipaddress
import socket
from dataclasses import dataclass, field
from typing import Final

from remit.kernel.errors import Unavailable
from remit.kernel.outbound import Destination
from remit.platform.outbound import Resolver, Rule, SystemResolver

_RESOLVE_SECONDS: Final = 5.0
_CONNECT_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Dial:
    """Connects to what the rule allows."""

    rule: Rule
    resolver: Resolver = field(default_factory=SystemResolver)

    def is_registered(self, destination: Destination) -> bool:
        """Whether the operator named this very host and port."""
        return destination in self.rule.registered

    async def connect(self, destination: Destination) -> socket.socket:
        """A connected socket. Raises `OutboundRefused`, or `Unavailable` if nobody answers."""
        addresses = await self._addresses(destination)
        for address in addresses:
            self.rule.check(destination, address)
        failed: Exception = OSError("no address")
        for address in addresses:
            try:
                return await self._one(address, destination.port)
            except (OSError, TimeoutError) as unreachable:
                failed = unreachable
        raise Unavailable(f"`{destination.host}` can't be reached") from failed

    async def _addresses(
        self, destination: Destination
    ) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
        try:
            return [ipaddress.ip_address(destination.host)]
        except ValueError:
            pass  # a name: it is resolved below
        try:
            async with asyncio.timeout(_RESOLVE_SECONDS):
                return list(await self.resolver.resolve(destination.host, destination.port))
        except (OSError, TimeoutError, UnicodeError) as unknown:
            raise Unavailable(f"`{destination.host}` does not resolve") from unknown

    async def _one(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address, port: int) -> socket.socket:
        family = socket.AF_INET if address.version == 4 else socket.AF_INET6  # noqa: PLR2004 — IP versions
        opened = socket.socket(family, socket.SOCK_STREAM)
        opened.setblocking(False)  # noqa: FBT003 — the standard library's own signature
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                await asyncio.get_running_loop().sock_connect(opened, (str(address), port))
        except BaseException:
            opened.close()
            raise
        return opened
