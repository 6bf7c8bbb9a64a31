"""Key sets of issuers, fetched through the one guarded way out: small, quick, and never by redirect."""

from typing import Final

from remit.kernel.errors import Unavailable
from remit.kernel.outbound import Outbound, OutboundRequest

LARGEST: Final = 64 << 10
SECONDS: Final = 3.0
_OK: Final = 200


class GuardedKeys:
    """`identity.federation.refresh.Fetcher` over an `Outbound`, which judges every address."""

    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound

    async def fetch(self, address: str) -> bytes:
        """The body of a 200. Raises `OutboundRefused` for a closed address, `Unavailable` for all else."""
        answer = await self._outbound.send(
            OutboundRequest(
                method="GET",
                url=address,
                headers={"accept": "application/json"},
                largest_answer=LARGEST,
                timeout=SECONDS,
            )
        )
        if answer.status != _OK:
            raise Unavailable(f"issuer answered with status {answer.status}, not 200")
        return answer.body
