"""The modern wire's mirrored headers: how a value is written in one, and whether it equals the body.

MCP 2026-07-28, Streamable HTTP, "Server Validation" and "Custom Headers": a header that differs from the
body, is missing or comes twice is refused with -32020, because somebody on the way may have routed by it.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from remit.enforcement.mcp.frames import Message
from remit.enforcement.mcp.wire import (
    META_VERSION,
    METHOD_HEADER,
    NAME_HEADER,
    NAMED,
    PARAM_PREFIX,
    VERSION_HEADER,
)
from remit.kernel.canonical import Json
from remit.kernel.errors import Invalid

_SENTINEL_BEGINS: Final = "=?base64?"
_SENTINEL: Final = re.compile(r"=\?base64\?(?P<payload>[A-Za-z0-9+/=]*)\?=")
_PLAIN: Final = re.compile(r"[\x20-\x7e]*")
_DECIMAL: Final = re.compile(r"-?(0|[1-9][0-9]{0,30})(\.0{1,16})?")
_TOKEN: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


class HeaderMismatch(Invalid):
    """A mirrored header is missing, doubled, or says something else than the body."""

    code = "header_mismatch"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParamHeader:
    """A property whose value the client repeats in `Mcp-Param-<token>`."""

    path: tuple[str, ...]
    token: str
    type: str


def encode(value: str) -> str:
    """Write a value so that it survives a header: as it is, or as `=?base64?…?=`."""
    # What only begins like a sentinel is encoded too: `decode` looks no further than its beginning.
    if _PLAIN.fullmatch(value) and value == value.strip() and not value.startswith(_SENTINEL_BEGINS):
        return value
    return f"=?base64?{base64.b64encode(value.encode()).decode()}?="


def decode(value: str) -> str | None:
    """Read what `encode` wrote; None for a sentinel that is not the canonical form of any text."""
    if not value.startswith(_SENTINEL_BEGINS):
        return value
    if (match := _SENTINEL.fullmatch(value)) is None:
        return None
    try:
        data = base64.b64decode(match["payload"], validate=True)
        text = data.decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    return text if base64.b64encode(data).decode() == match["payload"] else None


def check_routing(message: Message, headers: Mapping[str, Sequence[str]]) -> None:
    """Compare version, method and name headers with the body; raises `HeaderMismatch`."""
    _expect(headers, VERSION_HEADER, message.meta.get(META_VERSION))
    _expect(headers, METHOD_HEADER, message.method)
    if message.method in NAMED:
        _expect(headers, NAME_HEADER, message.params.get(NAMED[message.method]), encoded=True)
    elif NAME_HEADER in headers:
        raise HeaderMismatch("`Mcp-Name` is present, but this method names nothing")


def check_params(
    declared: Sequence[ParamHeader], arguments: Json, headers: Mapping[str, Sequence[str]]
) -> None:
    """Compare each declared `Mcp-Param-*` with its argument; raises `HeaderMismatch`.

    Undeclared ones are passed on as they are: nobody here reads them.
    """
    for param in declared:
        name = PARAM_PREFIX + param.token.lower()
        expected = _render(value_at(arguments, param.path))
        if expected is None:
            if name in headers:
                raise HeaderMismatch(f"`{name}` is present, but the body has no such argument")
            continue
        found = decode(_one(headers, name))
        if found is None or not _same(param.type, expected, found):
            raise HeaderMismatch(f"`{name}` differs from the argument in the body")


def mirror(declared: Sequence[ParamHeader], arguments: Json) -> dict[str, str]:
    """The `Mcp-Param-*` headers that repeat these arguments."""
    found = {param.token: _render(value_at(arguments, param.path)) for param in declared}
    return {f"Mcp-Param-{token}": encode(text) for token, text in found.items() if text is not None}


def declared(schema: Json) -> tuple[ParamHeader, ...]:
    """The `x-mcp-header` properties of an input schema, in order of their path.

    Raises `HeaderMismatch` for an annotation that the specification forbids: off a pure chain of
    `properties`, not a token (so no CR or LF), on another type than string, integer, boolean, or twice
    but for case.
    """
    found: dict[str, ParamHeader] = {}
    for path, node in schema_positions(schema):
        if "x-mcp-header" not in node:
            continue
        token, kind = node["x-mcp-header"], node.get("type")
        if not path:
            raise HeaderMismatch("`x-mcp-header` stands where no chain of `properties` leads")
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise HeaderMismatch("`x-mcp-header` is not a header token")
        if not isinstance(kind, str) or kind not in {"string", "integer", "boolean"}:
            raise HeaderMismatch("`x-mcp-header` marks a property that is no string, integer or boolean")
        if token.lower() in found:
            raise HeaderMismatch(f"`x-mcp-header` names `{token}` twice")
        found[token.lower()] = ParamHeader(path=path, token=token, type=kind)
    return tuple(sorted(found.values(), key=lambda param: param.path))


_SINGLE: Final = {
    *("items", "contains", "unevaluatedItems", "additionalProperties", "propertyNames"),
    *("unevaluatedProperties", "not", "if", "then", "else", "contentSchema"),
}
_LISTS: Final = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_MAPS: Final = frozenset({"patternProperties", "dependentSchemas", "$defs", "definitions"})


def schema_positions(root: Json) -> Iterator[tuple[tuple[str, ...] | None, dict[str, Json]]]:
    """Every schema inside a schema, with its path of `properties`, or None off that path.

    Never follows `$ref`; an explicit stack, so depth costs memory that the size limit bounds.
    """
    stack: list[tuple[tuple[str, ...] | None, Json]] = [((), root)]
    while stack:
        path, node = stack.pop()
        if not isinstance(node, dict):
            continue
        yield path, node
        for key, value in node.items():
            if key == "properties" and isinstance(value, dict):
                stack.extend(
                    ((*path, name) if path is not None else None, sub) for name, sub in value.items()
                )
            elif key in _SINGLE:
                stack.append((None, value))
            elif key in _LISTS and isinstance(value, list):
                stack.extend((None, sub) for sub in value)
            elif key in _MAPS and isinstance(value, dict):
                stack.extend((None, sub) for sub in value.values())


def value_at(arguments: Json, path: Sequence[str]) -> Json:
    """The value at a chain of member names, or None."""
    for name in path:
        if not isinstance(arguments, dict):
            return None
        arguments = arguments.get(name)
    return arguments


def _one(headers: Mapping[str, Sequence[str]], name: str) -> str:
    values = headers.get(name, ())
    if len(values) != 1:
        raise HeaderMismatch(f"`{name}` must be sent exactly once, not {len(values)} times")
    return values[0]


def _expect(headers: Mapping[str, Sequence[str]], name: str, wanted: Json, *, encoded: bool = False) -> None:
    found = _one(headers, name)
    if (decode(found) if encoded else found) != wanted or not isinstance(wanted, str):
        raise HeaderMismatch(f"`{name}` differs from the body")


def _render(value: Json) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else None


def _same(kind: str, expected: str, found: str) -> bool:
    """Integers compare as numbers (42 = 42.0), everything else as text."""
    if kind == "integer" and _DECIMAL.fullmatch(found) and _DECIMAL.fullmatch(expected):
        return int(found.partition(".")[0]) == int(expected.partition(".")[0])
    return found == expected
