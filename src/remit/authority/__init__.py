"""ON WHOSE BEHALF: tasks, consent, delegation, capabilities, and the tokens that carry them.

Imports `identity`, `ledger` and `kernel`. Everything here can only shrink what somebody already had.
"""
