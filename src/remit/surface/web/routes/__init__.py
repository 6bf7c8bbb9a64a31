"""The API, one module per noun: each reads a request, calls one service, shows the result."""
