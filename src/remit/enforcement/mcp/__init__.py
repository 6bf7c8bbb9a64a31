"""The MCP gateway: agents call tools through it, version-agnostic, at the level of HTTP and JSON-RPC."""
