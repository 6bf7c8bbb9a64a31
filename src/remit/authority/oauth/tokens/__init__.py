"""Access tokens of ours as they are written, and the list that tells which of them have ended."""
