"""The edge: what a request must be before anything in it is believed.

Order: framing, `Host`, `Origin`, then the token (by the caller of this module), then media types, size,
one strict message, its era, and the equality of headers and body.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Final

from remit.enforcement.mcp import headers as mirrored
from remit.enforcement.mcp.frames import Message
from remit.enforcement.mcp.wire import (
    LEGACY_VERSIONS,
    META_CAPABILITIES,
    META_VERSION,
    MODERN_VERSIONS,
    UNSTATED_VERSION,
    VERSION_HEADER,
    Code,
    Era,
)
from remit.kernel.canonical import JsonObject
from remit.kernel.errors import Invalid

Headers = Mapping[str, Sequence[str]]
"""Lower-case name → every value that was sent, in order."""

SINGLE: Final = (
    "host",
    "origin",
    "authorization",
    "dpop",
    "content-type",
    "content-length",
    "accept",
    "txn-token",
)
"""Headers of which a second copy could be read by somebody else."""


HEADERS: Final = 32 << 10
"""Bytes of all header names and values together."""


class Refused(Invalid):
    """An HTTP request that is turned away at the edge, with the status that says so."""

    code = "request_refused"

    def __init__(self, hint: str, *, status: int, close: bool = False, rpc: Code | None = None) -> None:
        super().__init__(hint)
        self.status = status
        self.close = close
        self.rpc = rpc
        self.data: JsonObject | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """Which hosts and web origins may talk to this gateway, and how much they may send.

    `hosts` holds exact `Host` values (`name:port`), `origins` exact origins; a request without `Origin`
    comes from no browser and passes. `body` is in bytes.
    """

    hosts: frozenset[str]
    origins: frozenset[str] = frozenset()
    body: int = 4 << 20


def gather(pairs: Sequence[tuple[bytes, bytes]]) -> dict[str, list[str]]:
    """Fold raw header lines by lower-case name, keeping every copy."""
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        found.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
    return found


def check_edge(method: str, headers: Headers, edge: Edge) -> None:
    """Refuse bad framing, a foreign `Host` (DNS rebinding) and a foreign `Origin`, before reading the body.

    RFC 9112 §6.3: a message with `Transfer-Encoding` may end elsewhere for the next reader; a message
    here has exactly one `Content-Length` and nothing else that frames it.
    """
    if "transfer-encoding" in headers or any(len(headers.get(name, ())) > 1 for name in SINGLE):
        raise Refused("request is framed or addressed in two ways", status=400, close=True)
    told = "".join(chain.from_iterable(headers.values()))
    if "\0" in told or "\r" in told or "\n" in told:
        raise Refused("header holds a control character", status=400, close=True)
    if method == "POST" and not headers.get("content-length", ("",))[0].isdigit():
        raise Refused("`Content-Length` is required", status=400, close=True)
    if len(told) + sum([len(name) * len(values) for name, values in headers.items()]) > HEADERS:
        raise Refused(f"headers are over the limit of {HEADERS} bytes", status=431, close=True)
    if "host" not in headers:
        raise Refused("`Host` is required", status=400, close=True)
    if headers["host"][0].lower() not in edge.hosts:
        raise Refused("`Host` is not an address of this gateway", status=403)
    if "origin" in headers and headers["origin"][0].lower() not in edge.origins:
        raise Refused("`Origin` is not allowed", status=403)
    if method == "POST" and int(headers["content-length"][0][:20]) > edge.body:
        raise Refused(f"body is over the limit of {edge.body} bytes", status=413, close=True)


def check_media(headers: Headers) -> None:
    """A POST carries JSON and accepts JSON and an event stream."""
    kind = headers.get("content-type", ("",))[0].partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Refused("`Content-Type` must be `application/json`", status=415)
    if "content-encoding" in headers:
        raise Refused("a compressed body is not accepted", status=415)
    if not _accepted(headers) & {"application/json", "application/*", "*/*"}:
        raise Refused("`Accept` must include `application/json` and `text/event-stream`", status=406)


def accepts_stream(headers: Headers) -> bool:
    """Whether the answer may be an event stream."""
    return bool(_accepted(headers) & {"text/event-stream", "text/*", "*/*"})


def _accepted(headers: Headers) -> frozenset[str]:
    return _media_types(headers.get("accept", ("",))[0])


@lru_cache(maxsize=64)
def _media_types(accept: str) -> frozenset[str]:
    """The media types of an `Accept`; the same few clients send the same few."""
    return frozenset(part.partition(";")[0].strip().lower() for part in accept.split(","))


def era_of(message: Message, headers: Headers, *, legacy: bool) -> tuple[Era, str]:
    """Decide which era a message is of, and check that era's own envelope.

    `legacy` says whether older clients are served. Raises `Refused` with the code of MCP 2026-07-28
    (-32020, -32602, -32022), which also keeps a probing client modern.
    """
    stated = headers.get(VERSION_HEADER, ())
    if META_VERSION in message.meta or any(version in MODERN_VERSIONS for version in stated):
        if not message.is_notification:
            _check_modern(message, headers)
        return Era.MODERN, _served(stated[0] if stated else "", MODERN_VERSIONS, legacy=legacy)
    if len(stated) > 1:
        raise Refused("`MCP-Protocol-Version` was sent twice", status=400, rpc=Code.HEADER_MISMATCH)
    if message.method == "initialize":
        return Era.LEGACY, _offered(message, legacy=legacy)
    version = stated[0] if stated else UNSTATED_VERSION
    return Era.LEGACY, _served(version, LEGACY_VERSIONS if legacy else (), legacy=legacy)


def _check_modern(message: Message, headers: Headers) -> None:
    missing = [key for key in (META_VERSION, META_CAPABILITIES) if key not in message.meta]
    if missing:
        names = ", ".join(f"`{name}`" for name in missing)
        raise Refused(f"`params._meta` lacks {names}", status=400, rpc=Code.INVALID_PARAMS)
    try:
        mirrored.check_routing(message, headers)
    except mirrored.HeaderMismatch as mismatch:
        raise Refused(mismatch.hint, status=400, rpc=Code.HEADER_MISMATCH) from mismatch
    if not isinstance(message.meta[META_CAPABILITIES], dict):
        raise Refused("client capabilities are not an object", status=400, rpc=Code.INVALID_PARAMS)


def _served(version: str, versions: Sequence[str], *, legacy: bool) -> str:
    if version not in versions:
        raise _not_served(version, legacy=legacy)
    return version


def _offered(message: Message, *, legacy: bool) -> str:
    """MCP 2025-11-25, lifecycle: answer with the asked version if it is served, else with our newest."""
    asked = message.params.get("protocolVersion")
    if not legacy or not isinstance(asked, str):
        raise _not_served(asked if isinstance(asked, str) else "", legacy=legacy)
    return asked if asked in LEGACY_VERSIONS else LEGACY_VERSIONS[-1]


def _not_served(version: str, *, legacy: bool) -> Refused:
    refused = Refused("protocol version is not served here", status=400, rpc=Code.VERSION_NOT_SERVED)
    supported = [*(LEGACY_VERSIONS if legacy else ()), *MODERN_VERSIONS]
    refused.data = {"supported": list(supported), "requested": version[:64]}
    return refused
