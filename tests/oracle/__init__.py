"""Definitions to measure by: slow, obvious, no cache, no index, no concurrency, and no code of `src`."""
