"""How calls are named: `<server>/<action>` for a tool, `<server>/tools.list` for a method without one."""

from collections.abc import Mapping
from typing import Final

from remit.identity.tools import Server, Tool

SERVER_TYPE: Final = "Server"
RESOURCE_TYPE: Final = "Resource"
"""What an MCP server offers to be read, by its URI; in completions, a template of one."""
PROMPT_TYPE: Final = "Prompt"
"""A prompt that an MCP server offers, by its name."""
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
ON_ITEMS: Final[Mapping[str, frozenset[str]]] = {
    "resources.read": frozenset({RESOURCE_TYPE}),
    "resources.subscribe": frozenset({SERVER_TYPE}),
    "resources.unsubscribe": frozenset({SERVER_TYPE}),
    "prompts.get": frozenset({PROMPT_TYPE}),
    "completion.complete": frozenset({RESOURCE_TYPE, PROMPT_TYPE}),
    "subscriptions.listen": frozenset({SERVER_TYPE}),
    RETRIEVE: frozenset({DOCUMENT_TYPE}),
}
"""Methods that do more than discover, and the types of what they are asked about."""
METHODS: Final[Mapping[str, bool]] = {
    **dict.fromkeys(_DISCOVERY_METHODS, True),
    **dict.fromkeys(ON_ITEMS, False),
}
"""Methods that are decided without a tool, as they stand in actions; the value says whether they only
discover."""


def action_of(server: Server, tool: Tool) -> str:
    """The action that a call of the tool is, `<server>/<action>`."""
    return f"{server.name}/{tool.mapping.action if tool.mapping else tool.name}"
