"""Which URIs a client may register: for coming back to, for its keys, for its logout (RFC 7591 §2, RFC 8252).

What is refused here never stands in a registration, so that nothing later needs to judge it again.
"""

import re
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

from remit.kernel.errors import Invalid
from remit.kernel.outbound import Address, is_public

LENGTH_LIMIT: Final = 2048
_PRINTABLE: Final = re.compile(r"[\x21-\x7e]+")
_PRIVATE_SCHEME: Final = re.compile(r"[a-z][a-z0-9+-]*(\.[a-z0-9+-]+)+")
"""RFC 8252 §7.1: a name under a domain of its owner, in reverse: never `javascript`, `data` or `file`."""
_ODD: Final = frozenset('\\"<>^`{|}*')
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_DOTS: Final = frozenset({".", "..", "%2e", "%2e%2e", ".%2e", "%2e."})


class UnfitUri(Invalid):
    """A URI that no client may register."""

    code = "client_uri_unfit"


def check_redirect(uri: str, *, native: bool) -> str:
    """Give back a URI that a person's browser may be sent to.

    `https` anywhere; of a native client also `http` on a loopback address and a private-use scheme.
    Raises `UnfitUri`.
    """
    parts = _split(uri)
    if parts.scheme == "https":
        _check_authority(parts)
    elif parts.scheme == "http":
        _check_authority(parts)
        if not native or not is_loopback_uri(uri):
            raise UnfitUri("`http` is for a native client on a loopback address; use `https`")
    elif not native or not _PRIVATE_SCHEME.fullmatch(parts.scheme) or parts.username is not None:
        raise UnfitUri(
            "scheme is none of `https`, loopback `http`, or a reversed domain name of a native client"
        )
    return uri


def check_https(uri: str) -> str:
    """Give back an `https` URI that we may be asked to call; an address in it must be of the public net.

    A name is judged when it is resolved, each time. Raises `UnfitUri`.
    """
    parts = _split(uri)
    if parts.scheme != "https":
        raise UnfitUri("address must be an `https` URL")
    _check_authority(parts)
    if (literal := _literal(parts.hostname or "")) is not None and not is_public(literal):
        raise UnfitUri("address is not on the public network")
    return uri


def check_document(uri: str) -> str:
    """Give back a URL that may be the `client_id` of a metadata document (CIMD §3).

    `https`, with a path, without dot segments, fragment, user information. Raises `UnfitUri`.
    """
    parts = _split(check_https(uri))
    if parts.path in {"", "/"}:
        raise UnfitUri("a client id that is a URL has a path")
    if not _DOTS.isdisjoint(part.lower() for part in parts.path.split("/")):
        raise UnfitUri("a client id that is a URL has no dot segment")
    return uri


def is_loopback_uri(uri: str) -> bool:
    """Whether only a process on the person's own machine can listen there, whichever it is."""
    parts = urlsplit(uri)
    return parts.scheme == "http" and (parts.hostname or "") in _LOOPBACK


def _split(uri: str) -> SplitResult:
    if len(uri) > LENGTH_LIMIT or not _PRINTABLE.fullmatch(uri) or not _ODD.isdisjoint(uri):
        raise UnfitUri("address is no URI of printable characters, or too long")
    try:
        parts = urlsplit(uri)
        _ = parts.port
    except ValueError as broken:
        raise UnfitUri("address is no URI") from broken
    if not parts.scheme or "#" in uri:
        raise UnfitUri("address must be an absolute URI without a fragment")
    if not uri.startswith(parts.scheme):
        # `urlsplit` lowers the case of the scheme; a comparison byte for byte must not find two of one.
        raise UnfitUri("the scheme is written in lower case")
    return parts


def _check_authority(parts: SplitResult) -> None:
    host = parts.hostname or ""
    if not host or parts.username is not None or parts.password is not None or "@" in parts.netloc:
        raise UnfitUri("address must name a host, and no user")
    if host.endswith(".") or ".." in host or "%" in parts.netloc or parts.netloc != parts.netloc.lower():
        raise UnfitUri("the host is written in lower case, without a dot at its end")


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None
