"""How people and programs reach it: HTTP API, pages, command line. No rules here."""
