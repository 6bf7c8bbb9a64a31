"""How calls are named: `<server>/<action>` for a tool, `<server>/tools.list` for a method without one."""

from collections.abc import Mapping
from typing import Final

from remit.identity.tools import Server, Tool

SERVER_TYPE: Final = "Server"
ITEM_TYPE: Final = "Item"
"""A resource, prompt or completion that an MCP server offers besides tools."""
DOCUMENT_TYPE: Final = "Document"
"""What a retrieval server finds: a text with tags, decided one by one."""
RETRIEVE: Final = "documents.retrieve"
"""One document enters an agent's context; no method of MCP, and asked by retrieval servers alone."""

_DISCOVERY_METHODS: Final = (
    "initialize",
    "ping",
    "server.discover",
    "tools.list",
    "resources.list",
    "resources.templates.list",
    "prompts.list",
    "logging.setLevel",
)
_ITEM_METHODS: Final = (
    "resources.read",
    "resources.subscribe",
    "resources.unsubscribe",
    "prompts.get",
    "completion.complete",
    "subscriptions.listen",
    RETRIEVE,
)
METHODS: Final[Mapping[str, bool]] = {
    **dict.fromkeys(_DISCOVERY_METHODS, True),
    **dict.fromkeys(_ITEM_METHODS, False),
}
"""Methods that are decided without a tool, as they stand in actions; the value says whether they only
discover."""


def action_of(server: Server, tool: Tool) -> str:
    """The action that a call of the tool is, `<server>/<action>`."""
    return f"{server.name}/{tool.mapping.action if tool.mapping else tool.name}"
