"""The client's certificate, as the proxy that ended its TLS connection reports it (RFC 9440).

SAFETY: the headers count only if the connection comes from a configured proxy's own address; from anybody
else they are taken off before anything reads them, so that nobody can say what his certificate is.
"""

import re
from base64 import b64decode
from binascii import Error as BadBase64
from collections.abc import Sequence
from typing import Final

from starlette.requests import Request
from starlette.types import Scope

from remit.kernel.certificate import SCOPE_KEY, PresentedCertificate
from remit.surface.web.errors import AmbiguousRequest

PREFIX: Final = b"client-cert"
_LEAF: Final = b"client-cert"
_CHAIN: Final = b"client-cert-chain"
_ITEM: Final = re.compile(r":([A-Za-z0-9+/]+={0,2}):")
_LONGEST: Final = 8


class ClientCertificates:
    """Takes what a believed proxy says out of the headers, and what anybody else says away."""

    def __init__(self, proxies: Sequence[str]) -> None:
        self._proxies = frozenset(proxies)

    def take(self, scope: Scope) -> None:
        """Leave the certificate in the scope, if there is one to believe; the headers are gone either way.

        Raises `AmbiguousRequest` if a proxy of ours says something that is none.
        """
        lines = scope["headers"]
        said = [(name, value) for name, value in lines if name.startswith(PREFIX)]
        scope["headers"] = [line for line in lines if not line[0].startswith(PREFIX)]
        peer = scope.get("client")
        if peer is None or peer[0] not in self._proxies:
            return
        leaf = [value for name, value in said if name == _LEAF]
        if len(leaf) > 1:
            raise AmbiguousRequest("header `client-cert` is there more than once")
        if leaf:
            chain = b",".join(value for name, value in said if name == _CHAIN)
            scope[SCOPE_KEY] = PresentedCertificate(der=_item(leaf[0].decode("latin-1")), chain=_items(chain))


def certificate_of(request: Request) -> PresentedCertificate | None:
    """What the client of a request showed in its TLS handshake."""
    found: PresentedCertificate | None = request.scope.get(SCOPE_KEY)
    return found


def thumbprint_of(request: Request) -> str:
    """SHA-256 of that certificate in base64url, or an empty string."""
    found = certificate_of(request)
    return "" if found is None else found.thumbprint


def _items(value: bytes) -> tuple[bytes, ...]:
    """A list of byte sequences (RFC 8941 §3.3.5)."""
    texts = [part.strip() for part in value.decode("latin-1").split(",")] if value else []
    if len(texts) > _LONGEST:
        raise AmbiguousRequest(f"header `client-cert-chain` has more than {_LONGEST} members")
    return tuple(_item(text) for text in texts)


def _item(text: str) -> bytes:
    found = _ITEM.fullmatch(text)
    if found is None:
        raise AmbiguousRequest("header `client-cert` is no byte sequence (RFC 9440 §2.2)")
    try:
        return b64decode(found.group(1), validate=True)
    except BadBase64 as broken:
        raise AmbiguousRequest("header `client-cert` is no byte sequence (RFC 9440 §2.2)") from broken
