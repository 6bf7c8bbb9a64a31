"""Credentials of other services: sealed, opened only for the call that was permitted."""
