"""The same parts without one defence each: for clients that nobody registered."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from remit.authority.oauth.clients.fetched import Documents, FetchedDocument
from remit.authority.oauth.clients.metadata import read_metadata
from remit.authority.oauth.endpoints.register import RegistrationEndpoint
from remit.kernel.canonical import parse_object
from remit.kernel.outbound import Address, Destination, OutboundRequest


@dataclass(frozen=True)
class Unguarded:
    """OA-23: every address is as good as any other."""

    registered: frozenset[Destination] = frozenset()

    def check(self, destination: Destination, address: Address) -> None:
        """Judges nothing."""


class Believing(Documents):
    """OA-24: whoever the document says it is, it is the client of the address."""

    async def fetch(self, client_id: str, *, at: datetime) -> FetchedDocument:
        answer = await self._outbound.send(OutboundRequest(method="GET", url=client_id))
        stated = read_metadata(parse_object(answer.body), lenient=True)
        return FetchedDocument(stated=stated, fresh_until=at + timedelta(minutes=5))


class Endless(RegistrationEndpoint):
    """OA-25: nobody counts."""

    def _count(self, at: datetime) -> None:
        """Counts nothing."""
