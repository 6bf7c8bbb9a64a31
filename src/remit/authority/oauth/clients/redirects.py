"""Where an answer may be sent: redirect URIs, compared byte for byte (RFC 9700 §2.1, §4.1.3).

One thing may vary: the port of a loopback address, for clients registered for it (RFC 8252 §7.3).
"""

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlencode, urlsplit

from remit.authority.oauth.clients.registration import ClientRegistration, RegistrationKind

LENGTH_LIMIT: Final = 2048
_LOOPBACK: Final = re.compile(
    r"http://(?P<host>127\.0\.0\.1|\[::1\]|localhost)(?::(?P<port>[1-9][0-9]{0,4}))?(?P<rest>(?:[/?][^#]*)?)"
)
_LARGEST_PORT: Final = 65_535
_WRITABLE: Final = re.compile(r"[\x21-\x7e]+")


def accepts(registration: ClientRegistration, uri: str) -> bool:
    """Whether an answer for this client may go there."""
    if len(uri) > LENGTH_LIMIT or "#" in uri or not _WRITABLE.fullmatch(uri):
        return False
    if uri in registration.redirect_uris:
        return True
    if not any_port(registration):
        return False
    portless = _without_port(uri)
    return portless is not None and any(
        _without_port(known) == portless for known in registration.redirect_uris
    )


def any_port(registration: ClientRegistration) -> bool:
    """Whether it may come back on any port of a loopback address: native clients, and document clients.

    `localhost` is no loopback address, and might be resolved to another: those clients need it all the
    same, and the consent page warns of it.
    """
    return registration.native or registration.kind is RegistrationKind.METADATA_DOCUMENT


def only_one(registration: ClientRegistration) -> str:
    """Where an answer goes if the request does not say (RFC 6749 §3.1.2.3); empty if that is not certain."""
    if len(registration.redirect_uris) != 1:
        return ""
    only = registration.redirect_uris[0]
    return "" if any_port(registration) and is_loopback(only) else only


def is_loopback(uri: str) -> bool:
    """Whether any program of the person's own machine could be listening there."""
    return _LOOPBACK.fullmatch(uri) is not None


def host_of(uri: str) -> str:
    """What a person is shown of where the answer goes: host and port, or the scheme of an app's own."""
    parts = urlsplit(uri)
    return parts.netloc or f"{parts.scheme}:"


def answer_to(uri: str, answer: Sequence[tuple[str, str]]) -> str:
    """Put the answer behind what the URI's query has already (RFC 6749 §4.1.2)."""
    mark = "" if uri.endswith(("?", "&")) else "&" if "?" in uri else "?"
    return f"{uri}{mark}{urlencode(answer)}"


def _without_port(uri: str) -> tuple[str, str] | None:
    parts = _LOOPBACK.fullmatch(uri)
    if parts is None or int(parts["port"] or "1") > _LARGEST_PORT:
        return None
    return parts["host"], parts["rest"]
