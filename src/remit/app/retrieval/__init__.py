"""Documents for retrieval servers: which an agent may read, decided like calls of our own gateway."""
