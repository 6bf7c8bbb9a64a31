"""JWS compact serialization (RFC 7515 §7.1), the strict subset that two readers can't read differently."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Protocol

import msgspec

from remit.kernel.canonical import Json, JsonLimits, JsonObject, b64u, b64u_decode, parse_object
from remit.kernel.errors import Invalid, RemitError
from remit.kernel.jose.algorithms import Algorithm
from remit.kernel.jose.errors import TokenRejected

LONGEST_TOKEN: Final = 16 << 10
"""Characters of a whole token (ours); the first thing that is looked at."""
LONGEST_HEADER: Final = 2 << 10
"""Characters of the encoded header: room for a public RSA key of 8192 bits, for nothing bigger."""

_HEADER_LIMITS = JsonLimits(size=LONGEST_HEADER, depth=2, members=16, string=LONGEST_HEADER)
_MEMBERS: Final = frozenset({"alg", "kid", "typ"})
_MEMBERS_WITH_KEY: Final = _MEMBERS | {"jwk"}
_KID: Final = re.compile(r"[!-~]{1,128}")
_SEGMENTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """A protected header; `kid`, `typ` are empty and `jwk` is None where absent."""

    alg: str
    kid: str
    typ: str
    """Lower-case, without `application/` (RFC 7515 §4.1.9)."""
    jwk: JsonObject | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Segments:
    """The three parts of a token of which nothing is proven yet."""

    protected: str
    """Still encoded: what readers of headers remember them by."""
    payload: bytes
    signature: bytes
    signing_input: bytes
    """The exact ASCII that was signed (RFC 7515 §5.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedJws(Segments):
    """A well-formed token with a header of known members; still unproven."""

    header: Header


class SigningKey(Protocol):
    """What can sign and knows its algorithm: `PrivateKey`, or a key that lives in hardware."""

    @property
    def algorithm(self) -> Algorithm:
        """Goes into the header."""

    def sign(self, message: bytes) -> bytes:
        """Sign these bytes."""


def sign(header: Mapping[str, Json], payload: bytes, key: SigningKey) -> str:
    """Sign `payload`; `alg` is the key's, whatever `header` says."""
    protected = msgspec.json.encode({**header, "alg": key.algorithm.value})
    signing_input = f"{b64u(protected)}.{b64u(payload)}"
    return f"{signing_input}.{b64u(key.sign(signing_input.encode()))}"


def parse(token: str) -> ParsedJws:
    """Take a token apart: steps 1 (form) and 2 (header) of its verification.

    1 at most 16 KiB of ASCII, exactly three segments, each canonical base64url, none empty
    2 header: strict JSON of `alg`, `kid`, `typ`, all strings, nothing else: so no `crit`, `b64`, `zip`,
      `enc`, `jku`, `jwk`, `x5u`, `x5c`, `cty`
    Raises `TokenRejected`; nothing else escapes.
    """
    parts = take_apart(token)
    return ParsedJws(
        header=_header(parts.protected),
        protected=parts.protected,
        payload=parts.payload,
        signature=parts.signature,
        signing_input=parts.signing_input,
    )


def take_apart(token: str) -> Segments:
    """Do step 1 alone; the header is left unread."""
    # Size before anything that costs.
    if len(token) > LONGEST_TOKEN:
        raise TokenRejected(1, "too_long", debug=f"{len(token)} characters, the limit is {LONGEST_TOKEN}")
    segments = token.split(".", _SEGMENTS)
    if len(segments) != _SEGMENTS or not all(segments):
        raise TokenRejected(1, "not_three_segments")
    protected, body, mark = segments
    if len(protected) > LONGEST_HEADER:
        raise TokenRejected(1, "header_too_long", debug=f"{len(protected)}, the limit is {LONGEST_HEADER}")
    payload, signature = _octets(body), _octets(mark)
    if not protected.isascii():
        raise TokenRejected(1, "not_base64url", debug="header is not ASCII")
    signing_input = token[: -len(mark) - 1].encode()
    return Segments(protected=protected, payload=payload, signature=signature, signing_input=signing_input)


def read_header(protected: str, *, with_key: bool = False) -> Header:
    """Do step 2 alone; `with_key` admits `jwk`, which only a proof of possession may bring."""
    found = _members(protected)
    # RFC 7515 §4.1.11: what `crit` names must be understood; we understand no extension and ignore none.
    if unknown := found.keys() - (_MEMBERS_WITH_KEY if with_key else _MEMBERS):
        raise TokenRejected(2, "header_member", debug=f"header member `{min(unknown)}`")
    kid, jwk = _text(found, "kid"), found.get("jwk", {})
    if "kid" in found and not _KID.fullmatch(kid):
        raise TokenRejected(2, "kid_malformed", debug="kid must be 1 to 128 printable ASCII characters")
    if not isinstance(jwk, dict):
        raise TokenRejected(2, "header_malformed", debug="`jwk` is not an object")
    return Header(
        alg=_text(found, "alg"),
        kid=kid,
        typ=_text(found, "typ").lower().removeprefix("application/"),
        jwk=jwk or None,
    )


@lru_cache(maxsize=1024)
def _header(protected: str) -> Header:
    """Remember headers. SAFETY: a pure function of at most 2 KiB; remembering changes nothing but time."""
    return read_header(protected)


def _members(protected: str) -> JsonObject:
    try:
        return parse_object(_octets(protected), limits=_HEADER_LIMITS)
    except TokenRejected:
        raise
    except RemitError as broken:
        raise TokenRejected(2, "header_malformed", debug=broken.hint) from broken


def _text(found: JsonObject, name: str) -> str:
    value = found.get(name, "")
    if not isinstance(value, str):
        raise TokenRejected(2, "header_malformed", debug=f"`{name}` is not a string")
    return value


def _octets(segment: str) -> bytes:
    try:
        return b64u_decode(segment)
    except Invalid as broken:
        raise TokenRejected(1, "not_base64url", debug=broken.hint) from broken
