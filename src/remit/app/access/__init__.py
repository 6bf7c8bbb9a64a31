"""Decisions for enforcement points of others: AuthZEN's questions as calls (Authorization API 1.0)."""
