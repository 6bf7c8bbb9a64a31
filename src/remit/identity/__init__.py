"""WHO: the directory of everything that acts or answers for what acts.

Imports `ledger` and `kernel`. Says who a thing is, who owns it and whether it lives; never what it may do.
"""
