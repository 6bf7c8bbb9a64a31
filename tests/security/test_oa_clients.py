"""OA: documents that point inwards or lie, clients that register themselves without end; and their twins."""

import asyncio
import ipaddress
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from remit.authority.oauth.clients.fetched import Documents
from remit.authority.oauth.endpoints.register import RegistrationEndpoint
from remit.authority.oauth.enrolling.client_directory import ClientDirectory
from remit.authority.oauth.wire.client_options import DynamicClients, RegistrationMode
from remit.authority.oauth.wire.errors import InvalidClient
from remit.authority.oauth.wire.options import OAuthOptions
from remit.kernel.errors import RemitError, Unavailable
from remit.kernel.outbound import Address, AddressRule, Destination, OutboundRequest
from remit.kernel.tenancy import DEFAULT_TENANT
from remit.platform.outbound import GuardedHttp
from remit.platform.storage.unit_of_work import SqlUnitOfWork
from support.clock import NOON
from support.documents import LISTED, URL, Host, document, open_to_documents
from support.oauth import ISSUER, TRUST_DOMAIN, World
from twins.clients import Believing, Endless, Unguarded

INSIDE = (
    "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
    "192.0.2.1", "198.18.0.1", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1",
    "::ffff:127.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "2002:7f00:1::1",
    "2001:db8::1", "2001:0:7f00:1::",
)  # fmt: skip
SPELLINGS = ("2130706433", "0x7f000001", "0177.0.0.1", "127.1", "localhost", "localhost.localdomain")


class Names:
    """A resolver that says something else each time it is asked."""

    def __init__(self, *answers: str) -> None:
        self.answers = [ipaddress.ip_address(answer) for answer in answers]
        self.asked = 0

    async def resolve(self, host: str, port: int) -> Sequence[Address]:
        self.asked += 1
        return [self.answers[min(self.asked, len(self.answers)) - 1]]


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[int, list[int]]]:
    """Something inside that nobody may reach; it counts who did."""
    reached: list[int] = []

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.append(1)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], reached


async def refusal(directory: ClientDirectory, at: Any, url: str = URL) -> str:
    with pytest.raises(InvalidClient) as refused:
        await directory.resolve(url, at=at)
    return refused.value.reason


@pytest.mark.attack("OA-23")
@pytest.mark.parametrize("address", INSIDE)
async def test_no_name_leads_inside(address: str) -> None:
    names = Names(address)
    documents = Documents(outbound=GuardedHttp(rule=AddressRule(), resolver=names))
    with pytest.raises(InvalidClient) as refused:
        await documents.fetch(URL, at=NOON)
    assert refused.value.reason == "document_unreachable"
    # What our network looks like is nobody's to probe: one sentence for all.
    assert refused.value.hint == "the client's document can't be fetched"
    assert names.asked == 1


@pytest.mark.attack("OA-23")
@pytest.mark.parametrize("host", SPELLINGS)
async def test_no_spelling_of_an_address_leads_inside(host: str) -> None:
    async with listening() as (port, reached):
        rule = AddressRule(ports=frozenset({443, port}))
        documents = Documents(outbound=GuardedHttp(rule=rule))
        with pytest.raises(InvalidClient):
            await documents.fetch(f"https://{host}:{port}/client.json", at=NOON)
        assert reached == []


@pytest.mark.attack("OA-23")
async def test_a_name_that_changes_its_mind_is_judged_by_what_is_connected_to() -> None:
    """DNS rebinding: judged as public, and inside a moment later; the second answer is never asked for."""
    async with listening() as (port, reached):
        names = Names("203.0.113.1", "127.0.0.1")
        rule = AddressRule(ports=frozenset({port}))
        http = GuardedHttp(rule=rule, resolver=names)
        with pytest.raises(InvalidClient):
            await Documents(outbound=http).fetch(f"https://notes.example:{port}/c", at=NOON)
        assert (names.asked, reached) == (1, [])


@pytest.mark.twin("OA-23")
async def test_twin_a_way_out_without_a_guard_reaches_inside() -> None:
    async with listening() as (port, reached):
        http = GuardedHttp(rule=Unguarded(), resolver=Names("127.0.0.1"))
        with pytest.raises(InvalidClient):
            await Documents(outbound=http).fetch(f"https://notes.example:{port}/c", at=NOON)
        assert reached == [1]


@pytest.mark.attack("OA-23")
@pytest.mark.parametrize("body", [b"x" * (5 << 10), b"x" * (1 << 20), None])
async def test_no_document_is_too_long_or_too_slow(body: bytes | None) -> None:
    """Over plain HTTP to a registered host, since the caps are those of the one way out."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        size = 10 << 30 if body is None else len(body) + 1
        writer.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % size
        )
        writer.write(b"{" + (body or b"x" * (1 << 20)))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        rule = AddressRule(registered=frozenset({Destination(host="127.0.0.1", port=port)}))
        request = OutboundRequest(
            method="GET", url=f"http://127.0.0.1:{port}/c", largest_answer=5 << 10, timeout=10.0
        )
        with pytest.raises(Unavailable, match="limit of 5120 bytes"):
            await GuardedHttp(rule=rule).send(request)


@pytest.mark.twin("OA-24")
async def test_twin_a_document_that_names_another_client_is_believed(sqlite_uow: SqlUnitOfWork) -> None:
    host = Host()
    host.put(document(client_id="https://notes.example/other.json"))
    world = await open_to_documents(sqlite_uow, host)
    assert await refusal(world.oauth.directory, world.now) == "document_id"
    lax = ClientDirectory(
        uow=world.uow,
        documents=Believing(outbound=host),
        allowed=LISTED,
        tenant=DEFAULT_TENANT,
        entropy=world.entropy,
    )
    assert (await lax.resolve(URL, at=world.now)).client_id == URL


async def crowd(world: World, endpoint: RegistrationEndpoint) -> int:
    """How many clients a stranger gets in one minute, of the twelve that he wants."""
    body = json.dumps(document(client_id=None)).encode()
    got = 0
    for _ in range(12):
        try:
            await endpoint.register(body, authorization="", at=world.now)
        except RemitError:
            break
        got += 1
    return got


@pytest.mark.attack("OA-25")
@pytest.mark.twin("OA-25")
async def test_a_stranger_gets_as_many_clients_as_a_minute_has_and_its_twin_any_number(
    sqlite_uow: SqlUnitOfWork,
) -> None:
    chosen = DynamicClients(mode=RegistrationMode.OPEN, agent="mail-bot", per_minute=10)
    options = OAuthOptions(issuer=ISSUER, trust_domain=TRUST_DOMAIN, dynamic=chosen)
    world = await World(sqlite_uow, options=options).populate()
    assert await crowd(world, world.oauth.registration) == 10
    parts: Any = {
        "uow": world.uow, "options": chosen, "tenant": DEFAULT_TENANT, "entropy": world.entropy,
    }  # fmt: skip
    assert await crowd(world, Endless(**parts)) == 12
