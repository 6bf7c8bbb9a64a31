"""Bytes that mean one thing: strict I-JSON in, RFC 8785 out, unpadded base64url, framed digests."""

import binascii
import hashlib
import hmac
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, NoReturn, TypeAlias

import msgspec
import rfc8785

from remit.kernel.errors import Invalid, TooLarge

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
JsonObject: TypeAlias = dict[str, Json]
Digest: TypeAlias = str
"""SHA-256, 64 lower-case hexadecimal digits."""


class MalformedJson(Invalid):
    """Not strict I-JSON (RFC 7493): duplicate member, lone surrogate, number out of range, trailing bytes."""

    code = "malformed_json"


class JsonTooLarge(TooLarge):
    """Over a limit of size, depth, members or string length."""

    code = "json_too_large"


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonLimits:
    """What one document may hold: bytes, nesting, members over all objects, characters per string."""

    size: int = 1 << 20
    depth: int = 32
    members: int = 10_000
    string: int = 256 << 10
    number: int = 32


DEFAULT_LIMITS = JsonLimits()
_SAFE_INTEGER = (1 << 53) - 1


def parse_json(raw: bytes, *, limits: JsonLimits = DEFAULT_LIMITS) -> Json:
    """Read one I-JSON document (RFC 7493), refusing whatever two readers could read differently.

    Raises `MalformedJson` or `JsonTooLarge`; nothing else escapes, whatever the bytes.
    """
    if len(raw) > limits.size:
        raise JsonTooLarge(f"document has {len(raw)} bytes, the limit is {limits.size}")
    if _is_small(raw, limits):
        try:
            value: Json = _READ(raw)
            written = _WRITE(value)
        # A reader that refuses is no judge: the strict one below says what is wrong, if anything is.
        except (ValueError, RecursionError):
            return read_strictly(raw, limits)
        # SAFETY: what is written as it was read holds no blank, no member twice, no second spelling of a
        # character or number, hence no surrogate and no constant; so every reader finds this value in it.
        if written == raw:
            return value
    return read_strictly(raw, limits)


_READ: Final = msgspec.json.Decoder().decode
_WRITE: Final = msgspec.json.Encoder().encode
_SHAPE: Final = bytes.maketrans(b"123456789[:", b"000000000{,")
"""One byte for all digits, one for what opens, one for what separates."""
_LONG_NUMBER: Final = b"0" * 16  # 10^15 - 1 is the last whole number that surely is a safe integer
_LONGEST_DOUBLE: Final = 24


def _is_small(raw: bytes, limits: JsonLimits) -> bool:
    """Whether no limit can be broken and no number is near the edge, judged by counting bytes alone."""
    return (
        len(raw) <= limits.string
        and limits.number >= _LONGEST_DOUBLE
        and (shape := raw.translate(_SHAPE)).count(b",") <= limits.members
        and _LONG_NUMBER not in shape
        and (shape.count(b"{") <= limits.depth or _nests_within(_brackets(_TEXT.sub(b"", raw)), limits.depth))
    )


_TEXT: Final = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_BRACKETS: Final = bytes.maketrans(b"[]", b"{}")
_OPENS: Final = b"{"[0]
_ALL_ELSE: Final = bytes(octet for octet in range(256) if octet not in b"[]{}")


def _brackets(bare: bytes) -> bytes:
    """The brackets of a document without its strings, as if all were of one kind."""
    return bare.translate(_BRACKETS, _ALL_ELSE)


def _nests_within(brackets: bytes, depth: int) -> bool:
    """Whether brackets nest no deeper: each turn takes the innermost away. What never closes is too deep."""
    for _ in range(depth):
        if not brackets:
            return True
        brackets = brackets.replace(b"{}", b"")
    return not brackets


def read_strictly(raw: bytes, limits: JsonLimits) -> Json:
    """Read a document of bounded size rule by rule: what `parse_json` must say of any document."""
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as broken:
        raise MalformedJson("document is not UTF-8") from broken
    # All brackets, or all separators, within the limit: so is any nesting of them, strings or not.
    if text.count("{") + text.count("[") > limits.depth or text.count(",") + text.count(":") > limits.members:
        _check_shape(text, limits)
    try:
        value: Json = _decoder(limits.number).decode(text)
    except (json.JSONDecodeError, RecursionError) as broken:
        raise MalformedJson("document is not JSON") from broken
    # UTF-8 holds no surrogate, so only an escape can bring one.
    if "\\u" in text or len(text) > limits.string:
        _check_strings(value, limits)
    return value


def parse_object(raw: bytes, *, limits: JsonLimits = DEFAULT_LIMITS) -> JsonObject:
    """Read one I-JSON document that must be an object."""
    value = parse_json(raw, limits=limits)
    if not isinstance(value, dict):
        raise MalformedJson("document is not an object")
    return value


def canonical_json(value: Any) -> bytes:
    """Write the one canonical form (RFC 8785 §3.2): members sorted by UTF-16 code units."""
    if _is_plain(value, DEFAULT_LIMITS.depth):
        try:
            return _WRITE_SORTED(value)
        # A lone surrogate has no bytes: the strict writer below says so.
        except UnicodeEncodeError:
            return write_strictly(value)
    return write_strictly(value)


_WRITE_SORTED: Final = msgspec.json.Encoder(order="sorted").encode
_SCALARS: Final = {str, bool, type(None)}


