"""The demonstration: a real agent, a real business MCP server, told through public doors only."""
