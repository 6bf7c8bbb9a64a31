"""Calls that are not made, read as the gateway reads those that are: for scenarios of policies."""

from remit.decision.trials.running import Meant
from remit.enforcement.mcp.mapping import Meaning, meaning_of_method, meaning_of_tool
from remit.identity.tools import Server, Tool
from remit.kernel.building import builder
from remit.kernel.canonical import JsonObject


class GatewayReader:
    """The gateway's own reading of arguments."""

    def tool(self, server: Server, tool: Tool, arguments: JsonObject) -> Meant:
        """A tool call. Raises `ArgumentsUnmapped`."""
        return _meant(meaning_of_tool(server, tool, arguments))

    def method(self, server: Server, method: str, arguments: JsonObject) -> Meant:
        """Any other request; `method` as in actions, with dots."""
        return _meant(meaning_of_method(server, method.replace(".", "/"), arguments))


_built = builder(Meant)


def _meant(meaning: Meaning) -> Meant:
    return _built(
        action=meaning.action,
        resource=meaning.resource,
        money=meaning.money,
        consequential=meaning.consequential,
    )
