"""Key sets of issuers, fetched through the one guarded way out: small, quick, and never by redirect."""

from typing import ClassVar, Final

from remit.kernel.errors import Unavailable
from remit.kernel.outbound import Outbound, OutboundRequest

LARGEST: Final = 64 << 10
LARGEST_METADATA: Final = 512 << 10
SECONDS: Final = 3.0
_OK: Final = 200


class GuardedKeys:
    """`identity.federation.refresh.Fetcher` over an `Outbound`, which judges every address."""

    accept: ClassVar[str] = "application/json"
    largest: ClassVar[int] = LARGEST

    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound

    async def fetch(self, address: str) -> bytes:
        """The body of a 200. Raises `OutboundRefused` for a closed address, `Unavailable` for all else."""
        answer = await self._outbound.send(
            OutboundRequest(
                method="GET",
                url=address,
                headers={"accept": self.accept},
                largest_answer=self.largest,
                timeout=SECONDS,
            )
        )
        if answer.status != _OK:
            raise Unavailable(f"issuer answered with status {answer.status}, not 200")
        return answer.body


class GuardedMetadata(GuardedKeys):
    """The same for SAML metadata, which is XML and has more to say."""

    accept = "application/samlmetadata+xml, application/xml, text/xml"
    largest = LARGEST_METADATA