def _is_plain(value: Any, depth: int) -> bool:
    """Whether no rule of RFC 8785 needs care: no double, no integer near the edge, no name beyond ASCII.

    Names of ASCII sort alike by bytes, by characters and by UTF-16 code units (RFC 8785 §3.2.3).
    """
    kind = type(value)
    if kind in _SCALARS:
        return True
    if kind is int:
        return bool(-_SAFE_INTEGER <= value <= _SAFE_INTEGER)
    if depth == 0 or kind not in {dict, list}:
        return False
    if kind is dict:
        if not all(type(name) is str and name.isascii() for name in value):
            return False
        value = value.values()
    return all(_is_plain(member, depth - 1) for member in value)


def write_strictly(value: Any) -> bytes:
    """Write rule by rule: what `canonical_json` must write of any value."""
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, RecursionError) as broken:
        raise MalformedJson("value has no canonical form") from broken


def sha256(data: bytes) -> Digest:
    """Digest of raw bytes."""
    return hashlib.sha256(data).hexdigest()


def framed_digest(label: str, parts: Sequence[bytes]) -> Digest:
    """Digest of several parts, each behind its length, so that no two lists of parts share bytes."""
    name = label.encode()
    framed = [len(name).to_bytes(8, "big"), name]
    for part in parts:
        framed += (len(part).to_bytes(8, "big"), part)
    return hashlib.sha256(b"".join(framed)).hexdigest()


def b64u(data: bytes) -> str:
    """Unpadded base64url (RFC 7515 §2)."""
    return b64u_bytes(data).decode("ascii")


def b64u_bytes(data: bytes) -> bytes:
    """Unpadded base64url as ASCII."""
    encoded = binascii.b2a_base64(data, newline=False).replace(b"+", b"-").replace(b"/", b"_")
    return encoded[: -_PADDING[len(data) % 3] or None]


def b64u_decode(text: str) -> bytes:
    """Read unpadded base64url, only in its canonical form: re-encoding gives the same text."""
    excess = len(text) % 4
    try:
        data = _READ_BASE64(b'"' + text.encode("ascii").translate(_TO_STANDARD) + _ENDS[excess])
    except ValueError as broken:
        raise Invalid("text is not base64url") from broken
    # Only the last character can hold bits that decoding drops, and only in a group that is not full.
    if excess and text[-1] not in _LAST[excess]:
        raise Invalid("text is not canonical base64url")
    return data


_READ_BASE64: Final = msgspec.json.Decoder(bytes).decode
_ALIKE: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_STANDARD: Final = dict(zip(_ALIKE + b"-_", _ALIKE + b"+/", strict=True))
_TO_STANDARD: Final = bytes(_STANDARD.get(octet, ord(".")) for octet in range(256))
"""SAFETY: what is not of this alphabet becomes a dot, so nothing can end or escape the string around it."""
_PADDING: Final = (0, 2, 1)
_ENDS: Final = (b'"', b'==="', b'=="', b'="')  # three never decode: no text has one character over
_LAST: Final = ("", "", "AQgw", "AEIMQUYcgkosw048")


def same_bytes(left: bytes, right: bytes) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(left, right)


_SURROGATE = re.compile("[\ud800-\udfff]")


def _check_shape(text: str, limits: JsonLimits) -> None:
    """Bound depth and members before the recursive reader sees the text.

    Both expressions are linear: no alternative of one can match what another can.
    """
    bare = _TEXT.sub(b"", text.encode())
    if not _nests_within(_brackets(bare), limits.depth):
        _check_depth(bare, limits.depth)
    if bare.count(b":") + bare.count(b",") > 2 * limits.members:
        raise JsonTooLarge(f"document has more than {limits.members} members")


def _check_depth(bare: bytes, limit: int) -> None:
    """Step by step, where brackets do not match: how deep the reader would go before it sees that."""
    depth = 0
    for mark in _brackets(bare):
        depth += 1 if mark == _OPENS else -1
        if depth > limit:
            raise JsonTooLarge(f"document nests deeper than {limit}")


def _unique_members(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise MalformedJson("object names a member twice")
    return found


@lru_cache(maxsize=16)
def _decoder(longest_number: int) -> json.JSONDecoder:
    return json.JSONDecoder(
        object_pairs_hook=_unique_members,
        parse_int=lambda digits: _integer(digits, longest_number),
        parse_float=lambda digits: _fraction(digits, longest_number),
        parse_constant=_no_constant,
    )


def _integer(digits: str, longest: int) -> int:
    if len(digits) > longest:
        raise MalformedJson("number has too many digits")
    value = int(digits)
    if abs(value) > _SAFE_INTEGER:
        raise MalformedJson("integer is outside the range that every reader keeps (RFC 7493 §2.2)")
    return value


def _fraction(digits: str, longest: int) -> float:
    if len(digits) > longest:
        raise MalformedJson("number has too many digits")
    value = float(digits)
    if not math.isfinite(value):
        raise MalformedJson("number is outside the range of a double")
    return value


def _no_constant(name: str) -> NoReturn:
    raise MalformedJson(f"`{name}` is not JSON")


def _check_strings(value: Json, limits: JsonLimits) -> None:
    """Refuse lone surrogates and long strings; the depth is bounded already."""
    if isinstance(value, str):
        if len(value) > limits.string:
            raise JsonTooLarge(f"string has {len(value)} characters, the limit is {limits.string}")
        if _SURROGATE.search(value):
            raise MalformedJson("string holds a lone surrogate (RFC 7493 §2.1)")
    elif isinstance(value, Mapping):
        for name, member in value.items():
            _check_strings(name, limits)
            _check_strings(member, limits)
    elif isinstance(value, list):
        for member in value:
            _check_strings(member, limits)
