"""A small language model that says how alike two sentences are (extra `intent`): no service, no network."""
