"""A business as its tools: rooms, customers, refunds, documents, mail, behind an MCP server.

Built on the official SDK, with state in SQLite and a journal of who called what. It trusts no gateway: each
tool call must carry a capability that this server verifies by itself.
"""
