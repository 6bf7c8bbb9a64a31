"""Keys of issuers are fetched from public addresses, or from listed ones: small, quick, never by redirect."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from ipaddress import ip_address

import pytest

from remit.kernel.errors import Unavailable
from remit.kernel.outbound import Address, OutboundRefused
from remit.platform.jwks import LARGEST, SECONDS, GuardedKeys
from remit.platform.outbound import GuardedHttp
from remit.platform.settings.federation import FederationChoices

CLOSED = [
    "127.0.0.1", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1",
    "192.0.2.1", "198.18.0.1", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1",
    "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "2002:7f00:1::", "ff02::1",
]  # fmt: skip


class Fixed:
    """Says what it was told, whatever is asked."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = [ip_address(each) for each in addresses]
        self.asked = 0

    async def resolve(self, host: str, port: int) -> Sequence[Address]:
        self.asked += 1
        return self.addresses


def keys(resolver: Fixed | None = None, *hosts: str) -> GuardedKeys:
    chosen = FederationChoices(private_hosts=hosts)
    return GuardedKeys(GuardedHttp(rule=chosen.rule(), resolver=resolver))


@pytest.mark.attack("JW-05", "MC-15")
@pytest.mark.parametrize("address", CLOSED)
async def test_a_name_that_leads_inside_is_never_connected_to(address: str) -> None:
    for addresses in ((address,), ("93.184.216.34", address)):
        resolver = Fixed(*addresses)
        with pytest.raises(OutboundRefused):
            await keys(resolver).fetch("https://issuer.example/keys")
        assert resolver.asked == 1


@pytest.mark.attack("MC-15")
@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/keys",
        "https://[::1]/keys",
        "https://[::ffff:127.0.0.1]/keys",
        "https://issuer.example:6443/keys",
        "http://issuer.example/keys",
        "https://user@issuer.example/keys",
        "file:///etc/passwd",
        "gopher://issuer.example/",
        "https:///keys",
    ],
)
async def test_an_address_that_is_no_public_https_is_refused(url: str) -> None:
    with pytest.raises(OutboundRefused):
        await keys(Fixed("93.184.216.34")).fetch(url)


@asynccontextmanager
async def answering(raw: bytes, *, then_hang: bool = False) -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(raw)
        await writer.drain()
        if then_hang:
            await reader.read()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def response(body: bytes, status: str = "200 OK", **headers: str) -> bytes:
    more = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n{more}\r\n".encode() + body


async def test_a_listed_host_is_reached_at_exactly_its_port() -> None:
    async with answering(response(b'{"keys":[]}')) as port:
        assert await keys(None, f"127.0.0.1:{port}").fetch(f"http://127.0.0.1:{port}/keys") == b'{"keys":[]}'
        with pytest.raises(OutboundRefused):
            await keys(None, f"127.0.0.1:{port + 1}").fetch(f"http://127.0.0.1:{port}/keys")


@pytest.mark.attack("AS-14", "JW-23")
@pytest.mark.parametrize(
    "raw",
    [
        response(b"", "302 Found", location="http://127.0.0.1:1/keys"),
        response(b"", "301 Moved Permanently", location="https://evil.example/keys"),
        response(b"{}", "404 Not Found"),
        response(b"{}", "500 Oops"),
        response(b"{}", "206 Partial Content"),
        response(b"x" * (LARGEST + 1)),
        response(b"x", content_encoding="gzip"),
    ],
)
async def test_only_a_small_plain_200_counts(raw: bytes) -> None:
    async with answering(raw) as port:
        with pytest.raises(Unavailable):
            await keys(None, f"127.0.0.1:{port}").fetch(f"http://127.0.0.1:{port}/keys")


async def test_exactly_the_limit_is_read() -> None:
    async with answering(response(b"x" * LARGEST)) as port:
        fetched = await keys(None, f"127.0.0.1:{port}").fetch(f"http://127.0.0.1:{port}/keys")
    assert len(fetched) == LARGEST


@pytest.mark.attack("JW-23")
async def test_an_issuer_that_drips_is_given_up() -> None:
    async with answering(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nx", then_hang=True) as port:
        with pytest.raises(Unavailable):
            await keys(None, f"127.0.0.1:{port}").fetch(f"http://127.0.0.1:{port}/keys")
    assert SECONDS == 3


@pytest.mark.parametrize("host", ["issuer.example", "issuer.example:", ":443", "a:0", "a:65536", "a:x", ""])
def test_a_private_host_has_its_port(host: str) -> None:
    with pytest.raises(ValueError, match="host:port"):
        FederationChoices(private_hosts=(host,))
