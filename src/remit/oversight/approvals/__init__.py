"""Durable approvals, bound to the digest of exactly what will run."""
