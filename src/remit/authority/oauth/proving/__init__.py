"""Who is there: clients, tokens and keys, proven anew at every request."""
