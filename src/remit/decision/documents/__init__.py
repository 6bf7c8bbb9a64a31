"""Which documents may enter an agent's context: as a condition before, one by one after (R131)."""
