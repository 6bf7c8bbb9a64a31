"""JWS compact serialization (RFC 7515 §7.1), the strict subset that two readers can't read differently."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple, Protocol

import msgspec

from remit.kernel.canonical import (
    Json,
    JsonLimits,
    JsonObject,
    b64u_bytes,
    b64u_decode,
    parse_object,
)
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


class Segments(NamedTuple):
    """The three parts of a token of which nothing is proven yet."""

    protected: str
    """Still encoded; `read_header` reads it."""
    payload: bytes
    signature: bytes
    signing_input: bytes
    """The exact ASCII that was signed (RFC 7515 §5.2)."""


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
    return _signed(b64u_bytes(protected) + b".", payload, key)


def sign_named(kid: str, typ: str, payload: bytes, key: SigningKey) -> str:
    """Sign `payload` under a header of `kid`, `typ` and the key's `alg`, as `sign` would."""
    return _signed(_named_header(kid, typ, key.algorithm), payload, key)


def _signed(head: bytes, payload: bytes, key: SigningKey) -> str:
    signing_input = head + b64u_bytes(payload)
    mark = b64u_bytes(key.sign(signing_input))
    return (signing_input + b"." + mark).decode("ascii")


@lru_cache(maxsize=64)
def _named_header(kid: str, typ: str, algorithm: Algorithm) -> bytes:
    """Pure; one signer writes one header again and again."""
    return b64u_bytes(msgspec.json.encode({"kid": kid, "typ": typ, "alg": algorithm.value})) + b"."


def take_apart(token: str) -> Segments:
    """Do step 1 of a verification: the form.

    At most 16 KiB of ASCII, exactly three segments, each canonical base64url, none empty.
    Raises `TokenRejected`; nothing else escapes.
    """
    # Size before anything that costs.
    if len(token) > LONGEST_TOKEN:
        raise TokenRejected(1, "too_long", debug=f"{len(token)} characters, the limit is {LONGEST_TOKEN}")
    segments = token.split(".", _SEGMENTS)
    if len(segments) != _SEGMENTS or "" in segments:
        raise TokenRejected(1, "not_three_segments")
    protected, body, mark = segments
    if len(protected) > LONGEST_HEADER:
        raise TokenRejected(1, "header_too_long", debug=f"{len(protected)}, the limit is {LONGEST_HEADER}")
    if not protected.isascii():
        raise TokenRejected(1, "not_base64url", debug="header is not ASCII")
    try:
        payload, signature = b64u_decode(body), b64u_decode(mark)
    except Invalid as broken:
        raise TokenRejected(1, "not_base64url", debug=broken.hint) from broken
    return Segments(protected, payload, signature, token[: -len(mark) - 1].encode())


@lru_cache(maxsize=1024)
def header_of(protected: str) -> Header:
    """Do step 2 for tokens that bring no key.

    SAFETY: a pure function of at most 2 KiB, so remembering it changes nothing but time.
    """
    return read_header(protected)


def read_header(protected: str, *, with_key: bool = False, beside: frozenset[str] = frozenset()) -> Header:
    """Do step 2 of a verification: strict JSON of `alg`, `kid`, `typ`, all strings, and nothing else.

    So no `crit`, `b64`, `zip`, `enc`, `jku`, `jwk`, `x5u`, `x5c`, `cty`. `with_key` admits `jwk`, which only
    a proof of possession may bring; `beside` names members that a known issuer adds and nobody reads.
    Raises `TokenRejected`.
    """
    found = _members(protected)
    # RFC 7515 §4.1.11: what `crit` names must be understood; we understand no extension and ignore none.
    if unknown := found.keys() - (_MEMBERS_WITH_KEY if with_key else _MEMBERS) - beside:
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


def _members(protected: str) -> JsonObject:
    try:
        octets = b64u_decode(protected)
    except Invalid as broken:
        raise TokenRejected(1, "not_base64url", debug=broken.hint) from broken
    try:
        return parse_object(octets, limits=_HEADER_LIMITS)
    except RemitError as broken:
        raise TokenRejected(2, "header_malformed", debug=broken.hint) from broken


def _text(found: JsonObject, name: str) -> str:
    value = found.get(name, "")
    if not isinstance(value, str):
        raise TokenRejected(2, "header_malformed", debug=f"`{name}` is not a string")
    return value
