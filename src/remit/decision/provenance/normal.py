"""Values as they are compared: found in text or JSON, brought to one form each.

The same address, account, link, number or date reads the same however it was written. What is *not* equated
are look-alikes: a Cyrillic letter in an address makes another address (`twin_of` tells which it imitates).
"""

import base64
import binascii
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Final
from urllib.parse import unquote, urlsplit

from remit.decision.provenance.languages import MONTHS

LIMIT: Final = 200_000
"""Characters of one text that are looked at; values beyond it stay unknown, which is untrusted."""


class Shape(StrEnum):
    """Kinds of value that are recognized by their form."""

    MAIL = "mail"
    URL = "url"
    HOST = "host"
    IBAN = "iban"
    PHONE = "phone"
    NUMBER = "number"
    DATE = "date"
    PATH = "path"
    TOKEN = "token"  # noqa: S105 — a word of text, no secret
    PHRASE = "phrase"
    WORD = "word"


@dataclass(frozen=True, slots=True)
class Value:
    """One value in its one form."""

    shape: Shape
    text: str


_HIDDEN: Final = dict.fromkeys([*range(0x200B, 0x2010), *range(0x202A, 0x202F), 0x2060, 0xFEFF, 0xAD])
_MAIL: Final = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]+@[\w-]+(?:\.[\w-]+)+")
_URL: Final = re.compile(r"(?:[a-z][a-z0-9+.-]{1,15}://|www\.)[^\s<>\"'`\\)\]}]+", re.IGNORECASE)
_BARE: Final = re.compile(
    r"(?<![\w@./-])(?:[\w-]{1,63}\.){1,6}[^\W\d_]{2,24}(?:/[^\s<>\"'`\\)\]}]*)?(?![\w@.]*@)"
)
_IBAN: Final = re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?\b")
_PHONE: Final = re.compile(r"(?<![\w.])\+?\d[\d ()./-]{6,20}\d(?!\w)")
_NUMBER: Final = re.compile(
    r"(?<![\w.])[-+]?\d{1,3}(?:\.\d{3})+,\d{1,2}(?!\w)"
    r"|(?<![\w.])[-+]?\d{1,3}(?:[,' ]\d{3})+(?:\.\d+)?(?!\w)|(?<![\w.])[-+]?\d+(?:[.,]\d+)?(?![\w])"
)
_COMMA: Final = re.compile(r"[-+]?\d{1,3}(?:\.\d{3})+,\d{1,2}")
_PATH: Final = re.compile(
    r"(?<!\w)(?:[A-Za-z]:)?[\w.~-]*[\\/][\w.~\\/-]+|(?<![\w@.])[\w-]+\.[A-Za-z]\w{1,4}(?![\w.@])"
)
_MARKS: Final = "\"\u201c\u201d\u2018\u2019'`"
_QUOTED: Final = re.compile(f"[{_MARKS}]([^{_MARKS}\\n]{{2,120}})[{_MARKS}]")
_ISO: Final = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})(?!\d)")
_MONTHS: Final = {
    name: number
    for number, names in enumerate(
        ("jan january", "feb february", "mar march", "apr april", "may", "jun june", "jul july",
         "aug august", "sep sept september", "oct october", "nov november", "dec december"),
        start=1,
    )
    for name in (*names.split(), *MONTHS[number - 1].split())
}  # fmt: skip
_MONTH: Final = "|".join(sorted(_MONTHS, key=len, reverse=True))
_DAY_FIRST: Final = re.compile(
    rf"\b(\d{{1,2}})(?:st|nd|rd|th|er|\.|º)? (?:of |de )?({_MONTH})\b\.?,?(?: (\d{{4}}))?", re.IGNORECASE
)
_MONTH_FIRST: Final = re.compile(
    rf"\b({_MONTH})\b\.? (\d{{1,2}})(?:st|nd|rd|th)?\b,?(?: (\d{{4}}))?", re.IGNORECASE
)
_BASE64: Final = re.compile(r"[A-Za-z0-9+/_-]{16,4096}={0,2}")
_LATIN: Final = str.maketrans(
    "аеорсухіјѕԁһкмтвнАЕОРСУХІЈЅВНКМТαεορυνικτΑΒΕΗΙΚΜΝΟΡΤΥΧΖ",
    "aeopcyxijsdhkmtbhAEOPCYXIJSBHKMTaeopuviktABEHIKMNOPTYXZ",
)
_EDGES: Final = ".,;:!?()[]{}<>\"'`\u201c\u201d\u2018\u2019"


def clean(text: str) -> str:
    """Compatibility form without invisible characters, of at most `LIMIT` characters."""
    if text.isascii():
        return text[:LIMIT]
    return unicodedata.normalize("NFKC", text[:LIMIT]).translate(_HIDDEN)


def values_in(text: str) -> frozenset[Value]:
    """Every value of a recognized form in a text, wherever it stands."""
    plain = clean(text)
    dotted, figures = "." in plain or "://" in plain, any(map(plain.__contains__, "0123456789"))
    found: list[Value] = []
    # Most strings of a result hold nothing of the kind; each search runs only where its mark stands.
    if dotted:
        found += _addresses(plain)
    if figures:
        found += [*_accounts(plain), *_figures(plain)]
    if dotted or "/" in plain or "\\" in plain:
        found += _places(plain)
    return frozenset(found)


def reaches(text: str) -> Shape | None:
    """Whether a text holds a mail address, else an account, else a link: as `values_in` has it."""
    plain = clean(text)
    if "." in plain and "@" in plain and _MAIL.search(plain):
        return Shape.MAIL
    if any(map(plain.__contains__, "0123456789")) and any(_ibans(plain)):
        return Shape.IBAN
    if ("." in plain or "://" in plain) and (
        _URL.search(plain) or any("/" in found for found in _BARE.findall(plain))
    ):
        return Shape.URL
    return None


