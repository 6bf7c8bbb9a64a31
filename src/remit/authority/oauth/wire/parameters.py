"""The body of a form POST, read so that no two readers could read it differently (RFC 6749 §3.2)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import unquote_to_bytes

from remit.authority.oauth.wire.errors import InvalidRequest, InvalidTarget
from remit.kernel.building import builder

BODY_LIMIT: Final = 64 << 10
"""Bytes of a form at most: two tokens of 16 KiB and authorization details of 16 KiB fit."""
COUNT_LIMIT: Final = 32
REPEATABLE: Final = frozenset({"resource", "audience"})
"""The only names that a standard lets repeat (RFC 8707 §2, RFC 8693 §2.1)."""
_PRINTABLE: Final = re.compile(rb"[ -~]*")
_SHORT: Final = 128
"""Bytes: what is escaped and no longer is remembered. Credentials are longer, or need no escape."""
_BROKEN: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """Names and values of one form; an empty value counts as absent (RFC 6749 §3.2)."""

    values: Mapping[str, tuple[str, ...]]

    def get(self, name: str) -> str:
        """The value, or an empty string."""
        found = self.values.get(name)
        if not found:
            return ""
        if len(found) > 1:
            raise InvalidRequest(f"parameter `{name}` stands more than once", reason="parameter_repeated")
        return found[0]

    def need(self, name: str) -> str:
        """The value, which must be there."""
        value = self.get(name)
        if not value:
            raise InvalidRequest(f"parameter `{name}` is missing", reason="parameter_missing")
        return value

    def only(self, name: str) -> str:
        """The value of a repeatable parameter that we take once: more than one is no target of ours."""
        found = self.values.get(name, ())
        if len(found) > 1:
            raise InvalidTarget(f"one `{name}` per token; {len(found)} were asked", reason="target_repeated")
        return found[0] if found else ""


_parameters = builder(Parameters)


def parse_form(body: bytes) -> Parameters:
    """Read `application/x-www-form-urlencoded`: strict escapes, UTF-8, no name twice but the repeatable.

    Raises `InvalidRequest`, whatever the bytes.
    """
    if len(body) > BODY_LIMIT:
        raise InvalidRequest(
            f"form has {len(body)} bytes, the limit is {BODY_LIMIT}", reason="form_too_large"
        )
    text = _printable(body)
    pairs = text.split("&") if text else []
    if len(pairs) > COUNT_LIMIT:
        raise InvalidRequest(f"form has more than {COUNT_LIMIT} parameters", reason="form_too_many")
    found: dict[str, tuple[str, ...]] = {}
    for pair in pairs:
        name, mark, value = pair.partition("=")
        if not name or not mark:
            raise InvalidRequest("form holds a part that is not `name=value`", reason="form_malformed")
        if "%" in pair or "+" in pair:
            name, value = _decode(name), _decode(value)
        if name not in found:
            found[name] = (value,) if value else ()
        elif name not in REPEATABLE:
            raise InvalidRequest("a parameter stands more than once", reason="parameter_repeated")
        elif value:
            found[name] += (value,)
    return _parameters(values=found)


def _printable(body: bytes) -> str:
    """The form as text: raw control or non-ASCII bytes are an error, not a guess."""
    if _PRINTABLE.fullmatch(body):
        return body.decode("ascii")
    what = "a control character" if body.isascii() else "a byte that is not ASCII"
    raise InvalidRequest(f"form holds {what}", reason="form_malformed")


def _decode(text: str) -> str:
    """Undo percent-escapes; a stray `%` is an error too."""
    return _unescape(text) if len(text) > _SHORT else _unescape_short(text)


def _unescape(text: str) -> str:
    try:
        if _BROKEN.search(text):
            raise InvalidRequest("form holds a broken escape", reason="form_malformed")
        value = unquote_to_bytes(text.replace("+", " ")).decode("utf-8")
    except UnicodeDecodeError as broken:
        raise InvalidRequest("form is not UTF-8", reason="form_malformed") from broken
    if _CONTROL.search(value):
        raise InvalidRequest("form holds a control character", reason="form_malformed")
    return value


_unescape_short: Final = lru_cache(maxsize=256)(_unescape)
"""Pure; the names of grants, methods and resources come escaped again and again."""
