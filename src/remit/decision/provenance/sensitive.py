"""How sensitive an argument is: as declared, else by its schema's format, its name and its description."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from remit.decision.provenance.effects import name_words
from remit.decision.provenance.lexicon import vocabulary
from remit.decision.provenance.normal import words_of
from remit.kernel.canonical import Json, JsonObject


class Kind(StrEnum):
    """What an argument's value steers."""

    RECIPIENT = "recipient"
    ACCOUNT = "account"
    HOST = "host"
    PATH = "path"
    CREDENTIAL = "credential"
    CODE = "code"
    PERMISSION = "permission"
    AMOUNT = "amount"
    OBJECT = "object"
    """Which thing is acted on: an identifier or name."""
    CONTENT = "content"
    """Prose that leaves with the call."""
    FILTER = "filter"
    """What only chooses what is shown."""
    PLAIN = "plain"


_FORMATS: Final[Mapping[str, Kind]] = {
    "email": Kind.RECIPIENT,
    "idn-email": Kind.RECIPIENT,
    "uri": Kind.HOST,
    "url": Kind.HOST,
    "iri": Kind.HOST,
    "uri-reference": Kind.HOST,
    "hostname": Kind.HOST,
    "ipv4": Kind.HOST,
    "ipv6": Kind.HOST,
    "password": Kind.CREDENTIAL,
}
_NAMES: Final[tuple[tuple[Kind, frozenset[str]], ...]] = (
    (Kind.CREDENTIAL, vocabulary("password passcode passphrase secret credential token apikey pin otp")),
    (Kind.ACCOUNT, vocabulary("iban account payee beneficiary bic swift wallet sortcode")),
    (
        Kind.RECIPIENT,
        vocabulary(
            """recipient recipients to cc bcc email emails mail participant participants attendee attendees
    invitee invitees member members user users assignee phone mobile channel group audience
    collaborator collaborators contact contacts receiver reviewers reviewer owner"""
        ),
    ),
    (
        Kind.HOST,
        vocabulary("""url uri link href host hostname domain endpoint website webhook callback server"""),
    ),
    (Kind.AMOUNT, vocabulary("amount sum price total quantity value limit fee")),
    (
        Kind.PERMISSION,
        vocabulary("""permission permissions role roles access scope scopes privilege visibility"""),
    ),
    (Kind.CODE, vocabulary("code script command cmd sql expression shell program")),
    (Kind.PATH, vocabulary("path filepath directory dir destination folder")),
    (
        Kind.CONTENT,
        vocabulary("""body content message text description comment note subject title summary"""),
    ),
    (
        Kind.OBJECT,
        vocabulary(
            """id ids uid uuid key file filename document event ticket issue name hotel restaurant flight
    company order item product booking reservation repository repo project record"""
        ),
    ),
)
_PERSONAL: Final = vocabulary("first last middle full given family display nick")
"""Before `name`: how somebody is called, not which record is meant."""
_HARMLESS: Final = vocabulary(
    """r read reader view viewer readonly read_only comment commenter private none"""
)


def kind_of(name: str, schema: JsonObject) -> Kind:
    """Judge one argument by its schema and name; `PLAIN` if nothing speaks for more."""
    known = _formatted(schema)
    if known is not None:
        return known
    words = name_words(name)
    told = Kind.PLAIN if "name" in words and _PERSONAL & set(words) else _named(words)
    if told in {Kind.PLAIN, Kind.OBJECT, Kind.RECIPIENT, Kind.CONTENT}:
        return _described(schema, told)
    return told


def harmless_permission(value: str) -> bool:
    """Whether a permission is among those that give the least."""
    return value.strip().casefold() in _HARMLESS


def _formatted(schema: JsonObject) -> Kind | None:
    for part in _parts(schema):
        found = part.get("format")
        if isinstance(found, str) and found in _FORMATS:
            return _FORMATS[found]
    return None


def _parts(schema: JsonObject) -> list[JsonObject]:
    branches: list[Json] = [schema, schema.get("items")]
    for member in ("anyOf", "oneOf", "allOf"):
        more = schema.get(member)
        branches += more if isinstance(more, list) else []
    return [branch for branch in branches if isinstance(branch, dict)]


def _named(words: tuple[str, ...]) -> Kind:
    for kind, names in _NAMES:
        if names & set(words):
            return kind
    return Kind.PLAIN


def _described(schema: JsonObject, told: Kind) -> Kind:
    """What the description adds: an account where the name says only `recipient`."""
    said = schema.get("description")
    words = set(words_of(said)[:12]) if isinstance(said, str) else set()
    if "iban" in words:
        return Kind.ACCOUNT
    if told is Kind.PLAIN and words & {"url", "uri", "hostname"}:
        return Kind.HOST
    if told is Kind.PLAIN and "password" in words:
        return Kind.CREDENTIAL
    return Kind.RECIPIENT if told is Kind.PLAIN and {"email", "address"} <= words else told
