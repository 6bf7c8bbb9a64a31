"""The request that leaves: built anew from judged members, with the caller's own bytes of each.

Nothing of the caller's HTTP request goes along but declared `Mcp-Param-*` headers: no token, proof, cookie,
`X-Forwarded-*`, `X-Remit-*` or unknown member of `params` or `_meta` (MC-01, MC-25).
"""

from collections.abc import Mapping, Sequence
from importlib.metadata import version as installed_version
from typing import Any, Final

from remit.enforcement.mcp.frames import Message, dump, object_of
from remit.enforcement.mcp.headers import encode
from remit.enforcement.mcp.upstream import UpstreamRequest
from remit.enforcement.mcp.wire import (
    CAPABILITY_HEADER,
    META_CAPABILITIES,
    META_CAPABILITY,
    META_CLIENT,
    META_LOG_LEVEL,
    META_VERSION,
    NAMED,
    PARAM_PREFIX,
    REQUEST_MEMBERS,
    SESSION_HEADER,
    TRANSACTION_HEADER,
    Era,
)
from remit.enforcement.pep.credentials import Shown
from remit.kernel.canonical import JsonObject

CLIENT: Final[JsonObject] = {"name": "remit-gateway", "version": installed_version("remit")}
_PASSING: Final = ("progressToken", "traceparent", "tracestate", META_LOG_LEVEL)


def judged_params(message: Message) -> dict[str, bytes]:
    """The members of `params` that mean something to this method, as the caller wrote them."""
    return {
        name: message.raw_params[name]
        for name in REQUEST_MEMBERS[message.method]
        if name in message.raw_params
    }


def prepare(
    message: Message,
    headers: Mapping[str, Sequence[str]],
    *,
    mirrored: Mapping[str, str],
    capability: str | None,
    credential: Shown | None = None,
    offers: JsonObject | None = None,
    continued: JsonObject | None = None,
) -> UpstreamRequest:
    """Cut what may leave out of what came in; `mirrored` are the headers that repeat declared arguments.

    `offers` are the ways in which the server may ask back, `continued` the members of a further round.
    """
    named = message.params.get(NAMED.get(message.method, ""))
    ours = {name.lower() for name in mirrored}
    undeclared = {
        name: values[0]
        for name, values in sorted(headers.items())
        if name.startswith(PARAM_PREFIX) and len(values) == 1 and name not in ours
    }
    return UpstreamRequest(
        method=message.method,
        params=judged_params(message) | {name: dump(value) for name, value in (continued or {}).items()},
        meta={name: message.meta[name] for name in _PASSING if name in message.meta},
        name=named if isinstance(named, str) else "",
        headers=tuple((undeclared | dict(mirrored)).items()),
        capability=capability or "",
        credential=credential,
        offers={"elicitation": offers} if offers else {},
        transaction=headers.get(TRANSACTION_HEADER, ("",))[0],
    )


def frame(request: UpstreamRequest, *, ident: int, era: Era, version: str, stdio: bool) -> bytes:
    """Write the JSON-RPC request in the server's era, under an id of our own.

    The caller's progress token is replaced by that id: tokens of different callers must not meet.
    """
    meta: dict[str, Any] = {name: value for name, value in request.meta.items() if name != "progressToken"}
    if "progressToken" in request.meta:
        meta["progressToken"] = ident
    if era is Era.MODERN:
        meta |= {META_VERSION: version, META_CLIENT: CLIENT, META_CAPABILITIES: dict(request.offers)}
    if stdio and request.capability:
        meta[META_CAPABILITY] = request.capability
    params = dict(request.params) | ({"_meta": dump(meta)} if meta else {})
    members = {"jsonrpc": b'"2.0"', "id": str(ident).encode(), "method": dump(request.method)}
    return object_of(members | ({"params": object_of(params)} if params else {}))


def http_headers(request: UpstreamRequest, *, era: Era, version: str, session: str) -> dict[str, str]:
    """The headers of that request on HTTP; all of them are ours."""
    found = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    if version:
        found["MCP-Protocol-Version"] = version
    if era is Era.MODERN:
        found["Mcp-Method"] = request.method
        found |= {"Mcp-Name": encode(request.name)} if request.method in NAMED else {}
        found |= dict(request.headers)
    elif session:
        found[SESSION_HEADER] = session
    if request.capability:
        found[CAPABILITY_HEADER] = request.capability
    if request.transaction:
        found[TRANSACTION_HEADER] = request.transaction
    if request.credential is not None:
        # SAFETY: the one place where a credential stands in the clear, on its way out.
        found[request.credential.header] = request.credential.value.reveal().decode("ascii")
    return found
