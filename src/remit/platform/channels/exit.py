"""One POST of a channel through the guarded way out, and what its answer means."""

from collections.abc import Mapping
from typing import Final

from remit.kernel.errors import Unavailable
from remit.kernel.outbound import Outbound, OutboundRequest
from remit.oversight.notices.errors import GONE, Rejected

TIMEOUT: Final = 10.0
_LARGEST: Final = 64 << 10
_OK: Final = range(200, 300)
_GONE: Final = frozenset({404, 410})
_LATER: Final = frozenset({408, 425, 429})
_BROKEN: Final = 500


async def post(
    outbound: Outbound, url: str, body: bytes, headers: Mapping[str, str], *, gone: bool = False
) -> bytes:
    """Send, and read the answer's body.

    2xx is a yes; 408, 425, 429 and 5xx are no answer now (`Unavailable`); all else is a no for good
    (`Rejected`), redirects too, which nobody follows. `gone`: 404 and 410 say that nobody is there any more.
    """
    request = OutboundRequest(
        method="POST", url=url, headers=headers, body=body, largest_answer=_LARGEST, timeout=TIMEOUT
    )
    answer = await outbound.send(request)
    if answer.status in _OK:
        return answer.body
    if answer.status in _LATER or answer.status >= _BROKEN:
        raise Unavailable(f"status {answer.status}")
    told = f"{GONE}: " if gone and answer.status in _GONE else ""
    raise Rejected(f"{told}status {answer.status}")
