"""One JSON-RPC message in one immutable buffer, and the exact bytes of its members.

Policy, digests and the forwarded request are all cut from the buffer that is parsed here once, so that
nobody can be shown one thing and be sent another.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from json.decoder import scanstring  # type: ignore[attr-defined]  # public in CPython, not in typeshed
from typing import Any, Final

import msgspec

from remit.kernel.building import builder
from remit.kernel.canonical import Json, JsonLimits, JsonObject, MalformedJson, parse_object

REQUEST_LIMITS: Final = JsonLimits(size=4 << 20)
_BLANK = " \t\n\r"
_DECODER = json.JSONDecoder()
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)


class NotOneMessage(MalformedJson):
    """The body is no single request or notification: a batch, a response, or not JSON-RPC 2.0."""

    code = "not_one_message"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One request, or one notification if `id` is None.

    `raw_id` and `raw_params` are the sender's own bytes of those members, `params` their parsed form.
    """

    method: str
    id: int | str | None
    raw_id: bytes
    params: JsonObject
    raw_params: Mapping[str, bytes]

    @property
    def is_notification(self) -> bool:
        """Whether nobody waits for an answer (JSON-RPC 2.0 §4.1)."""
        return self.id is None

    @property
    def meta(self) -> JsonObject:
        """`params._meta`, or nothing."""
        meta = self.params.get("_meta")
        return meta if isinstance(meta, dict) else {}


def read_message(body: bytes, *, limits: JsonLimits = REQUEST_LIMITS) -> Message:
    """Read exactly one request or notification from a whole body.

    Raises `MalformedJson` or `JsonTooLarge` for what is not strict I-JSON, `NotOneMessage` for the rest.
    """
    if body.lstrip()[:1] == b"[":
        raise NotOneMessage("body is a batch; send one message per request")
    value = parse_object(body, limits=limits)
    params = value.get("params", {})
    if value.get("jsonrpc") != "2.0" or not isinstance(params, dict) or not value.keys() <= _MEMBERS:
        raise NotOneMessage("body is not one JSON-RPC 2.0 request or notification")
    method = value.get("method")
    if not isinstance(method, str) or not method:
        raise NotOneMessage("body names no method")
    members = raw_members(body)
    return _message(
        method=method,
        id=_request_id(value),
        raw_id=members.get("id", b""),
        params=params,
        raw_params=raw_members(members["params"]) if "params" in members else {},
    )


def raw_members(document: bytes) -> dict[str, bytes]:
    """The sender's own bytes of each member of an object.

    SAFETY: only for what `parse_json` accepted: one reading, no member twice. So whoever cuts, cuts alike.
    """
    try:
        return {name: bytes(raw) for name, raw in _cut_fast(document).items()}
    except msgspec.DecodeError:
        return cut_strictly(document)


def cut_strictly(document: bytes) -> dict[str, bytes]:
    """What `raw_members` must give of any document, found by the decoder that parses strictly."""
    text = document.decode()
    return {name: text[begin:end].encode() for name, (begin, end) in member_spans(text, 0).items()}


_cut_fast: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_message: Final = builder(Message)


def member_spans(text: str, start: int) -> dict[str, tuple[int, int]]:
    """Where the value of each member of the object at `start` begins and ends.

    SAFETY: only for text that `parse_json` accepted; the same decoder then finds the same bounds.
    """
    spans: dict[str, tuple[int, int]] = {}
    at = _skip(text, _skip(text, start) + 1)
    while text[at] != "}":
        name, at = scanstring(text, at + 1, True)  # noqa: FBT003 — the standard library's own signature
        begin = _skip(text, _skip(text, at) + 1)
        _, end = _DECODER.raw_decode(text, begin)
        spans[name] = (begin, end)
        at = _skip(text, end)
        if text[at] == ",":
            at = _skip(text, at + 1)
    return spans


def object_of(members: Mapping[str, bytes]) -> bytes:
    """Write an object whose members' values are given as bytes."""
    return b"{" + b",".join([_named(name) + raw for name, raw in members.items()]) + b"}"


@lru_cache(maxsize=1024)
def _named(name: str) -> bytes:
    """A member's name as it stands before its value; pure, and nearly always one of a few."""
    return dump(name) + b":"


def dump(value: Any) -> bytes:
    """Write JSON compactly, as UTF-8; NaN and infinities are refused."""
    return _ENCODER.encode(value).encode()


_MEMBERS = {"jsonrpc", "id", "method", "params"}


def _request_id(value: Mapping[str, Json]) -> int | str | None:
    if "id" not in value:
        return None
    ident = value["id"]
    if isinstance(ident, bool) or not isinstance(ident, int | str):
        raise NotOneMessage("request id is neither a string nor an integer")
    return ident


def _skip(text: str, at: int) -> int:
    while text[at] in _BLANK:
        at += 1
    return at
