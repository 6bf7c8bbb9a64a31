"""Remit: identity and access management for AI agents.

The wings answer one question each; data flows one way: authenticate, evaluate, act, log.
A wing imports only from wings below it:
surface > app > platform > enforcement > oversight > decision > authority > identity > ledger > kernel.
"""
