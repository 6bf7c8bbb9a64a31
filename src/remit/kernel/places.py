r"""Which host a text leads to, read as a browser or a client library would read it.

A guard that reads an address in another way than whoever connects is no guard. So this follows the URL
Standard of the WHATWG where it is lenient (sections 4.4 and 3.5: tabs and line ends are dropped, `\` is `/`,
any number of slashes, numbers of one to four parts in base 8, 10 or 16), and says "unreadable" where readers
differ.
"""

import ipaddress
import re
import unicodedata
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from remit.kernel.outbound import Address, is_public

WEB: Final = frozenset({"http", "https", "ws", "wss"})
LONGEST: Final = 8192
"""Characters of a text that is read; a longer one is unreadable."""
_SCHEME: Final = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(?!\d{1,5}(?:[/?#]|$))")
_NAME: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\Z")
_NUMBER: Final = re.compile(r"0[xX][0-9A-Fa-f]*|[0-9]+")
_LOCAL: Final = ("localhost", "local", "internal", "intranet", "lan", "home.arpa", "localdomain")
"""Names that lead to this machine or to a network of somebody's own (RFC 6761, 6762, 8375)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a text leads: a host in its one form, or an unreadable one; `port` is empty if none is told."""

    scheme: str
    host: str
    port: str = ""
    address: Address | None = None
    readable: bool = True

    @property
    def private(self) -> bool:
        """Whether it is this machine, or none of the public network."""
        if self.address is not None:
            return not is_public(self.address)
        return any(self.host == name or self.host.endswith(f".{name}") for name in _LOCAL)


def place_of(text: str) -> Place | None:
    """Where a text leads; None for a text without a host, such as a path of its own site."""
    if len(text) > LONGEST or ("\\" in text and "@" in text):
        # `https://a\@b` leads browsers to a and older libraries to b.
        return _unreadable()
    plain = re.sub(r"[\t\n\r]", "", text).strip("".join(map(chr, range(0x21)))).replace("\\", "/")
    scheme, rest = _scheme(unicodedata.normalize("NFKC", plain))
    if scheme in WEB:
        rest = rest.lstrip("/")
    elif rest.startswith("//"):
        rest = rest[2:].lstrip("/")
    elif scheme:
        return Place(scheme=scheme, host="", readable=False)
    elif rest.startswith(("/", "?", "#")) or not rest:
        return None
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    return _place(scheme, authority.rpartition("@")[2])


def places_in(text: str) -> tuple[Place, ...]:
    """Where a text leads that may hold several addresses, apart by spaces or commas."""
    pieces = re.split(r"[\s,;]+(?=[A-Za-z][A-Za-z0-9+.-]*:[/\\]|//)", text.strip())
    if len(pieces) == 1 and not _SCHEME.match(pieces[0]):
        pieces = pieces[0].split()
    return tuple(place for piece in pieces if (place := place_of(piece)) is not None)


def _scheme(text: str) -> tuple[str, str]:
    found = _SCHEME.match(text)
    return (found[1].lower(), text[found.end() :]) if found else ("", text)


def _place(scheme: str, authority: str) -> Place:
    if authority.startswith("["):
        inner, closed, after = authority[1:].partition("]")
        return _six(scheme, inner, after.removeprefix(":")) if closed else _unreadable(scheme)
    name, _, port = authority.partition(":")
    try:
        host = unicodedata.normalize("NFKC", unquote_to_bytes(name).decode()).casefold()
        host = re.sub(r"[\u3002\uff0e\uff61]", ".", host).removesuffix(".")
        host = host if host.isascii() else host.encode("idna").decode()
    except (UnicodeError, ValueError):
        return _unreadable(scheme)
    if port and not port.isdigit():
        return _unreadable(scheme)
    if _NUMBER.fullmatch(host.rpartition(".")[2]):
        return _four(scheme, host, port)
    return Place(scheme=scheme, host=host, port=port, readable=_NAME.match(host) is not None)


def _four(scheme: str, host: str, port: str) -> Place:
    """A host whose last part is a number is an address of IPv4, or nothing (URL Standard 3.5)."""
    parts = host.split(".")
    try:
        numbers = [_number(part) for part in parts]
    except ValueError:
        return _unreadable(scheme)
    spare = 256 ** (5 - len(numbers))
    if len(numbers) > 4 or any(number > 255 for number in numbers[:-1]) or numbers[-1] >= spare:  # noqa: PLR2004
        return _unreadable(scheme)
    value = numbers[-1] + sum(number << (8 * (3 - place)) for place, number in enumerate(numbers[:-1]))
    found = ipaddress.IPv4Address(value)
    return Place(scheme=scheme, host=str(found), port=port, address=found)


def _number(part: str) -> int:
    if not _NUMBER.fullmatch(part):
        raise ValueError(part)
    if part[:2] in {"0x", "0X"}:
        return int(part[2:] or "0", 16)
    return int(part, 8) if part[0] == "0" and len(part) > 1 else int(part)


def _six(scheme: str, inner: str, port: str) -> Place:
    try:
        found = ipaddress.IPv6Address(unquote_to_bytes(inner).decode())
    except (ValueError, UnicodeError):
        return _unreadable(scheme)
    return Place(scheme=scheme, host=f"[{found}]", port=port, address=found)


def _unreadable(scheme: str = "") -> Place:
    return Place(scheme=scheme, host="", readable=False)
