"""The words of both eras of MCP: versions, header and `_meta` names, methods, error codes.

MCP 2026-07-28 ("modern": each POST stands alone) and 2025-11-25 and older ("legacy": a handshake opens a
session). Written here rather than imported from an SDK, so that the gateway serves a version by our choice.
"""

from enum import IntEnum, StrEnum
from typing import Final

MODERN_VERSIONS: Final = ("2026-07-28",)
LEGACY_VERSIONS: Final = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")
LATEST_MODERN: Final = MODERN_VERSIONS[-1]
LATEST_LEGACY: Final = LEGACY_VERSIONS[-1]
UNSTATED_VERSION: Final = "2025-03-26"
"""What a legacy request without version header speaks (MCP 2025-11-25, transports)."""

VERSION_HEADER: Final = "mcp-protocol-version"
METHOD_HEADER: Final = "mcp-method"
NAME_HEADER: Final = "mcp-name"
PARAM_PREFIX: Final = "mcp-param-"
SESSION_HEADER: Final = "mcp-session-id"

META: Final = "io.modelcontextprotocol/"
META_VERSION: Final = META + "protocolVersion"
META_CAPABILITIES: Final = META + "clientCapabilities"
META_CLIENT: Final = META + "clientInfo"
META_LOG_LEVEL: Final = META + "logLevel"
META_SUBSCRIPTION: Final = META + "subscriptionId"

OURS: Final = "dev.remit/"
META_ENVELOPE: Final = OURS + "envelope"
META_CALL: Final = OURS + "call"
META_CAPABILITY: Final = OURS + "capability"
META_DENIAL: Final = OURS + "denial"
META_OUTCOME: Final = OURS + "outcome"

ENTERPRISE_MANAGED: Final = "io.modelcontextprotocol/enterprise-managed-authorization"
"""The extension by which an enterprise lets clients in, and no person is asked."""

ENVELOPE_HEADER: Final = "remit-envelope"
CAPABILITY_HEADER: Final = "Remit-Capability"
TRANSACTION_HEADER: Final = "txn-token"
"""What a request is about, told to whoever serves it (draft-ietf-oauth-transaction-tokens-10)."""


class Era(StrEnum):
    """Which of the two wires a peer speaks."""

    MODERN = "modern"
    LEGACY = "legacy"


class Code(IntEnum):
    """JSON-RPC and MCP error codes, and ours beside the ranges that others own."""

    PARSE_ERROR = -32700
    INVALID_REQUEST = -32600
    METHOD_NOT_FOUND = -32601
    INVALID_PARAMS = -32602
    INTERNAL = -32603
    HEADER_MISMATCH = -32020
    CAPABILITY_MISSING = -32021
    VERSION_NOT_SERVED = -32022
    DENIED = 4030
    """A method other than `tools/call` was denied. MCP 2026-07-28 keeps -32768..-32000 for itself."""
    RESOURCE_NOT_FOUND_LEGACY = -32002
    ELICITATION_REQUIRED_LEGACY = -32042


NAMED: Final = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
"""Method → member of `params` that `Mcp-Name` repeats."""

REQUEST_MEMBERS: Final[dict[str, tuple[str, ...]]] = {
    "server/discover": (),
    "initialize": ("protocolVersion", "capabilities", "clientInfo"),
    "ping": (),
    "tools/list": ("cursor",),
    "tools/call": ("name", "arguments"),
    "resources/list": ("cursor",),
    "resources/templates/list": ("cursor",),
    "resources/read": ("uri",),
    "prompts/list": ("cursor",),
    "prompts/get": ("name", "arguments"),
    "completion/complete": ("ref", "argument", "context"),
    "subscriptions/listen": ("notifications",),
}
"""Every request that is served, and the members of `params` that are judged and forwarded: no others are."""

MODERN_ONLY: Final = frozenset({"server/discover", "subscriptions/listen"})
LEGACY_ONLY: Final = frozenset({"initialize", "ping"})
NOTIFICATIONS: Final = frozenset({"notifications/initialized", "notifications/cancelled"})
CACHEABLE: Final = frozenset(
    {
        "server/discover",
        "tools/list",
        "resources/list",
        "resources/templates/list",
        "resources/read",
        "prompts/list",
    }
)
"""Results that must say `ttlMs` and `cacheScope` on the modern wire."""

ASKABLE: Final = frozenset({"tools/call", "prompts/get", "resources/read"})
"""The only requests that may be answered with `input_required`."""


def served(method: str, era: Era) -> bool:
    """Whether a request of this name exists in that era and is served here."""
    if method not in REQUEST_MEMBERS:
        return False
    return method not in (LEGACY_ONLY if era is Era.MODERN else MODERN_ONLY)
