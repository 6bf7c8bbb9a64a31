"""What a policy set can and cannot say, found by a solver and shown by a request.

Imported where it is used alone: `z3` is an extra, and no decision needs it.
"""
