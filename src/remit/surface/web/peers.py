"""From where a request came, as far as we can see it: for people to compare with what they know."""

from ipaddress import ip_address
from typing import Final

from starlette.requests import Request

_NOWHERE: Final = "an address that we can't see"


def place_of(request: Request) -> str:
    """Class and address of the peer; behind a proxy the proxy's, as a client's word is not believed."""
    if request.client is None:
        return _NOWHERE
    try:
        address = ip_address(request.client.host)
    except ValueError:
        return _NOWHERE
    if address.is_loopback:
        return f"the computer that Remit runs on ({address})"
    where = "the internet" if address.is_global else "a private network"
    return f"{where} ({address})"
