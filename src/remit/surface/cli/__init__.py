"""The command line: a command parses, calls the server, renders."""
