"""Logs, metrics and traces: may be lost, never hold a secret."""
