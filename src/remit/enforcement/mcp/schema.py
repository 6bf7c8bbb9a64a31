"""What a tool definition may look like before a person is even asked to trust it (MC-18..MC-20)."""

import re
from typing import Final

from remit.enforcement.mcp.headers import HeaderMismatch, declared, schema_positions
from remit.kernel.canonical import Json, JsonObject, MalformedJson, canonical_json
from remit.kernel.errors import Invalid

SIZE: Final = 64 << 10
DEPTH: Final = 16
POSITIONS: Final = 1_000
BRANCHES: Final = 100
PATTERN: Final = 2 << 10
_NAME: Final = re.compile(r"[A-Za-z0-9_.\-/]{1,128}")
_SECRET: Final = re.compile(
    r"pass(word|wd|phrase)|secret|token|api[-_ ]?key|credential|private[-_ ]?key", re.IGNORECASE
)
_BOMB: Final = re.compile(r"\((\?:)?(\\.|\[[^\]]*\]|[^()\\\[])[*+]\)[*+{]|\((.{1,20})\|\3\)[*+{]|\\[1-9]")


class DefinitionRefused(Invalid):
    """A tool definition that no mapping and no approval could make safe."""

    code = "definition_refused"


def check_definition(tool: JsonObject) -> bytes:
    """Return the canonical form of a definition, or raise `DefinitionRefused` with the first fault."""
    name = tool.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise DefinitionRefused("tool name is not 1 to 128 of letters, digits, `_`, `-`, `.` and `/`")
    for member in ("inputSchema", "outputSchema"):
        if member in tool:
            _check_schema(tool[member])
    if not isinstance(tool.get("inputSchema"), dict):
        raise DefinitionRefused("tool has no input schema")
    _check_headers(tool["inputSchema"])
    try:
        text = canonical_json(tool)
    except MalformedJson as broken:
        raise DefinitionRefused("definition has no canonical form") from broken
    if len(text) > SIZE:
        raise DefinitionRefused(f"definition has {len(text)} bytes, the limit is {SIZE}")
    return text


def _check_schema(schema: Json) -> None:
    if not isinstance(schema, dict):
        raise DefinitionRefused("schema is not an object")
    if _depth(schema) > DEPTH:
        raise DefinitionRefused(f"schema nests deeper than {DEPTH}")
    for count, (_, node) in enumerate(schema_positions(schema)):
        if count >= POSITIONS:
            raise DefinitionRefused(f"schema has more than {POSITIONS} positions")
        _check_node(node, schema)


def _check_node(node: JsonObject, root: JsonObject) -> None:
    for key in ("$ref", "$dynamicRef", "$recursiveRef"):
        if key in node:
            _check_reference(node[key], root)
    for key in ("anyOf", "oneOf", "allOf", "enum", "prefixItems"):
        branches = node.get(key)
        if isinstance(branches, list) and len(branches) > (BRANCHES if key != "enum" else 10 * BRANCHES):
            raise DefinitionRefused(f"`{key}` has {len(branches)} members, too many to judge")
    patterns = [node.get("pattern"), *_keys(node.get("patternProperties"))]
    if any(isinstance(text, str) and not _linear(text) for text in patterns):
        raise DefinitionRefused("schema holds a pattern that takes a backtracking engine exponential time")


def _check_reference(target: Json, root: JsonObject) -> None:
    """Only local references, and none that leads back to itself: nobody here fetches or unrolls one."""
    if not isinstance(target, str) or not target.startswith("#"):
        raise DefinitionRefused("schema refers to another document")
    seen: set[str] = set()
    frontier = [target]
    while frontier:
        pointer = frontier.pop()
        if pointer in seen:
            raise DefinitionRefused("schema refers to itself")
        seen.add(pointer)
        for _, node in schema_positions(_local(pointer, root)):
            reference = node.get("$ref")
            if isinstance(reference, str):
                frontier.append(reference)


def _local(pointer: str, root: Json) -> Json:
    here = root
    for step in pointer.removeprefix("#").split("/")[1:]:
        if not isinstance(here, dict):
            return None
        here = here.get(step.replace("~1", "/").replace("~0", "~"))
    return here


def _check_headers(schema: Json) -> None:
    try:
        params = declared(schema)
    except HeaderMismatch as mismatch:
        raise DefinitionRefused(mismatch.hint) from mismatch
    for param in params:
        # MCP 2026-07-28, Custom Headers: sensitive parameters must not be mirrored; proxies log headers.
        if _SECRET.search(param.path[-1]) or _SECRET.search(param.token):
            raise DefinitionRefused(f"`x-mcp-header` would put `{param.path[-1]}` into a header")


def _depth(schema: Json) -> int:
    deepest, stack = 0, [(schema, 1)]
    while stack:
        node, depth = stack.pop()
        deepest = max(deepest, depth)
        if depth > 4 * DEPTH:
            break
        children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        stack.extend((child, depth + 1) for child in children if isinstance(child, dict | list))
    # Two levels of JSON (`properties`, then the property) make one level of schema.
    return (deepest + 1) // 2


def _keys(value: Json) -> list[Json]:
    return list(value) if isinstance(value, dict) else []


def _linear(pattern: str) -> bool:
    """Whether it is free of the classical bombs: `(a+)+`, `(a|a)*`, back references.

    We never run a pattern; this keeps one from a client that does, on a backtracking engine.
    """
    return len(pattern) <= PATTERN and _BOMB.search(pattern) is None