def links_of(text: str) -> frozenset[Value]:
    """The links in a text alone."""
    plain = clean(text)
    return (
        frozenset(value for value in _addresses(plain) if value.shape is Shape.URL)
        if "." in plain
        else frozenset()
    )


def words_of(text: str) -> tuple[str, ...]:
    """Words in lower case, in order; letters, digits and what joins them inside one word."""
    return tuple(re.findall(r"[^\W_]+(?:['\u2019][^\W_]+)?", clean(text).casefold()))


def tokens_of(text: str) -> frozenset[str]:
    """Pieces between spaces without punctuation at their edges: codes, names, identifiers as typed."""
    return frozenset(piece for raw in clean(text).split() if (piece := raw.strip(_EDGES)))


def quoted_in(text: str) -> frozenset[str]:
    """What stands between quotes, as phrases."""
    return frozenset(phrase(found) for found in _QUOTED.findall(clean(text)))


def phrase(text: str) -> str:
    """A short text as it is compared: case, spacing and edges do not count."""
    return " ".join(clean(text).casefold().split()).strip(_EDGES)


def number(text: str) -> str:
    """A number as it is compared: `1,200.00` and `1200` are one. Raises `ValueError` for none."""
    bare = text.strip()
    # `1.200,00` reads one way only; what could be read in two (`1.200`) is read as English has it.
    bare = bare.replace(".", "") if _COMMA.fullmatch(bare) else re.sub(r"[,' ](?=\d{3})", "", bare)
    try:
        value = Decimal(bare.replace(",", "."))
    except InvalidOperation as wrong:
        raise ValueError(text) from wrong
    if not value.is_finite():
        raise ValueError(text)
    return f"{value.normalize():f}" if abs(value.adjusted()) <= 30 else str(value)  # noqa: PLR2004 — readable


def host_of(link: str) -> str:
    """Host of a link or host name, lower case, as IDNA; empty if there is none."""
    text = clean(link).strip(_EDGES)
    try:
        host = urlsplit(text if "://" in text else f"//{text}").hostname or ""
        return host.rstrip(".").encode("idna").decode() if host else ""
    except (ValueError, UnicodeError):
        return ""


def link_of(link: str) -> str:
    """A link as it is compared: host in lower case, escapes resolved once, no trailing slash or fragment."""
    text = clean(link).strip(_EDGES)
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
    except ValueError:
        return text
    query = f"?{unquote(parts.query)}" if parts.query else ""
    return f"{host_of(text)}{unquote(parts.path).rstrip('/')}{query}"


def twin_of(text: str) -> str:
    """What a text with look-alike letters imitates; the text itself if it has none."""
    return text if text.isascii() else clean(text).translate(_LATIN)


def decoded(text: str) -> Iterator[str]:
    """What a text says once an encoding is taken off: percent escapes, base64, hexadecimal."""
    if "%" in text and (plain := unquote(text)) != text:
        yield plain
    for found in _BASE64.findall(text)[:16]:
        yield from _unpacked(found)


def _unpacked(packed: str) -> Iterator[str]:
    body = packed.rstrip("=").replace("-", "+").replace("_", "/")
    for unpack in (_from_base64, bytes.fromhex):
        try:
            said = unpack(body).decode()
        except (ValueError, binascii.Error):
            continue
        if said.isprintable():
            yield said


def _from_base64(body: str) -> bytes:
    return base64.b64decode(body + "=" * (-len(body) % 4), validate=True)


def _addresses(text: str) -> Iterator[Value]:
    for found in _MAIL.findall(text) if "@" in text else ():
        address = found.strip(_EDGES).casefold()
        yield Value(Shape.MAIL, address.removeprefix("mailto:"))
    for found in _URL.findall(text):
        yield Value(Shape.URL, link_of(found))
        if host := host_of(found):
            yield Value(Shape.HOST, host)
    for found in _BARE.findall(text):
        if host := host_of(found):
            yield Value(Shape.HOST, host)
        if "/" in found:
            yield Value(Shape.URL, link_of(found))


def _ibans(text: str) -> Iterator[str]:
    for found in _IBAN.findall(text.upper()):
        if sum(mark.isdigit() for mark in found) > 6:  # noqa: PLR2004 — words in capitals are no account
            yield found


def _accounts(text: str) -> Iterator[Value]:
    for found in _ibans(text):
        yield Value(Shape.IBAN, found.replace(" ", ""))
    for found in _PHONE.findall(_IBAN.sub(" ", text)):
        digits = re.sub(r"\D", "", found)
        if 8 <= len(digits) <= 15 and not _ISO.match(found):  # noqa: PLR2004 — E.164
            yield Value(Shape.PHONE, digits)


def _figures(text: str) -> Iterator[Value]:
    for found in _NUMBER.findall(text):
        try:
            yield Value(Shape.NUMBER, number(found))
        except ValueError:
            continue
    for year, month, day in _ISO.findall(text):
        yield from _date(int(day), int(month), year)
    for day, month, year in _DAY_FIRST.findall(text):
        yield from _date(int(day), _MONTHS[month.lower()], year)
    for month, day, year in _MONTH_FIRST.findall(text):
        yield from _date(int(day), _MONTHS[month.lower()], year)


def _date(day: int, month: int, year: str) -> Iterator[Value]:
    yield Value(Shape.DATE, f"--{month:02d}-{day:02d}")
    if year:
        yield Value(Shape.DATE, f"{year}-{month:02d}-{day:02d}")


def _places(text: str) -> Iterator[Value]:
    for found in _PATH.findall(text):
        yield Value(Shape.PATH, found.strip(_EDGES).strip().replace("\\", "/").casefold())
