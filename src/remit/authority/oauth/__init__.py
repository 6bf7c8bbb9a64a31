"""The authorization server's protocol without HTTP: a file per grant and per endpoint."""
