"""What callers are told: results in their era's shape, denials, questions, errors. One table of codes.

A denied tool call is a tool result (`isError`), so that the model reads why and what to do; a denied request
of another kind is a JSON-RPC error outside the ranges that JSON-RPC and MCP keep for themselves.
"""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from remit.enforcement.mcp.wire import (
    CACHEABLE,
    META,
    META_CALL,
    META_DENIAL,
    META_OUTCOME,
    OURS,
    Code,
    Era,
)
from remit.enforcement.pep.decider import Ask, CallState, RecordedCall
from remit.kernel.canonical import JsonObject

MODERN_STATUS: Final = {
    Code.PARSE_ERROR: HTTPStatus.BAD_REQUEST,
    Code.INVALID_REQUEST: HTTPStatus.BAD_REQUEST,
    Code.INVALID_PARAMS: HTTPStatus.BAD_REQUEST,
    Code.HEADER_MISMATCH: HTTPStatus.BAD_REQUEST,
    Code.CAPABILITY_MISSING: HTTPStatus.BAD_REQUEST,
    Code.VERSION_NOT_SERVED: HTTPStatus.BAD_REQUEST,
    Code.METHOD_NOT_FOUND: HTTPStatus.NOT_FOUND,
}
"""Status that the modern wire gives to an error code; every other error, and every legacy one, is 200."""

_RETIRED: Final = {
    int(Code.RESOURCE_NOT_FOUND_LEGACY): int(Code.INVALID_PARAMS),
    int(Code.ELICITATION_REQUIRED_LEGACY): int(Code.INTERNAL),
}
"""Codes that must not appear on the modern wire any more, and what says the same there."""

_MODERN_MEMBERS: Final = ("resultType", "ttlMs", "cacheScope")
_LINKS: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A JSON-RPC answer without its id: exactly one of `result` and `error`."""

    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None


def status_of(answer: Answer, era: Era) -> int:
    """HTTP status that goes with an answer."""
    if answer.error is None or era is Era.LEGACY:
        return HTTPStatus.OK
    code = answer.error.get("code")
    return next((status for known, status in MODERN_STATUS.items() if known == code), HTTPStatus.OK)


def failure(code: Code, message: str, data: Any = None) -> Answer:
    """A JSON-RPC error."""
    error: dict[str, Any] = {"code": int(code), "message": message}
    return Answer(error=error if data is None else {**error, "data": data})


def unknown_tool(name: str) -> Answer:
    """The one answer for a tool that does not exist, is hidden from this caller, or was removed."""
    return failure(Code.INVALID_PARAMS, f"Unknown tool: {name[:128]}")


def adapt(result: dict[str, Any], *, method: str, era: Era) -> dict[str, Any]:
    """Give a server's result the members that the caller's era demands, and only those; take ours away.

    INVARIANT: what passed a gateway that filters by subject is private to it, whatever the server said.
    """
    plain = {name: value for name, value in result.items() if name not in _MODERN_MEMBERS}
    meta = plain.pop("_meta", None)
    if isinstance(meta, dict) and (kept_meta := _foreign(meta, era)):
        plain["_meta"] = kept_meta
    if era is Era.LEGACY:
        return plain
    kept: dict[str, Any] = {name: result[name] for name in _MODERN_MEMBERS if name in result}
    if method not in CACHEABLE:
        return {"resultType": "complete", **kept, **plain}
    life = result.get("ttlMs")
    ttl = life if isinstance(life, int) and not isinstance(life, bool) and life >= 0 else 0
    return {**plain, "resultType": "complete", "ttlMs": ttl, "cacheScope": "private"}


def adapt_error(error: dict[str, Any], *, era: Era) -> Answer:
    """Pass a server's error on, but for the codes that the modern wire has retired."""
    code, message = error.get("code"), error.get("message")
    if not isinstance(code, int) or isinstance(code, bool) or not isinstance(message, str):
        return failure(Code.INTERNAL, "server sent an error that is none")
    if era is Era.MODERN:
        code = _RETIRED.get(code, code)
    return Answer(
        error={"code": code, "message": message} | ({"data": error["data"]} if "data" in error else {})
    )


def denied(denial: JsonObject, *, method: str, era: Era) -> Answer:
    """Say no, with reason and remedy."""
    message = str(denial.get("message", "denied"))
    if method != "tools/call":
        return failure(Code.DENIED, message, {META_DENIAL: denial})
    return _tool_error(message, {META_DENIAL: denial}, era)


def repeated(record: RecordedCall, *, call_key: str, era: Era) -> Answer:
    """Answer a repeated call from the record (CA-14): it is never run again."""
    outcome: JsonObject = {"state": record.state.value, "call": record.call, "repeated": True}
    if record.state is CallState.RUNNING:
        return _tool_error(f"call `{call_key}` is still running", {META_OUTCOME: outcome}, era)
    if record.state is CallState.UNKNOWN:
        text = f"call `{call_key}` was sent and its outcome is unknown; it will not be sent again"
        return _tool_error(text, {META_OUTCOME: outcome}, era)
    text = f"call `{call_key}` has ended ({record.state.value}); its result is no longer kept"
    return _tool_error(text, {META_OUTCOME: outcome}, era)


def unfinished(sentence: str, *, call_key: str, sent: bool) -> Answer:
    """No whole answer came from the server: say whether it may have acted."""
    state = CallState.UNKNOWN if sent else CallState.FAILED
    return failure(Code.INTERNAL, sentence, {META_OUTCOME: {"state": state.value, META_CALL: call_key}})


def input_required(ask: Ask) -> Answer:
    """Ring the bell: point the person at the approval page. The yes happens there, not in the answer."""
    params = {"mode": "url", "message": ask.sentence, "url": ask.page}
    request = {"method": "elicitation/create", "params": params}
    return Answer(result={"resultType": "input_required", "inputRequests": {"approval": request}})


def touched(result: dict[str, Any]) -> tuple[str, ...]:
    """Addresses of the resources that a tool's or a resource's result embeds or links, at most 64."""
    blocks = [*_items(result.get("content")), *_items(result.get("contents"))]
    places = [block.get("resource") if block.get("type") == "resource" else block for block in blocks]
    found = [
        place["uri"] for place in places if isinstance(place, dict) and isinstance(place.get("uri"), str)
    ]
    return tuple(dict.fromkeys(uri[:2048] for uri in found))[:_LINKS]


def _foreign(meta: dict[str, Any], era: Era) -> dict[str, Any]:
    """A server's own `_meta`: nothing in our name, and on the legacy wire nothing of the modern one."""
    strange = (OURS, META) if era is Era.LEGACY else (OURS,)
    return {name: value for name, value in meta.items() if not name.startswith(strange)}


def _items(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _tool_error(text: str, meta: JsonObject, era: Era) -> Answer:
    result: dict[str, Any] = {"content": [{"type": "text", "text": text}], "isError": True, "_meta": meta}
    return Answer(result={"resultType": "complete", **result} if era is Era.MODERN else result)
